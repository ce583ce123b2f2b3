"""The book: what is looked up to price a leg - accounts, plans, decks, and whose number is whose.

Kept in memory and read again now and then.  It never says how much money
there is: that is the store's to decide, statement by statement.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from esl_agent.agent.database import OUTAGE, Database
from esl_agent.core.call import NO_DECISION
from esl_agent.core.leg import Direction, Leg, Product
from esl_agent.core.numbering import Number, Numbering
from esl_agent.core.numbering.number import NumberClass, NumberError
from esl_agent.core.price import UNPRICED, Price
from esl_agent.core.tariff import NEVER_CHARGED, DeckHistory, NoRate, Plan, price_call
from esl_agent.store import accounts, decks, numbers, plans
from esl_agent.store.accounts import Account
from esl_agent.store.numbers import OwnedNumber
from esl_agent.store.pool import Connection

#: Accounts remembered, known or not; beyond it the book forgets all and asks again.
ACCOUNTS_MAX: Final = 200_000

#: Pays for an emergency call of nobody we know.
NOBODYS_PLAN: Final = Plan("", "")
NOT_UNDERSTOOD: Final = Number("", "", "", NumberClass.WORLD)


@dataclass(frozen=True, slots=True)
class Priced:
    """A leg that is ours, with who pays and what it costs; or why it may not be."""

    leg: Leg
    account_id: int  # 0 where nobody is known
    number: Number
    price: Price
    currency: str
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class Tariffs:
    """What changes only when the operator says so (SIGHUP)."""

    plans: Mapping[str, Plan] = field(default_factory=dict)
    decks: Mapping[str, DeckHistory] = field(default_factory=dict)


class Book:
    def __init__(self, numbering: Numbering, database: Database, home_currency: str = "CAD") -> None:
        self._numbering = numbering
        self._database = database
        self._home_currency = home_currency
        self._tariffs = Tariffs()
        self._numbers: Mapping[str, OwnedNumber] = {}
        self._accounts: dict[int, Account | None] = {}

    def load(self) -> None:
        """Read everything again; what was known stays in force if the database does not answer."""
        with self._database.connection() as conn:
            tariffs = _read_tariffs(conn)
            owned = numbers.load_all(conn)
        self._tariffs, self._numbers = tariffs, owned
        self.refresh()

    def sizes(self) -> dict[str, int]:
        """How much of everything is known, for the log."""
        return {
            "plans": len(self._tariffs.plans),
            "decks": len(self._tariffs.decks),
            "numbers": len(self._numbers),
        }

    def refresh(self) -> None:
        """Read again what customers and operators change all day: accounts in use, and numbers."""
        with self._database.connection() as conn:
            owned = numbers.load_all(conn)
            known = accounts.find_accounts(conn, list(self._accounts))
        self._numbers = owned
        for account_id in self._accounts:
            self._accounts[account_id] = known.get(account_id)

    def price(self, leg: Leg, now_us: int) -> Priced | None:
        """Who pays what for `leg`; None if it is no leg of ours to bill."""
        if leg.is_loopback:
            return None
        if leg.direction is Direction.INBOUND:
            return self._price_inbound(leg)
        if leg.account_id is None and leg.product is None:
            return None
        return self._price_outbound(leg, now_us)

    def _price_inbound(self, leg: Leg) -> Priced | None:
        """A call to a DID of ours is billed on its A leg, to the DID's owner.

        A customer who dials one calls out, as to any number; if a carrier
        brings that back, it is a leg of its own.
        """
        if leg.is_users:
            return None
        number = self._parse(leg.destination)
        owned = self._numbers.get(number.digits) if number else None
        if number is None or owned is None or not owned.is_did:
            return None
        leg = replace(leg, account_id=owned.account_id, product=Product.INBOUND, priced_number=number.digits)
        try:
            account = self._account(owned.account_id)
        except OUTAGE:
            account = None
        plan = self._tariffs.plans.get(account.plan) if account else None
        if account is None or plan is None:
            return Priced(leg, owned.account_id, number, UNPRICED, self._home_currency)
        price = price_call(plan, None, number, Product.INBOUND)
        return Priced(leg, account.account_id, number, price, account.currency)

    def _price_outbound(self, leg: Leg, now_us: int) -> Priced:
        number = self._parse(leg.priced_number)
        try:
            account = self._account(leg.account_id) if leg.account_id is not None else None
        except OUTAGE:
            account, is_decided = None, False
        else:
            is_decided = True
        account_id = account.account_id if account else 0
        currency = account.currency if account else self._home_currency

        def refused(reason: str) -> Priced:
            return Priced(leg, account_id, number or NOT_UNDERSTOOD, UNPRICED, currency, reason)

        if number is None:
            return refused("number_not_understood")
        product = leg.product or Product.TERMINATION
        plan = self._tariffs.plans.get(account.plan) if account else None
        if number.number_class in NEVER_CHARGED:
            price = price_call(plan or NOBODYS_PLAN, None, number, product)
            return Priced(leg, account_id, number, price, currency)
        if account is None:
            return refused("unknown_account" if is_decided else NO_DECISION)
        if account.state != "active":
            return refused("account_not_active")
        if plan is None:
            return refused("no_plan")
        history = self._tariffs.decks.get(plan.deck)
        try:
            price = price_call(plan, history.at(now_us) if history else None, number, product)
        except NoRate:
            return refused("no_rate")
        return Priced(leg, account_id, number, price, currency)

    def _parse(self, dialled: str) -> Number | None:
        try:
            return self._numbering.parse(dialled)
        except NumberError:
            return None

    def _account(self, account_id: int) -> Account | None:
        if account_id not in self._accounts:
            if len(self._accounts) >= ACCOUNTS_MAX:
                self._accounts.clear()
            with self._database.connection() as conn:
                self._accounts[account_id] = accounts.find_accounts(conn, [account_id]).get(account_id)
        return self._accounts[account_id]


def _read_tariffs(conn: Connection) -> Tariffs:
    all_plans = plans.load_all(conn)
    deck_names = {plan.deck for plan in all_plans.values()}
    return Tariffs(all_plans, {name: decks.load_deck_history(conn, name) for name in deck_names})
