"""What is held never exceeds what is free, whoever asks, however often, in whatever order."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import gevent
import pytest
from fixtures.records import a_cdr, an_account, money
from hypothesis import given, settings
from hypothesis import strategies as st

from esl_agent.core.money import ZERO
from esl_agent.store import ledger
from esl_agent.store.accounts import change_credit_limit, close, get_account, open_reservations, suspend
from esl_agent.store.holds import HoldRequest, HoldResult, Outcome, hold_many
from esl_agent.store.pool import Connection, connected, open_pool
from esl_agent.store.settle import settle_many

PAYER = 1001


def hold(conn: Connection, leg: str, least: str, want: str, spare: str = "0", by: int = PAYER) -> HoldResult:
    request = HoldRequest(by, leg, Decimal(least), Decimal(want), Decimal(spare))
    [result] = hold_many(conn, [request])
    return result


def outcome(result: HoldResult) -> tuple[Outcome, str, str]:
    return result.outcome, str(result.held), str(result.available)


def test_a_rich_account_gives_what_is_wanted(conn: Connection) -> None:
    an_account(conn, PAYER, "5.00")

    assert outcome(hold(conn, "leg", "0.0060", "0.6000")) == (Outcome.HELD, "0.6000", "4.4000")
    assert money(conn, PAYER) == ("5.0000", "0.6000")
    [reservation] = open_reservations(conn, PAYER, 10)
    assert (reservation.leg_uuid, str(reservation.held)) == ("leg", "0.6000")


def test_an_account_that_cannot_give_all_gives_the_least(conn: Connection) -> None:
    an_account(conn, PAYER, "0.10")

    assert outcome(hold(conn, "leg", "0.0600", "0.6000")) == (Outcome.HELD, "0.0600", "0.0400")


def test_an_account_that_would_have_nothing_to_spare_gives_the_least(conn: Connection) -> None:
    an_account(conn, PAYER, "5.00")

    assert hold(conn, "leg", "0.0600", "0.6000", spare="4.4001").held == Decimal("0.0600")
    assert hold(conn, "other", "0.0600", "0.6000", spare="4.3400").held == Decimal("0.6000")


def test_an_account_that_cannot_give_the_least_gives_nothing(conn: Connection) -> None:
    an_account(conn, PAYER, "0.0599")

    assert outcome(hold(conn, "leg", "0.0600", "0.6000")) == (Outcome.NO_FUNDS, "0", "0.0599")
    assert money(conn, PAYER) == ("0.0599", "0.0000")
    assert open_reservations(conn, PAYER, 10) == []


def test_to_the_last_ten_thousandth(conn: Connection) -> None:
    an_account(conn, PAYER, "0.0600")

    assert outcome(hold(conn, "leg", "0.0600", "0.0600")) == (Outcome.HELD, "0.0600", "0.0000")
    assert hold(conn, "other", "0.0001", "0.0001").outcome is Outcome.NO_FUNDS


def test_a_request_is_a_target_so_asking_twice_holds_once(conn: Connection) -> None:
    an_account(conn, PAYER, "5.00")
    hold(conn, "leg", "0.6000", "0.6000")

    assert outcome(hold(conn, "leg", "0.6000", "0.6000")) == (Outcome.HELD, "0.6000", "4.4000")
    assert outcome(hold(conn, "leg", "0.1000", "0.2000")) == (Outcome.HELD, "0.6000", "4.4000")
    assert outcome(hold(conn, "leg", "0.7000", "1.0000")) == (Outcome.HELD, "1.0000", "4.0000")


def test_a_refused_extension_leaves_what_was_held(conn: Connection) -> None:
    an_account(conn, PAYER, "1.00")
    hold(conn, "leg", "0.6000", "0.6000")

    assert outcome(hold(conn, "leg", "1.0001", "2.0000")) == (Outcome.NO_FUNDS, "0.6000", "0.4000")


def test_credit_counts_and_its_withdrawal_takes_nothing_back(conn: Connection) -> None:
    an_account(conn, PAYER, "1.00", credit_limit=Decimal("2.00"))
    assert outcome(hold(conn, "leg", "2.5000", "2.5000")) == (Outcome.HELD, "2.5000", "0.5000")

    change_credit_limit(conn, PAYER, ZERO)

    assert get_account(conn, PAYER).available == Decimal("-1.5000")
    assert outcome(hold(conn, "leg", "2.5000", "9.0000")) == (Outcome.HELD, "2.5000", "-1.5000")
    assert hold(conn, "other", "0.0001", "0.0001").outcome is Outcome.NO_FUNDS
    assert hold(conn, "free of charge", "0", "0").outcome is Outcome.HELD


@pytest.mark.parametrize(
    ("leave", "reason"), [(suspend, Outcome.ACCOUNT_SUSPENDED), (close, Outcome.ACCOUNT_CLOSED)]
)
def test_only_an_active_account_holds(
    conn: Connection, leave: Callable[..., object], reason: Outcome
) -> None:
    an_account(conn, PAYER, "5.00")
    hold(conn, "leg", "0.1000", "0.1000")
    leave(conn, PAYER, "unpaid", "test")

    assert outcome(hold(conn, "leg", "0.2000", "0.2000")) == (reason, "0.1000", "4.9000")
    assert hold(conn, "other", "0.1000", "0.1000").outcome is reason
    assert money(conn, PAYER) == ("5.0000", "0.1000")


def test_a_leg_that_is_over_is_over_whatever_the_account_may(conn: Connection) -> None:
    an_account(conn, PAYER, "5.00")
    settle_many(conn, [a_cdr(PAYER, "over", "0.0125")])
    suspend(conn, PAYER, "unpaid", "test")
    asked = [HoldRequest(PAYER, leg, Decimal(1), Decimal(1)) for leg in ("over", "new")]
    results = hold_many(conn, asked)
    assert [result.outcome for result in results] == [Outcome.SETTLED, Outcome.ACCOUNT_SUSPENDED]


def test_pending_and_unknown_accounts_hold_nothing(conn: Connection) -> None:
    an_account(conn, 1002, "0", terms_version=None)

    assert hold(conn, "leg", "0", "0", by=1002).outcome is Outcome.TERMS_NOT_ACCEPTED
    assert outcome(hold(conn, "leg", "0", "0", by=9999)) == (Outcome.UNKNOWN_ACCOUNT, "0", "0")


def test_a_settled_leg_is_never_held_again(conn: Connection) -> None:
    an_account(conn, PAYER, "5.00")
    hold(conn, "leg", "0.1000", "0.1000")
    settle_many(conn, [a_cdr(PAYER, "leg", "0.0125"), a_cdr(PAYER, "never held", "0.0125")])

    for leg in ("leg", "never held"):
        assert outcome(hold(conn, leg, "0.1000", "0.1000")) == (Outcome.SETTLED, "0", "4.9750")
    assert money(conn, PAYER) == ("4.9750", "0.0000")


def test_a_batch_is_answered_in_its_order_whatever_accounts_and_legs_it_mixes(conn: Connection) -> None:
    an_account(conn, 1002, "1.00")
    an_account(conn, PAYER, "1.00")
    tenths = Decimal("0.1")
    asked = [
        HoldRequest(1002, "a", 6 * tenths, 6 * tenths),
        HoldRequest(PAYER, "b", 6 * tenths, 6 * tenths),
        HoldRequest(1002, "c", 6 * tenths, 6 * tenths),  # too much beside a
        HoldRequest(9999, "d", tenths, tenths),
        HoldRequest(1002, "e", 4 * tenths, 4 * tenths),  # just what is left
        HoldRequest(PAYER, "b", 8 * tenths, 9 * tenths),  # the same leg once more
        HoldRequest(PAYER, "f", 2 * tenths, 2 * tenths),
    ]

    results = hold_many(conn, asked)

    assert [(result.leg_uuid, result.outcome, f"{result.held:.1f}") for result in results] == [
        ("a", Outcome.HELD, "0.6"),
        ("b", Outcome.HELD, "0.6"),
        ("c", Outcome.NO_FUNDS, "0.0"),
        ("d", Outcome.UNKNOWN_ACCOUNT, "0.0"),
        ("e", Outcome.HELD, "0.4"),
        ("b", Outcome.HELD, "0.9"),
        ("f", Outcome.NO_FUNDS, "0.0"),
    ]


CENTS = st.integers(0, 60).map(lambda cents: Decimal(cents) / 100)
REQUEST = st.builds(HoldRequest, st.sampled_from([1, 2, 3]), st.sampled_from("abcdef"), CENTS, CENTS, CENTS)


@pytest.fixture(scope="module")
def two_urls(new_database: Callable[[], str]) -> tuple[str, str]:
    """Two databases whose accounts each example makes anew."""
    return new_database(), new_database()


@settings(max_examples=40, deadline=None)
@given(requests=st.lists(REQUEST, max_size=12))
def test_a_batch_is_as_good_as_asking_one_by_one(
    two_urls: tuple[str, str], requests: list[HoldRequest]
) -> None:
    answers = []
    for url, together in zip(two_urls, (True, False), strict=True):
        with connected(url) as conn:
            conn.execute("TRUNCATE accounts, reservations, ledger")
            for account_id, balance in ((1, "1.00"), (2, "0.30")):
                an_account(conn, account_id, balance)
            if together:
                answers.append(hold_many(conn, requests))
            else:
                answers.append([result for request in requests for result in hold_many(conn, [request])])
            assert ledger.check(conn) == []
            assert all(get_account(conn, account_id).available >= 0 for account_id in (1, 2))
    assert answers[0] == answers[1]


def test_two_daemons_never_hold_more_than_is_free(database_url: str, conn: Connection) -> None:
    payers = [1001, 1002, 1003]
    for payer in payers:
        an_account(conn, payer, "1.00")
    pools = [open_pool(database_url, 8, name=name) for name in ("first", "second")]
    results: list[HoldResult] = []

    def daemon_asks(number: int) -> None:
        # Payers in every order: whoever locked them as they come would wait in a circle.
        order = payers[number % 3 :] + payers[: number % 3]
        legs = [HoldRequest(payer, f"{number}-{payer}", Decimal("0.03"), Decimal("0.07")) for payer in order]
        with pools[number % 2].connection() as own:
            results.extend(hold_many(own, legs))

    try:
        gevent.joinall([gevent.spawn(daemon_asks, number) for number in range(60)], raise_error=True)
    finally:
        for pool in pools:
            pool.close()

    assert ledger.check(conn) == []
    for payer in payers:
        held = [result.held for result in results if result.account_id == payer]
        assert sum(held) == get_account(conn, payer).reserved
        assert Decimal("0.97") < sum(held) <= Decimal("1.00"), "what is left buys no other call"
        assert {result.outcome for result in results} == {Outcome.HELD, Outcome.NO_FUNDS}
