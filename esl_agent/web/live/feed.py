"""The feed of the live page: once a second what has changed, for all who look on, as server-sent events.

    snapshot, rows …, ready, delta, delta, …

A viewer gets the tables whole and then their changes.  Changes are made once
for all viewers and kept for two minutes in one bounded ring: who lost the connection
goes on where it was, and who reads too slowly to keep up with the ring gets
the tables whole again.  Nothing queues for anybody.  Nobody looking on, nothing is done.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from math import inf
from time import monotonic
from typing import Any, Final

import gevent
import msgspec
from gevent.event import Event

from esl_agent.errors import EslAgentError
from esl_agent.noc.log import Log
from esl_agent.web.live.rows import Row
from esl_agent.web.live.tables import ROWS_AT_A_STRETCH, Change, Table

EVERY_S: Final = 1.0
#: Changes kept for those who come back or are slow: so many looks, and so many rows of them all.
DELTAS_MAX: Final = 120
DELTA_ROWS_MAX: Final = 50_000
#: Who may look on at once.
VIEWERS_MAX: Final = 20
#: So long the feed goes on when the last viewer has gone: it may be back.
LINGER_S: Final = 60.0
#: Of a delta's number, which begins at 1 with each run; Python itself refuses to read very long ones.
NUMBER_DIGITS_MAX: Final = 18
KEEP_ALIVE_S: Final = 10.0
KEEP_ALIVE: Final = b": still here\n\n"
#: After so long a stream ends, and whoever comes back for the rest is asked for a token again.
STREAM_MAX_S: Final = 300.0


class ViewersFullError(EslAgentError):
    """As many look on as may."""


@dataclass(frozen=True, slots=True)
class Delta:
    """What one look found, as it goes out: to those who see all, and to those who don't."""

    number: int
    now_us: int
    changes: Sequence[Change]
    encoded: dict[bool, bytes] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        return sum(len(change.rows) + len(change.gone) for change in self.changes)


class Feed:
    """`run` it; `open` it for each who looks on."""

    def __init__(
        self,
        tables: Sequence[Table],
        now_us: Callable[[], int],
        log: Log,
        *,
        every_s: float = EVERY_S,
        viewers_max: int = VIEWERS_MAX,
        deltas_max: int = DELTAS_MAX,
        delta_rows_max: int = DELTA_ROWS_MAX,
        linger_s: float = LINGER_S,
    ) -> None:
        self._tables = tables
        self._now_us = now_us
        self._log = log
        self._every_s = every_s
        self._viewers_max = viewers_max
        self._deltas_max = deltas_max
        self._delta_rows_max = delta_rows_max
        self._linger_s = linger_s
        self._viewers = 0
        self._wanted = Event()
        self._is_running = False
        self._begin()

    def _begin(self) -> None:
        """Know nothing of what was told before."""
        self._run = secrets.token_hex(4)  # numbers of another run mean nothing in this one
        self._number = 0
        self._deltas: deque[Delta] = deque()
        self._rows_kept = 0
        self._looked = Event()
        for table in self._tables:
            table.forget()

    def _skip(self) -> None:
        """A look broke off, and nobody was told what it had found: from its number nobody can go on."""
        self._number += 1
        self._deltas.clear()
        self._rows_kept = 0

    # The daemon's side.

    def run(self) -> None:
        """Look, for as long as anybody looks on; run again after a fault, everybody is given everything."""
        if self._number:
            self._skip()
        left_at = -inf
        while True:
            if self._viewers:
                left_at = monotonic()
            elif monotonic() - left_at > self._linger_s:
                self._begin()
                self._wanted.clear()
                self._wanted.wait()
                continue
            self.look()
            gevent.sleep(self._every_s)

    def look(self) -> None:
        """Find what has changed, and let the viewers have it."""
        changes = [change for table in self._tables if (change := table.look(_breathe))]
        delta = Delta(self._number + 1, self._now_us(), changes)
        self._number = delta.number
        self._deltas.append(delta)
        self._rows_kept += delta.rows
        while len(self._deltas) > self._deltas_max or self._rows_kept > self._delta_rows_max:
            self._rows_kept -= self._deltas.popleft().rows
        looked, self._looked = self._looked, Event()
        looked.set()

    # The viewers' side.

    @property
    def viewers(self) -> int:
        return self._viewers

    @property
    def number(self) -> int:
        """The number of the last delta."""
        return self._number

    def open(self, last_event_id: str = "", *, sees_all: bool = False) -> Viewer:
        """Begin with everything, or behind the event that was seen last; raises ViewersFullError."""
        if self._viewers >= self._viewers_max:
            self._log("PAGE_FULL", viewers=self._viewers)
            raise ViewersFullError(f"{self._viewers} look on already, as many as may")
        viewer = Viewer(self, self._seen(last_event_id), sees_all=sees_all)
        self._viewers += 1
        self._wanted.set()
        return viewer

    def _seen(self, event_id: str) -> int | None:
        """The number of the delta of that id; None for another run's, or for what is none of ours."""
        run, _, number = event_id.partition("-")
        is_number = number.isascii() and number.isdigit() and len(number) <= NUMBER_DIGITS_MAX
        return int(number) if run == self._run and is_number else None

    def left(self) -> None:
        self._viewers -= 1

    def tell_behind(self) -> None:
        self._log("PAGE_BEHIND", viewers=self._viewers)

    def since(self, number: int, *, sees_all: bool) -> bytes | None:
        """All deltas behind that one; None where some of them are no longer there, or are not yet."""
        if number > self._number or (self._deltas and self._deltas[0].number > number + 1):
            return None
        if number < self._number and not self._deltas:
            return None
        first = len(self._deltas) - (self._number - number)
        return b"".join(self._encoded(self._deltas[at], sees_all) for at in range(first, len(self._deltas)))

    def snapshot(self, *, sees_all: bool) -> tuple[int, Iterator[bytes]]:
        """The number of the last delta that the tables have in them, and the tables in pieces."""
        frozen = [(table.name, tuple(table.rows.values())) for table in self._tables]
        return self._number, self._pieces(f"{self._run}-{self._number}", frozen, sees_all=sees_all)

    def wait(self, number: int, timeout_s: float) -> bool:
        """Whether there is a delta behind that one before the time is over."""
        return self._number > number or bool(self._looked.wait(timeout_s))

    def _pieces(
        self, event_id: str, frozen: Sequence[tuple[str, tuple[Row, ...]]], *, sees_all: bool
    ) -> Iterator[bytes]:
        sizes = {name: len(rows) for name, rows in frozen}
        yield _event("snapshot", {"now_us": self._now_us(), "sizes": sizes})
        for name, rows in frozen:
            for first in range(0, len(rows), ROWS_AT_A_STRETCH):
                _breathe()
                piece = rows[first : first + ROWS_AT_A_STRETCH]
                yield _event("rows", {"table": name, "rows": _shown(piece, sees_all=sees_all)})
        yield _event("ready", {"now_us": self._now_us()}, event_id)

    def _encoded(self, delta: Delta, sees_all: bool) -> bytes:
        encoded = delta.encoded.get(sees_all)
        if encoded is None:
            tables = {
                change.table: {"rows": _shown(change.rows, sees_all=sees_all), "gone": change.gone}
                for change in delta.changes
            }
            data = {"now_us": delta.now_us, "tables": tables}
            encoded = delta.encoded[sees_all] = _event("delta", data, f"{self._run}-{delta.number}")
        return encoded


class Viewer:
    """The events for one who looks on; `close` it."""

    def __init__(self, feed: Feed, seen: int | None, *, sees_all: bool) -> None:
        self._feed = feed
        self._seen = seen
        self._sees_all = sees_all
        self._pieces: Iterator[bytes] = iter(())
        self._until = monotonic() + STREAM_MAX_S
        self._is_closed = False

    def __iter__(self) -> Viewer:
        return self

    def __next__(self) -> bytes:
        """The next of the stream; waits for it."""
        while not self._is_closed and monotonic() < self._until:
            piece = next(self._pieces, None)
            if piece is not None:
                return piece
            deltas = None if self._seen is None else self._feed.since(self._seen, sees_all=self._sees_all)
            if deltas is None:
                self._begin_again()
            elif deltas:
                self._seen = self._feed.number
                return deltas
            elif not self._feed.wait(self._seen or 0, KEEP_ALIVE_S):
                return KEEP_ALIVE
        raise StopIteration

    def _begin_again(self) -> None:
        if self._seen is not None:
            self._feed.tell_behind()
        self._feed.wait(0, KEEP_ALIVE_S)
        self._seen, self._pieces = self._feed.snapshot(sees_all=self._sees_all)

    def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._feed.left()


def _shown(rows: Sequence[Row], *, sees_all: bool) -> Sequence[Row]:
    return rows if sees_all else [row.masked() for row in rows]


def _event(name: str, data: Any, event_id: str = "") -> bytes:
    """As it goes over the wire; msgspec's JSON has no line breaks."""
    head = f"id: {event_id}\n" if event_id else ""
    return f"{head}event: {name}\ndata: ".encode() + msgspec.json.encode(data) + b"\n\n"


def _breathe() -> None:
    """Let calls be served."""
    gevent.sleep(0)
