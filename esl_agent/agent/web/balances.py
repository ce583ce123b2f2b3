"""Accounts whose money is near its end, of those whose calls were asked about since the start."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from heapq import nsmallest
from typing import Final

import gevent

from esl_agent.agent.book import Book, Payer
from esl_agent.store.accounts import State

#: So many are shown: those with calls that are up first, then those with the least.
SHOWN_MAX: Final = 50
#: Accounts looked at before those who meter calls get a turn.
PER_TURN: Final = 5_000


class Balances:
    """`look` now and then; `near_end` says what was found."""

    def __init__(self, book: Book, low: Decimal, breathe: Callable[[], None] = gevent.sleep) -> None:
        self._book = book
        self._low = low
        self._breathe = breathe
        self.near_end: dict[int, Payer] = {}

    def look(self) -> None:
        found = nsmallest(SHOWN_MAX, self._low_ones(), key=_urgency)
        self.near_end = {payer.account.account_id: payer for payer in found}

    def _low_ones(self) -> Iterator[Payer]:
        for count, payer in enumerate(self._book.payers_in_use(), 1):
            account = payer.account
            if account.state is State.ACTIVE and account.available < self._low:
                yield payer
            if not count % PER_TURN:
                self._breathe()


def _urgency(payer: Payer) -> tuple[bool, Decimal, int]:
    account = payer.account
    return not account.calls_up, account.available, account.account_id
