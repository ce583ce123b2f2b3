"""Commands to the switch that nobody waits for: kills, scheduled cuts, and what a caller is to hear."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from esl_agent.agent.calls.worst import Worst
from esl_agent.agent.clock import monotonic_us
from esl_agent.core.call_signals import ArmSwitchCut
from esl_agent.noc.log import Log
from esl_agent.switch import commands
from esl_agent.switch.commands import Api, CommandError
from esl_agent.switch.errors import SwitchError

#: Commands under way; beyond it scheduled cuts are not moved, while kills still go out.
IN_FLIGHT_MAX: Final = 5_000
#: How long a long round trip is remembered: longer than a call takes from its last extension to its cut.
ROUND_TRIP_WINDOW_US: Final = 10_000_000
#: What a command is thought to cost before that is measured, and the weight of a measurement.
COMMAND_US: Final = 300.0
COMMAND_WEIGHT: Final = 0.05
#: The switch's answers to commands for legs or tasks that are gone: late, and no failure.
GONE: Final = ("-ERR No such channel", "-ERR no such channel", "-ERR invalid uuid")


class Switchboard:
    def __init__(
        self,
        order: Callable[[Api, Callable[[str | SwitchError], None]], None],
        log: Log,
        now_us: Callable[[], int] = monotonic_us,
        may_act: Callable[[], bool] = lambda: True,
    ) -> None:
        self._order = order
        self._log = log
        self._now_us = now_us
        self._may_act = may_act
        self._in_flight = 0
        self._round_trip = Worst(ROUND_TRIP_WINDOW_US)
        self._answered_us: int | None = None  # the last answer, while others are awaited
        self.command_us = COMMAND_US  # while many are under way, one is answered so long after another

    @property
    def round_trip_us(self) -> int:
        """How long commands have taken lately at the most, from the order to its answer."""
        return self._round_trip.value(self._now_us())

    @property
    def in_flight(self) -> int:
        """Commands that are not answered yet."""
        return self._in_flight

    def kill(self, leg_uuid: str, cause: str) -> None:
        self._send(leg_uuid, lambda: [commands.uuid_kill(leg_uuid, cause)])

    def arm_cut(self, leg_uuid: str, arm: ArmSwitchCut) -> None:
        def cuts() -> list[Api]:
            before = [commands.sched_del(leg_uuid)] if arm.replaces else []
            at_its_time = commands.sched_cut(leg_uuid, arm.at_s)
            return [*before, at_its_time, commands.sched_cut_after(leg_uuid, arm.or_after_s)]

        self._send_if_room(leg_uuid, cuts)

    def disarm_cut(self, leg_uuid: str) -> None:
        self._send_if_room(leg_uuid, lambda: [commands.sched_del(leg_uuid)])

    def play(self, leg_uuid: str, sound: str) -> None:
        self._send_if_room(leg_uuid, lambda: [commands.play(leg_uuid, sound)])

    def go_on_after_bridge(self, leg_uuid: str, place: str) -> None:
        self._send_if_room(leg_uuid, lambda: [commands.go_on_after_bridge(leg_uuid, place)])

    def _send_if_room(self, leg_uuid: str, build: Callable[[], list[Api]]) -> None:
        if self._in_flight >= IN_FLIGHT_MAX:
            self._log("QUEUE_FULL", queue="commands", limit=IN_FLIGHT_MAX, leg=leg_uuid)
        else:
            self._send(leg_uuid, build)

    def _send(self, leg_uuid: str, build: Callable[[], list[Api]]) -> None:
        """All at once: were an answer waited for between two, those of two callers would be mixed up.

        Two that move a scheduled cut would both delete the old one, then both add theirs.
        """
        try:
            apis = build()
        except CommandError as error:
            self._log("SWITCH_COMMAND_FAILED", leg=leg_uuid, answer=str(error))
            return
        if not self._may_act():
            return
        for api in apis:
            self._in_flight += 1
            answered = partial(self._answered, leg_uuid, api, self._now_us())
            try:
                self._order(api, answered)
            except SwitchError as error:
                answered(error)

    def _answered(self, leg_uuid: str, api: Api, ordered_us: int, answer: str | SwitchError) -> None:
        self._in_flight -= 1
        self._measure(ordered_us)
        if isinstance(answer, SwitchError):
            self._log("SWITCH_COMMAND_FAILED", leg=leg_uuid, answer=str(answer))
        elif answer.startswith("-ERR") and not answer.startswith(GONE):
            self._log("SWITCH_COMMAND_FAILED", leg=leg_uuid, command=api, answer=answer)

    def _measure(self, ordered_us: int) -> None:
        now_us = self._now_us()
        self._round_trip.heard(now_us - ordered_us, now_us)
        if self._answered_us is not None:
            self.command_us += (now_us - self._answered_us - self.command_us) * COMMAND_WEIGHT
        self._answered_us = now_us if self._in_flight else None
