"""Which networks an account is used from, and what it spends since one is new."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from fixtures.records import a_cdr, an_account

from esl_agent.core.phones import Phone
from esl_agent.store import networks
from esl_agent.store.cdrs import ensure_partitions
from esl_agent.store.holds import HoldRequest, hold_many
from esl_agent.store.networks import NETWORKS_MAX, Sighting, saw, spendings, spike_is_told
from esl_agent.store.pool import Connection
from esl_agent.store.settle import settle_many
from esl_agent.store.sip_users import NewSipUser, add_sip_user

PAYER = 1001
DESK = Phone("desk", "a.test")
HOME = "192.0.2.0/24"
AWAY = "2001:db8:1::/48"
ZERO = Decimal(0)


@pytest.fixture(autouse=True)
def desk(conn: Connection) -> None:
    an_account(conn, PAYER, "1000")
    add_sip_user(conn, NewSipUser(user=DESK.user, domain=DESK.domain, account_id=PAYER, a1_hash="0" * 32,
                                  password_by="test"))  # fmt: skip


def seen_ago(conn: Connection, network: str, ago: timedelta) -> None:
    saw(conn, DESK, network)
    conn.execute(
        "UPDATE account_networks SET first_seen = now() - %s, last_seen = now() - %s WHERE network = %s",
        [ago, ago, network],
    )


def spent_ago(conn: Connection, leg: str, amount: str, ago: timedelta) -> None:
    """A call of a minute that ended then."""
    ended = datetime.now(UTC) - ago
    ensure_partitions(conn, ended)
    us = int(ended.timestamp() * 1_000_000)
    minute_us = 60_000_000
    hold_many(conn, [HoldRequest(PAYER, leg, Decimal(amount), Decimal(amount))])
    changes = {"created_us": us - minute_us, "answered_us": us - minute_us, "ended_us": us}
    [settled] = settle_many(conn, [a_cdr(PAYER, leg, amount, **changes)])
    assert str(settled.charged) == amount


def test_a_network_is_new_once_and_the_first_has_no_others(conn: Connection) -> None:
    assert saw(conn, DESK, HOME) == Sighting(PAYER, is_new=True, others=0)
    assert saw(conn, DESK, HOME) == Sighting(PAYER, is_new=False, others=0)
    assert saw(conn, DESK, AWAY) == Sighting(PAYER, is_new=True, others=1)


@pytest.mark.parametrize("name", ["nobody", "DESK", "x'; DROP TABLE accounts; --", "\0", "é" * 80])
def test_a_phone_that_is_nobodys_leaves_nothing(conn: Connection, name: str) -> None:
    assert saw(conn, Phone(name, DESK.domain), HOME) is None
    assert conn.execute("SELECT count(*) FROM account_networks").fetchone() == (0,)


def test_the_network_that_was_used_longest_ago_makes_room(conn: Connection) -> None:
    seen_ago(conn, HOME, timedelta(days=1))
    seen_ago(conn, AWAY, timedelta(days=2))
    for number in range(NETWORKS_MAX - 1):
        saw(conn, DESK, f"10.0.{number}.0/24")
    rows = conn.execute("SELECT network::text FROM account_networks").fetchall()
    assert len(rows) == NETWORKS_MAX
    assert (HOME,) in rows
    assert (AWAY,) not in rows
    assert saw(conn, DESK, AWAY) == Sighting(PAYER, is_new=True, others=NETWORKS_MAX - 1)


def test_what_is_spent_since_a_new_network_and_what_was_before(conn: Connection) -> None:
    conn.execute("UPDATE accounts SET created_at = now() - interval '90 days'")
    seen_ago(conn, HOME, timedelta(days=60))
    seen_ago(conn, AWAY, timedelta(hours=3))
    spent_ago(conn, "habit", "7.2000", timedelta(days=10))
    spent_ago(conn, "long ago", "100.0000", timedelta(days=40))
    spent_ago(conn, "an hour before it", "1.0000", timedelta(hours=4))
    spent_ago(conn, "since, and over", "2.0000", timedelta(hours=2))
    spent_ago(conn, "just now", "3.0000", timedelta(minutes=5))
    hold_many(conn, [HoldRequest(PAYER, "up", Decimal("4.0000"), Decimal("4.0000"))])

    [spending] = spendings(conn, 24, ZERO)
    assert (spending.account_id, spending.networks, spending.currency) == (PAYER, [AWAY], "CAD")
    assert (str(spending.spent), str(spending.before)) == ("7.0000", "8.2000")
    assert round(spending.before_hours) == 720
    assert spendings(conn, 24, Decimal("7.0001")) == []


def test_a_young_accounts_habit_is_of_its_own_age(conn: Connection) -> None:
    conn.execute("UPDATE accounts SET created_at = now() - interval '2 days'")
    seen_ago(conn, HOME, timedelta(days=2))
    seen_ago(conn, AWAY, timedelta(hours=0))
    [spending] = spendings(conn, 24, ZERO)
    assert round(spending.before_hours) == 48


def test_who_has_no_new_network_is_left_out(conn: Connection) -> None:
    assert spendings(conn, 24, ZERO) == []
    saw(conn, DESK, HOME)
    assert spendings(conn, 24, ZERO) == [], "the first one is no news"
    seen_ago(conn, HOME, timedelta(days=60))
    seen_ago(conn, AWAY, timedelta(hours=25))
    assert spendings(conn, 24, ZERO) == []


def test_a_spike_is_told_once_until_there_is_another_new_network(conn: Connection) -> None:
    seen_ago(conn, HOME, timedelta(days=60))
    seen_ago(conn, AWAY, timedelta(hours=3))
    assert spike_is_told(conn, PAYER, 24)
    assert not spike_is_told(conn, PAYER, 24), "another daemon told it"
    assert spendings(conn, 24, ZERO) == []
    saw(conn, DESK, "198.51.100.0/24")
    assert [spending.networks for spending in networks.spendings(conn, 24, ZERO)] == [["198.51.100.0/24"]]
