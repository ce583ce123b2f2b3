"""Which calls are to end because their account may make none now, or none like them (terms 2, 10, 11)."""

from __future__ import annotations

from esl_agent.agent.pricing import Priced, Pricing
from esl_agent.core.admission.reasons import Reason
from esl_agent.core.call_signals import MoneyCame, MustEnd
from esl_agent.core.tariff import NEVER_CHARGED


class Barring:
    """As the book has it at this moment; without `ends_calls` those that are up may finish."""

    def __init__(self, pricing: Pricing, now_us: int, *, ends_calls: bool) -> None:
        self._pricing = pricing
        self._now_us = now_us
        self._ends_calls = ends_calls
        self._barred = pricing.book.barred()

    def news_for(self, priced: Priced) -> MoneyCame | MustEnd | None:
        """What a live call of an account that changed is told."""
        if (reason := self.reason(priced)) is not None:
            return MustEnd(reason)
        # A barred account gets no more money, for whatever call.
        return None if priced.account_id in self._barred else MoneyCame()

    def bars(self, priced: Priced) -> bool:
        """Whether such a call is not to be any more."""
        return self.reason(priced) is not None

    def reason(self, priced: Priced) -> Reason | None:
        """Why it has to end; None where it may go on, as calls for help always do."""
        if not self._ends_calls or priced.number.number_class in NEVER_CHARGED:
            return None
        return self._barred.get(priced.account_id) or self._pricing.ended_by_traffic(priced, self._now_us)
