"""What is in the journal and not yet in Postgres: the oldest in memory, the rest on disk only."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Final

from gevent.event import Event

from esl_agent.agent.money.disk import Disk
from esl_agent.store.journal import BEGINNING, Journal
from esl_agent.store.journal_records import Record, Settlement
from esl_agent.store.segments import Position

#: Records in memory, at the most; a record takes some 3 KB there.
IN_MEMORY_MAX: Final = 10_000
#: Records read back at once.
READ_BACK_MAX: Final = 2_000

#: Told the file that a segment with something unreadable in it is kept as, and what is wrong.
TellBroken = Callable[[str, str], None]


class Backlog:
    """A queue with one reader: `take` a batch, write it, and say so with `done`."""

    def __init__(
        self, journal: Journal, disk: Disk, tell_broken: TellBroken, in_memory_max: int = IN_MEMORY_MAX
    ) -> None:
        self._journal = journal
        self._disk = disk
        self._tell_broken = tell_broken
        self._in_memory_max = in_memory_max
        self._memory: deque[tuple[Record, Position | None]] = deque()
        self._on_disk = 0  # records after `_reached`
        self._reached = self._ends = self._written = BEGINNING
        self._taken: Sequence[tuple[Record, Position | None]] = ()
        self._filled = Event()
        self._emptied = Event()
        self._emptied.set()

    def __len__(self) -> int:
        return len(self._memory) + len(self._taken) + self._on_disk

    def begin(self, waiting: int) -> None:
        """With what the opened journal has from before."""
        self._reached = self._written = self._journal.begins
        self._ends = self._journal.ends
        self._on_disk = waiting
        self._changed()

    @property
    def oldest_ended_us(self) -> int | None:
        """When the call ended whose settlement waits the longest, of those in memory."""
        waiting = (record for record, _ in chain(self._taken, self._memory))
        return next((record.row.ended_us for record in waiting if isinstance(record, Settlement)), None)

    @property
    def written(self) -> Position:
        """Everything before it is in Postgres."""
        return self._written if len(self) else self._reached

    def add(self, records: Sequence[Record], ends: Sequence[Position]) -> None:
        """These are in the journal, each up to its end; they come after all that were added before."""
        self._ends = ends[-1]
        if self._on_disk or len(self._memory) + len(records) > self._in_memory_max:
            self._on_disk += len(records)
        else:
            self._memory.extend(zip(records, ends, strict=True))
            self._reached = self._ends
        self._changed()

    def add_unkept(self, records: Sequence[Record]) -> None:
        """These are on no disk; nothing may be waiting before them."""
        self._memory.extend((record, None) for record in records)
        self._changed()

    def take(self, records_max: int) -> list[Record]:
        """The oldest, once there are any; raises OSError where they can't be read back."""
        while not self._memory:
            if self._on_disk:
                self._read_back()
            else:
                self._filled.wait()
        self._taken = [self._memory.popleft() for _ in range(min(len(self._memory), records_max))]
        return [record for record, _ in self._taken]

    def done(self) -> None:
        """What was taken is in Postgres, or set aside."""
        self._written = max([self._written, *(end for _, end in self._taken if end is not None)])
        self._taken = ()
        self._changed()

    def wait_empty(self, timeout_s: float) -> bool:
        return bool(self._emptied.wait(timeout_s))

    def _read_back(self) -> None:
        until = self._ends
        read = self._disk.call(self._journal.read, self._reached, until, READ_BACK_MAX)
        for name, problem in read.broken:
            self._tell_broken(name, problem)
        self._memory.extend(read.records)
        self._reached = read.reached
        # What broken lines were counted as is unknown; but where the end is reached nothing is left.
        left = self._on_disk - len(read.records)
        self._on_disk = 0 if self._reached >= self._ends else max(left, 1)
        self._changed()

    def _changed(self) -> None:
        if self._memory or self._on_disk:
            self._filled.set()
        else:
            self._filled.clear()
        if len(self):
            self._emptied.clear()
        else:
            self._emptied.set()
