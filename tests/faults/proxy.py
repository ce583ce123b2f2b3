"""A way between two processes that can be broken: a TCP proxy on loopback.

A way has two directions, FORTH (from whoever connects) and BACK.  What is held
up waits in the sockets; nothing is reordered or changed.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from typing import Final

import gevent
from gevent import socket
from gevent.event import Event
from gevent.server import StreamServer

from esl_agent.lab.ports import LOOPBACK, free_port

CHUNK_BYTES: Final = 64 * 1024
CONNECT_S: Final = 2.0
#: SO_LINGER on, at zero seconds: a close is a reset.
RESETS: Final = struct.pack("ii", 1, 0)

Connect = Callable[[], socket.socket]


class Direction(StrEnum):
    FORTH = "forth"
    BACK = "back"


FORTH, BACK = Direction


def to_port(port: int) -> Connect:
    def connect() -> socket.socket:
        sock = socket.create_connection((LOOPBACK, port), CONNECT_S)
        sock.settimeout(None)
        return sock

    return connect


def to_path(path: str) -> Connect:
    """To a Unix socket."""

    def connect() -> socket.socket:
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.connect(path)
        except OSError:
            sock.close()
            raise
        return sock

    return connect


class Proxy:
    """`name` is the way's in the list of faults; `port` is where to connect to."""

    def __init__(self, name: str, connect: Connect, note: Callable[[str], None]) -> None:
        self.port = free_port()
        self._name = name
        self._connect = connect
        self._note = note
        self._open_gates = {direction: Event() for direction in Direction}
        self._delay_s = 0.0
        self._bytes_left: int | None = None
        self._near: set[socket.socket] = set()
        self._far: set[socket.socket] = set()
        self._server: StreamServer | None = None
        self.heal()

    # Faults

    def cut(self) -> None:
        """Every connection breaks; new ones are taken."""
        self._note(f"{self._name}: cut")
        self._break(self._near | self._far)

    def refuse(self) -> None:
        """Every connection breaks, and new ones are refused."""
        self._note(f"{self._name}: refused")
        self._stop_listening()
        self._break(self._near | self._far)

    def stall(self, *directions: Direction) -> None:
        """Nothing gets through that way (both ways, if none is named), and nobody is told."""
        self._note(f"{self._name}: stalled {' and '.join(directions or Direction)}")
        for direction in directions or Direction:
            self._open_gates[direction].clear()

    def half_open(self) -> None:
        """The far side is gone, and whoever is connected never hears of it; new connections stall."""
        self._note(f"{self._name}: half open")
        for gate in self._open_gates.values():
            gate.clear()
        self._break(self._far)

    def truncate(self, after_bytes: int) -> None:
        """So much gets through yet, both ways together; then every connection breaks."""
        self._note(f"{self._name}: breaks off")
        self._bytes_left = after_bytes

    def slow(self, delay_s: float) -> None:
        """Every piece takes so much longer."""
        self._note(f"{self._name}: slow")
        self._delay_s = delay_s

    def heal(self) -> None:
        """All is well again; connections whose far side went away are told so."""
        self._delay_s, self._bytes_left = 0.0, None
        if self._server is None:
            self._server = StreamServer((LOOPBACK, self.port), self._serve)
            self._server.start()
        for gate in self._open_gates.values():
            gate.set()

    def close(self) -> None:
        self._stop_listening()
        self._break(self._near | self._far)

    # Connections

    def _serve(self, near: socket.socket, address: object) -> None:
        self._near.add(near)
        far: socket.socket | None = None
        try:
            self._wait_open()
            far = self._connect()
            self._far.add(far)
            pumps = [gevent.spawn(self._pump, FORTH, near, far), gevent.spawn(self._pump, BACK, far, near)]
            gevent.joinall(pumps)
        except OSError:
            pass  # nobody there: the near side sees its connection end
        finally:
            self._near.discard(near)
            near.close()
            if far is not None:
                self._far.discard(far)
                far.close()

    def _wait_open(self) -> None:
        for gate in self._open_gates.values():
            gate.wait()

    def _pump(self, direction: Direction, source: socket.socket, sink: socket.socket) -> None:
        gate = self._open_gates[direction]
        try:
            while data := source.recv(CHUNK_BYTES):
                gevent.sleep(self._delay_s)
                gate.wait()
                passed, is_last = self._passed(data)
                sink.sendall(passed)
                if is_last:
                    self._break(self._near | self._far)
            gate.wait()
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            gate.wait()  # while nothing gets through, the news of an end does not either
            for end in (source, sink):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def _passed(self, data: bytes) -> tuple[bytes, bool]:
        """What of `data` gets through, and whether that is the end of it."""
        if self._bytes_left is None:
            return data, False
        passed = data[: self._bytes_left]
        self._bytes_left -= len(passed)
        if self._bytes_left > 0:
            return passed, False
        self._bytes_left = None
        return passed, True

    def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.stop()
            self._server = None

    def _break(self, ends: set[socket.socket]) -> None:
        for end in list(ends):
            with suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESETS)
            end.close()
