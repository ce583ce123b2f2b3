"""A core with nobody's clock but the test's, and a listener that writes down what it hears."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from esl_agent.simulator.call import Call
from esl_agent.simulator.config import SimulatorConfig
from esl_agent.simulator.core import Core
from esl_agent.simulator.events import EVENT_NAMES, Event
from esl_agent.simulator.formats import JSON, PLAIN
from esl_agent.simulator.plan import CallPlan
from esl_agent.simulator.truth import Truth

SECOND_US = 1_000_000
#: A moment on the second, in November 2026.
NOW_US = 1_795_400_040 * SECOND_US


class Ear:
    """Hears every event of some names, in both formats."""

    def __init__(self, names: Iterable[str] = EVENT_NAMES) -> None:
        self.names = frozenset(names)
        self.bodies: list[bytes] = []
        self.plain: list[bytes] = []

    def wants(self, name: str, leg_uuid: str) -> bool:
        return name in self.names

    def deliver(self, event: Event) -> None:
        self.bodies.append(event.body(JSON))
        self.plain.append(event.body(PLAIN))

    def hear_log(self, level: int, file: str, function: str, line: int, data: str) -> None:
        pass

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(body) for body in self.bodies]

    def named(self, name: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["Event-Name"] == name]


class Bench:
    """A core, an ear, and time that goes on when it is told to."""

    def __init__(self, hears: Iterable[str] = EVENT_NAMES, **config: Any) -> None:
        config.setdefault("heartbeat_s", 0)
        self.core = Core(SimulatorConfig(**config), NOW_US)
        self.ear = Ear(hears)
        self.core.listeners.append(self.ear)

    def place(self, **plan: Any) -> Call:
        call = self.core.place(CallPlan(**plan))
        self.core.advance(self.core.now_us)
        return call

    def pass_s(self, seconds: float) -> None:
        self.core.advance(self.core.now_us + round(seconds * SECOND_US))

    def api(self, line: str) -> str:
        command, _, argument = line.partition(" ")
        reply = self.core.api(command, argument)
        self.core.advance(self.core.now_us)
        return reply

    def truths(self) -> dict[str, Truth]:
        return {truth.uuid: truth for truth in self.core.truth.legs}

    def outbound(self) -> list[Truth]:
        return [truth for truth in self.core.truth.legs if truth.is_outbound]
