"""Looks: what the switch says when it is asked which legs there are, and what each of them is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from esl_agent.core.call_state import US_PER_S
from esl_agent.core.leg import Leg
from esl_agent.core.recovery import Look
from esl_agent.switch import commands
from esl_agent.switch.channels import decode_channels
from esl_agent.switch.commands import Api, CommandError
from esl_agent.switch.errors import SwitchError
from esl_agent.switch.events import DEFAULT_NAMES, ChannelData, EventError, VariableNames, decode_event
from esl_agent.switch.legs import leg_of

#: How the switch says that there is no such leg.
GONE: Final = "-ERR No such channel"
#: What it calls a leg that is being taken down (switch_types.h); its last event is on the way.
ENDING_STATES: Final = frozenset({"CS_HANGUP", "CS_REPORTING", "CS_DESTROY"})
HUNG_UP: Final = "HANGUP"


class Found(NamedTuple):
    """What a look at a leg found; `leg` where it is up."""

    look: Look
    leg: Leg | None = None


class Looks:
    """`command` is for quick commands, `background` for slow ones; both raise SwitchError.

    `heard` is told the switch's time where that comes with an answer: its first event may be long in coming.
    """

    def __init__(
        self,
        command: Callable[[Api], str],
        background: Callable[[Api], str],
        names: VariableNames = DEFAULT_NAMES,
        heard: Callable[[int], None] = lambda stamp_us: None,
    ) -> None:
        self._command = command
        self._background = background
        self._names = names
        self._heard = heard

    def listed(self) -> frozenset[str]:
        """The legs that the switch lists, as late as it does; raises SwitchError or EventError."""
        channels = decode_channels(self._background(commands.show_channels_json()))
        return frozenset(channel.leg_uuid for channel in channels)

    def began_us(self) -> int:
        """When this run of the switch began, by its own clock, to about a second; raises SwitchError.

        0 where it doesn't say.
        """
        epoch_s, up_s = self._command(commands.strepoch()), self._command(commands.uptime())
        if not (epoch_s.strip().isdecimal() and up_s.strip().isdecimal()):
            return 0
        return (int(epoch_s) - int(up_s)) * US_PER_S

    def at(self, leg_uuid: str) -> Found:
        """Everything of one leg."""
        try:
            answer = self._command(commands.uuid_dump(leg_uuid))
            if answer.startswith(GONE):
                return Found(Look.GONE)
            event = decode_event(answer.encode(), self._names)
            if isinstance(event, ChannelData) and event.unique_id == leg_uuid:
                self._heard(event.timestamp_us)
                return Found(Look.ENDING) if _is_ending(event) else Found(Look.UP, leg_of(event))
        except (SwitchError, CommandError, EventError):
            pass
        return Found(Look.SILENT)

    def exists(self, leg_uuid: str) -> Look:
        """Only whether it is up."""
        try:
            answer = self._command(commands.uuid_exists(leg_uuid))
        except (SwitchError, CommandError):
            return Look.SILENT
        return {"true": Look.UP, "false": Look.GONE}.get(answer, Look.SILENT)

    def is_gone(self, leg_uuid: str) -> bool:
        """Whether the switch says that there is no such leg."""
        return self.exists(leg_uuid) is Look.GONE


def _is_ending(event: ChannelData) -> bool:
    return event.state in ENDING_STATES or event.call_state == HUNG_UP
