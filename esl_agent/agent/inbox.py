"""What the switch tells, on its way to the desk: one thing after the other, in order.

Recovery puts into the same queue what it has found out, so that the desk never
hears two things of a leg at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import gevent

from esl_agent.agent.batches import BatchQueue, QueueFullError
from esl_agent.agent.calls.desk import Desk
from esl_agent.noc.log import Log
from esl_agent.switch.events import EventError, SwitchEvent
from esl_agent.switch.legs import account_fault, leg_end_of, leg_of

#: What is done where events are worked on, in turn with them.
Job = Callable[[], None]

#: Events worked on before timers and the database's answers get a turn.
EVENTS_PER_TURN_MAX: Final = 32
#: How often a full queue is looked at again.
PAUSE_S: Final = 0.05


class Inbox:
    """`put` from anywhere, `run` in one greenlet; `done` is told each event when the desk has heard it."""

    def __init__(
        self,
        desk: Desk,
        log: Log,
        *,
        queue_max: int,
        batch_max: int,
        done: Callable[[SwitchEvent], None] = lambda event: None,
    ) -> None:
        self._desk = desk
        self._log = log
        self._done = done
        self._queue = BatchQueue[SwitchEvent | Job](queue_max, batch_max)
        self._queue_max = queue_max

    def __len__(self) -> int:
        return len(self._queue)

    def put(self, work: SwitchEvent | Job) -> None:
        """Only a full queue holds up whoever brings more."""
        try:
            self._queue.put(work)
        except QueueFullError:
            self._log("QUEUE_FULL", queue="events", limit=self._queue_max)
            while len(self._queue) >= self._queue_max:
                gevent.sleep(PAUSE_S)
            self._queue.put(work)

    def run(self) -> None:
        self._queue.run(self._work)

    def _work(self, batch: Sequence[SwitchEvent | Job]) -> None:
        for count, work in enumerate(batch, 1):
            if isinstance(work, SwitchEvent):
                try:
                    self._tell_desk(work)
                    self._done(work)
                except EventError as error:
                    self._log("SWITCH_EVENT_BAD", name=work.name, leg=work.unique_id, error=str(error))
            else:
                work()
            if count % EVENTS_PER_TURN_MAX == 0:
                gevent.sleep(0)

    def _tell_desk(self, event: SwitchEvent) -> None:
        if event.name == "CHANNEL_CREATE":
            if fault := account_fault(event):
                self._log("CALL_STRANGE", leg=event.unique_id, problem=fault)
            self._desk.leg_created(leg_of(event))
        elif event.name == "CHANNEL_ANSWER":
            self._desk.leg_answered(leg_of(event))
        elif event.name == "CHANNEL_HANGUP_COMPLETE":
            self._desk.leg_ended(leg_end_of(event))
