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
from esl_agent.core.traffic.verdict import Action
from esl_agent.store.pool import Connection
from esl_agent.store.restrictions import Kept, list_restrictions, restrict

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
    judge = Judge(load_rules(""))
    now_us = wall_us()
    for n in range(20):
        free = a_call(now_us - 30 * S, leg_uuid=f"free-{n}", is_toll_free=True)
        for verdict in judge.see(free, now_us):
            restrict(conn, restriction_of(verdict), verdict.figures)
    return judge


def look(standing: Standing, judge: Judge, now_us: int) -> None:
    standing.look(judge, now_us, lambda at_us: [], lambda account_id: "")


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
    standing, began_us = Standing(One(conn), lambda: True), wall_us()
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
    standing, began_us = Standing(One(conn), lambda: False), wall_us()
    ordinary_calls(switched_off, began_us + HOUR)
    for later_us in (2 * HOUR, 3 * DAY):
        look(standing, switched_off, began_us + later_us)
    assert option_off(conn).ended_us is None
