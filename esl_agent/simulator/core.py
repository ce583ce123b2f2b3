"""The switch's core: time, legs, events and tasks.  It touches no socket and no clock.

Whoever runs it calls `advance` with the time; a test jumps where it wants.
Everything that happens at a moment happens inside that call, or inside a
command that a listener brings.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from esl_agent.simulator import api
from esl_agent.simulator.call import Call
from esl_agent.simulator.cdr_file import CdrWriter
from esl_agent.simulator.clock import TickClock, local_date
from esl_agent.simulator.config import SimulatorConfig
from esl_agent.simulator.events import UNSEEN_BEFORE, Event, Head, Identity, SentEvent
from esl_agent.simulator.formats import Format
from esl_agent.simulator.leg import Leg
from esl_agent.simulator.plan import CallPlan
from esl_agent.simulator.scheduler import Scheduler
from esl_agent.simulator.script import Field
from esl_agent.simulator.template import leg_template, profile_template
from esl_agent.simulator.timers import Timer, Timers
from esl_agent.simulator.truth import TruthBook
from esl_agent.simulator.wire import Command

LOG_LEVELS = ("CONSOLE", "ALERT", "CRIT", "ERR", "WARNING", "NOTICE", "INFO", "DEBUG")


class Listener(Protocol):
    """Somebody who may want events."""

    def wants(self, name: str, leg_uuid: str) -> bool: ...

    def deliver(self, event: Event) -> None: ...

    def hear_log(self, level: int, file: str, function: str, line: int, data: str) -> None: ...


class Core:
    """One FreeSWITCH process, from its start to its end."""

    def __init__(self, config: SimulatorConfig, now_us: int) -> None:
        self.config: SimulatorConfig = config
        self.clock = TickClock(config.tick_ms * 1000)
        self.now_us = now_us
        self.timers = Timers()
        self.scheduler = Scheduler()
        self.listeners: list[Listener] = []
        self.calls: dict[str, Call] = {}  # by the caller's leg
        self.legs: dict[str, Leg] = {}
        self.truth = TruthBook(config.truth_file, config.truth_max)
        self.cdr_files = CdrWriter(config.cdr_dir)
        self.events_fired = 0
        self.events_sent = self.events_lost = 0  # lost: for want of room in a listener's queue
        self.commands_run = 0
        self.calls_turned_away = 0
        self.is_up = True
        self.world = Timers()  # what goes on outside the switch, whether it is up or not
        self.when_quiet: Callable[[], None] = lambda: None
        self.when_subscribed: list[Callable[[Any], None]] = []  # told of a listener that wants events
        self.when_told: list[Callable[[Any, Command], None]] = []  # told of each listener's commands
        self.dial_agent: Callable[[Call, str], None] | None = None  # connects a call to a socket server
        self.start(now_us)

    def start(self, now_us: int) -> None:
        """Come up as a new core: no calls, no tasks, numbers from the beginning."""
        self.is_up = True
        self.now_us = self.started_us = now_us
        self.identity = Identity(core_uuid=str(uuid.uuid4()), hostname=self.config.hostname)
        self.sequence = 0
        self.sessions = 0
        self.sessions_peak = 0
        self._poll_timer: Timer | None = None
        self.timers.clear()
        self.scheduler.clear()
        self.calls.clear()
        self.legs.clear()
        self.globals: dict[str, str] = {}  # variables of the whole switch that were set by command
        if self.config.heartbeat_s > 0:
            self.after(int(self.config.heartbeat_s * 1_000_000), self._beat)

    def crash(self) -> None:
        """Die: every call is gone, without an event and without a file."""
        for leg in list(self.legs.values()):
            leg.cause, leg.ended_by = leg.cause or "CRASH", leg.ended_by or "switch"
            leg.hangup_us = self.stamp()
            self.leg_is_over(leg)
        calls = list(self.calls.values())
        self.timers.clear()
        self.scheduler.clear()
        self.calls.clear()
        self.legs.clear()
        self.is_up = False
        for call in calls:
            call.forget()
        self.when_quiet()

    # Time

    def advance(self, now_us: int, *, on_time: bool = True) -> None:
        """Do what is due by `now_us`: each thing at its own time, or, not `on_time`, all of it now."""
        while (timer := self._pop_due(now_us)) is not None:
            self.now_us = max(self.now_us, timer.due_us if on_time else now_us)
            if timer.do is not None:
                timer.do(*timer.arguments)
        self.now_us = max(self.now_us, now_us)

    def next_due_us(self) -> int | None:
        """When something is due next, None if nothing ever is."""
        return min(
            (due for due in (self.timers.next_due_us(), self.world.next_due_us()) if due is not None),
            default=None,
        )

    def _pop_due(self, now_us: int) -> Timer | None:
        inside, outside = self.timers.next_due_us(), self.world.next_due_us()
        if outside is not None and (inside is None or outside < inside):
            return self.world.pop_due(now_us)
        return self.timers.pop_due(now_us)

    def after(self, delay_us: int, do: Callable[..., object], *arguments: object) -> Timer:
        """Have something done `delay_us` from now."""
        return self.timers.at(self.now_us + delay_us, do, *arguments)

    def stamp(self) -> int:
        """The time as the switch shows it."""
        return self.clock.stamp(self.now_us)

    # Events

    def fire(
        self,
        name: str,
        leg: Leg,
        *,
        before: Sequence[Field] = (),
        after: Callable[[], Sequence[Field]] = tuple,
    ) -> None:
        """Tell whoever listens of an event of a leg, as the leg is now."""
        self._count(name)
        listeners = [listener for listener in self.listeners if listener.wants(name, leg.uuid)]
        if listeners:
            event = Event(
                name, self._head(), leg_uuid=leg.uuid, before=before, write=_writer(leg), after=after()
            )
            self._deliver(event, listeners)

    def fire_bare(self, name: str, fields: Sequence[Field], body: str | None = None) -> None:
        """Tell whoever listens of an event that is not about a leg."""
        self._count(name)
        listeners = [listener for listener in self.listeners if listener.wants(name, "")]
        if listeners:
            self._deliver(Event(name, self._head(), before=fields, body=body), listeners)

    def fire_custom(self, subclass: str, fields: Sequence[Field]) -> None:
        """Tell whoever listens of an event of a module's own."""
        self._count("CUSTOM")
        listeners = [listener for listener in self.listeners if listener.wants("CUSTOM", "")]
        if listeners:
            before = (Field("Event-Subclass", subclass), *fields)
            self._deliver(Event("CUSTOM", self._head(), before=before, subclass=subclass), listeners)

    def fire_sent(self, name: str, fields: Sequence[Field], body: str | None, subclass: str) -> None:
        """Tell whoever listens of an event that a client sent."""
        self._count(name)
        listeners = [listener for listener in self.listeners if listener.wants(name, "")]
        if listeners:
            self._deliver(SentEvent(name, self._head(), fields, body, subclass), listeners)

    def snapshot(self, leg: Leg, *, with_profile: bool = False, after: Sequence[Field] = ()) -> Event:
        """All that is known of a leg, in an event that isn't sent to anybody (`uuid_dump`, `connect`)."""
        self._count("CHANNEL_DATA")
        write = _writer(leg, with_profile=with_profile)
        return Event("CHANNEL_DATA", self._head(), leg_uuid=leg.uuid, write=write, after=after)

    def log(self, level: int, file: str, function: str, line: int, text: str) -> None:
        """Write a line into the switch's log, for clients that listen to it (switch_log.c)."""
        now = self.stamp()
        prefix = f"{local_date(now // 1_000_000)}.{now % 1_000_000:06} 98.00% [{LOG_LEVELS[level]}]"
        data = f"{prefix} {file}:{line} {text}\n"
        for listener in self.listeners:
            listener.hear_log(level, file, function, line, data)

    def _count(self, name: str) -> None:
        self.sequence += 1 + UNSEEN_BEFORE.get(name, 0)
        self.events_fired += 1

    def _head(self) -> Head:
        return Head(self.identity, self.stamp(), self.sequence)

    def _deliver(self, event: Event, listeners: Sequence[Listener]) -> None:
        for listener in listeners:
            listener.deliver(event)

    def _beat(self) -> None:
        self.fire_bare("HEARTBEAT", api.heartbeat_fields(self))
        self.after(int(self.config.heartbeat_s * 1_000_000), self._beat)

    # Calls

    def place(self, plan: CallPlan) -> Call:
        """Let a call come in."""
        call = Call(self, plan)
        if self.is_up and len(self.calls) < self.config.calls_max:
            call.begin()
        else:
            self.calls_turned_away += 1
            call.ended = True
        return call

    def call_is_over(self, call: Call) -> None:
        """The call has ended."""
        self.calls.pop(call.caller.uuid, None)
        if not self.calls:
            self.when_quiet()

    def next_session(self) -> int:
        """The number of a new leg."""
        self.sessions += 1
        return self.sessions

    def add_leg(self, leg: Leg) -> None:
        self.legs[leg.uuid] = leg
        self.sessions_peak = max(self.sessions_peak, len(self.legs))

    def leg_is_over(self, leg: Leg) -> None:
        """The leg has been reported: put down what it was."""
        self.truth.add(leg, self.config.names)

    # Commands

    def api(self, command: str, argument: str = "") -> str:
        """Run an API command, as `api`, `sched_api` or `api_on_answer` do, and give what it prints."""
        self.commands_run += 1
        return api.run(self, command, argument)

    def schedule(self, runtime_s: int, group: str, do: Callable[[], object]) -> int:
        """Add a task to the switch's scheduler; its id."""
        task = self.scheduler.add(self.stamp(), runtime_s, group, do)
        self._poll_at(self.now_us)
        return task.id

    def _poll_at(self, due_us: int) -> None:
        if self._poll_timer is not None:
            self._poll_timer.cancel()
        self._poll_timer = self.timers.at(due_us, self._poll)

    def _poll(self) -> None:
        self._poll_timer = None
        now_us, offset_us = self.stamp(), self.now_us
        self.scheduler.poll(now_us)
        if self.scheduler.next_poll_us is not None and self._poll_timer is None:
            self._poll_at(offset_us + self.scheduler.next_poll_us - now_us)


def _writer(leg: Leg, *, with_profile: bool = False) -> Callable[[Format], str]:
    if with_profile:
        return lambda into: profile_template(leg, into).fill(leg) + leg_template(leg, into).fill(leg)
    return lambda into: leg_template(leg, into).fill(leg)
