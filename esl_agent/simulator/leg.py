"""A leg of a call, as the switch holds it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from esl_agent.simulator.script import START, Path

if TYPE_CHECKING:
    from esl_agent.simulator.call import Call

Value = str | tuple[str, ...]
"""A channel variable: text, or several texts where it was PUSHed."""


class State(Enum):
    """Channel states, with the numbers that events show (src/include/switch_types.h)."""

    INIT = ("CS_INIT", 2)
    ROUTING = ("CS_ROUTING", 3)
    EXECUTE = ("CS_EXECUTE", 4)
    EXCHANGE_MEDIA = ("CS_EXCHANGE_MEDIA", 5)
    CONSUME_MEDIA = ("CS_CONSUME_MEDIA", 7)
    HANGUP = ("CS_HANGUP", 10)
    REPORTING = ("CS_REPORTING", 11)
    DESTROY = ("CS_DESTROY", 12)

    def __init__(self, label: str, number: int) -> None:
        self.label = label
        self.number = number


@dataclass(slots=True, eq=False)
class Leg:
    """One channel.  Times are what the switch's own clock showed, in µs; 0 where it hasn't happened."""

    uuid: str
    session_id: int
    is_outbound: bool  # sent by the switch: the leg to a carrier or a device
    profile: str  # the SIP profile it runs on
    address: str  # user@host:port of the far end
    caller_number: str
    caller_name: str
    destination: str
    context: str
    created_us: int
    call: Call

    channel_name: str = field(init=False)
    first_destination: str = ""  # as it was before a transfer
    callee_name: str = ""
    callee_number: str = ""
    oli: str = ""  # what kind of line the caller is on (ANI-II digits), 27 a payphone
    rdnis: str = ""
    transfer_source: str = ""
    profile_index: int = 1
    max_forwards: int = 70

    running: State = State.INIT  # the state whose handler runs
    state: State = State.INIT  # the state it is to go to
    call_state: str = "DOWN"
    cause: str = ""  # "": it is up
    ended_by: str = ""  # caller, callee or switch
    sip_status: int = 200
    disposition: str = ""  # who ended it, in SIP's terms: recv_bye, send_cancel, …

    profile_created_us: int = 0
    progress_us: int = 0
    early_us: int = 0
    answered_us: int = 0
    bridged_us: int = 0
    hangup_us: int = 0
    last_hold_us: int = 0
    hold_accum_us: int = 0
    recorded_us: int = 0  # since when

    other: Leg | None = None  # the other leg …
    shows_other: bool = False  # … whose profile its events show
    bridged_to: Leg | None = None  # the last leg that it was told to be bridged to
    told: tuple[str, str] = ("", "")  # name and number of the other side, as last sent to this one
    peer_cause: str = ""  # why the other leg ended
    lost_cause: str = ""  # why the last leg ended that this one lost, be it not even answered
    lost_sip_status: int = 200
    other_callee: tuple[str, str] | None = None  # name and number, as the profile shown had them
    has_codec: bool = False
    is_alone: bool = False  # an outbound leg after its bridge: it counts as a call of its own
    path: Path = START
    variables: dict[str, Value] = field(default_factory=dict)
    exports: dict[str, str] = field(default_factory=dict)  # what its outbound legs inherit
    application: str = ""
    application_data: str = ""
    legs_tried: list[tuple[str, str]] = field(default_factory=list)  # uuid, destination
    causes_had: list[tuple[str, str]] = field(default_factory=list)  # uuid, cause
    redirected_to: str = ""
    heard: list[str] = field(default_factory=list)  # what was played to it

    def __post_init__(self) -> None:
        self.channel_name = f"sofia/{self.profile}/{self.address}"
        self.first_destination = self.first_destination or self.destination
        self.profile_created_us = self.profile_created_us or self.created_us

    @property
    def is_up(self) -> bool:
        """Not hung up; the time of the end is known a little later, when it is reported."""
        return not self.cause

    @property
    def answer_state(self) -> str:
        if self.cause:
            return "hangup"
        if self.answered_us:
            return "answered"
        return "early" if self.early_us else "ringing"

    def set_state(self, state: State) -> None:
        self.running = self.state = state

    def step(self, *steps: str) -> None:
        """Go on along the script (see `script`)."""
        for step in steps:
            self.path = self.path.then(step)

    def step_if(self, step: str, **facts: bool) -> None:
        """One step whose lines depend on facts about the leg."""
        self.path = self.path.then(step, frozenset(name for name, fact in facts.items() if fact))

    def set_variable(self, name: str, value: Value | None) -> None:
        """Set a channel variable as the switch does: last in line; None or "" unsets it."""
        self.variables.pop(name, None)
        if value:
            self.variables[name] = value
