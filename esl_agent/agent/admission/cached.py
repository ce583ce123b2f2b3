"""Admission while the database is away: small sums on the last known balance, if the operator wants that.

What is granted so is held nowhere; when the database is back, live calls hold
properly and ended ones settle from what is free.  The sums are all that can
be lost, so they only add up while the database is away.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal

from esl_agent.agent.book import Payer
from esl_agent.core import budget
from esl_agent.core.money import ZERO
from esl_agent.core.price import Price


@dataclass(frozen=True, slots=True)
class CachedPolicy:
    """Whether to, and how much for a call and for all calls of an account."""

    is_on: bool
    call_max: Decimal
    account_max: Decimal


class CachedFunds:
    def __init__(self, policy: CachedPolicy) -> None:
        self._policy = policy
        self._granted: defaultdict[int, Decimal] = defaultdict(lambda: ZERO)

    def database_answered(self) -> None:
        """Sums begin anew: not when an outage seems over, but when the store has decided on a call."""
        self._granted.clear()

    @property
    def is_on(self) -> bool:
        return self._policy.is_on

    def grant(self, payer: Payer | None, price: Price) -> Decimal | None:
        """What a call may cost without asking the database; None where it may not go out."""
        if not self._policy.is_on or payer is None:
            return None
        if not budget.is_metered(price):
            return ZERO
        account_id = payer.account.account_id
        left = min(self._policy.account_max, payer.account.available) - self._granted[account_id]
        paid_s = budget.seconds_funded(price, min(self._policy.call_max, left))
        if not paid_s:
            return None
        granted = budget.cost_of(price, paid_s)
        self._granted[account_id] += granted
        return granted
