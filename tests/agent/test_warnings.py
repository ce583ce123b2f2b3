"""What callers hear of their money: a tone on their own leg, an announcement after the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest

from esl_agent.agent.daemon import Daemon
from esl_agent.core.leg import Product
from esl_agent.simulator.config import SimulatorConfig
from esl_agent.simulator.leg import Leg
from esl_agent.simulator.plan import CallPlan, Kind
from esl_agent.simulator.simulator import Simulator
from esl_agent.store.accounts import top_up
from esl_agent.store.cdrs import CdrFilter, iterate_cdrs
from esl_agent.store.pool import Connection

from .conftest import PATIENCE_S, Journal

TONE = "tone_stream://%(250,50,440)"
PLACE = "used_up:XML:esl_told"
#: More is asked for, and refused, half a second after the answer.
BUDGET = {"extend_lead_ms": 5_500, "warn_at_s": [60, 4], "warn_sound": TONE, "end_announcement": PLACE}


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    simulator = Simulator(SimulatorConfig(port=0)).start()
    yield simulator
    simulator.stop()


@pytest.fixture
def poor(conn: Connection, customers: None) -> None:
    """Account 1001 has money for six seconds to London, and 1002 for six of a forwarded call."""
    conn.execute("UPDATE accounts SET balance = CASE account_id WHEN 1001 THEN 0.0013 ELSE 0.0028 END")


def legs_of(simulator: Simulator) -> tuple[Leg, Leg]:
    """The caller's leg, and the one that is paid for."""
    [call] = simulator.core.calls.values()
    peer = call.caller.other
    assert peer is not None
    return call.caller, peer


def test_a_caller_hears_each_warning_once_and_is_told_of_the_end(
    poor: None, simulator: Simulator, start_daemon: Callable[..., Daemon], journal: Journal, conn: Connection
) -> None:
    start_daemon(simulator.port, budget=BUDGET)
    handle = simulator.place_call(CallPlan(number="442079460000", ring_ms=20, talk_ms=60_000))
    journal.wait_for("CALL_ANSWERED")
    caller, billed = legs_of(simulator)
    assert handle.wait_ended(PATIENCE_S)
    journal.wait_for("CALL_RATED")
    assert (caller.heard, billed.heard) == ([TONE, TONE], [])
    assert [line["left_s"] in (3, 4, 5) for line in journal.of("CALL_WARNED")] == [True, True]
    assert caller.variables["transfer_after_bridge"] == PLACE
    assert "transfer_after_bridge" not in billed.variables
    (row,) = iterate_cdrs(conn, CdrFilter())
    assert (row.hangup_cause, row.charge.billed_seconds, row.uncollected) == ("ALLOTTED_TIMEOUT", 6, 0)
    assert row.duration_us <= 6_000_000


def test_a_top_up_takes_the_warning_back(
    poor: None, simulator: Simulator, start_daemon: Callable[..., Daemon], journal: Journal, conn: Connection
) -> None:
    start_daemon(simulator.port, budget=BUDGET)
    journal.wait_for("NOTICES_HEARD")
    handle = simulator.place_call(CallPlan(number="442079460000", ring_ms=20, talk_ms=60_000))
    journal.wait_for("CALL_WARNED")
    caller, _ = legs_of(simulator)
    top_up(conn, 1001, Decimal("0.0026"), "by hand")  # twelve seconds more
    journal.wait_for("CALL_EXTENDED")
    simulator.core.api("hupall", "NORMAL_CLEARING")
    assert handle.wait_ended(PATIENCE_S)
    journal.wait_for("CALL_RATED")
    assert caller.heard == [TONE]
    assert "transfer_after_bridge" not in caller.variables


def test_a_stranger_whose_call_is_forwarded_hears_nothing_of_the_owners_money(
    poor: None, simulator: Simulator, start_daemon: Callable[..., Daemon], journal: Journal
) -> None:
    start_daemon(simulator.port, budget=BUDGET)
    handle = simulator.place_call(
        CallPlan(
            kind=Kind.FORWARDED, product=Product.FORWARDING, account="1002", number="442079460000",
            did="15145550199", caller="14165550111", ring_ms=20, talk_ms=60_000,
        )
    )  # fmt: skip
    journal.wait_for("CALL_WARNED")
    caller, billed = legs_of(simulator)
    assert handle.wait_ended(PATIENCE_S)
    assert (caller.heard, billed.heard) == ([], [])
    assert "transfer_after_bridge" not in caller.variables


def test_nothing_is_played_where_no_sound_is_wanted(
    poor: None, simulator: Simulator, start_daemon: Callable[..., Daemon], journal: Journal
) -> None:
    start_daemon(simulator.port, budget=BUDGET | {"warn_sound": "", "end_announcement": ""})
    handle = simulator.place_call(CallPlan(number="442079460000", ring_ms=20, talk_ms=60_000))
    journal.wait_for("CALL_WARNED")
    caller, _ = legs_of(simulator)
    assert handle.wait_ended(PATIENCE_S)
    assert caller.heard == []
    assert "transfer_after_bridge" not in caller.variables
