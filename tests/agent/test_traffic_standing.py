"""The toll-free option comes back when its rule was not broken for as long as it says, and not before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pytest
from fixtures.records import an_account
from fixtures.traffic_oracle import DAY, HOUR, S, a_call

from esl_agent.agent.clock import wall_us
from esl_agent.agent.database import Connects
from esl_agent.agent.traffic.rules import load_rules
from esl_agent.agent.traffic.standing import LIFTED, Standing
from esl_agent.core.traffic.judge import Judge
from esl_agent.core.traffic.restriction import TRAFFIC, restriction_of
from esl_agent.core.traffic.rule_file import parse_rules
from esl_agent.core.traffic.rules import RuleSet
from esl_agent.core.traffic.verdict import Action
from esl_agent.store.pool import Connection
from esl_agent.store.restrictions import Kept, clear, list_restrictions, restrict

PAYER: Final = 1001
MINUTE: Final = 60 * S


class One(Connects):
    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        yield self._conn


@pytest.fixture
def switched_off(conn: Connection) -> Judge:
    """An account that called nothing but toll-free numbers, until now."""
    an_account(conn, PAYER, "10.0000")
    return broken(conn, Judge(load_rules("")))


def broken(conn: Connection, judge: Judge) -> Judge:
    """Twenty calls that break toll-free-off."""
    now_us = wall_us()
    for n in range(20):
        free = a_call(now_us - 30 * S, leg_uuid=f"free-{n}", is_toll_free=True)
        for verdict in judge.see(free, now_us):
            restrict(conn, restriction_of(verdict), verdict.figures)
    return judge


def look(standing: Standing, judge: Judge, now_us: int) -> None:
    standing.look(judge, now_us, lambda at_us: [])
    standing.lift(judge, now_us)


def a_standing(conn: Connection, may_act: bool = True, plan: str = "") -> Standing:
    return Standing(One(conn), lambda: may_act, lambda account_ids: dict.fromkeys(account_ids, plan))


def option_off(conn: Connection) -> Kept:
    [off] = [
        kept
        for kept in list_restrictions(conn, is_all=True)
        if kept.restriction.action is Action.TOLL_FREE_OFF
    ]
    return off


def ordinary_calls(judge: Judge, now_us: int) -> None:
    for n in range(21):
        judge.see(a_call(now_us, leg_uuid=f"ordinary-{n}"), now_us)


def test_it_comes_back_a_day_after_the_share_is_no_longer_too_large(
    conn: Connection, switched_off: Judge
) -> None:
    standing, began_us = a_standing(conn), wall_us()
    for later_us in (6 * HOUR, 3 * DAY):
        look(standing, switched_off, began_us + later_us)
    assert option_off(conn).ended_us is None  # the share is what it was

    good_us = began_us + 3 * DAY + HOUR
    ordinary_calls(switched_off, good_us)
    for later_us in (MINUTE, 23 * HOUR):
        look(standing, switched_off, good_us + later_us)
    assert option_off(conn).ended_us is None

    look(standing, switched_off, good_us + 24 * HOUR + 2 * MINUTE)

    off = option_off(conn)
    assert (off.cleared_by, off.cleared_reason) == (TRAFFIC, LIFTED)


def test_a_daemon_that_may_not_act_lifts_nothing(conn: Connection, switched_off: Judge) -> None:
    standing, began_us = a_standing(conn, may_act=False), wall_us()
    ordinary_calls(switched_off, began_us + HOUR)
    for later_us in (2 * HOUR, 3 * DAY):
        look(standing, switched_off, began_us + later_us)
    assert option_off(conn).ended_us is None


#: As shipped, and telling as well, and with less patience for whom an override says so.
TELLING: Final = """
[[rule]]
name = "toll-free-off"
when = [{ measure = "toll_free_share", window = "30d", above = 0.5, sample = 20 }]
do = ["alert", "toll_free_off"]
"""
SOONER: Final = """
[[override]]
plan = "wholesale"
rule = "toll-free-off"
lift_below = "2h"
"""


@pytest.fixture
def told_and_off(conn: Connection) -> RuleSet:
    """The account's option is off, by a rule that tells as well and lifts for its plan only."""
    an_account(conn, PAYER, "10.0000")
    rules = parse_rules(TELLING + SOONER, "test")
    broken(conn, Judge(rules))
    return rules


@pytest.mark.parametrize("alert_is", ["open", "cleared"])
def test_after_a_restart_it_comes_back_as_the_accounts_own_rule_says(
    conn: Connection, told_and_off: RuleSet, alert_is: str
) -> None:
    """Whatever has become of the alert that was told with it."""
    standing, began_us = a_standing(conn, plan="wholesale"), wall_us()
    if alert_is == "cleared":
        [alert] = [one for one in list_restrictions(conn) if one.restriction.action is Action.ALERT]
        clear(conn, alert.restriction.restriction or 0, "seen", "noc")
    judge = Judge(told_and_off)
    standing.begin(judge, began_us + S)
    for n in range(20):
        judge.add(a_call(began_us, leg_uuid=f"free-{n}", is_toll_free=True), began_us)
    ordinary_calls(judge, began_us + S)

    look(standing, judge, began_us + MINUTE * 2)
    look(standing, judge, began_us + HOUR)
    assert option_off(conn).ended_us is None
    look(standing, judge, began_us + 3 * HOUR)

    assert option_off(conn).cleared_reason == LIFTED


def test_a_plan_whose_rule_lifts_nothing_has_nothing_lifted(conn: Connection, told_and_off: RuleSet) -> None:
    standing, began_us = a_standing(conn, plan="retail"), wall_us()
    judge = Judge(told_and_off)
    standing.begin(judge, began_us)
    for later_us in (HOUR, 3 * DAY, 20 * DAY):
        look(standing, judge, began_us + later_us)
    assert option_off(conn).ended_us is None


def test_while_the_past_is_counted_nothing_is_lifted(conn: Connection, switched_off: Judge) -> None:
    """An account without its calls of the month breaks no rule; nor is the time until then any proof."""
    counted: list[bool] = []
    judge = Judge(switched_off.rules, lambda rule, now_us: bool(counted))
    standing, began_us = a_standing(conn), wall_us()
    standing.begin(judge, began_us)
    for later_us in (MINUTE * 2, 2 * DAY):
        look(standing, judge, began_us + later_us)
    assert option_off(conn).ended_us is None

    counted.append(True)
    look(standing, judge, began_us + 2 * DAY + HOUR)
    assert option_off(conn).ended_us is None
    look(standing, judge, began_us + 3 * DAY + 2 * HOUR)
    assert option_off(conn).cleared_reason == LIFTED


def test_rules_that_are_read_again_say_how_soon_it_comes_back(conn: Connection, switched_off: Judge) -> None:
    standing, began_us = a_standing(conn), wall_us()
    ordinary_calls(switched_off, began_us)
    look(standing, switched_off, began_us + MINUTE * 2)
    switched_off.rules = parse_rules(TELLING + 'lift_below = "1h"', "test")

    look(standing, switched_off, began_us + 2 * HOUR)

    assert option_off(conn).cleared_reason == LIFTED
