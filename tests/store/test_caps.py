"""An account's limits are kept by the statement that holds: so many calls, so much a day, so much a call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import gevent
import pytest
from fixtures.records import a_cdr, an_account, money

from esl_agent.agent.clock import wall_us
from esl_agent.core.money import ZERO
from esl_agent.core.traffic.restriction import Restriction
from esl_agent.core.traffic.verdict import Action
from esl_agent.store import ledger
from esl_agent.store.accounts import get_account
from esl_agent.store.holds import HoldRequest, HoldResult, Outcome, hold_many
from esl_agent.store.limits import change_limits
from esl_agent.store.pool import Connection, open_pool
from esl_agent.store.release import release_many
from esl_agent.store.restrictions import restrict
from esl_agent.store.settle import settle_many

PAYER = 1001
TODAY = date(2026, 3, 1)
TOMORROW = TODAY + timedelta(days=1)


def hold(
    conn: Connection, leg: str, least: str, want: str | None = None, *, spare: str = "0", today: date = TODAY
) -> HoldResult:
    [result] = hold_many(
        conn, [HoldRequest(PAYER, leg, Decimal(least), Decimal(want or least), Decimal(spare))], today
    )
    return result


def settle(conn: Connection, leg: str, cost: str, today: date = TODAY) -> None:
    [result] = settle_many(conn, [a_cdr(PAYER, leg, cost)], today=today)
    assert result.settled


def limit(conn: Connection, **limits: Any) -> None:
    change_limits(conn, PAYER, lambda old: replace(old, **limits))


def a_limited_account(conn: Connection, balance: str = "50.00", **limits: Any) -> None:
    an_account(conn, PAYER, balance)
    limit(conn, **limits)


def test_a_call_too_many_is_refused_until_one_is_over(conn: Connection) -> None:
    a_limited_account(conn, max_calls=2)
    assert [hold(conn, leg, "0.10").outcome for leg in "abc"] == [
        Outcome.HELD,
        Outcome.HELD,
        Outcome.TOO_MANY_CALLS,
    ]

    settle(conn, "a", "0.05")

    assert hold(conn, "c", "0.10").outcome is Outcome.HELD
    assert get_account(conn, PAYER).calls_up == 2


def test_a_call_that_is_up_may_hold_more_whatever_the_cap(conn: Connection) -> None:
    a_limited_account(conn, max_calls=1)
    hold(conn, "a", "0.10")

    assert hold(conn, "a", "0.30").held == Decimal("0.30")
    limit(conn, max_calls=0)
    assert hold(conn, "a", "0.40").held == Decimal("0.40")
    assert get_account(conn, PAYER).calls_up == 1


def test_a_call_that_costs_nothing_is_a_call(conn: Connection) -> None:
    a_limited_account(conn, balance="0", max_calls=1)

    assert hold(conn, "toll-free", "0").outcome is Outcome.HELD
    assert hold(conn, "another", "0").outcome is Outcome.TOO_MANY_CALLS
    settle(conn, "toll-free", "0")
    assert get_account(conn, PAYER).calls_up == 0
    assert hold(conn, "another", "0").outcome is Outcome.HELD


def test_a_refused_call_takes_no_place(conn: Connection) -> None:
    a_limited_account(conn, balance="1.00", max_calls=1)

    assert hold(conn, "dear", "1.01").outcome is Outcome.NO_FUNDS
    assert hold(conn, "cheap", "0.01").outcome is Outcome.HELD


def test_a_batch_fills_the_places_in_its_order(conn: Connection) -> None:
    a_limited_account(conn, max_calls=3)
    an_account(conn, 1002, "5.00")
    asked = [(PAYER, "a"), (1002, "x"), (PAYER, "b"), (PAYER, "a"), (1002, "y"), (PAYER, "c"), (PAYER, "d")]

    results = hold_many(
        conn,
        [HoldRequest(account_id, leg, Decimal("0.1"), Decimal("0.1")) for account_id, leg in asked],
        TODAY,
    )

    assert [result.leg_uuid for result in results if result.outcome is Outcome.TOO_MANY_CALLS] == ["d"]
    assert get_account(conn, PAYER).calls_up == 3
    assert get_account(conn, 1002).calls_up == 2


def an_inbound(leg: str) -> HoldRequest:
    known = '{"caller":"\\u0000","product":"inbound"}'
    return HoldRequest(PAYER, leg, Decimal("0.1"), Decimal("0.1"), known=known)


def an_outbound(leg: str) -> HoldRequest:
    known = '{"product":"forwarding","caller":"\\"product\\":\\"inbound\\""}'
    return HoldRequest(PAYER, leg, Decimal("0.1"), Decimal("0.1"), known=known)


def outcomes(conn: Connection, *requests: HoldRequest) -> list[Outcome]:
    return [result.outcome for result in hold_many(conn, requests, TODAY)]


def test_a_call_that_comes_in_is_held_to_no_number_of_calls(conn: Connection) -> None:
    a_limited_account(conn, max_calls=1)
    assert outcomes(conn, an_outbound("out")) == [Outcome.HELD]

    assert outcomes(conn, an_inbound("in"), an_outbound("more"), an_inbound("in too")) == [
        Outcome.HELD,
        Outcome.TOO_MANY_CALLS,
        Outcome.HELD,
    ]
    assert get_account(conn, PAYER).calls_up == 3
    assert ledger.check(conn) == []


def test_calls_that_come_in_take_no_call_out_its_place(conn: Connection) -> None:
    a_limited_account(conn, max_calls=2)
    assert outcomes(conn, *(an_inbound(f"in {n}") for n in range(3))) == [Outcome.HELD] * 3

    asked = [an_outbound("a"), an_inbound("in 4"), an_outbound("b"), an_outbound("c")]
    assert outcomes(conn, *asked) == [Outcome.HELD, Outcome.HELD, Outcome.HELD, Outcome.TOO_MANY_CALLS]

    settle(conn, "in 0", "0.05")
    release_many(conn, [(PAYER, "in 1")])
    assert outcomes(conn, an_outbound("c")) == [Outcome.TOO_MANY_CALLS], "no call out was over"
    settle(conn, "a", "0.05")
    assert outcomes(conn, an_outbound("c")) == [Outcome.HELD]
    assert (get_account(conn, PAYER).calls_up, ledger.check(conn)) == (4, [])


def test_a_throttle_leaves_calls_that_come_in_alone(conn: Connection) -> None:
    an_account(conn, PAYER, "50.00")
    throttle = Restriction(
        account_id=PAYER, rule="r", action=Action.THROTTLE, max_calls=0, since_us=wall_us(), made_by="noc"
    )
    restrict(conn, throttle)

    assert outcomes(conn, an_outbound("out"), an_inbound("in")) == [Outcome.TOO_MANY_CALLS, Outcome.HELD]


def test_what_was_spent_today_and_what_is_held_stay_below_the_days_limit(conn: Connection) -> None:
    a_limited_account(conn, spend_per_day=Decimal("1.00"))
    hold(conn, "a", "0.60")
    settle(conn, "a", "0.50")
    hold(conn, "b", "0.30")

    refused = hold(conn, "c", "0.2001")

    assert (refused.outcome, str(refused.held), str(refused.available)) == (Outcome.DAY_SPEND, "0", "49.2000")
    assert hold(conn, "c", "0.2000").outcome is Outcome.HELD
    assert hold(conn, "b", "0.3001").outcome is Outcome.DAY_SPEND, "a call that is up spends too"
    assert get_account(conn, PAYER).spent_today(TODAY) == Decimal("0.5000")


def test_a_wish_above_what_the_day_has_left_gets_the_least(conn: Connection) -> None:
    a_limited_account(conn, spend_per_day=Decimal("1.00"))

    assert hold(conn, "a", "0.10", "1.01").held == Decimal("0.10")
    assert hold(conn, "b", "0.10", "0.90").held == Decimal("0.90")
    assert hold(conn, "c", "0").outcome is Outcome.HELD, "what costs nothing spends nothing"


def test_a_new_day_begins_at_nothing(conn: Connection) -> None:
    a_limited_account(conn, spend_per_day=Decimal("1.00"))
    hold(conn, "a", "1.00")
    settle(conn, "a", "1.00")
    assert hold(conn, "b", "0.01").outcome is Outcome.DAY_SPEND

    assert hold(conn, "b", "0.70", today=TOMORROW).outcome is Outcome.HELD
    settle(conn, "b", "0.40", today=TOMORROW)

    account = get_account(conn, PAYER)
    assert (account.spent_on, account.spent_today(TOMORROW)) == (TOMORROW, Decimal("0.4000"))
    assert account.spent_today(TOMORROW + timedelta(days=1)) == ZERO


def test_around_midnight_a_daemon_whose_clock_is_behind_counts_to_the_new_day(conn: Connection) -> None:
    a_limited_account(conn, spend_per_day=Decimal("1.00"))
    for leg in "ab":
        hold(conn, leg, "0.40")
    settle(conn, "a", "0.40", today=TOMORROW)

    settle(conn, "b", "0.40", today=TODAY)

    assert get_account(conn, PAYER).spent_today(TOMORROW) == Decimal("0.8000")
    assert hold(conn, "c", "0.21", today=TODAY).outcome is Outcome.DAY_SPEND


def test_a_clock_gone_wrong_does_not_stop_the_days_for_ever(conn: Connection) -> None:
    a_limited_account(conn, spend_per_day=Decimal("1.00"))
    for leg in "ab":
        hold(conn, leg, "0.50")
    settle(conn, "a", "0.50", today=date(2099, 1, 1))

    settle(conn, "b", "0.50", today=TODAY)

    account = get_account(conn, PAYER)
    assert (account.spent_on, account.day_spent) == (TODAY, Decimal("0.5000"))


def test_without_a_date_the_database_says_which_day_it_is(conn: Connection) -> None:
    a_limited_account(conn, spend_per_day=Decimal("1.00"))
    dear = HoldRequest(PAYER, "b", Decimal("0.50"), Decimal("0.50"))
    hold_many(conn, [replace(dear, leg_uuid="a")])
    settle_many(conn, [a_cdr(PAYER, "a", "0.50")])
    limit(conn, spend_per_day=Decimal("0.99"))

    assert hold_many(conn, [dear])[0].outcome is Outcome.DAY_SPEND


def test_one_call_costs_so_much_and_no_more(conn: Connection) -> None:
    a_limited_account(conn, spend_per_call=Decimal("0.50"))

    assert hold(conn, "a", "0.5001").outcome is Outcome.CALL_SPEND
    assert hold(conn, "a", "0.10", "0.60").held == Decimal("0.10")
    assert hold(conn, "a", "0.20", "0.50").held == Decimal("0.50")
    refused = hold(conn, "a", "0.56", "0.60")
    assert (refused.outcome, str(refused.held)) == (Outcome.CALL_SPEND, "0.5000")
    assert hold(conn, "b", "0.50").outcome is Outcome.HELD, "each call for itself"


def test_limits_lowered_below_what_is_held_take_nothing_back(conn: Connection) -> None:
    a_limited_account(conn)
    hold(conn, "a", "0.80")
    limit(conn, max_calls=0, spend_per_day=Decimal("0.10"), spend_per_call=Decimal("0.10"))

    assert hold(conn, "a", "0.80").outcome is Outcome.HELD
    assert hold(conn, "a", "0.81").outcome is Outcome.DAY_SPEND
    assert money(conn, PAYER) == ("50.0000", "0.8000")


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"max_calls": 1, "spend_per_day": "0", "spend_per_call": "0"}, Outcome.TOO_MANY_CALLS),
        ({"spend_per_day": "0", "spend_per_call": "0"}, Outcome.DAY_SPEND),
        ({"spend_per_call": "0"}, Outcome.CALL_SPEND),
        ({}, Outcome.NO_FUNDS),
    ],
)
def test_the_first_limit_that_refuses_is_named_and_funds_come_last(
    conn: Connection, limits: dict[str, Any], reason: Outcome
) -> None:
    a_limited_account(conn, balance="0")
    hold(conn, "up", "0")
    limit(conn, **{name: value if name == "max_calls" else Decimal(value) for name, value in limits.items()})

    assert hold(conn, "a", "0.01").outcome is reason


def test_a_count_of_calls_that_is_wrong_is_found(conn: Connection) -> None:
    a_limited_account(conn)
    hold(conn, "a", "0.10")
    assert ledger.check(conn) == []

    conn.execute("UPDATE accounts SET calls_up = 0")

    assert ledger.check(conn) == [ledger.Difference(PAYER, "calls_up", Decimal(0), Decimal(1))]


def test_two_daemons_never_admit_a_call_too_many(database_url: str, conn: Connection) -> None:
    a_limited_account(conn, max_calls=7)
    conn.execute("ALTER TABLE accounts ADD CHECK (calls_up <= 7)")  # whoever breaks the rule raises
    pools = [open_pool(database_url, 8, name=name) for name in ("first", "second")]
    results: list[HoldResult] = []

    def admits(number: int) -> None:
        with pools[number % 2].connection() as own:
            results.append(hold(own, f"leg {number}", "0.01"))

    _together(admits, 40, pools)

    assert sum(result.outcome is Outcome.HELD for result in results) == 7
    assert {result.outcome for result in results} == {Outcome.HELD, Outcome.TOO_MANY_CALLS}
    release_many(conn, [(PAYER, result.leg_uuid) for result in results])
    assert get_account(conn, PAYER).calls_up == 0
    assert ledger.check(conn) == []


def test_two_daemons_never_spend_more_than_the_days_limit(database_url: str, conn: Connection) -> None:
    a_limited_account(conn, spend_per_day=Decimal("1.00"))
    conn.execute("ALTER TABLE accounts ADD CHECK (reserved + day_spent <= 1.00)")
    pools = [open_pool(database_url, 8, name=name) for name in ("first", "second")]

    def calls(number: int) -> None:
        leg = f"leg {number}"
        with pools[number % 2].connection() as own:
            held = hold(own, leg, "0.06", "0.11").held
        if held:
            with pools[(number + 1) % 2].connection() as own:
                settle(own, leg, str(held))

    _together(calls, 60, pools)

    account = get_account(conn, PAYER)
    assert Decimal("0.94") < account.spent_today(TODAY) <= Decimal("1.00"), "what is left buys no other call"
    assert account.balance == Decimal("50.00") - account.day_spent
    assert ledger.check(conn) == []


def _together(work: Callable[[int], None], times: int, pools: list[Any]) -> None:
    try:
        gevent.joinall([gevent.spawn(work, number) for number in range(times)], raise_error=True)
    finally:
        for pool in pools:
            pool.close()
