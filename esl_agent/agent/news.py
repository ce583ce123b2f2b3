"""News: what others changed is read into the book, and live calls feel it."""

from __future__ import annotations

import gc
from collections.abc import Callable
from collections.abc import Set as AbstractSet

from esl_agent.agent.book import Book
from esl_agent.agent.calls.desk import Desk
from esl_agent.agent.phones.phones import Phones
from esl_agent.agent.traffic.news import RestrictionNews
from esl_agent.store.changes import Change, Changed


class News:
    """`changed` takes notices; `refresh` is for those that never came, as through a pooler."""

    def __init__(
        self, book: Book, desk: Desk, phones: Phones, restrictions: RestrictionNews, now_us: Callable[[], int]
    ) -> None:
        self._book = book
        self._desk = desk
        self._phones = phones
        self._restrictions = restrictions
        self._now_us = now_us

    def changed(self, changes: AbstractSet[Change]) -> None:
        """Read again what changed, and tell the calls of the accounts; raises one of OUTAGE."""
        what = {change.what for change in changes}
        is_all = Changed.EVERYTHING in what
        if is_all or Changed.TARIFFS in what:
            self._book.load_tariffs(keeps_decks=True)
            gc.freeze()  # or the collector would walk through every rate again and again
        elif Changed.ROUTES in what:
            self._book.load_routes()
        if is_all or Changed.NUMBERS in what:
            self._book.refresh_numbers()
        if is_all or Changed.DEPARTMENTS in what:
            self._book.refresh_departments()
        account_ids = {change.account_id for change in changes if change.account_id}
        if is_all:
            account_ids |= self._desk.accounts().union(self._book.accounts_in_use())
        if account_ids:
            self._book.refresh_payers(account_ids, self._desk.accounts())
            self._desk.accounts_changed(account_ids)
        self._phones.changed({change.phone for change in changes if change.what is Changed.PHONE})
        self._restrictions.changed({change.restriction for change in changes if change.restriction})

    def refresh(self) -> None:
        """Read numbers and accounts in use again, and end the calls of those that may make none."""
        self._book.refresh(self._desk.accounts())  # of calls that were taken up again it may know none
        self._desk.accounts_changed(self._book.barred().keys() | self._book.accounts_cut(self._now_us()))
