"""A call tries carrier after carrier on one hold: it goes from leg to leg, or back to the account."""

from __future__ import annotations

from decimal import Decimal

from fixtures.records import a_cdr, an_account, money

from esl_agent.store import ledger
from esl_agent.store.accounts import get_account, open_reservations
from esl_agent.store.cdrs import CdrFilter, iterate_cdrs
from esl_agent.store.holds import HoldRequest, HoldResult, Outcome, hold_many
from esl_agent.store.pool import Connection
from esl_agent.store.release import release_many
from esl_agent.store.settle import Settled, settle_many

PAYER = 1001
PLANNED = {"alpha": "bravo", "bravo": "charlie"}


def hold(conn: Connection, leg: str, amount: str, payer: int = PAYER) -> HoldResult:
    [result] = hold_many(conn, [HoldRequest(payer, leg, Decimal(amount), Decimal(amount))])
    return result


def settle(conn: Connection, *legs: tuple[str, str]) -> list[Settled]:
    """Settle legs at what they cost; what was planned after them is PLANNED."""
    return settle_many(conn, [a_cdr(PAYER, leg, cost) for leg, cost in legs], hand_to=PLANNED)


def held(conn: Connection, payer: int = PAYER) -> dict[str, str]:
    """Open reservations, of which there are as many as calls are up."""
    reservations = {each.leg_uuid: str(each.held) for each in open_reservations(conn, payer, 100)}
    assert get_account(conn, payer).calls_up == len(reservations)
    assert ledger.check(conn) == []
    return reservations


def test_a_carrier_that_fails_hands_the_hold_to_the_next(conn: Connection) -> None:
    an_account(conn, PAYER, "1.00")
    hold(conn, "alpha", "0.90")

    [failed] = settle(conn, ("alpha", "0"))

    assert (failed.settled, str(failed.charged), str(failed.balance)) == (True, "0.0000", "1.0000")
    assert held(conn) == {"bravo": "0.9000"}
    assert money(conn, PAYER) == ("1.0000", "0.9000")
    [answered] = settle(conn, ("bravo", "0.25"))
    assert str(answered.charged) == "0.2500"
    assert money(conn, PAYER) == ("0.7500", "0.0000")
    assert held(conn) == {}


def test_several_carriers_fail_within_one_batch(conn: Connection) -> None:
    an_account(conn, PAYER, "1.00")
    hold(conn, "alpha", "0.90")

    settle(conn, ("alpha", "0"), ("bravo", "0"))

    assert held(conn) == {"charlie": "0.9000"}


def test_the_next_leg_may_end_in_the_same_batch(conn: Connection) -> None:
    an_account(conn, PAYER, "1.00")
    hold(conn, "alpha", "0.90")

    results = settle(conn, ("alpha", "0"), ("bravo", "0.50"))

    assert [(each.leg_uuid, str(each.charged)) for each in results] == [
        ("alpha", "0.0000"),
        ("bravo", "0.5000"),
    ]
    assert (money(conn, PAYER), held(conn)) == (("0.5000", "0.0000"), {})


def test_settling_the_failed_leg_again_hands_over_nothing(conn: Connection) -> None:
    an_account(conn, PAYER, "1.00")
    hold(conn, "alpha", "0.40")
    settle(conn, ("alpha", "0"))
    settle(conn, ("bravo", "0.10"))

    [again] = settle(conn, ("alpha", "0"))

    assert not again.settled
    assert (money(conn, PAYER), held(conn)) == (("0.9000", "0.0000"), {})
    assert len(list(iterate_cdrs(conn, CdrFilter()))) == 2


def test_a_leg_that_cost_something_pays_it_and_hands_over_nothing(conn: Connection) -> None:
    an_account(conn, PAYER, "1.00")
    hold(conn, "alpha", "0.40")

    settle(conn, ("alpha", "0.10"))

    assert (money(conn, PAYER), held(conn)) == (("0.9000", "0.0000"), {})


def test_a_leg_that_nothing_was_held_for_has_nothing_to_hand_over(conn: Connection) -> None:
    an_account(conn, PAYER, "1.00")

    settle(conn, ("alpha", "0"))

    assert held(conn) == {}


def test_a_free_call_keeps_its_place_with_the_next_carrier(conn: Connection) -> None:
    an_account(conn, PAYER, "0")
    hold(conn, "alpha", "0")

    settle(conn, ("alpha", "0"))

    assert held(conn) == {"bravo": "0.0000"}


def test_a_leg_that_holds_already_gets_what_it_lacks(conn: Connection) -> None:
    an_account(conn, PAYER, "1.00")
    hold(conn, "alpha", "0.40")
    hold(conn, "bravo", "0.10")

    settle(conn, ("alpha", "0"))

    assert held(conn) == {"bravo": "0.4000"}
    assert money(conn, PAYER) == ("1.0000", "0.4000")


def test_a_leg_that_holds_more_already_gets_nothing(conn: Connection) -> None:
    an_account(conn, PAYER, "1.00")
    hold(conn, "alpha", "0.10")
    hold(conn, "bravo", "0.40")

    settle(conn, ("alpha", "0"))

    assert held(conn) == {"bravo": "0.4000"}
    assert money(conn, PAYER) == ("1.0000", "0.4000")


def test_a_leg_that_is_over_or_given_up_gets_nothing(conn: Connection) -> None:
    an_account(conn, PAYER, "1.00")
    hold(conn, "alpha", "0.10")
    settle(conn, ("bravo", "0"))
    settle(conn, ("alpha", "0"))
    assert held(conn) == {}

    hold(conn, "delta", "0.10")
    release_many(conn, [(PAYER, "echo")])
    settle_many(conn, [a_cdr(PAYER, "delta", "0")], hand_to={"delta": "echo"})
    assert held(conn) == {}
    assert money(conn, PAYER) == ("1.0000", "0.0000")


def test_two_legs_hand_over_to_one_and_a_leg_to_itself(conn: Connection) -> None:
    an_account(conn, PAYER, "1.00")
    for leg, amount in (("a", "0.10"), ("b", "0.30"), ("c", "0.20")):
        hold(conn, leg, amount)

    settle_many(
        conn,
        [a_cdr(PAYER, leg, "0") for leg in "abc"],
        hand_to={"a": "last", "b": "last", "c": "c"},
    )

    assert held(conn) == {"last": "0.3000"}


def test_the_hold_stays_with_the_account_it_is_of(conn: Connection) -> None:
    an_account(conn, PAYER, "1.00")
    an_account(conn, 1002, "1.00")
    hold(conn, "alpha", "0.40")
    hold(conn, "alpha", "0.20", payer=1002)

    settle_many(conn, [a_cdr(1002, "alpha", "0"), a_cdr(PAYER, "alpha", "0")], hand_to=PLANNED)

    assert held(conn) == {"bravo": "0.4000"}
    assert held(conn, 1002) == {"bravo": "0.2000"}


def test_a_leg_given_up_gives_back_what_was_held_for_it(conn: Connection) -> None:
    an_account(conn, PAYER, "1.00")
    hold(conn, "alpha", "0.40")
    hold(conn, "other call", "0.10")

    given_back = release_many(conn, [(PAYER, "alpha"), (PAYER, "bravo"), (PAYER, "alpha")])

    assert given_back == {(PAYER, "alpha"): Decimal("0.4000")}
    assert held(conn) == {"other call": "0.1000"}
    assert money(conn, PAYER) == ("1.0000", "0.1000")
    assert release_many(conn, [(PAYER, "alpha")]) == {}
    assert release_many(conn, []) == {}


def test_a_free_leg_given_up_gives_back_its_place(conn: Connection) -> None:
    an_account(conn, PAYER, "0")
    hold(conn, "alpha", "0")

    assert release_many(conn, [(PAYER, "alpha")]) == {(PAYER, "alpha"): Decimal("0.0000")}
    assert held(conn) == {}


def test_nothing_is_held_for_a_leg_that_was_given_up_even_before(conn: Connection) -> None:
    an_account(conn, PAYER, "1.00")
    hold(conn, "alpha", "0.40")
    release_many(conn, [(PAYER, "alpha"), (PAYER, "bravo")])

    for leg in ("alpha", "bravo"):
        result = hold(conn, leg, "0.10")
        assert (result.outcome, str(result.held), str(result.available)) == (Outcome.RELEASED, "0", "1.0000")
    assert held(conn) == {}


def test_a_leg_that_was_made_after_it_was_given_up_pays_from_what_is_free(conn: Connection) -> None:
    an_account(conn, PAYER, "1.00")
    hold(conn, "alpha", "0.40")
    release_many(conn, [(PAYER, "alpha")])
    hold(conn, "other call", "0.80")

    [settled] = settle(conn, ("alpha", "0.50"))

    assert (settled.settled, str(settled.charged), str(settled.uncollected)) == (True, "0.2000", "0.3000")
    assert held(conn) == {"other call": "0.8000"}
    assert money(conn, PAYER) == ("0.8000", "0.8000")


def test_a_settled_leg_cannot_be_given_up(conn: Connection) -> None:
    an_account(conn, PAYER, "1.00")
    hold(conn, "alpha", "0.40")
    settle_many(conn, [a_cdr(PAYER, "alpha", "0.10")])

    assert release_many(conn, [(PAYER, "alpha")]) == {}
    assert money(conn, PAYER) == ("0.9000", "0.0000")
