"""What has been kept for its time goes, and the books still add up (terms 15)."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Final

import pytest
from fixtures.commands import Command
from fixtures.postgres import as_role
from fixtures.records import NOON_US, S, a_cdr, an_account
from fixtures.verdicts import a_restriction

from esl_agent.core.money import amount as money
from esl_agent.office.retention import Kind, RetentionPolicy, run
from esl_agent.store import ledger
from esl_agent.store.accounts import close, get_account
from esl_agent.store.cdrs import CdrFilter, ensure_partitions, newest_cdrs
from esl_agent.store.holds import HoldRequest, hold_many
from esl_agent.store.pool import Connection
from esl_agent.store.restrictions import list_restrictions, restrict
from esl_agent.store.settle import settle_many

PAYER: Final = 1001
POLICY: Final = RetentionPolicy()


def removed(conn: Connection, on: str, **options: bool) -> dict[str, int]:
    found = run(conn, POLICY, date.fromisoformat(on), "office", **options)
    return {each.kind.value: each.row_count for each in found if each.row_count}


@pytest.mark.parametrize(
    ("kind", "before"),
    [
        (Kind.CALLS, date(2024, 3, 1)),
        (Kind.HOLDS, date(2025, 9, 1)),
        (Kind.NETWORKS, date(2024, 3, 1)),
        (Kind.RESTRICTIONS, date(2024, 3, 1)),
        (Kind.LEDGER, date(2020, 1, 1)),
        (Kind.CUSTOMERS, date(2020, 1, 1)),
        (Kind.RECORDINGS, date(2026, 3, 31)),
    ],
)
def test_how_long_each_kind_is_kept(kind: Kind, before: date) -> None:
    assert POLICY.before(kind, date(2026, 3, 31)) == before


def test_months_of_calls_go_whole_and_strays_too(conn: Connection) -> None:
    an_account(conn, PAYER, "5")
    ensure_partitions(conn, datetime(2026, 3, 1, tzinfo=UTC))
    day_us = 86_400 * S
    begun = {"stray": NOON_US - 1_000 * day_us, "march": NOON_US, "june": NOON_US + 92 * day_us}
    for leg, created_us in begun.items():
        settle_many(conn, [a_cdr(PAYER, leg, created_us=created_us, ended_us=created_us + 60 * S)])
    conn.execute("DELETE FROM reservations")  # they are another kind

    assert removed(conn, "2028-05-01", dry_run=True) == {"calls": 2}
    assert removed(conn, "2028-05-01") == {"calls": 2}
    assert removed(conn, "2028-05-01") == {}

    assert [cdr.leg_uuid for cdr in newest_cdrs(conn, CdrFilter(), 10)] == ["june"]
    there = conn.execute("SELECT to_regclass('cdrs_2026_03')::text, to_regclass('cdrs_2026_06')::text")
    assert there.fetchone() == (None, "cdrs_2026_06")


def test_the_ledger_is_added_up_and_every_balance_re_adds(conn: Connection) -> None:
    an_account(conn, PAYER, "20")
    for leg in ("a", "b"):
        settle_many(conn, [a_cdr(PAYER, leg, "0.5000")])
    before = get_account(conn, PAYER).balance
    conn.execute("UPDATE ledger SET recorded_at = '2015-01-01' WHERE reference <> 'b'")

    assert removed(conn, "2026-03-01") == {"ledger": 2}
    assert not ledger.check(conn)

    conn.execute("UPDATE ledger SET recorded_at = '2016-01-01' WHERE reference = 'b'")
    assert removed(conn, "2026-03-01") == {"ledger": 1}
    assert not ledger.check(conn)
    entries = {(entry.debit, entry.credit): entry for entry in ledger.last_entries(conn, PAYER, 10)}
    assert {sides: str(entry.amount) for sides, entry in entries.items()} == {
        ("cash", "customer"): "20.0000",
        ("customer", "revenue"): "1.0000",
    }
    assert {entry.kind for entry in entries.values()} == {"brought_forward"}
    assert get_account(conn, PAYER).balance == before


def test_holds_of_calls_that_are_up_stay(conn: Connection) -> None:
    an_account(conn, PAYER, "20")
    hold_many(conn, [HoldRequest(PAYER, leg, money("1"), money("1")) for leg in ("up", "over")])
    settle_many(conn, [a_cdr(PAYER, "over")])
    conn.execute("UPDATE reservations SET held_at = '2020-01-01'")
    conn.execute("UPDATE reservations SET settled_at = '2020-01-01' WHERE state = 'settled'")

    assert removed(conn, "2026-03-01") == {"holds": 1}

    assert conn.execute("SELECT leg_uuid FROM reservations").fetchall() == [("up",)]
    assert not ledger.check(conn)


def test_networks_that_phones_left_long_ago_go(conn: Connection) -> None:
    an_account(conn, PAYER, "0")
    for network, last_seen in (("192.0.2.0/24", "2020-01-01"), ("198.51.100.0/24", "2026-02-01")):
        conn.execute(
            "INSERT INTO account_networks (account_id, network, first_seen, last_seen)"
            " VALUES (%s, %s, '2019-01-01', %s)",
            [PAYER, network, last_seen],
        )
    assert removed(conn, "2026-03-01") == {"networks": 1}
    assert conn.execute("SELECT network::text FROM account_networks").fetchall() == [("198.51.100.0/24",)]


def test_restrictions_go_when_they_ended_long_ago_and_stay_while_they_are_open(conn: Connection) -> None:
    an_account(conn, PAYER, "0")
    day_us = 86_400 * S
    over = a_restriction(rule="over", since_us=NOON_US - 1_000 * day_us, until_us=NOON_US - 999 * day_us)
    old = a_restriction(rule="open", since_us=NOON_US - 1_000 * day_us)
    lately = a_restriction(rule="lately", since_us=NOON_US - 1_000 * day_us, until_us=NOON_US)
    for each in (over, old, lately, replace(old, rule="cleared")):
        restrict(conn, each)
    conn.execute("UPDATE restrictions SET cleared_at = '2020-01-01', cleared_by = 'noc', cleared_reason = ''"
                 " WHERE rule = 'cleared'")  # fmt: skip
    assert removed(conn, "2026-03-01") == {"restrictions": 2}
    left = list_restrictions(conn, is_all=True)
    assert [kept.restriction.rule for kept in left] == ["lately", "open"]


def test_who_left_long_ago_is_forgotten(conn: Connection) -> None:
    for payer in (PAYER, 1002):
        an_account(conn, payer, "0", name="A garage")
        close(conn, payer, "left", "office")
    conn.execute("UPDATE accounts SET state_since = '2019-12-31 12:00+00' WHERE account_id = 1001")

    assert removed(conn, "2026-03-01") == {"customers": 1}

    assert [get_account(conn, payer).name for payer in (PAYER, 1002)] == ["forgotten", "A garage"]
    assert removed(conn, "2026-03-01") == {}


def test_the_command(conn: Connection, told: Command, refused: Command, database_url: str) -> None:
    an_account(conn, PAYER, "20")
    conn.execute("UPDATE ledger SET recorded_at = '2015-01-01'")
    dry = json.loads(told("retention", "run", "--on", "2026-03-01", "--dry-run", "--json"))["removed"]
    assert [each["row_count"] for each in dry if each["kind"] == "ledger"] == [1]
    office = as_role(database_url, "esl_agent_office")
    assert "only the owner of the tables" in refused("retention", "run", "--database-url", office)
    assert "ledger" in told("retention", "run", "--on", "2026-03-01", "--by", "owner")
    assert conn.execute("SELECT run_by, kind, row_count FROM retention_runs").fetchall() == [
        ("owner", "ledger", 1)
    ]
