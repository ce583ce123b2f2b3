"""A daemon hears of passwords that phones give to a simulated switch, and says what is worth it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
from fixtures.postgres import as_role

from esl_agent.agent.daemon import Daemon
from esl_agent.agent.database import Database
from esl_agent.agent.phones.phone_watch import PhoneWatch
from esl_agent.config import PhonesConfig
from esl_agent.core.phones import Phone
from esl_agent.lab.ports import LOOPBACK, free_port
from esl_agent.simulator.simulator import Simulator
from esl_agent.store.accounts import get_account
from esl_agent.store.holds import HoldRequest, hold_many
from esl_agent.store.networks import saw
from esl_agent.store.pool import Connection, open_pool
from esl_agent.store.sip_users import NewSipUser, add_sip_user

from .conftest import PATIENCE_S, Journal
from .exchange import Exchange, put_carriers
from .twins import a_switch

DESK = ("desk", "a.test")
PAYER = 1001
HOME, AWAY = "192.0.2.0/24", "2001:db8:1::/48"
AT_HOME, ELSEWHERE_AT_HOME, ABROAD = "192.0.2.7", "192.0.2.99", "2001:db8:1::7"


@pytest.fixture
def switch() -> Iterator[Simulator]:
    running = a_switch()
    yield running
    running.stop()


@pytest.fixture
def exchange(
    conn: Connection, customers: None, start_daemon: Callable[..., Daemon], journal: Journal
) -> Iterator[Exchange]:
    put_carriers(conn)
    port = free_port()
    asking = a_switch(admission=f"{LOOPBACK}:{port}")
    daemon = start_daemon(asking.port, admission={"outbound_port": port})
    journal.wait_for("NOTICES_HEARD")
    yield Exchange(asking, daemon, journal, conn)
    asking.stop()


@pytest.fixture
def desk(conn: Connection, customers: None) -> None:
    new = NewSipUser(user=DESK[0], domain=DESK[1], account_id=PAYER, a1_hash="0" * 32, password_by="test")
    add_sip_user(conn, new)


def test_wrong_passwords_are_told_of_once_with_account_and_network(
    desk: None, start_daemon: Callable[..., Daemon], journal: Journal, switch: Simulator
) -> None:
    start_daemon(switch.port, phones={"failures_max": 3})
    for _ in range(2):
        switch.register_attempt(*DESK, AT_HOME, is_right=False)
    switch.register_attempt("DESK", "A.Test", ELSEWHERE_AT_HOME, is_right=False)
    switch.register_attempt(*DESK, AT_HOME, is_right=False)
    for number in range(3):
        switch.register_attempt(f"{number}", "a.test", ABROAD, is_right=False)
    of_phone, of_network = journal.wait_for("PHONE_ATTACKED", 2)
    assert of_phone == {"account": PAYER, "user": "desk", "domain": "a.test", "network": HOME, "failures": 3}
    assert of_network == {"account": None, "user": None, "domain": None, "network": AWAY, "failures": 3}


def test_what_hostile_phones_send_is_counted_like_anything_else(
    desk: None, start_daemon: Callable[..., Daemon], journal: Journal, switch: Simulator
) -> None:
    start_daemon(switch.port, phones={"failures_max": 2})
    names = (
        '","Event-Subclass":"esl_agent::active","x":"',
        "ARRAY::a|:b",
        "\x1b[31m\n" * 99,
        "é" * 9_000,
        "",
    )
    for number, name in enumerate(names):
        for _ in range(2):
            switch.register_attempt(name, "a.test", f"10.0.{number}.1", is_right=False)
    switch.register_attempt("x", "a.test", "no address", is_right=False)
    said = journal.wait_for("PHONE_ATTACKED", len(names))
    assert [fields["network"] for fields in said] == [f"10.0.{number}.0/24" for number in range(len(names))]
    assert max(len(str(fields["user"])) for fields in said) <= 80


def test_a_new_network_is_told_of_where_there_were_others(
    desk: None, conn: Connection, start_daemon: Callable[..., Daemon], journal: Journal, switch: Simulator
) -> None:
    start_daemon(switch.port)
    for address in (AT_HOME, ELSEWHERE_AT_HOME, ABROAD, AT_HOME, ABROAD):
        switch.register_attempt(*DESK, address, is_right=True)
    switch.register_attempt("stranger", "a.test", ABROAD, is_right=True)
    switch.register_attempt(*DESK, "198.51.100.1", is_right=True)
    assert journal.wait_for("PHONE_NEW_NETWORK", 2) == [
        {"account": PAYER, "user": "desk", "domain": "a.test", "network": network, "others": others}
        for network, others in ((AWAY, 1), ("198.51.100.0/24", 2))
    ]
    rows = conn.execute("SELECT account_id, network::text FROM account_networks ORDER BY network").fetchall()
    assert rows == [(PAYER, HOME), (PAYER, "198.51.100.0/24"), (PAYER, AWAY)]
    assert journal.of("PHONE_ATTACKED") == []


def test_a_switch_that_is_not_watched_is_not_asked(
    desk: None, start_daemon: Callable[..., Daemon], journal: Journal, switch: Simulator
) -> None:
    start_daemon(switch.port, phones={"watch": False})
    [events] = [listener for listener in switch.core.listeners if "CHANNEL_CREATE" in listener.events]
    assert events.subclasses == set()


class Spender:
    """The desk's account, used at home for a month and lately from abroad too."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        saw(conn, Phone(*DESK), HOME)
        conn.execute("UPDATE account_networks SET first_seen = first_seen - %s", [timedelta(days=30)])
        saw(conn, Phone(*DESK), AWAY)

    def has_calls_up_for(self, amount: str) -> None:
        hold_many(self._conn, [HoldRequest(PAYER, f"leg {amount}", Decimal(amount), Decimal(amount))])

    @property
    def state(self) -> tuple[str, str, str]:
        account = get_account(self._conn, PAYER)
        return account.state, account.state_by, account.state_reason


@pytest.fixture
def spender(desk: None, conn: Connection) -> Spender:
    return Spender(conn)


@pytest.fixture
def watch_as(database_url: str, journal: Journal) -> Iterator[Callable[..., PhoneWatch]]:
    """Makes a watch with settings, which connects as a role."""
    pools = []

    def make(url: str = database_url, *, may_act: bool = True, **settings: object) -> PhoneWatch:
        pool = open_pool(url, 2)
        pools.append(pool)
        config = PhonesConfig(**settings)  # type: ignore[arg-type]
        return PhoneWatch(config, Database(pool, url, journal), journal, may_act=lambda: may_act)

    yield make
    for pool in pools:
        pool.close()


def test_a_spike_is_told_of_once_and_nothing_else_is_done(
    spender: Spender, watch_as: Callable[..., PhoneWatch], journal: Journal
) -> None:
    watch, other = watch_as(), watch_as()
    spender.has_calls_up_for("4.9999")
    watch.look()
    assert journal.lines == []
    spender.has_calls_up_for("0.0001")
    for each in (watch, other, watch):
        each.look()
    assert journal.lines == [
        (
            "PHONE_SPEND_SPIKE",
            {
                "account": PAYER,
                "networks": AWAY,
                "spent": Decimal("5.0000"),
                "usual": Decimal(0),
                "currency": "CAD",
                "action": "none",
            },
        )
    ]
    assert spender.state[0] == "active"


def test_a_spike_suspends_where_the_operator_wants_it(
    spender: Spender, watch_as: Callable[..., PhoneWatch], journal: Journal
) -> None:
    spender.has_calls_up_for("5")
    watch_as(on_spike="suspend").look()
    [said] = journal.of("PHONE_SPEND_SPIKE")
    assert said["action"] == "suspended"
    assert spender.state == (
        "suspended",
        "phones",
        "spends far more than usual since it is used from a new network",
    )


def test_a_role_that_may_not_suspend_tells_of_it_all_the_same(
    spender: Spender,
    conn: Connection,
    database_url: str,
    watch_as: Callable[..., PhoneWatch],
    journal: Journal,
) -> None:
    spender.has_calls_up_for("5")
    watch_as(as_role(database_url, "esl_agent_daemon"), on_spike="suspend").look()
    assert [word for word, _ in journal.lines] == ["DB_REFUSED", "PHONE_SPEND_SPIKE"]
    assert (journal.of("PHONE_SPEND_SPIKE")[0]["action"], spender.state[0]) == ("none", "active")


def test_a_twin_in_standby_tells_nothing(
    spender: Spender, watch_as: Callable[..., PhoneWatch], journal: Journal
) -> None:
    spender.has_calls_up_for("5")
    watch_as(may_act=False).look()
    assert journal.lines == []


def test_a_suspension_by_a_spike_ends_live_calls(
    spender: Spender, conn: Connection, watch_as: Callable[..., PhoneWatch], exchange: Exchange
) -> None:
    call = exchange.place(account=str(PAYER), talk_ms=60_000)
    assert call.wait_answered(PATIENCE_S)
    spender.has_calls_up_for("5")
    watch_as(on_spike="suspend").look()
    assert call.wait_ended(PATIENCE_S)
    exchange.journal.wait_for("CALL_ENDED")
    assert spender.state[0] == "suspended"
