"""The sockets of the simulated switch, and the greenlet that makes its time go on."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import gevent
from gevent import socket
from gevent.event import Event
from gevent.pool import Pool
from gevent.server import StreamServer

from esl_agent.simulator.call import Call
from esl_agent.simulator.clock import Clock
from esl_agent.simulator.config import SimulatorConfig, SimulatorError
from esl_agent.simulator.core import Core
from esl_agent.simulator.faults import Faults
from esl_agent.simulator.listener import AUTH_REQUEST, SHUT_DOWN, Listener

_RECEIVE_BYTES_MAX: Final = 64 * 1024
_BACKLOG: Final = 1_024
#: The variable of the whole switch by which the dialplan finds the daemon.
ADMISSION_ADDRESS: Final = "esl_admission_address"
#: A client that the switch called, and that doesn't say `connect`, is given up after so long.
_SILENCE_US_MAX: Final = 25_000_000
#: How long clients have to read their goodbye.
_FAREWELL_S_MAX: Final = 1.0
#: How long they have where all is to be read to the end; how often it is looked whether it is.
_READ_UP_S_MAX: Final = 10.0
_LOOK_S: Final = 0.05
#: Timers that are due closer together than this are served together.
_NAP_S_MIN: Final = 0.0005


class Runner:
    """Makes the core's time go on."""

    def __init__(self, core: Core, clock: Clock) -> None:
        self._core = core
        self._clock = clock
        self._wake = Event()
        self._greenlet: gevent.Greenlet[[], None] | None = None

    def start(self) -> None:
        self._greenlet = gevent.spawn(self._run)

    def stop(self) -> None:
        if self._greenlet is not None:
            self._greenlet.kill()
            self._greenlet = None

    def catch_up(self) -> None:
        """Bring the core to the present; whoever does something with it does this first."""
        self._core.advance(self._clock(), on_time=False)

    def wake(self) -> None:
        """Something new may be due."""
        self._wake.set()

    def _run(self) -> None:
        while True:
            self.catch_up()
            due_us = self._core.next_due_us()
            nap_s = None if due_us is None else max(_NAP_S_MIN, (due_us - self._clock()) / 1_000_000)
            self._wake.wait(nap_s)
            self._wake.clear()


class Stall:
    """A time during which nothing is sent."""

    def __init__(self) -> None:
        self._going = Event()
        self._going.set()
        self._timer: gevent.Greenlet[[], None] | None = None

    def begin(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.kill()
            self._timer = None
        if seconds <= 0:
            self._going.set()
            return
        self._going.clear()
        self._timer = gevent.spawn_later(seconds, self._going.set)

    def wait(self) -> None:
        self._going.wait()


class _Connection:
    """A socket and the listener behind it."""

    def __init__(self, sock: socket.socket, listener: Listener, runner: Runner, stall: Stall) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sock = sock
        self._runner = runner
        self._stall = stall
        self._output = Event()
        self._is_parting = False
        self.listener = listener
        listener.when_output = self._output.set

    def serve(self) -> None:
        """Pass bytes both ways till either side has enough."""
        writer = gevent.spawn(self._write)
        try:
            while data := self._sock.recv(_RECEIVE_BYTES_MAX):
                self._runner.catch_up()
                self.listener.receive(data)
                self._runner.wake()
        except OSError:
            pass
        finally:
            self._runner.catch_up()
            self.listener.gone()
            self._runner.wake()
            writer.kill()
            self._sock.close()

    def part(self) -> None:
        """Say goodbye, and leave the end to the client, which may have much to read before that."""
        self._is_parting = True
        self.listener.close(SHUT_DOWN)

    def cut(self) -> None:
        """Break the connection at once; what waits is lost."""
        self.listener.gone()
        self.listener.forget()
        self._output.set()
        self._shut()

    def _write(self) -> None:
        try:
            while True:
                self._stall.wait()
                data = self.listener.take()
                if data:
                    self._sock.sendall(data)
                elif self.listener.closing:
                    break
                else:
                    self._output.wait()
                    self._output.clear()
        except OSError:
            self.listener.gone()
        # To stop reading, too, while the client still talks, would take from it what it has not read yet.
        self._shut(socket.SHUT_WR if self._is_parting else socket.SHUT_RDWR)

    def _shut(self, how: int = socket.SHUT_RDWR) -> None:
        with suppress(OSError):
            self._sock.shutdown(how)


class Server:
    """The door that clients come in by, and the one through which calls go out to a socket server."""

    def __init__(self, config: SimulatorConfig, core: Core, faults: Faults, runner: Runner) -> None:
        self._config = config
        self._core = core
        self._faults = faults
        self._runner = runner
        self._server: StreamServer | None = None
        self._connections: set[_Connection] = set()
        self._pool = Pool(config.clients_max)
        self.stall = Stall()
        self.port = config.port
        core.dial_agent = self._dial_agent

    def open(self) -> None:
        """Listen; raises SimulatorError where that can't be."""
        listening = self._listen(self._config.host, self.port)
        self.port = listening.getsockname()[1]
        self._server = StreamServer(listening, self._welcome, spawn=self._pool)
        self._server.start()

    def _listen(self, host: str, port: int) -> socket.socket:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
            listening.listen(_BACKLOG)
        except OSError as error:
            listening.close()
            raise SimulatorError(f"can't listen on {host}:{port}: {error.strerror}") from None
        return listening

    def shut(self) -> None:
        """Listen no longer; connections stay."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def finish(self, timeout_s: float) -> None:
        """Let those who hear of calls read all that is queued for them, for so long, and then the goodbye.

        Not the others: a client that has two connections gives up both when one ends.
        """
        self._wait_until(timeout_s, lambda: not any(each.listener.waiting for each in self._connections))
        hearing = {each for each in self._connections if each.listener.hears_calls}
        for connection in hearing:
            connection.part()
        self._wait_until(_READ_UP_S_MAX, lambda: not hearing & self._connections)

    def _wait_until(self, timeout_s: float, is_so: Callable[[], bool]) -> None:
        until = time.monotonic() + timeout_s
        while not is_so() and time.monotonic() < until:
            gevent.sleep(_LOOK_S)

    def close(self) -> None:
        """Listen no longer, and tell all clients goodbye as a switch that is shut down does."""
        self.stall.begin(0)
        for connection in list(self._connections):
            connection.listener.close(SHUT_DOWN)
        self.shut()
        self._pool.join(timeout=_FAREWELL_S_MAX)
        self.cut_all()
        self._pool.kill()

    def cut_all(self) -> None:
        """Break all connections without a word."""
        for connection in list(self._connections):
            connection.cut()

    def _welcome(self, sock: socket.socket, address: object) -> None:
        listener = Listener(self._core, self._faults)
        self._core.listeners.append(listener)
        listener.say(AUTH_REQUEST)
        self._serve(sock, listener)

    def _serve(self, sock: socket.socket, listener: Listener) -> None:
        connection = _Connection(sock, listener, self._runner, self.stall)
        self._connections.add(connection)
        try:
            connection.serve()
        finally:
            self._connections.discard(connection)

    # The `socket` application

    def _dial_agent(self, call: Call, argument: str) -> None:
        gevent.spawn(self._connect, call, argument)

    def _connect(self, call: Call, argument: str) -> None:
        hosts, *modes = argument.split()
        hosts = self._core.globals.get(ADMISSION_ADDRESS, hosts)
        sock = self._first_that_answers(hosts.split("|"))
        self._runner.catch_up()
        if sock is None or not call.caller.is_up:
            # "Socket Error!", and the dialplan goes on with what comes next.
            call.socket_closed(resume=True)
            self._runner.wake()
            return
        listener = Listener(self._core, self._faults, call)
        listener.is_async = "async" in modes
        listener.is_full = "full" in modes
        call.controller = listener
        self._core.listeners.append(listener)
        self._core.after(_SILENCE_US_MAX, _give_up_silent, listener)
        self._serve(sock, listener)

    def _first_that_answers(self, hosts: list[str]) -> socket.socket | None:
        for host in hosts:
            name, _, port = host.partition("/")[0].rpartition(":")
            try:
                return socket.create_connection((name, int(port)), self._config.admission_connect_s)
            except (OSError, ValueError):
                continue
        return None


def _give_up_silent(listener: Listener) -> None:
    if not listener.is_connected and not listener.closing:
        listener.break_off()
