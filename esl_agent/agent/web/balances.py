"""Accounts whose money is near its end, of those whose calls were asked about since the start."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from heapq import nsmallest
from typing import Final

import gevent

from esl_agent.agent.book import Book, Payer
from esl_agent.agent.clock import monotonic_us
from esl_agent.store.accounts import State

#: So many are shown: those with calls that are up first, then those with the least.
SHOWN_MAX: Final = 50
#: How long what was found is good for.
GOOD_FOR_US: Final = 5_000_000
#: Accounts looked at before those who meter calls get a turn.
PER_TURN: Final = 5_000


class Balances:
    """Accounts that may call and have less than `low` free."""

    def __init__(self, book: Book, low: Decimal, now_us: Callable[[], int] = monotonic_us) -> None:
        self._book = book
        self._low = low
        self._now_us = now_us
        self._looked_us: int | None = None
        self._near_end: dict[str, Payer] = {}

    def near_end(self) -> Mapping[str, Payer]:
        """By account number, as the book has read them last; others get a turn meanwhile."""
        if self._looked_us is None or self._now_us() - self._looked_us >= GOOD_FOR_US:
            found = nsmallest(SHOWN_MAX, self._low_ones(), key=_urgency)
            self._near_end = {str(payer.account.account_id): payer for payer in found}
            self._looked_us = self._now_us()
        return self._near_end

    def _low_ones(self) -> Iterator[Payer]:
        for count, payer in enumerate(self._book.payers_in_use(), 1):
            account = payer.account
            if account.state is State.ACTIVE and account.available < self._low:
                yield payer
            if not count % PER_TURN:
                gevent.sleep(0)


def _urgency(payer: Payer) -> tuple[bool, Decimal, int]:
    account = payer.account
    return not account.calls_up, account.available, account.account_id
