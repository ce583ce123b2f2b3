"""Which open reservations a switch's daemon finds (store/open_holds.py)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from fixtures.records import a_cdr, an_account

from esl_agent.store.holds import HoldRequest, hold_many
from esl_agent.store.open_holds import OpenHold, open_holds
from esl_agent.store.pool import Connection
from esl_agent.store.release import release_many
from esl_agent.store.settle import settle_many

CENT = Decimal("0.0100")


@pytest.fixture
def held(conn: Connection) -> None:
    """Legs that are up on two switches, one that is over, and one that never came."""
    an_account(conn, 1001, "1")
    legs = [("up", "montreal"), ("over", "montreal"), ("never", "montreal"), ("elsewhere", "toronto")]
    for leg_uuid, switch in legs:
        hold_many(conn, [HoldRequest(1001, leg_uuid, CENT, CENT, switch=switch, known='{"a": "\\u0000"}')])
    settle_many(conn, [a_cdr(1001, "over", "0.0100")])
    release_many(conn, [(1001, "never")])


def test_those_of_its_own_legs_that_are_neither_settled_nor_released(conn: Connection, held: None) -> None:
    assert open_holds(conn, "montreal") == [OpenHold(1001, "up", CENT, '{"a": "\\u0000"}')]
    assert [hold.leg_uuid for hold in open_holds(conn, "toronto")] == ["elsewhere"]


def test_none_that_may_be_of_an_admission_under_way(conn: Connection, held: None) -> None:
    assert open_holds(conn, "montreal", older_than_s=60) == []
    conn.execute("UPDATE reservations SET held_at = held_at - interval '2 minutes'")
    assert [hold.leg_uuid for hold in open_holds(conn, "montreal", older_than_s=60)] == ["up"]
