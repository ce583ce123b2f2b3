"""A leg is settled once, never takes more than was held for it, and leaves a CDR that adds up."""

from __future__ import annotations

from decimal import Decimal

import gevent
import psycopg
import pytest
from fixtures.records import a_cdr, a_charge, an_account, money

from esl_agent.core.money import ZERO
from esl_agent.core.price import LineKind
from esl_agent.store import ledger
from esl_agent.store.accounts import change_credit_limit, close, get_account, suspend, top_up
from esl_agent.store.cdrs import CdrFilter, CdrRow, iterate_cdrs
from esl_agent.store.holds import HoldRequest, Outcome, hold_many
from esl_agent.store.ledger import last_entries
from esl_agent.store.pool import Connection, connected, open_pool
from esl_agent.store.settle import Settled, settle_many

PAYER = 1001
#: What psycopg says, by the moment at which it notices.
DIED = r"terminat|closed|lost"


def hold(conn: Connection, leg: str, amount: str, payer: int = PAYER) -> None:
    [result] = hold_many(conn, [HoldRequest(payer, leg, Decimal(amount), Decimal(amount))])
    assert result.outcome is Outcome.HELD


def settle(conn: Connection, row: CdrRow) -> tuple[bool, str, str, str]:
    [result] = settle_many(conn, [row])
    return result.settled, str(result.charged), str(result.uncollected), str(result.balance)


def cdrs(conn: Connection) -> list[CdrRow]:
    return list(iterate_cdrs(conn, CdrFilter()))


def lines(conn: Connection, payer: int = PAYER) -> list[tuple[str, str]]:
    """Kind and change of the account's ledger, without what was paid in."""
    entries = [entry for entry in last_entries(conn, payer, 100) if entry.kind != "top_up"]
    return sorted((entry.kind, str(entry.change)) for entry in entries)


def test_what_it_cost_is_taken_and_the_rest_of_the_hold_is_free_again(conn: Connection) -> None:
    an_account(conn, PAYER, "5.00")
    hold(conn, "leg", "0.6000")

    assert settle(conn, a_cdr(PAYER, "leg", "0.0125")) == (True, "0.0125", "0.0000", "4.9875")
    assert money(conn, PAYER) == ("4.9875", "0.0000")
    assert lines(conn) == [("usage", "-0.0125")]
    [row] = cdrs(conn)
    assert (row.charged, row.uncollected) == (Decimal("0.0125"), ZERO)


def test_each_line_of_the_charge_is_an_entry_of_its_own_and_lines_of_nothing_are_none(
    conn: Connection,
) -> None:
    an_account(conn, PAYER, "5.00")
    hold(conn, "leg", "0.6000")
    charge = {LineKind.USAGE: "0.0000", LineKind.CONNECTION: "0.0500", LineKind.FORWARDING: "0.0150"}

    settle(conn, a_cdr(PAYER, "leg", charge=a_charge(charge)))

    assert lines(conn) == [("connection", "-0.0500"), ("forwarding", "-0.0150")]
    assert [str(line.amount) for line in cdrs(conn)[0].charge.lines] == ["0.0000", "0.0500", "0.0150"]


def test_the_ledger_never_takes_more_than_was_held(conn: Connection) -> None:
    an_account(conn, PAYER, "5.00")
    hold(conn, "leg", "0.0600")
    charge = {LineKind.USAGE: "0.0500", LineKind.FORWARDING: "0.0200"}

    assert settle(conn, a_cdr(PAYER, "leg", charge=a_charge(charge))) == (True, "0.0600", "0.0100", "4.9400")
    assert lines(conn) == [("forwarding", "-0.0100"), ("usage", "-0.0500")]
    [row] = cdrs(conn)
    assert (row.charged, row.uncollected, row.charge.total) == tuple(map(Decimal, ("0.06", "0.01", "0.07")))


def test_a_leg_that_nothing_was_held_for_takes_what_is_free_and_no_more(conn: Connection) -> None:
    an_account(conn, PAYER, "0.1000", credit_limit=Decimal("0.0200"))
    hold(conn, "talking", "0.0700")

    assert settle(conn, a_cdr(PAYER, "unseen", "0.0600")) == (True, "0.0500", "0.0100", "0.0500")
    assert settle(conn, a_cdr(PAYER, "too late", "0.0600")) == (True, "0.0000", "0.0600", "0.0500")
    assert settle(conn, a_cdr(PAYER, "talking", "0.0700")) == (True, "0.0700", "0.0000", "-0.0200")


def test_a_leg_that_held_nothing_on_purpose_pays_nothing(conn: Connection) -> None:
    an_account(conn, PAYER, "5.00")
    hold(conn, "free", "0")

    assert settle(conn, a_cdr(PAYER, "free", "0.0125")) == (True, "0.0000", "0.0125", "5.0000")


def test_a_debt_is_not_made_deeper_by_a_leg_that_nothing_was_held_for(conn: Connection) -> None:
    an_account(conn, PAYER, "0", credit_limit=Decimal("1.00"))
    settle(conn, a_cdr(PAYER, "leg", "1.0000"))
    change_credit_limit(conn, PAYER, ZERO)

    assert settle(conn, a_cdr(PAYER, "unseen", "0.0100")) == (True, "0.0000", "0.0100", "-1.0000")


def test_settling_again_changes_nothing(conn: Connection) -> None:
    an_account(conn, PAYER, "5.00")
    hold(conn, "leg", "0.6000")
    settle(conn, a_cdr(PAYER, "leg", "0.0125"))

    assert settle(conn, a_cdr(PAYER, "leg", "0.0500")) == (False, "0.0000", "0.0000", "4.9875")
    assert len(cdrs(conn)) == 1
    assert money(conn, PAYER) == ("4.9875", "0.0000")


def test_a_batch_mixes_accounts_repeats_and_legs_without_account(conn: Connection) -> None:
    an_account(conn, 1002, "1.00")
    an_account(conn, PAYER, "1.00")
    hold(conn, "a", "0.5000")
    hold(conn, "b", "0.5000")
    hold(conn, "c", "0.5000", payer=1002)

    results = settle_many(
        conn,
        [
            a_cdr(1002, "c", "0.2000"),
            a_cdr(PAYER, "a", "0.3000"),
            a_cdr(4242, "stranger", "0.1000"),
            a_cdr(PAYER, "a", "0.4000"),  # the same leg once more
            a_cdr(PAYER, "b", "0.0000"),
            a_cdr(PAYER, "unseen", "0.9000"),  # what a and b left free pays for a part of it
        ],
    )

    assert [(each.leg_uuid, each.settled, str(each.charged), str(each.balance)) for each in results] == [
        ("c", True, "0.2000", "0.8000"),
        ("a", True, "0.3000", "0.7000"),
        ("stranger", True, "0.0000", "0.0000"),
        ("a", False, "0.0000", "0.7000"),
        ("b", True, "0.0000", "0.7000"),
        ("unseen", True, "0.7000", "0.0000"),
    ]
    assert {row.leg_uuid: str(row.uncollected) for row in cdrs(conn)} == {
        "a": "0.0000",
        "b": "0.0000",
        "c": "0.0000",
        "stranger": "0.1000",
        "unseen": "0.2000",
    }
    assert ledger.check(conn) == []


def test_legs_settle_whatever_has_become_of_the_account(conn: Connection) -> None:
    an_account(conn, PAYER, "5.00")
    hold(conn, "a", "0.5000")
    hold(conn, "b", "0.5000")
    suspend(conn, PAYER, "unpaid", "test")
    assert settle(conn, a_cdr(PAYER, "a", "0.5000"))[:2] == (True, "0.5000")
    close(conn, PAYER, "left", "test")
    assert settle(conn, a_cdr(PAYER, "b", "0.5000"))[:2] == (True, "0.5000")


def test_a_row_that_cannot_be_written_takes_nothing_with_it(conn: Connection) -> None:
    an_account(conn, PAYER, "5.00")
    hold(conn, "good", "0.5000")

    with pytest.raises(psycopg.errors.CheckViolation):
        settle_many(conn, [a_cdr(PAYER, "good"), a_cdr(PAYER, "bad", duration_us=-1)])

    assert (cdrs(conn), lines(conn), money(conn, PAYER)) == ([], [], ("5.0000", "0.5000"))
    assert settle(conn, a_cdr(PAYER, "good"))[0]


def test_a_connection_that_dies_before_the_commit_leaves_nothing_and_the_next_one_settles(
    database_url: str, conn: Connection
) -> None:
    an_account(conn, PAYER, "5.00")
    hold(conn, "leg", "0.6000")

    def settle_and_die() -> None:
        with connected(database_url) as doomed, doomed.transaction():
            assert settle(doomed, a_cdr(PAYER, "leg"))[0]
            conn.execute("SELECT pg_terminate_backend(%s, 5000)", [doomed.info.backend_pid])

    with pytest.raises(Exception, match=DIED):
        settle_and_die()

    assert (cdrs(conn), lines(conn), money(conn, PAYER)) == ([], [], ("5.0000", "0.6000"))
    assert settle(conn, a_cdr(PAYER, "leg")) == (True, "0.0125", "0.0000", "4.9875")


def test_a_connection_that_dies_while_it_holds_leaves_nothing_held(
    database_url: str, conn: Connection
) -> None:
    an_account(conn, PAYER, "5.00")

    def hold_and_die() -> None:
        with connected(database_url) as doomed, doomed.transaction():
            hold(doomed, "leg", "5.0000")
            conn.execute("SELECT pg_terminate_backend(%s, 5000)", [doomed.info.backend_pid])

    with pytest.raises(Exception, match=DIED):
        hold_and_die()

    assert money(conn, PAYER) == ("5.0000", "0.0000")
    hold(conn, "another", "5.0000")


def test_two_daemons_settle_the_same_leg_once(database_url: str, conn: Connection) -> None:
    an_account(conn, PAYER, "5.00")
    legs = [f"leg {number}" for number in range(20)]
    for leg in legs:
        hold(conn, leg, "0.1000")
    results: list[Settled] = []

    def daemon_settles(number: int) -> None:
        with connected(database_url) as own:
            results.extend(
                settle_many(own, [a_cdr(PAYER, leg, "0.0500") for leg in legs[:: 1 - 2 * (number % 2)]])
            )

    gevent.joinall([gevent.spawn(daemon_settles, number) for number in range(6)], raise_error=True)

    assert sorted(result.leg_uuid for result in results if result.settled) == sorted(legs)
    assert money(conn, PAYER) == ("4.0000", "0.0000")
    assert len(cdrs(conn)) == len(legs)
    assert ledger.check(conn) == []


def test_holds_settlements_and_top_ups_of_the_same_legs_race_and_every_sum_holds(
    database_url: str, conn: Connection
) -> None:
    payers = (1001, 1002)
    for payer in payers:
        an_account(conn, payer, "1.00")
    pools = [open_pool(database_url, 6, name=name) for name in ("first", "second")]

    def holds(number: int) -> None:
        asked = [HoldRequest(payer, f"leg {number}", Decimal("0.05"), Decimal("0.20")) for payer in payers]
        with pools[number % 2].connection() as own:
            hold_many(own, asked[:: 1 - 2 * (number % 2)])

    def settles(number: int) -> None:
        rows = [a_cdr(payer, f"leg {number}", "0.0700") for payer in payers]
        with pools[(number + 1) % 2].connection() as own:
            settle_many(own, rows[:: 1 - 2 * (number % 3 % 2)])

    def pays(number: int) -> None:
        with pools[number % 2].connection() as own:
            top_up(own, payers[number % 2], Decimal("0.10"), f"cheque {number % 5}")

    try:
        jobs = [gevent.spawn(work, number) for number in range(30) for work in (holds, settles, holds, pays)]
        gevent.joinall(jobs, raise_error=True)
    finally:
        for pool in pools:
            pool.close()

    assert ledger.check(conn) == []
    for payer in payers:
        account = get_account(conn, payer)
        # After its settlement no leg can hold again, whichever came first.
        assert (account.reserved, account.available >= 0) == (ZERO, True)
        charged = sum(row.charged for row in cdrs(conn) if row.account_id == payer)
        paid_in = sum(entry.amount for entry in last_entries(conn, payer, 500) if entry.kind == "top_up")
        assert account.balance == paid_in - charged
