"""Events decoded and dispatched per second: ours against greenswitch as published, on the same calls.

Run it with `python -m tests.benchmarks.events`; it prints one line of JSON.

A connection is opened over loopback TCP and its buffers are filled with
recorded events while nobody reads; then the clock runs until the last of them
was handled.  It is the process's own CPU clock: what is timed is the client,
system calls included, and not who shares the machine with it.

The recordings have each call in both forms.  Ours gets JSON; greenswitch 0.0.19
gets plain events, since JSON ends its reader.  Both hand each event, decoded,
to a handler that was registered for its name and looks at the leg.  Rounds
alternate, and the best of each counts.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import process_time
from typing import Any, Final

import gevent
from gevent import socket
from gevent.event import Event
from greenswitch.esl import InboundESL

from esl_agent.switch.client import SwitchConnection
from esl_agent.switch.events import SwitchEvent
from esl_agent.switch.frames import FrameReader
from esl_agent.switch.pair import EVENTS_BUFFER_BYTES

TRACES: Final = Path(__file__).parents[1] / "traces"
#: Recorded in both forms; the fourth such recording forges headers in greenswitch.
SCENARIOS: Final = ("forwarded_did", "outbound_blind_transfer", "outbound_us_caller_hangup")
ROUNDS: Final = 8
OURS_EVENTS: Final = 20_000  # a round
STOCK_EVENTS: Final = 2_000
PASSWORD: Final = "ClueCon"
BUFFER_BYTES: Final = 256 * 1024  # of the connection: some thirty events, as warm as those of a live switch
HANDLED_TIMEOUT_S: Final = 60.0


def measure() -> dict[str, float]:
    """The figures, best of ROUNDS for each of the two."""
    ours = stock = 0.0
    for _ in range(ROUNDS):
        stock = max(stock, _events_per_s(_Stock, "plain", STOCK_EVENTS))
        ours = max(ours, _events_per_s(_Ours, "json", OURS_EVENTS))
    bodies = _bodies("json")
    return {
        "event_bytes_mean": round(sum(map(len, bodies)) / len(bodies)),
        "events_per_s": round(ours),
        "greenswitch_events_per_s": round(stock),
        "events_ratio_vs_greenswitch": round(ours / stock, 1),
    }


class _Counter:
    """The handlers: each looks at the event's leg, and the last one says that all have come."""

    def __init__(self) -> None:
        self.handled = 0
        self.awaited = 0
        self.all_came = Event()

    def take_ours(self, event: SwitchEvent) -> None:
        if event.unique_id:
            self.handled += 1
        if self.handled == self.awaited:
            self.all_came.set()

    def take_stock(self, event: Any) -> None:
        if event.headers["Unique-ID"]:
            self.handled += 1
        if self.handled == self.awaited:
            self.all_came.set()


class _Ours(SwitchConnection):
    def listen(self, names: set[str], counter: _Counter) -> None:
        self.buffer_bytes = EVENTS_BUFFER_BYTES  # as the link does
        for name in names:
            self.register_handle(name, counter.take_ours)


class _Stock(InboundESL):  # type: ignore[misc]  # greenswitch has no types
    def listen(self, names: set[str], counter: _Counter) -> None:
        for name in names:
            self.register_handle(name, counter.take_stock)

    def close(self) -> None:
        self._run = False
        self.sock.close()


def _events_per_s(client: Callable[[str, int, str], Any], form: str, events: int) -> float:
    bodies = _bodies(form)
    frames = [
        b"Content-Length: %d\nContent-Type: text/event-%b\n\n%b" % (len(body), form.encode(), body)
        for body in bodies
    ]
    counter = _Counter()
    names = {json.loads(body)["Event-Name"] for body in _bodies("json")}
    took_s = 0.0
    with _switch() as (port, accepted):
        connection = client("127.0.0.1", port, PASSWORD)
        connection.listen(names, counter)
        connection.connect()
        switch_side: Any = accepted.get()
        filling = _Filling(switch_side, frames)
        while counter.handled < events:
            counter.awaited = filling.fill()
            counter.all_came.clear()
            begun = process_time()
            counter.all_came.wait(HANDLED_TIMEOUT_S)
            took_s += process_time() - begun
            if counter.handled != counter.awaited:
                raise TimeoutError(f"{counter.handled} of {counter.awaited} {form} events were handled")
        filling.finish()
        connection.close()
    return counter.handled / took_s


class _Filling:
    """Puts events into a connection until it takes no more, without letting its reader run."""

    def __init__(self, sock: Any, frames: list[bytes]) -> None:
        self._sock = sock
        self._frames = frames
        self._sent = 0  # frames, whole
        self._rest = b""  # of a frame that did not fit

    def fill(self) -> int:
        """How many events are there to be handled by now, all told."""
        with suppress(BlockingIOError):
            while True:
                self._rest = self._rest or self._frames[self._sent % len(self._frames)]
                self._rest = self._rest[self._sock.send(self._rest) :]
                self._sent += not self._rest
        return self._sent

    def finish(self) -> None:
        """Send what is left of an event: greenswitch spins for ever at an end in the middle of one."""
        self._sock.setblocking(True)
        self._sock.sendall(self._rest)


@contextmanager
def _switch() -> Iterator[tuple[int, Any]]:
    """A port where a switch takes the password; then its side of the connection, which does not block."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
    listener.bind(("127.0.0.1", 0))
    listener.listen()

    def serve() -> Any:
        sock, _ = listener.accept()
        sock.sendall(b"Content-Type: auth/request\n\n")
        while not sock.recv(1024).endswith(b"\n\n"):
            pass
        sock.sendall(b"Content-Type: command/reply\nReply-Text: +OK accepted\n\n")
        sock.setblocking(False)
        return sock

    greenlet = gevent.spawn(serve)
    yield listener.getsockname()[1], greenlet
    greenlet.get().close()
    listener.close()


def _bodies(form: str) -> list[bytes]:
    reader = FrameReader()
    for scenario in SCENARIOS:
        reader.feed((TRACES / scenario / f"events.{form}.esl").read_bytes())
    return [frame.body for frame in reader]


if __name__ == "__main__":
    print(json.dumps(measure()))
