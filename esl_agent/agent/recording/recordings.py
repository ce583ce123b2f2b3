"""Recordings of departments' calls: what the switch tells of them is written down, a lack of it an alarm.

The dialplan has a leg recorded from its answer on, and says on the leg itself whose
call it is and who was told; so a daemon that has just started, or taken over,
knows as much of a recording as the one that admitted the call.  What is missed
altogether `esl-agent recording check` finds.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import gevent
import psycopg

from esl_agent.agent.batches import BatchQueue, QueueFullError
from esl_agent.agent.database import OUTAGE, Connects
from esl_agent.agent.recording.room import Room
from esl_agent.config import RecordingConfig
from esl_agent.core.admission.decide import TAG_TO_RECORD
from esl_agent.noc.log import Log
from esl_agent.store.cdrs import CdrRow, Source
from esl_agent.store.departments import DAYS, Department
from esl_agent.store.pool import Connection
from esl_agent.store.recording_files import Measure, name_of
from esl_agent.store.recordings import Begun, put_begun, put_stopped
from esl_agent.switch.events import ChannelAnswer, HangupComplete, RecordingEvent, SwitchEvent, text_of

#: What waits for the database; beyond it `esl-agent recording check --mend` has to write it.
QUEUE_MAX: Final = 10_000
BATCH_MAX: Final = 100
#: How soon a database that is away is tried again.
RETRY_S: Final = 1.0
#: Answered legs whose recording has not begun yet.
AWAITED_MAX: Final = 10_000
#: How often those are looked at, and the folder is.
LOOK_EVERY_S: Final = 5

_WHOLE: Final = re.compile("[0-9]{1,18}", re.ASCII)
_UUID: Final = re.compile("[0-9a-f-]{36}", re.ASCII)
_TOLD: Final = frozenset({"caller", "called", "both"})
_US_PER_S: Final = 1_000_000
_US_PER_MS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Stopped:
    """A recording stopped; `begun` is what is written of it where its beginning was missed."""

    begun: Begun
    stopped_us: int
    duration_ms: int | None


@dataclass(slots=True)
class Awaited:
    """A leg that was answered and whose recording is to begin; `is_told`: the alarm was raised."""

    department: str
    due_us: int
    is_told: bool = False


class Recordings:
    """`heard` takes what the switch tells, `run` writes it down, `look` is for now and then."""

    def __init__(
        self,
        config: RecordingConfig,
        database: Connects,
        departments: Callable[[], Mapping[str, Department]],
        log: Log,
        now_us: Callable[[], int],
        *,
        may_act: Callable[[], bool] = lambda: True,
    ) -> None:
        self.room = Room(config, log, may_act)
        self._start_max_us = config.start_max_s * _US_PER_S
        self._database = database
        self._departments = departments
        self._log = log
        self._now_us = now_us
        self._may_act = may_act
        self._queue = BatchQueue[Begun | Stopped](QUEUE_MAX, BATCH_MAX)
        self._awaited: OrderedDict[str, Awaited] = OrderedDict()

    # What the switch tells.

    def heard(self, event: SwitchEvent) -> None:
        """Returns at once; events that tell of no recording are passed over."""
        match event:
            case ChannelAnswer() if event.recorded_for:
                self._await(event)
            case HangupComplete() if event.recorded_for:
                self._ended(event)
            case RecordingEvent() if event.recorded_for and self._may_act():
                self._begun_or_stopped(event)

    def _await(self, event: ChannelAnswer) -> None:
        due_us = self._now_us() + self._start_max_us
        self._awaited[event.unique_id] = Awaited(text_of(event.recorded_for), due_us)
        if len(self._awaited) > AWAITED_MAX:
            self._awaited.popitem(last=False)
            self._log("QUEUE_FULL", queue="recordings to begin", limit=AWAITED_MAX)

    def _begun_or_stopped(self, event: RecordingEvent) -> None:
        begun = self._begun_of(event)
        if begun is None:
            self._log("SWITCH_EVENT_BAD", name=event.name, leg=event.unique_id,
                      error=f"{text_of(event.path)[:80]!r} is no recording of ours")  # fmt: skip
        elif event.name == "RECORD_START":
            self._awaited.pop(event.unique_id, None)
            self._log("RECORDING_STARTED", leg=begun.leg_uuid, account=begun.account_id,
                      department=begun.department, told=begun.told, file=begun.path)  # fmt: skip
            self._put(begun)
        else:
            duration_ms = _whole(text_of(event.length_ms))
            self._log("RECORDING_STOPPED", leg=begun.leg_uuid, account=begun.account_id,
                      department=begun.department, file=begun.path,
                      seconds=None if duration_ms is None else duration_ms / _US_PER_MS)  # fmt: skip
            self._put(Stopped(begun, event.timestamp_us, duration_ms))

    def _begun_of(self, event: RecordingEvent) -> Begun | None:
        name = name_of(text_of(event.path))
        department, tell = text_of(event.recorded_for), text_of(event.recorded_tell)
        if name is None or not _WHOLE.fullmatch(department):
            return None
        started_us = event.timestamp_us
        if event.name == "RECORD_STOP":
            started_us -= (_whole(text_of(event.length_ms)) or 0) * _US_PER_MS
        caller_leg = text_of(event.caller_leg)
        known = self._departments().get(department)
        return Begun(
            account_id=_whole(text_of(event.recorded_account)) or 0,
            leg_uuid=event.unique_id,
            caller_leg_uuid=caller_leg if _UUID.fullmatch(caller_leg) else None,
            path=name,
            department=department,
            told=tell if tell in _TOLD else None,
            told_us=_whole(text_of(event.told_us)),
            started_us=started_us,
            days=known.days if known else DAYS,
        )

    def _put(self, item: Begun | Stopped) -> None:
        try:
            self._queue.put(item)
        except QueueFullError:
            self._log("QUEUE_FULL", queue="recordings", limit=QUEUE_MAX)

    # What it does not tell.

    def _ended(self, event: HangupComplete) -> None:
        """One that was told of a recording, and has none, is a failure however short it was."""
        awaited = self._awaited.pop(event.unique_id, None)
        if awaited is not None and not awaited.is_told and event.recorded_told and not event.recording:
            self._fail(event.unique_id, awaited.department, "never began")

    def look(self) -> None:
        """Raise the alarm for what was answered and is not recorded by now; look after the folder."""
        self.room.look()
        now_us = self._now_us()
        for leg_uuid, awaited in list(self._awaited.items()):
            if awaited.due_us <= now_us and not awaited.is_told:
                awaited.is_told = True
                self._fail(leg_uuid, awaited.department, "has not begun")

    def watching(self, settle: Callable[[CdrRow, str | None], None]) -> Callable[[CdrRow, str | None], None]:
        """`settle`, and an alarm where the CDR is of a call that was to be recorded, unseen, and was not."""

        def settle_and_look(row: CdrRow, heir: str | None) -> None:
            settle(row, heir)
            is_unseen = row.source is not Source.LIVE and row.duration_us >= self._start_max_us
            if is_unseen and TAG_TO_RECORD in row.tags and not row.recording:
                self._fail(row.leg_uuid, None, "never began, as the CDR says")

        return settle_and_look

    def _fail(self, leg_uuid: str, department: str | None, reason: str) -> None:
        if self._may_act():
            self._log("RECORDING_FAILED", leg=leg_uuid, department=department, reason=reason)

    # With the database.

    def run(self) -> None:
        self._queue.run(self._work)

    def wait_empty(self, timeout_s: float) -> bool:
        """Whether all that was heard is written within that time."""
        return self._queue.wait_empty(timeout_s)

    def _work(self, batch: Sequence[Begun | Stopped]) -> None:
        for item in batch:
            measure = self.room.measure(item.begun.path) if isinstance(item, Stopped) else None
            while not self._is_written(item, measure):
                gevent.sleep(RETRY_S)

    def _is_written(self, item: Begun | Stopped, measure: Measure | None) -> bool:
        try:
            with self._database.connection() as conn:
                _write(conn, item, measure)
        except OUTAGE:
            return False  # DB_DOWN says it
        except psycopg.Error as error:
            self._log("DB_REFUSED", statement="recordings", error=" ".join(str(error).split()))
        return True


def _write(conn: Connection, item: Begun | Stopped, measure: Measure | None) -> None:
    if isinstance(item, Begun):
        put_begun(conn, item)
        return
    with conn.transaction():
        put_begun(conn, item.begun)  # where that was missed
        put_stopped(
            conn, item.begun.account_id, item.begun.leg_uuid, item.stopped_us, item.duration_ms, measure
        )


def _whole(text: str) -> int | None:
    return int(text) if _WHOLE.fullmatch(text) else None
