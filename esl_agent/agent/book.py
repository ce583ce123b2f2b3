"""The book: what is looked up to price a leg - accounts, plans, decks, and whose number is whose.

Kept in memory and read again now and then.  It never says how much money
there is: that is the store's to decide, statement by statement.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from gevent.lock import RLock

from esl_agent.agent.database import Connects
from esl_agent.agent.traffic.spoken import Spoken
from esl_agent.core.admission.carriers import Carrier
from esl_agent.core.admission.facts import AccountState
from esl_agent.core.admission.limits import NO_LIMITS, Limits, TollFree
from esl_agent.core.admission.reasons import Reason
from esl_agent.core.admission.restricted import limits_under
from esl_agent.core.admission.rules import REASON_OF_STATE
from esl_agent.core.leg import Product
from esl_agent.core.numbering import Number, Numbering
from esl_agent.core.office.terms import TermsVersion
from esl_agent.core.prefix_map import PrefixMap
from esl_agent.core.price import Price
from esl_agent.core.tariff import DeckHistory, Plan, price_call
from esl_agent.core.traffic.restriction import Restriction, open_at
from esl_agent.store import accounts, decks, departments, numbers, plans, routes, terms
from esl_agent.store.accounts import Account
from esl_agent.store.decks import KnownDecks
from esl_agent.store.departments import Department
from esl_agent.store.limits import find_limits
from esl_agent.store.numbers import OwnedNumber
from esl_agent.store.pool import Connection
from esl_agent.store.restrictions import find_open

#: Accounts remembered, known or not; beyond it the book forgets all and asks again.
ACCOUNTS_MAX: Final = 200_000

#: A number with fewer digits is a short code, such as 911, and no beginning of a number abroad.
WHOLE_DIGITS_MIN: Final = 7


@dataclass(frozen=True, slots=True)
class Tariffs:
    """What changes only when the operator says so (SIGHUP)."""

    plans: Mapping[str, Plan] = field(default_factory=dict)
    plans_with_rated_toll_free: Mapping[str, Plan] = field(default_factory=dict)
    decks: Mapping[str, DeckHistory] = field(default_factory=dict)
    routes: PrefixMap[tuple[Carrier, ...]] = field(default_factory=lambda: PrefixMap({}))
    terms_versions: tuple[TermsVersion, ...] = ()


@dataclass(frozen=True, slots=True)
class Payer:
    """An account, and what it may do."""

    account: Account
    limits: Limits
    restrictions: tuple[Restriction, ...] = ()  # that were open when they were read


class Book:
    def __init__(
        self,
        numbering: Numbering,
        database: Connects,
        home_currency: str = "CAD",
        toll_free_when_off: TollFree = TollFree.OFF,
    ) -> None:
        self._numbering = numbering
        self._database = database
        self.home_currency = home_currency
        self.toll_free_when_off = toll_free_when_off
        self._tariffs = Tariffs()
        self._decks_since_us: int | None = None  # None: as they were in effect when they were read
        self._numbers: Mapping[str, OwnedNumber] = {}
        self.departments: Mapping[str, Department] = {}  # by number, digits
        self._payers: dict[int, Payer | None] = {}
        self.spoken = Spoken()
        # One reading at a time: an older one that takes longer must not undo a newer one.
        self._reading = RLock()

    # Keeping it up to date.

    def load(self) -> None:
        """Read everything again; what was known stays in force if the database does not answer."""
        self.load_tariffs()
        self.refresh()

    def load_tariffs(self, *, keeps_decks: bool = False) -> None:
        """Read plans, decks and routes again; with `keeps_decks` versions that are in mind are not read."""
        with self._reading, self._database.connection() as conn:
            self._tariffs = _read_tariffs(conn, self.known_decks() if keeps_decks else {})
            self._decks_since_us = None

    def load_routes(self) -> None:
        with self._reading, self._database.connection() as conn:
            self._tariffs = replace(self._tariffs, routes=routes.load_all(conn))

    def refresh(self, talking: Collection[int] = ()) -> None:
        """Read again what changes all day: numbers, departments, and accounts as `refresh_payers` does."""
        self.refresh_numbers()
        self.refresh_departments()
        self.refresh_payers({*self.accounts_in_use(), *talking}, talking)

    def refresh_numbers(self) -> None:
        with self._reading, self._database.connection() as conn:
            self._numbers = numbers.load_all(conn)

    def refresh_departments(self) -> None:
        with self._reading, self._database.connection() as conn:
            self.departments = departments.load_all(conn)

    def refresh_payers(self, account_ids: Collection[int], talking: Collection[int] = ()) -> None:
        """Read these accounts again, those of them that are in use, or among the `talking` ones."""
        in_use = [each for each in account_ids if each in self._payers or each in talking]
        if not in_use:
            return
        with self._reading, self._database.connection() as conn:
            read = _read_payers(conn, in_use)
            self._payers.update({account_id: read.get(account_id) for account_id in in_use})

    def read_decks_of(self, at_us: int) -> bool:
        """Read the versions that were in effect then; False where they were read already."""
        if self._decks_since_us is not None and at_us >= self._decks_since_us:
            return False
        with self._reading, self._database.connection() as conn:
            known = self.known_decks()
            histories = {
                name: decks.load_deck_history(conn, name, at_us, known) for name in self._tariffs.decks
            }
            self._tariffs = replace(self._tariffs, decks=histories)
            self._decks_since_us = at_us
        return True

    def through(self, database: Connects) -> Book:
        """The same tariffs and numbers as they are now; accounts are read afresh, over another connection."""
        other = Book(self._numbering, database, self.home_currency, self.toll_free_when_off)
        other._tariffs, other._numbers, other.spoken = self._tariffs, self._numbers, self.spoken
        return other

    def sizes(self) -> dict[str, int]:
        """How much of everything is known, for the log."""
        tariffs = self._tariffs
        return {
            "plans": len(tariffs.plans),
            "decks": len(tariffs.decks),
            "routes": len(tariffs.routes),
            "numbers": len(self._numbers),
            "departments": len(self.departments),
        }

    def known_decks(self) -> KnownDecks:
        """Every version of a deck that is in mind; a version never changes."""
        histories = self._tariffs.decks.values()
        return {(deck.name, deck.version): deck for history in histories for deck in history.decks()}

    # Looking things up.

    def read_number(self, dialled: str) -> Number:
        """Raises NumberError."""
        return self._numbering.parse(dialled)

    def owned(self, digits: str) -> OwnedNumber | None:
        """Whose number it is, if it is of an account of ours."""
        return self._numbers.get(digits)

    def payer(self, account_id: int) -> Payer | None:
        """The account, if there is one; raises one of OUTAGE where that can't be told."""
        if account_id not in self._payers:
            if len(self._payers) >= ACCOUNTS_MAX:
                self._payers.clear()
            with self._database.connection() as conn:
                self._payers[account_id] = _read_payers(conn, [account_id]).get(account_id)
        return self._payers[account_id]

    def payer_at(self, account_id: int, at_us: int, *, is_past: bool = False) -> Payer | None:
        """As `payer`, with the restrictions that are open then, and the limits that they leave.

        Of a moment that is past only those count that were made before it.
        """
        payer = self.payer(account_id)
        if payer is None:
            return None
        restrictions = self.restrictions(account_id, at_us)
        if is_past:
            restrictions = tuple(each for each in restrictions if each.since_us <= at_us)
        if restrictions == payer.restrictions == ():
            return payer
        limits = limits_under(payer.limits, restrictions, self.toll_free_when_off)
        return Payer(payer.account, limits, restrictions)

    def restrictions(self, account_id: int, at_us: int) -> tuple[Restriction, ...]:
        """Those of the account that are open then, as far as is known here."""
        payer = self._payers.get(account_id)
        written = payer.restrictions if payer else ()
        spoken = self.spoken.of(account_id)
        return open_at((*written, *spoken) if spoken else written, at_us)

    def accounts_cut(self, at_us: int) -> set[int]:
        """The accounts in use with a restriction that ends calls."""
        known = {account_id for account_id, payer in self._payers.items() if payer and payer.restrictions}
        return {
            account_id
            for account_id in known | self.spoken.account_ids
            if any(each.ends_calls for each in self.restrictions(account_id, at_us))
        }

    def accounts_in_use(self) -> list[int]:
        return list(self._payers)

    def payers_in_use(self) -> list[Payer]:
        """The accounts in use, as they were last read."""
        return [payer for payer in self._payers.values() if payer is not None]

    def barred(self) -> dict[int, Reason]:
        """The accounts in use that may make no calls, as they were last read, and why."""
        stated = ((account_id, payer) for account_id, payer in self._payers.items() if payer is not None)
        reasons = (
            (account_id, REASON_OF_STATE.get(AccountState(payer.account.state)))
            for account_id, payer in stated
        )
        return {account_id: reason for account_id, reason in reasons if reason is not None}

    @property
    def terms_versions(self) -> tuple[TermsVersion, ...]:
        """The versions of the terms of service that were published."""
        return self._tariffs.terms_versions

    def plan_of(self, payer: Payer) -> Plan | None:
        is_rated = payer.limits.toll_free is TollFree.RATED
        all_plans = self._tariffs.plans_with_rated_toll_free if is_rated else self._tariffs.plans
        return all_plans.get(payer.account.plan)

    def price_under(self, plan: Plan, number: Number, product: Product, at_us: int) -> Price:
        """By the rates of that time; raises NoRate."""
        history = self._tariffs.decks.get(plan.deck)
        return price_call(plan, history.at(at_us) if history else None, number, product)

    def carriers(self, number: Number) -> tuple[Carrier, ...]:
        """Who has a route to the number: by its longest prefix, or to the very short code."""
        routed = self._tariffs.routes
        if len(number.digits) < WHOLE_DIGITS_MIN:
            return routed.find_exact(number.digits) or routed.find_exact("") or ()
        return routed.find(number.digits) or ()


def _read_payers(conn: Connection, account_ids: list[int]) -> dict[int, Payer]:
    limits = find_limits(conn, account_ids)
    found = accounts.find_accounts(conn, account_ids)
    restricted = find_open(conn, account_ids)
    return {
        account_id: Payer(account, limits.get(account_id, NO_LIMITS), restricted.get(account_id, ()))
        for account_id, account in found.items()
    }


def _read_tariffs(conn: Connection, known: KnownDecks) -> Tariffs:
    all_plans = plans.load_all(conn)
    deck_names = {plan.deck for plan in all_plans.values()}
    histories = {name: decks.load_deck_history(conn, name, known=known) for name in deck_names}
    rated = {name: replace(plan, free_toll_free=False) for name, plan in all_plans.items()}
    return Tariffs(all_plans, rated, histories, routes.load_all(conn), terms.load_versions(conn))
