"""What a call's machine hears (events) and what it asks to be done (effects)."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any

from esl_agent.core.leg import LegEnd
from esl_agent.core.price import Charge, Price


class Timer(StrEnum):
    """A call has at most one of each; setting it again moves it."""

    ASK = "ask"
    CUT = "cut"
    WARN = "warn"


@dataclass(frozen=True, slots=True)
class Held:
    """The store holds `held` for the leg, in total; the account has `available` left."""

    held: Decimal
    available: Decimal


@dataclass(frozen=True, slots=True)
class HoldRefused:
    reason: str


@dataclass(frozen=True, slots=True)
class HoldFailed:
    """The store did not answer: nothing is known, so nothing more is held."""


@dataclass(frozen=True, slots=True)
class Answered:
    answered_us: int


@dataclass(frozen=True, slots=True)
class AnsweredToo:
    """Another leg of the same call was answered before this one, and has what is held for the call."""

    answered_us: int


@dataclass(frozen=True, slots=True)
class AskDue:
    pass


@dataclass(frozen=True, slots=True)
class CutDue:
    pass


@dataclass(frozen=True, slots=True)
class WarnDue:
    pass


@dataclass(frozen=True, slots=True)
class MoneyCame:
    """The account was credited, or may spend more: what was refused may be held now."""


@dataclass(frozen=True, slots=True)
class MustEnd:
    """The account may make no calls any more, `reason` says why."""

    reason: str


@dataclass(frozen=True, slots=True)
class FoundUp:
    """The switch was asked for the leg after events or commands may have been missed: it is up."""

    answered_us: int | None


@dataclass(frozen=True, slots=True)
class Leaving:
    """The agent is about to stop: what is held has to last until another takes the leg up again."""


@dataclass(frozen=True, slots=True)
class Ended:
    """With `has_lost` another leg of its call was answered, and is paid for in its place."""

    end: LegEnd
    has_lost: bool = False


Event = (
    Held
    | HoldRefused
    | HoldFailed
    | Answered
    | AnsweredToo
    | AskDue
    | CutDue
    | WarnDue
    | MoneyCame
    | MustEnd
    | FoundUp
    | Leaving
    | Ended
)


@dataclass(frozen=True, slots=True)
class HoldMoney:
    """Hold at least `least` in total for the leg, or `want` if that leaves `spare` free in the account."""

    least: Decimal
    want: Decimal
    spare: Decimal


@dataclass(frozen=True, slots=True)
class SetTimer:
    timer: Timer
    at_us: int


@dataclass(frozen=True, slots=True)
class DropTimers:
    pass


@dataclass(frozen=True, slots=True)
class ArmSwitchCut:
    """Have the switch kill the leg by itself when its clock shows `at_s`, in seconds since 1970.

    `or_after_s`: or so long after it heard this, where `at_s` is past by then: a time that is past never
    comes.  `replaces`: instead of what it was told before.
    """

    at_s: int
    or_after_s: int
    replaces: bool = False


@dataclass(frozen=True, slots=True)
class DisarmSwitchCut:
    pass


@dataclass(frozen=True, slots=True)
class KillLeg:
    cause: str


@dataclass(frozen=True, slots=True)
class WarnCaller:
    """Let the caller hear that the money is about to end."""


@dataclass(frozen=True, slots=True)
class AnnounceEnd:
    """Let the caller hear that it has ended, when the kill that follows has ended the leg."""


@dataclass(frozen=True, slots=True)
class Settle:
    """The leg is over: write its CDR and take `charge` from what is held."""

    end: LegEnd
    charge: Charge
    price: Price
    refused: str | None


@dataclass(frozen=True, slots=True)
class Note:
    """A line for the log: a word of the catalogue and its fields."""

    word: str
    fields: dict[str, Any] = field(default_factory=dict)


Effect = (
    HoldMoney
    | SetTimer
    | DropTimers
    | ArmSwitchCut
    | DisarmSwitchCut
    | WarnCaller
    | AnnounceEnd
    | KillLeg
    | Settle
    | Note
)
Effects = tuple[Effect, ...]
