"""All of the switch's CDR files against all of the books, without a daemon.

What is owed is settled, and the rest told.  Files are only read here; the
daemon clears them away.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import PurePath
from typing import Final, NamedTuple

from esl_agent.agent.book import Book
from esl_agent.agent.calls.cdr import cdr_of
from esl_agent.agent.clock import calendar
from esl_agent.agent.database import Connects
from esl_agent.agent.files.cdr_folder import BROKEN, BROKEN_AFTER_S, DONE, CdrFolder, Waiting
from esl_agent.agent.files.reconcile import Compared, Standing, compare
from esl_agent.agent.policies import when_off_of
from esl_agent.agent.pricing import Pricing
from esl_agent.config import Config, numbering_of, switch_name_of
from esl_agent.core import call as machine
from esl_agent.core.call_signals import Settle
from esl_agent.core.leg import LegEnd
from esl_agent.errors import EslAgentError
from esl_agent.store.cdrs import CdrRow, Source
from esl_agent.store.pool import Connection
from esl_agent.store.reconcile import BilledLeg, list_billed
from esl_agent.store.settle import settle_many
from esl_agent.switch.cdr_file import leg_uuid_of

#: Files that one run goes through; their names are kept in memory.
FILES_MAX: Final = 1_000_000
#: Files read, compared and settled together.
FILES_AT_ONCE: Final = 500
US_PER_S: Final = 1_000_000


class ReconcileError(EslAgentError):
    """The files can't be gone through as asked."""


class OwedLeg(NamedTuple):
    """A leg that the switch has a file of, and that had no CDR."""

    leg_uuid: str
    account_id: int
    created_us: int
    duration_us: int
    number: str
    total: Decimal
    uncollected: Decimal | None  # None where it was not settled now
    refused: str | None  # why it can't be charged


class DifferingLeg(NamedTuple):
    leg_uuid: str
    account_id: int
    created_us: int
    billed_us: int
    file_us: int


class BrokenFile(NamedTuple):
    file: str
    error: str


@dataclass(slots=True)
class Report:
    """`without_file` is None where that can't be told, as the files of settled legs are not kept."""

    files: int = 0
    billed: int = 0  # legs that have their CDR
    free: int = 0  # legs that are nobody's to pay
    in_the_making: int = 0  # files that are too young, or have gone meanwhile
    owed: list[OwedLeg] = field(default_factory=list)
    differing: list[DifferingLeg] = field(default_factory=list)
    without_file: list[BilledLeg] | None = None
    broken: list[BrokenFile] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        return not (self.owed or self.differing or self.without_file or self.broken)


class _File(NamedTuple):
    age_s: float
    name: str
    place: str


class Reconciler:
    """`run` it once."""

    def __init__(
        self, conn: Connection, database: Connects, folder: CdrFolder, config: Config, *, is_dry: bool
    ) -> None:
        self._conn = conn
        self._database = database
        self._folder = folder
        self._config = config
        self._is_dry = is_dry
        self._today = calendar(config.admission.time_zone)
        self._book = Book(numbering_of(config), database, toll_free_when_off=when_off_of(config))
        self._report = Report()
        self._oldest_us: int | None = None

    def run(self, since_us: int | None, now_s: float | None = None) -> Report:
        """Go through the files written since then, the oldest first; raises ReconcileError."""
        now_s = time.time() if now_s is None else now_s
        try:
            files = self._list(now_s, since_us)
        except OSError as error:
            raise ReconcileError(f"can't read the CDR files: {error}") from None
        self._book.load()
        has_file = {leg_uuid_of(file.name) for file in files}
        old_enough = [file for file in files if file.age_s >= self._config.cdr_files.settle_after_s]
        self._report.files = len(files)
        self._report.in_the_making = len(files) - len(old_enough)
        for first in range(0, len(old_enough), FILES_AT_ONCE):
            self._work(old_enough[first : first + FILES_AT_ONCE], has_file)
        since_us = self._oldest_us if since_us is None else since_us
        if self._config.cdr_files.when_done == "keep" and since_us is not None:
            self._report.without_file = self._without_file(has_file, since_us, now_s)
        return self._report

    def _list(self, now_s: float, since_us: int | None) -> list[_File]:
        """Everything that is there, the oldest first; what is broken is reported at once."""
        age_max_s = float("inf") if since_us is None else now_s - since_us / US_PER_S
        found: list[_File] = []
        for place in (".", DONE, BROKEN):
            for file in self._in_place(place, now_s):
                if file.age_s > age_max_s:
                    continue
                found.append(_File(file.age_s, file.name, place))
                if len(found) > FILES_MAX:
                    raise ReconcileError(f"there are more than {FILES_MAX:,} files: give a later --since")
        return sorted(found, reverse=True)

    def _in_place(self, place: str, now_s: float) -> Iterator[Waiting]:
        try:
            yield from self._folder.files(now_s, place)
        except FileNotFoundError:
            if place == ".":
                raise

    def _work(self, files: Sequence[_File], has_file: set[str | None]) -> None:
        ends = []
        for file in files:
            told = self._folder.read(file.name, file.place)
            if isinstance(told, LegEnd):
                ends.append(told)
            elif told is None or (file.place == "." and file.age_s < BROKEN_AFTER_S):
                self._report.in_the_making += 1
            else:
                self._report.broken.append(BrokenFile(str(PurePath(file.place, file.name)), str(told)))
        compared = compare(self._database, Pricing(self._book), ends)
        for each in compared:
            self._count(each)
        self._settle([each for each in compared if each.standing is Standing.OWED], has_file)

    def _count(self, compared: Compared) -> None:
        end, billed = compared.end, compared.billed
        created_us = end.leg.created_us
        self._oldest_us = min(created_us, self._oldest_us or created_us)
        self._report.free += compared.standing is Standing.FREE
        self._report.billed += compared.standing is Standing.BILLED
        if billed is not None and compared.differs:
            leg = (end.leg.leg_uuid, billed.account_id, created_us)
            self._report.differing.append(DifferingLeg(*leg, billed.duration_us, end.duration_us))

    def _settle(self, owed: Sequence[Compared], has_file: set[str | None]) -> None:
        rows = [_row_of(each) for each in owed]
        uncollected: dict[str, Decimal] = {}
        if not self._is_dry:
            # A leg that never came would keep what is handed to it.
            hand_to = {
                each.end.leg.leg_uuid: each.next_leg
                for each in owed
                if each.next_leg is not None and each.next_leg in has_file
            }
            results = settle_many(self._conn, rows, hand_to=hand_to, today=self._today())
            uncollected = {each.leg_uuid: each.uncollected for each in results}
        for row in rows:
            self._report.owed.append(
                OwedLeg(
                    row.leg_uuid,
                    row.account_id,
                    row.created_us,
                    row.duration_us,
                    row.number or row.dialled,
                    row.charge.total,
                    uncollected.get(row.leg_uuid),
                    row.refused,
                )
            )

    def _without_file(self, has_file: set[str | None], since_us: int, now_s: float) -> list[BilledLeg]:
        until_us = int((now_s - self._config.cdr_files.settle_after_s) * US_PER_S)
        switch = switch_name_of(self._config)
        billed = list_billed(self._conn, switch, since_us, until_us)
        return [leg for leg in billed if leg.leg_uuid not in has_file]


def _row_of(owed: Compared) -> CdrRow:
    if owed.priced is None:
        raise ValueError("a leg that is owed has a payer")
    _, effects = machine.end_unseen(owed.end, owed.priced.price, owed.priced.refused)
    [settle] = [effect for effect in effects if isinstance(effect, Settle)]
    return cdr_of(owed.priced, settle, Source.SWITCH_FILE)
