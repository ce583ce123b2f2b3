"""What is known of a leg stays with what is held for it, from carrier to carrier, until it is over."""

from __future__ import annotations

from decimal import Decimal

from fixtures.records import a_cdr, an_account

from esl_agent.store.holds import HoldRequest, Outcome, hold_many
from esl_agent.store.pool import Connection
from esl_agent.store.release import release_many
from esl_agent.store.settle import settle_many

PAYER = 1001


def hold(conn: Connection, leg: str, amount: str, switch: str = "", known: str | None = None) -> Outcome:
    request = HoldRequest(PAYER, leg, Decimal(amount), Decimal(amount), switch=switch, known=known)
    [result] = hold_many(conn, [request])
    return result.outcome


def known(conn: Connection) -> dict[str, tuple[str, object]]:
    """Of each leg: its switch, and what is known of it."""
    rows = conn.execute("SELECT leg_uuid, switch, known FROM reservations")
    return {leg_uuid: (switch, what) for leg_uuid, switch, what in rows}


def test_it_is_written_with_the_first_hold_and_goes_with_it_to_the_next_carrier(conn: Connection) -> None:
    an_account(conn, PAYER, "1.00")
    hold(conn, "alpha", "0.40", "montreal", '{"caller": "15145550123"}')
    assert known(conn) == {"alpha": ("montreal", {"caller": "15145550123"})}

    settle_many(conn, [a_cdr(PAYER, "alpha", "0")], hand_to={"alpha": "bravo"})

    assert known(conn) == {"alpha": ("montreal", None), "bravo": ("montreal", {"caller": "15145550123"})}


def test_it_goes_through_several_carriers_of_one_batch(conn: Connection) -> None:
    an_account(conn, PAYER, "1.00")
    hold(conn, "alpha", "0.40", "montreal", "[1]")
    planned = {"alpha": "bravo", "bravo": "charlie"}

    settle_many(conn, [a_cdr(PAYER, leg, "0") for leg in planned], hand_to=planned)

    assert known(conn)["charlie"] == ("montreal", [1])


def test_a_later_request_replaces_what_it_says_and_leaves_what_it_does_not(conn: Connection) -> None:
    an_account(conn, PAYER, "1.00")
    hold(conn, "alpha", "0.40")
    assert known(conn) == {"alpha": ("", None)}

    hold(conn, "alpha", "0.40", "montreal", "[1]")  # though it holds no more than before
    assert known(conn) == {"alpha": ("montreal", [1])}
    hold(conn, "alpha", "0.40")
    hold(conn, "alpha", "0.50")
    assert known(conn) == {"alpha": ("montreal", [1])}
    hold(conn, "alpha", "0.60", known="[2]")
    assert known(conn) == {"alpha": ("montreal", [2])}


def test_a_request_that_is_refused_changes_nothing(conn: Connection) -> None:
    an_account(conn, PAYER, "1.00")
    hold(conn, "alpha", "0.40", "montreal", "[1]")

    assert hold(conn, "alpha", "1.01", "quebec", "[2]") is Outcome.NO_FUNDS
    assert known(conn) == {"alpha": ("montreal", [1])}


def test_a_leg_that_holds_already_keeps_its_own(conn: Connection) -> None:
    an_account(conn, PAYER, "1.00")
    hold(conn, "alpha", "0.40", "montreal", "[1]")
    hold(conn, "bravo", "0.10", "quebec", "[2]")

    settle_many(conn, [a_cdr(PAYER, "alpha", "0")], hand_to={"alpha": "bravo"})

    assert known(conn)["bravo"] == ("quebec", [2])


def test_nothing_is_kept_of_a_leg_that_is_over_or_given_up(conn: Connection) -> None:
    an_account(conn, PAYER, "1.00")
    hold(conn, "over", "0.10", "montreal", "[1]")
    hold(conn, "given up", "0.10", "montreal", "[1]")

    settle_many(conn, [a_cdr(PAYER, "over", "0.05")])
    release_many(conn, [(PAYER, "given up")])

    assert known(conn) == {"over": ("montreal", None), "given up": ("montreal", None)}


def test_one_batch_says_it_of_some_legs_only_and_hostile_text_harms_none(conn: Connection) -> None:
    an_account(conn, PAYER, "1.00")
    a_tenth = Decimal("0.1")
    nul = r'{"caller": "\u0000"}'
    outcomes = hold_many(
        conn,
        [
            HoldRequest(PAYER, "plain", a_tenth, a_tenth),
            HoldRequest(PAYER, "said", a_tenth, a_tenth, switch='it\'s "1"', known=nul),
        ],
    )

    assert [each.outcome for each in outcomes] == [Outcome.HELD, Outcome.HELD]
    assert known(conn) == {"plain": ("", None), "said": ('it\'s "1"', {"caller": "\0"})}
