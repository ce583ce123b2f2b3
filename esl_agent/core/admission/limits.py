"""What a customer may do, and what the operator lets anybody do (terms 5, 6, 11, 13)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from esl_agent.core.numbering.number import NumberClass


class CallerIdPolicy(StrEnum):
    """What to do with a call whose caller ID isn't the account's."""

    REFUSE = "refuse"
    REPLACE = "replace"  # send the account's default caller ID instead


class TollFree(StrEnum):
    """The option of calling toll-free numbers."""

    FREE = "free"  # as the plan has it
    OFF = "off"
    RATED = "rated"  # by the deck, like any other number


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """One account's own; None where there is no limit."""

    max_calls: int | None = None
    calls_per_second: int | None = None
    spend_per_day: Decimal | None = None
    spend_per_call: Decimal | None = None
    blocked_classes: frozenset[NumberClass] = frozenset()
    blocked_countries: frozenset[str] = frozenset()  # ISO alpha-2
    blocked_prefixes: tuple[str, ...] = ()  # digits from the country code on
    default_caller_id: str | None = None  # digits from the country code on
    caller_id_policy: CallerIdPolicy = CallerIdPolicy.REFUSE
    toll_free: TollFree = TollFree.FREE


NO_LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorPolicy:
    """What holds for every account; the operator's `[admission]` section."""

    allow_premium: bool = False
    blocked_classes: frozenset[NumberClass] = frozenset({NumberClass.SATELLITE, NumberClass.PERSONAL})
    blocked_countries: frozenset[str] = frozenset()
    payphone_oli: frozenset[str] = frozenset({"27", "70"})  # two digits each; 07, 25 and 29 if wanted
