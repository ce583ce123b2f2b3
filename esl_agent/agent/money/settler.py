"""What calls cost, on its way to Postgres: first into the journal, then into the books, in order.

    answer, settle, release ──▶ queue ──▶ journal (disk) ──▶ backlog ──▶ Postgres

The database may be away for as long as the journal has room.  When it has none,
or its disk fails or hangs, `is_accepting` says that no new call should be admitted; what
ends meanwhile waits in the queue, and is written to Postgres without having
been in the journal as soon as nothing waits before it.

What a call cost comes before that it was answered: where room is short, answers
are let go of.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from datetime import date
from typing import Final

import gevent

from esl_agent.agent.batches import BatchQueue, QueueFullError
from esl_agent.agent.clock import monotonic_us
from esl_agent.agent.database import Database
from esl_agent.agent.money.backlog import IN_MEMORY_MAX, Backlog
from esl_agent.agent.money.disk import PATIENCE_S, Disk
from esl_agent.agent.money.poster import Poster
from esl_agent.noc.log import Log
from esl_agent.store.cdrs import CdrRow
from esl_agent.store.journal import MB, Journal, JournalError, Room, probe
from esl_agent.store.journal_records import (
    Answer,
    Record,
    Release,
    Settlement,
    encode,
    without_answers_of_ended,
)
from esl_agent.store.record_writer import leg_of
from esl_agent.store.unwritable import Refused, set_aside

#: How often a full queue is looked at again.
FULL_PAUSE_S: Final = 0.05
#: Nobody waits for a settlement: so long others are awaited, to share its fsync and its commit.
GATHER_S: Final = 0.05
#: How often the journal is tidied up, its room looked at, and a disk that failed tried again.
UPKEEP_S: Final = 1.0
#: Of the queue, so much is left for what calls cost.
ANSWERS_SHARE_MAX: Final = 0.5
#: What a journal lacks that has no room to spare.
NO_ROOM: Final = ("size", "free")
#: Since when records have waited that are replayed.
START: Final = "start"
OUTAGE: Final = "outage"


class Settler:
    """Settlements in order.  A full queue holds up whoever brings more.

    `open` it first and `close` it last; `run` it in between.
    """

    def __init__(
        self,
        database: Database,
        journal: Journal,
        today: Callable[[], date],
        log: Log,
        *,
        queue_max: int,
        batch_max: int,
        retry_max_s: float,
        switch: str = "",
        freed: Callable[[Collection[int]], None] = lambda account_ids: None,
        in_memory_max: int = IN_MEMORY_MAX,
        disk_patience_s: float = PATIENCE_S,
    ) -> None:
        self._journal = journal
        self._log = log
        self._queue = BatchQueue[Record](queue_max, batch_max)
        self._queue_max = queue_max
        self._batch_max = batch_max
        self._switch = switch
        self._disk = Disk(disk_patience_s)
        self._backlog = Backlog(journal, self._disk, self._tell_broken, in_memory_max)
        self._poster = Poster(database, today, log, retry_max_s=retry_max_s, freed=freed)
        self._is_dropping = False  # answers
        self._lacking = ""  # size, free, or disk: what the journal lacks
        self._replay: _Replay | None = None
        #: What the journal's folder and its disk have, as of the last upkeep.
        self.room = Room(0, 0, "")

    def __len__(self) -> int:
        """What is not in Postgres yet."""
        return len(self._queue) + len(self._backlog)

    @property
    def unkept(self) -> int:
        """What is on no disk yet."""
        return len(self._queue)

    @property
    def is_accepting(self) -> bool:
        """Whether what a new call will cost is sure to find room in the journal."""
        return not self._lacking

    @property
    def retries(self) -> int:
        """How often Postgres had to be sent something again."""
        return self._poster.retries

    @property
    def oldest_ended_us(self) -> int | None:
        """When the call ended whose CDR waits the longest in the journal; None where none is known."""
        return self._backlog.oldest_ended_us

    def open(self) -> None:
        """Take the journal, and what an earlier run left in it; raises JournalError."""
        waiting = self._journal.open()
        self._backlog.begin(waiting)
        if waiting:
            self._replay = _Replay(START)

    def settle(self, row: CdrRow, hand_to: str | None = None) -> None:
        self._put(Settlement(row, hand_to))

    def release(self, account_id: int, leg_uuid: str) -> None:
        self._put(Release(account_id, leg_uuid))

    def answer(self, account_id: int, leg_uuid: str, known: str) -> None:
        """A leg is answered: `known` (agent/calls/known.py) is kept of it until it is settled.

        Let go of where little room is left: it must not hold up what calls cost.
        """
        answers_max = int(self._queue_max * ANSWERS_SHARE_MAX)
        if len(self._queue) < answers_max:
            self._put(Answer(account_id, leg_uuid, self._switch, known))
            self._is_dropping = False
        elif not self._is_dropping:
            self._is_dropping = True
            self._log("QUEUE_FULL", queue="answers", limit=answers_max)

    def run(self) -> None:
        loops = [gevent.spawn(loop) for loop in (self._keep_all, self._write_all, self._look_after)]
        try:
            for ended in gevent.iwait(loops):
                ended.get()  # raises what ended it
        finally:
            gevent.killall(loops)

    def wait_empty(self, timeout_s: float) -> bool:
        """Whether everything is in Postgres within `timeout_s`."""
        until_us = monotonic_us() + int(timeout_s * 1_000_000)
        if not self._queue.wait_empty(timeout_s):
            return False
        return self._backlog.wait_empty(max(until_us - monotonic_us(), 0) / 1_000_000)

    def close(self) -> None:
        """Leave the journal; what is not in Postgres yet waits in it for the next start."""
        with suppress(TimeoutError):  # a disk that hangs must not keep the daemon from its end
            self._disk.call(self._journal.close, self._backlog.written)
        self._disk.close()

    def _put(self, record: Record) -> None:
        is_told = False
        while True:
            try:
                return self._queue.put(record)
            except QueueFullError:
                if not is_told:
                    self._log("QUEUE_FULL", queue="settlements", limit=self._queue_max)
                    is_told = True
                gevent.sleep(FULL_PAUSE_S)

    # From the queue into the journal.

    def _keep_all(self) -> None:
        self._queue.run(self._keep, GATHER_S)

    def _keep(self, batch: Sequence[Record]) -> None:
        is_done = False
        while not is_done:
            records = self._worth_keeping(batch)
            is_done = not records or self._keep_or_pass_by(records)

    def _keep_or_pass_by(self, records: Sequence[Record]) -> bool:
        """Whether they are in the journal, or on their way to Postgres without it."""
        lines = [encode(record) for record in records]
        try:
            ends = self._disk.call(self._journal.append, lines)
        except (OSError, JournalError) as error:
            self._failed(error)
            if not self._backlog.wait_empty(UPKEEP_S):
                return False
            self._backlog.add_unkept(records)
        else:
            self._backlog.add(records, ends)
        return True

    def _worth_keeping(self, batch: Sequence[Record]) -> Sequence[Record]:
        records = without_answers_of_ended(batch)
        if self._lacking not in NO_ROOM:
            return records
        return [record for record in records if not isinstance(record, Answer)]

    # From the journal into Postgres.

    def _write_all(self) -> None:
        while True:
            try:
                records = self._backlog.take(self._batch_max)
            except OSError as error:
                self._failed(error)
                gevent.sleep(UPKEEP_S)
                continue
            retries = self._poster.retries
            self._set_aside(self._poster.write(records))
            self._backlog.done()
            if self._poster.retries != retries:
                self._replay = self._replay or _Replay(OUTAGE)
            self._count_replayed(len(records))

    def _set_aside(self, refused: Sequence[Refused]) -> None:
        """Into a file, however long that takes: it must not be lost, and the journal still has it."""
        while refused:
            try:
                path = self._disk.call(set_aside, self._journal.folder, refused)
            except OSError as error:
                self._failed(error)
                gevent.sleep(UPKEEP_S)
            else:
                for each in refused:
                    self._log("CDR_UNWRITABLE", leg=leg_of(each.record), error=each.error, file=path.name)
                return

    def _count_replayed(self, records: int) -> None:
        replay = self._replay
        if replay is None:
            return
        replay.records += records
        # Under traffic the backlog is hardly ever empty: less than a batch is no backlog.
        if len(self._backlog) <= (0 if replay.since == START else self._batch_max):
            took_s = (monotonic_us() - replay.began_us) / 1_000_000
            self._log("JOURNAL_REPLAYED", since=replay.since, records=replay.records, took_s=f"{took_s:.1f}")
            self._replay = None

    # The journal's own state.

    def _look_after(self) -> None:
        while True:
            gevent.sleep(UPKEEP_S)
            try:
                room = self._disk.call(self._journal.upkeep, self._backlog.written)
                if self._lacking == "disk":
                    self._disk.call(probe, self._journal.folder)
            except OSError as error:
                self._failed(error)
            else:
                self._see(room)

    def _see(self, room: Room) -> None:
        self.room = room
        sizes = {"size_mb": room.size // MB, "free_mb": room.free // MB}
        if room.lacking:
            self._lacks(room.lacking, "JOURNAL_FULL", **sizes)
        elif self._lacking:
            self._lacking = ""
            self._log("JOURNAL_HAS_ROOM", **sizes)

    def _failed(self, error: Exception) -> None:
        """The journal takes no more, or its disk does not do what it is told."""
        if isinstance(error, OSError):
            self._lacks("disk", "JOURNAL_FAILED", error=error.strerror or error)
        else:
            self._lacks("size", "JOURNAL_FULL")

    def _lacks(self, lacking: str, word: str, **fields: object) -> None:
        """Say it once."""
        if lacking != self._lacking:
            self._lacking = lacking
            self._log(word, lacking=lacking, **fields, waiting=len(self), folder=self._journal.folder)

    def _tell_broken(self, name: str, problem: str) -> None:
        self._log("JOURNAL_BROKEN", file=name or None, problem=problem)


class _Replay:
    """What waited, while it is written."""

    def __init__(self, since: str) -> None:
        self.since = since
        self.began_us = monotonic_us()
        self.records = 0
