"""A switch in software: put the parts together, start it, place calls, break it, stop it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import gevent
from gevent.event import Event

from esl_agent.simulator import registration
from esl_agent.simulator.call import Call
from esl_agent.simulator.clock import Clock, steady_clock
from esl_agent.simulator.config import SimulatorConfig
from esl_agent.simulator.core import Core
from esl_agent.simulator.faults import Faults
from esl_agent.simulator.listener import Listener
from esl_agent.simulator.plan import CallPlan
from esl_agent.simulator.server import Runner, Server
from esl_agent.simulator.traffic import Traffic
from esl_agent.simulator.truth import Truth


class CallHandle:
    """A call that was placed, to look at and to wait for."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._answered = Event()
        self._ended = Event()
        call.when_answered = self._answered.set
        call.when_ended = self._ended.set
        if call.ended:
            self._ended.set()

    @property
    def caller_uuid(self) -> str:
        """The caller's leg."""
        return self._call.caller.uuid

    @property
    def outbound_uuids(self) -> list[str]:
        """The legs that the switch sent out so far, in order."""
        return [leg_uuid for leg_uuid, _ in self._call.caller.legs_tried]

    @property
    def heard(self) -> list[str]:
        """What was played to the caller."""
        return self._call.caller.heard

    def wait_answered(self, timeout_s: float) -> bool:
        """Wait till an outbound leg is answered; False if that takes too long."""
        return bool(self._answered.wait(timeout_s))

    def wait_ended(self, timeout_s: float) -> bool:
        """Wait till the call is over; False if that takes too long."""
        return bool(self._ended.wait(timeout_s))


@dataclass(frozen=True, slots=True)
class Summary:
    """What the switch did since it was started."""

    calls: int
    legs: int
    answered_legs: int
    causes: dict[str, int]
    talk_us: int
    events: int
    events_sent: int
    events_lost: int
    commands: int
    calls_turned_away: int
    calls_up: int


class Simulator:
    """The whole switch.  Starts its greenlets in the calling thread's hub."""

    def __init__(self, config: SimulatorConfig | None = None, clock: Clock | None = None) -> None:
        self.config = config or SimulatorConfig()
        self._clock = clock or steady_clock()
        self.core = Core(self.config, self._clock())
        self.faults = Faults(self.core)
        self.runner = Runner(self.core, self._clock)
        self.server = Server(self.config, self.core, self.faults, self.runner)
        self.faults.when_stalled = self.server.stall.begin
        self.faults.when_disconnected = self.server.cut_all
        self.faults.when_restarted = self._restart
        self.traffic_over = Event()
        self._calls_placed = 0
        self._coming: Iterator[tuple[int, CallPlan]] = iter(())
        self._coming_back: gevent.Greenlet[[], None] | None = None

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.server.port

    def start(self) -> Simulator:
        """Open the door; raises SimulatorError where the port is taken."""
        self.server.open()
        self.runner.start()
        return self

    def finish(self, timeout_s: float) -> None:
        """Wait till those who hear of calls have read what is queued for them, at most so long."""
        self.server.finish(timeout_s)

    def stop(self) -> None:
        """Say goodbye to all clients and end; calls that are up are forgotten."""
        self._stop_waiting()
        self.server.close()
        self.runner.stop()
        self.core.truth.close()

    def place_call(self, plan: CallPlan) -> CallHandle:
        """Let a call come in now."""
        self.runner.catch_up()
        self._calls_placed += 1
        handle = CallHandle(self.core.place(plan))
        self.runner.wake()
        return handle

    def register_attempt(self, user: str, domain: str, address: str, *, is_right: bool) -> None:
        """A phone gives a password, to register or to call; what it sent may be any text."""
        self.runner.catch_up()
        fields = registration.attempt_fields(user, domain, address, is_right=is_right)
        self.core.fire_custom(registration.ATTEMPT, fields)
        self.runner.wake()

    def legs_ended(self) -> list[Truth]:
        """What each leg that is over really was."""
        return self.core.truth.legs

    def subscribed(self) -> Event:
        """Set as soon as a client asks to be told of calls."""
        event = Event()

        def look(listener: Listener) -> None:
            if listener.hears_calls:
                event.set()

        self.core.when_subscribed.append(look)
        return event

    # Traffic

    def begin_traffic(self) -> None:
        """Let the configured calls come; `traffic_over` is set when the last one has."""
        self.runner.catch_up()
        self._coming = Traffic(self.config.traffic).calls()
        self._traffic_began_us = self.core.now_us
        self._next_call()
        self.runner.wake()

    def _next_call(self, plan: CallPlan | None = None) -> None:
        if plan is not None:
            self._calls_placed += 1
            self.core.place(plan)
        following = next(self._coming, None)
        if following is None:
            self.traffic_over.set()
            return
        due_us, plan = following
        self.core.world.at(self._traffic_began_us + due_us, self._next_call, plan)

    def wait_quiet(self, timeout_s: float) -> bool:
        """Wait till no call is up; False if that takes too long."""
        quiet = Event()
        self.core.when_quiet = quiet.set
        if not self.core.calls:
            return True
        return bool(quiet.wait(timeout_s))

    def summary(self) -> Summary:
        """Figures so far."""
        truths = self.core.truth.legs
        core = self.core
        return Summary(
            calls=self._calls_placed,
            legs=self.core.truth.count,
            answered_legs=sum(truth.answered_us is not None for truth in truths),
            causes=dict(Counter(truth.cause for truth in truths)),
            talk_us=sum(truth.duration_us for truth in truths if truth.is_outbound),
            events=core.events_fired,
            events_sent=core.events_sent,
            events_lost=core.events_lost,
            commands=core.commands_run,
            calls_turned_away=core.calls_turned_away,
            calls_up=len(core.calls),
        )

    # Restart

    def _restart(self, down_s: float, graceful: bool) -> None:
        self.runner.catch_up()
        if graceful:
            self.core.api("hupall", "SYSTEM_SHUTDOWN")
        self.server.cut_all()
        self.server.shut()
        self.core.crash()
        if down_s > 0:
            self._coming_back = gevent.spawn_later(down_s, self.come_back)
        else:
            self.come_back()

    def come_back(self) -> None:
        """End the time that the switch is down for."""
        if self.core.is_up:
            return
        self._stop_waiting()
        self.core.start(self._clock())
        self.server.open()
        self.runner.wake()

    def _stop_waiting(self) -> None:
        if self._coming_back is not None and self._coming_back is not gevent.getcurrent():
            self._coming_back.kill()
        self._coming_back = None
