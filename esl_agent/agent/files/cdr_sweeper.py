"""Goes through the switch's CDR files: what was missed is settled, and what is settled is cleared away.

A leg without a CDR is told to the desk as any end is, and settled like any
other.  Its file stays until a later pass finds the CDR committed, so nothing is
lost in between, whatever fails.  A file that can't be read may still be being
written; when it is old it is set aside.

Files are read in a thread of their own, some at a time: a disk that hangs holds
up nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final

from gevent.event import Event

from esl_agent.agent.calls.desk import Desk
from esl_agent.agent.database import OUTAGE, Database
from esl_agent.agent.files.cdr_folder import BROKEN, BROKEN_AFTER_S, DONE, ThreadedCdrFolder, Waiting
from esl_agent.agent.files.reconcile import Compared, Standing, compare
from esl_agent.agent.pricing import Pricing
from esl_agent.config import CdrFilesConfig
from esl_agent.core.leg import LegEnd
from esl_agent.noc.log import Log
from esl_agent.store.cdrs import Source
from esl_agent.switch.cdr_file import CdrFileError, CdrFileUnreadable

#: Files read, compared and cleared away together: some milliseconds of the thread's work.
FILES_AT_ONCE: Final = 100
#: Files picked at a time, in passes' worth: of a million that wait not all are looked over again each time.
PASSES_PICKED: Final = 10
#: With so many CDRs still on their way, what the books lack is not missing.
UNSETTLED_MAX: Final = 1_000
#: A file whose leg isn't settled yet is looked at again after so many passes' time; others get its turn.
LOOK_AGAIN_PASSES: Final = 3


class CdrSweeper:
    """`run` it.  `unsettled` says how many CDRs are on their way to the database."""

    def __init__(
        self,
        section: CdrFilesConfig,
        folder: ThreadedCdrFolder,
        *,
        pricing: Pricing,
        desk: Desk,
        database: Database,
        unsettled: Callable[[], int],
        log: Log,
    ) -> None:
        self._section = section
        self._folder = folder
        self._pricing = pricing
        self._desk = desk
        self._database = database
        self._unsettled = unsettled
        self._log = log
        self._thread = folder.thread
        self._looked_at: dict[str, float] = {}  # files that stayed, and when they were last looked at
        self._picked: list[Waiting] = []  # the next in their order
        self._has_failed = False
        self._failure: str | None = None  # of this pass

    def run(self, stop: Event) -> None:
        """Pass after pass, at once where there is more than a pass takes."""
        if self._folder.folder is None:
            return
        has_more = False
        while not stop.wait(0 if has_more else self._section.every_s):
            has_more = False
            with suppress(*OUTAGE):  # DB_DOWN has said it
                has_more = self.sweep(stop)

    def sweep(self, stop: Event) -> bool:
        """One pass; whether there may be more to do at once.  Raises one of OUTAGE."""
        if self._unsettled() > UNSETTLED_MAX:
            return False
        self._failure = None
        has_more = False
        try:
            has_more = self._sweep(stop)
        except OSError as error:
            self._failure = str(error)
        if self._failure is not None and not self._has_failed:
            self._log("CDR_FOLDER_FAILED", folder=self._folder.folder, error=self._failure)
        elif self._failure is None and self._has_failed:
            self._log("CDR_FOLDER_READ", folder=self._folder.folder)
        self._has_failed = self._failure is not None
        return has_more

    def _sweep(self, stop: Event) -> bool:
        most = self._section.files_max
        if not self._picked:
            self._picked = self._pick(PASSES_PICKED * most)
        waiting, self._picked = self._picked[:most], self._picked[most:]
        for first in range(0, len(waiting), FILES_AT_ONCE):
            if stop.is_set():
                return False
            self._work(waiting[first : first + FILES_AT_ONCE])
        return len(waiting) == most

    def _pick(self, limit: int) -> list[Waiting]:
        now_s = time.monotonic()
        again_s = now_s - LOOK_AGAIN_PASSES * self._section.every_s
        self._looked_at = {name: at_s for name, at_s in self._looked_at.items() if at_s > again_s}
        picked: list[Waiting] = self._thread.apply(
            self._folder.waiting, (time.time(), self._section.settle_after_s, limit, self._looked_at)
        )
        return picked

    def _work(self, waiting: Sequence[Waiting]) -> None:
        read = self._thread.apply(lambda: [(each, self._folder.read(each.name)) for each in waiting])
        unread = {each.name: told for each, told in read if isinstance(told, CdrFileError)}
        ends = {each.name: told for each, told in read if isinstance(told, LegEnd)}
        compared = compare(self._database, self._pricing, list(ends.values()))
        for each in compared:
            self._tell(each)
        broken = {each.name: unread[each.name] for each in waiting if self._is_broken(each, unread)}
        done = [name for name, each in zip(ends, compared, strict=True) if each.standing is not Standing.OWED]
        # All are passed over for a while, lest those that can't be cleared away keep others from their turn.
        self._looked_at.update(dict.fromkeys((*unread, *ends), time.monotonic()))
        try:
            self._clear_away(done)
            self._set_aside(broken)
        except OSError as error:
            self._failure = str(error)
        else:
            for name in (*done, *broken):
                del self._looked_at[name]

    def _is_broken(self, file: Waiting, unread: Mapping[str, CdrFileError]) -> bool:
        error = unread.get(file.name)
        if isinstance(error, CdrFileUnreadable):
            self._failure = f"{file.name}: {error}"
            return False
        return error is not None and file.age_s >= BROKEN_AFTER_S

    def _tell(self, compared: Compared) -> None:
        """The desk hears of what it may have missed: an end, or that a caller is gone."""
        end = compared.end
        if compared.standing is not Standing.BILLED or end.leg.leg_uuid in self._desk.live:
            self._desk.leg_ended(end, Source.SWITCH_FILE, compared.priced)
        billed = compared.billed
        if billed is not None and compared.differs:
            self._log(
                "CDR_DIFFERS",
                leg=end.leg.leg_uuid,
                account=billed.account_id,
                billed_s=f"{billed.duration_us / 1_000_000:.6f}",
                file_s=f"{end.duration_us / 1_000_000:.6f}",
            )

    def _clear_away(self, names: Sequence[str]) -> None:
        if self._section.when_done == "delete":
            self._thread.apply(self._folder.remove, (names,))
        else:
            self._thread.apply(self._folder.move, (names, DONE))

    def _set_aside(self, broken: Mapping[str, CdrFileError]) -> None:
        if broken:
            self._thread.apply(self._folder.move, (list(broken), BROKEN))
        for name, error in broken.items():
            self._log("CDR_FILE_BROKEN", file=name, error=str(error))
