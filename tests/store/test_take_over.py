"""A leg takes what is held for others of its call, at once with its own request (take_over_legs)."""

from __future__ import annotations

from decimal import Decimal

from fixtures.records import a_cdr, an_account, money

from esl_agent.core.admission.limits import Limits
from esl_agent.store import ledger
from esl_agent.store.accounts import get_account, open_reservations
from esl_agent.store.holds import HoldRequest, HoldResult, Outcome, hold_many
from esl_agent.store.limits import change_limits
from esl_agent.store.pool import Connection
from esl_agent.store.release import release_many
from esl_agent.store.settle import settle_many

PAYER = 1001


def ask(leg: str, amount: str, *takes_from: str) -> HoldRequest:
    return HoldRequest(PAYER, leg, Decimal(amount), Decimal(amount), takes_from=takes_from)


def hold(conn: Connection, leg: str, amount: str, *takes_from: str) -> HoldResult:
    [result] = hold_many(conn, [ask(leg, amount, *takes_from)])
    return result


def held(conn: Connection) -> dict[str, str]:
    """Legs that something is held for."""
    reservations = open_reservations(conn, PAYER, 100)
    assert get_account(conn, PAYER).calls_up == len(reservations)
    assert ledger.check(conn) == []
    return {each.leg_uuid: str(each.held) for each in reservations if each.held}


def test_exactly_one_calls_money_is_enough_for_the_next_leg(conn: Connection) -> None:
    an_account(conn, PAYER, "0.50")
    hold(conn, "alpha", "0.50")

    result = hold(conn, "bravo", "0.50", "alpha")

    assert (result.outcome, str(result.held)) == (Outcome.HELD, "0.5000")
    assert held(conn) == {"bravo": "0.5000"}
    assert money(conn, PAYER) == ("0.5000", "0.5000")


def test_the_settlement_that_hands_over_finds_it_done(conn: Connection) -> None:
    an_account(conn, PAYER, "0.50")
    hold(conn, "alpha", "0.30")
    hold(conn, "bravo", "0.40", "alpha")

    settle_many(conn, [a_cdr(PAYER, "alpha", "0")], hand_to={"alpha": "bravo"})

    assert held(conn) == {"bravo": "0.4000"}
    [settled] = settle_many(conn, [a_cdr(PAYER, "bravo", "0.40")])
    assert (str(settled.charged), str(settled.uncollected)) == ("0.4000", "0.0000")
    assert money(conn, PAYER) == ("0.1000", "0.0000")


def test_after_the_settlement_there_is_nothing_more_to_take(conn: Connection) -> None:
    an_account(conn, PAYER, "0.50")
    hold(conn, "alpha", "0.50")
    settle_many(conn, [a_cdr(PAYER, "alpha", "0")], hand_to={"alpha": "bravo"})

    assert hold(conn, "bravo", "0.50", "alpha").outcome is Outcome.HELD
    assert held(conn) == {"bravo": "0.5000"}


def test_of_several_holds_the_greatest_is_taken_and_the_rest_is_free(conn: Connection) -> None:
    an_account(conn, PAYER, "1.00")
    for leg, amount in (("a", "0.10"), ("b", "0.30"), ("c", "0.20")):
        hold(conn, leg, amount)

    result = hold(conn, "c", "0.25", "a", "b", "nobody")

    assert (str(result.held), str(result.available)) == ("0.3000", "0.7000")
    assert held(conn) == {"c": "0.3000"}


def test_a_refused_leg_keeps_what_it_took(conn: Connection) -> None:
    an_account(conn, PAYER, "0.50")
    hold(conn, "alpha", "0.50")

    result = hold(conn, "bravo", "0.60", "alpha")

    assert (result.outcome, str(result.held)) == (Outcome.NO_FUNDS, "0.5000")
    assert held(conn) == {"bravo": "0.5000"}


def test_a_leg_that_is_over_or_given_up_takes_nothing(conn: Connection) -> None:
    an_account(conn, PAYER, "1.00")
    hold(conn, "alpha", "0.30")
    settle_many(conn, [a_cdr(PAYER, "over", "0")])
    release_many(conn, [(PAYER, "gone")])

    assert hold(conn, "over", "0.30", "alpha").outcome is Outcome.SETTLED
    assert hold(conn, "gone", "0.30", "alpha").outcome is Outcome.RELEASED
    assert held(conn) == {"alpha": "0.3000"}


def test_taking_over_needs_no_second_place_among_the_accounts_calls(conn: Connection) -> None:
    an_account(conn, PAYER, "1.00")
    change_limits(conn, PAYER, lambda _: Limits(max_calls=1))
    hold(conn, "alpha", "0.30")

    assert hold(conn, "bravo", "0.40", "alpha").outcome is Outcome.HELD
    assert hold(conn, "other call", "0.10").outcome is Outcome.TOO_MANY_CALLS


def test_a_batch_is_decided_in_its_order(conn: Connection) -> None:
    an_account(conn, PAYER, "0.50")

    results = hold_many(conn, [ask("a", "0.50"), ask("b", "0.50", "a"), ask("c", "0.50", "b", "a")])

    assert [each.outcome for each in results] == [Outcome.HELD] * 3
    assert held(conn) == {"c": "0.5000"}


def test_what_is_known_of_the_call_goes_along(conn: Connection) -> None:
    an_account(conn, PAYER, "0.50")
    first = HoldRequest(PAYER, "alpha", Decimal("0.50"), Decimal("0.50"), switch="west", known='{"a": 1}')
    hold_many(conn, [first])

    hold(conn, "bravo", "0.50", "alpha")

    row = conn.execute("SELECT switch, known FROM reservations WHERE leg_uuid = 'bravo'").fetchone()
    assert row == ("west", {"a": 1})
