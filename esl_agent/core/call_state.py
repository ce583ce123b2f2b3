"""What a call's machine knows of a leg that is up, and the policy that it is timed by."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from esl_agent.core import budget
from esl_agent.core.leg import Leg
from esl_agent.core.money import ZERO
from esl_agent.core.price import Price

US_PER_MS: Final = 1_000
US_PER_S: Final = 1_000_000

#: The cause of a leg whose money has ended, whether the agent cut it or the switch.
CUT_CAUSE: Final = "ALLOTTED_TIMEOUT"


class Phase(StrEnum):
    ASKING = "asking"  # the first hold is asked for
    RINGING = "ringing"  # money is held, nobody answered yet
    TALKING = "talking"
    ENDING = "ending"  # killed by us; the switch has not said that it is over
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class CallPolicy:
    """How grants and cut-offs are timed; the operator's `[budget]` section."""

    grant_s: int = 60  # talk held at a time while the account is rich
    rich_grants: int = 20  # rich: this many more such grants would still be free
    extend_lead_ms: int = 4_000  # how long before the paid end more is asked for
    last_ask_ms: int = 400  # how long before the cut a refused call asks once more
    cut_lead_ms: int = 60  # how early the kill is sent, so that it lands before the paid end
    unfunded_ms: int = 2_000  # how long an answered leg may wait for its first hold
    kill_retry_ms: int = 500
    warn_at_s: tuple[int, ...] = (60, 10)  # so many seconds before the money ends the caller is warned


@dataclass(frozen=True, slots=True)
class Call:
    """A leg that is up, and what is held for it."""

    leg: Leg
    price: Price
    phase: Phase
    held: Decimal = ZERO
    paid_s: int = 0  # billed seconds that `held` pays for
    answered_us: int | None = None
    is_asking: bool = False  # a hold is asked for and not answered yet
    funded_s: int | None = None  # billed seconds that `held` and the rest of the account pay for, if known
    warned_s: int | None = None  # the last mark that the caller was warned at
    is_spent: bool = False  # the last asking was refused for want of money
    is_last: bool = False  # the last asking was refused: what is held is all there is
    money_came: bool = False  # while a hold was asked for, which may not have seen it
    switch_cut: bool = False  # the switch has a kill of ours scheduled
    brings_cut: bool = False  # the switch schedules the first one itself on answer: no command is late then
    kills: int = 0
    kill_cause: str = CUT_CAUSE
    refused: str | None = None


def paid_end_us(call: Call) -> int | None:
    """When the increments that are paid for are used up; None before the answer."""
    return talk_end_us(call, call.paid_s)


def talk_end_us(call: Call, billed_s: int) -> int | None:
    """When the leg is billed for more than `billed_s`; None before the answer."""
    if call.answered_us is None:
        return None
    talk_s = budget.talk_s(call.price, billed_s)
    return call.answered_us + talk_s * US_PER_S + call.price.grace_ms * US_PER_MS
