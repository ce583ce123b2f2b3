"""What the database says of the tests' customers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from fixtures.records import an_account
from people import (
    ALICE,
    AT_HOME,
    BUSY_LINE,
    CAREFUL,
    CLOSED,
    DAY_OVER,
    HASTY,
    NEWCOMER,
    NO_TOLL_FREE,
    OWNER,
    PENNILESS,
    PEOPLE,
    PLANLESS,
    POOR,
    REJECTS,
    SIX_SECONDS,
    SURCHARGES,
    SUSPENDED,
    UNVERIFIED,
    VICTIM,
)

from esl_agent.agent.clock import wall_us
from esl_agent.core.admission.carriers import Carrier
from esl_agent.core.admission.facts import PayphonePolicy
from esl_agent.core.admission.limits import Limits, TollFree
from esl_agent.core.admission.route_file import Route
from esl_agent.core.deck_file import DeckRow
from esl_agent.core.tariff import Rate
from esl_agent.lab.child import wait_until
from esl_agent.lab.network import Did, Phone
from esl_agent.store import ledger
from esl_agent.store.accounts import Account, close, get_account, suspend
from esl_agent.store.carriers import put_carrier
from esl_agent.store.cdrs import CdrFilter, CdrRow, iterate_cdrs
from esl_agent.store.decks import DeckImport, import_deck
from esl_agent.store.limits import change_limits
from esl_agent.store.numbers import ForwardWhen, NumberKind, OwnedNumber, add_number
from esl_agent.store.pool import Connection, connected
from esl_agent.store.routes import put_routes

CDR_S: Final = 10.0
#: The switch's clock ticks.
CLOCK_BEHIND_US: Final = 100_000
#: A carrier that shows no sign of life for so long has failed.
PROGRESS_S: Final = 4
#: Six seconds to London cost 0.0600, to Toronto 0.0010.
RATES: Final = {"44": "0.6", "1": "0.01", "1411": "0.5", "49": "0.3", "31": "0.02"}
#: By way of the first carrier, and with room for a single call: it takes those to the Netherlands.
ONE_CALL: Final = "one_call"
#: Berlin has a price, and no route.
ROUTED: Final = ("1", "44", "411")
BALANCES: Final = {ALICE: "10", VICTIM: "10", OWNER: "10", POOR: "0.13", PENNILESS: "0", SUSPENDED: "10",
                   UNVERIFIED: "1", AT_HOME: "1", BUSY_LINE: "1", DAY_OVER: "1", CAREFUL: "1",
                   NO_TOLL_FREE: "1", SIX_SECONDS: "0.06", CLOSED: "1", NEWCOMER: "0", PLANLESS: "1",
                   HASTY: "1"}  # fmt: skip
LIMITS: Final = {
    AT_HOME: Limits(blocked_countries=frozenset({"GB"})),
    BUSY_LINE: Limits(max_calls=0),
    DAY_OVER: Limits(spend_per_day=Decimal(0)),
    CAREFUL: Limits(spend_per_call=Decimal("0.01")),
    NO_TOLL_FREE: Limits(toll_free=TollFree.OFF),
    HASTY: Limits(calls_per_second=1),
}
PAYPHONES: Final = {
    REJECTS: {"payphone_policy": PayphonePolicy.REJECT},
    SURCHARGES: {"payphone_policy": PayphonePolicy.SURCHARGE, "payphone_surcharge": Decimal("0.25")},
}


def open_books(url: str) -> None:
    """Put the customers, their numbers, the carriers and the deck into a migrated database."""
    with connected(url) as conn:
        _price(conn)
        for phone, balance in BALANCES.items():
            an_account(conn, int(phone.account), balance, terms_version=None if phone is NEWCOMER else "1")
            if phone is not UNVERIFIED:
                add_number(conn, OwnedNumber(phone.caller_id, int(phone.account), NumberKind.VERIFIED))
        for phone, limits in LIMITS.items():
            change_limits(conn, int(phone.account), lambda _, limits=limits: limits)
        suspend(conn, int(SUSPENDED.account), "unpaid", "test")
        close(conn, int(CLOSED.account), "moved away", "test")
        # No command leaves an account without its plan; somebody's hand in the tables does.
        conn.execute("UPDATE accounts SET plan = 'gone' WHERE account_id = %s", [int(PLANLESS.account)])
        for did in PEOPLE.dids:
            add_number(conn, _owned(did))


def _price(conn: Connection) -> None:
    """A deck, and the carriers that take the calls."""
    rows = [DeckRow(Rate(prefix, prefix, Decimal(rate)), None) for prefix, rate in RATES.items()]
    deck = DeckImport(
        deck="standard",
        rows=rows,
        effective_from=datetime.now(UTC) - timedelta(days=1),
        currency="CAD",
        source="rates of the tests",
        by="test",
    )
    import_deck(conn, deck)
    for place, carrier in enumerate(PEOPLE.carriers, 1):
        template = f"sofia/gateway/{carrier.name}/{{number}}"
        put_carrier(conn, Carrier(name=carrier.name, dial_template=template, progress_timeout_s=PROGRESS_S))
        put_routes(conn, [Route(prefix, carrier.name, place) for prefix in ROUTED])
    template = f"sofia/gateway/{PEOPLE.carriers[0].name}/{{number}}"
    put_carrier(conn, Carrier(name=ONE_CALL, dial_template=template, capacity=1))
    put_routes(conn, [Route("31", ONE_CALL, 1)])


def _owned(did: Did) -> OwnedNumber:
    return OwnedNumber(
        did.number,
        int(did.owner),
        NumberKind.TOLL_FREE if did.number.startswith("1800") else NumberKind.DID,
        forward_to=did.forward_to.removeprefix("+") or None,
        forward_when=ForwardWhen(did.forward_when),
        **PAYPHONES.get(did, {}),
    )


class Books:
    """What changed since a test began; a call of before it may be written yet."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._since_us = wall_us() - CLOCK_BEHIND_US
        self._old = {row.leg_uuid for row in self._cdrs()}
        self._before = {phone: self.account(phone) for phone in BALANCES}

    def cdrs(self, count: int) -> list[CdrRow]:
        """The `count` new CDRs, of whomever, in the order in which their legs began."""
        wait_until(lambda: len(self.new()) >= count, f"{count} CDRs", CDR_S)
        rows = self.new()
        assert len(rows) == count, rows
        return rows

    def spent(self, phone: Phone) -> str:
        """How much less the customer has."""
        return str(self._before[phone].balance - self.account(phone).balance)

    def account(self, phone: Phone) -> Account:
        with connected(self._url) as conn:
            return get_account(conn, int(phone.account))

    def reserved(self) -> Decimal:
        """What is held for anybody, once no call is up."""
        with connected(self._url) as conn:
            row = conn.execute("SELECT sum(reserved) FROM accounts").fetchone()
        return row[0] if row else Decimal(0)

    def faults(self) -> list[ledger.Difference]:
        """Where balances and entries, or holds and their sums, don't agree."""
        with connected(self._url) as conn:
            return ledger.check(conn)

    def new(self) -> list[CdrRow]:
        """As `cdrs`, as many as there are by now."""
        rows = [row for row in self._cdrs() if row.leg_uuid not in self._old and self._is_new(row)]
        return sorted(rows, key=lambda row: (row.created_us, row.ended_us))  # two may begin in one tick

    def _is_new(self, row: CdrRow) -> bool:
        return row.created_us >= self._since_us

    def _cdrs(self) -> list[CdrRow]:
        with connected(self._url) as conn:
            return list(iterate_cdrs(conn, CdrFilter()))
