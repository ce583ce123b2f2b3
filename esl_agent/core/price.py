"""The shapes that pricing and rating hand on: increments, a price, charge lines."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final, NamedTuple

from esl_agent.core.money import ZERO


class Increment(NamedTuple):
    """How talk is counted: at least `minimum_s` seconds, then whole steps of `step_s` seconds."""

    minimum_s: int
    step_s: int


class LineKind(StrEnum):
    """What a charge line is for; the word stands in the ledger, the CDR and the invoice."""

    USAGE = "usage"
    CONNECTION = "connection"
    FORWARDING = "forwarding"  # terms 4: the surcharge on a forwarded leg
    PAYPHONE = "payphone"  # terms 6: the surcharge on a payphone's call to a toll-free DID


#: Lines that cost the same however long the leg lasted.
FLAT_LINES: Final = frozenset({LineKind.CONNECTION, LineKind.PAYPHONE})


@dataclass(frozen=True, slots=True)
class Price:
    """Everything that fixes what a leg costs, decided once, when the call is admitted.

    A call keeps the price it started with, whatever happens to the deck.
    `is_free` says that no money is held, metered or cut for it (911, 988,
    toll-free under the option, unpriced inbound), which is not the same as a
    rate of zero with a connection fee.
    """

    deck: str  # name; "" where the price comes from no deck
    deck_version: int  # 0 where the price comes from no deck
    prefix: str
    destination: str
    rate_per_minute: Decimal
    minimum_s: int
    step_s: int
    connection_fee: Decimal
    forwarding_rate_per_minute: Decimal  # 0 unless the leg is a forwarded one and the plan surcharges it
    grace_ms: int
    is_free: bool
    payphone_surcharge: Decimal = ZERO  # on answer, like a connection fee; only where a payphone calls


#: Of a leg that has no price: what it was to is not understood, or nobody is known to pay for it.
UNPRICED: Final = Price("", 0, "", "", Decimal("0.000000"), 0, 1, ZERO, Decimal("0.000000"), 0, is_free=True)


class ChargeLine(NamedTuple):
    """One line of what a leg cost; each is rounded on its own (terms, reading notes)."""

    kind: LineKind
    rate_per_minute: Decimal  # 0 for a flat line
    amount: Decimal


class Charge(NamedTuple):
    """What a leg cost: the total is the sum of the lines, lines of zero included."""

    billed_seconds: int
    lines: tuple[ChargeLine, ...]

    @property
    def total(self) -> Decimal:
        return sum((line.amount for line in self.lines), ZERO)
