"""What an invoice comes to: its lines at cents, and the taxes on those that are taxed.

Calls are charged at four decimals and invoiced at cents: what a destination's
calls came to is rounded once, half up, and the sums are those of the lines as
they are printed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Final

from esl_agent.core.money import ZERO
from esl_agent.core.office.recurring import to_cents
from esl_agent.core.office.taxes import Tax, TaxRate, taxes_on

TAX: Final = "tax"
LINES_MAX: Final = 5_000


@dataclass(frozen=True, slots=True)
class Line:
    """`kind` is that of its ledger entries; `calls` and `billed_seconds` are of usage."""

    kind: str
    description: str
    amount: Decimal
    is_taxed: bool
    calls: int | None = None
    billed_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """An invoice that has no number yet; its taxes are lines of it, too."""

    lines: tuple[Line, ...]
    taxes: tuple[Tax, ...]

    @property
    def before_taxes(self) -> Decimal:
        return sum((line.amount for line in self.lines), ZERO)

    @property
    def total(self) -> Decimal:
        return self.before_taxes + sum((tax.amount for tax in self.taxes), ZERO)


def draft(lines: Iterable[Line], rates: Sequence[TaxRate], issued_on: date, *, is_taxed: bool) -> Draft:
    """The lines that come to something, and the taxes of the day on those that are taxed."""
    at_cents = (replace(line, amount=to_cents(line.amount)) for line in lines)
    charged = tuple(line for line in at_cents if line.amount)
    taxed = sum((line.amount for line in charged if line.is_taxed), ZERO)
    taxes = taxes_on(taxed, rates, issued_on) if is_taxed else ()
    return Draft(charged, tuple(tax for tax in taxes if tax.amount))
