"""How fast each account places calls, against what it may (terms 10, 13)."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import Final

from esl_agent.core.admission.bucket import TokenBucket
from esl_agent.core.admission.facts import Facts
from esl_agent.core.admission.question import Question
from esl_agent.core.admission.readings import goes_out

#: Accounts whose tempo is remembered; one that is forgotten begins with a full bucket.
ACCOUNTS_MAX: Final = 50_000


class Tempo:
    """A token bucket for each account that has a limit; a second's worth may come at once."""

    def __init__(self) -> None:
        self._buckets: OrderedDict[int, TokenBucket] = OrderedDict()

    def paced(self, question: Question, facts: Facts) -> Facts:
        """The facts with `is_within_rate` as it is now; the call takes its token."""
        rate = facts.limits.calls_per_second
        if facts.customer is None or rate is None or not goes_out(question):
            return facts
        account_id = facts.customer.account_id
        bucket = self._buckets.pop(account_id, None)
        if bucket is None or bucket.rate != rate:
            bucket = TokenBucket(rate, rate)
        self._buckets[account_id], is_within_rate = bucket.take(question.asked_us)
        if len(self._buckets) > ACCOUNTS_MAX:
            self._buckets.popitem(last=False)
        return replace(facts, is_within_rate=is_within_rate)
