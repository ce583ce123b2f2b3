"""The daemon is killed while calls are up: what the switch was told before is enough to end them in time."""

from __future__ import annotations

from decimal import Decimal

import pytest
from agent_process import AgentProcess
from conftest import Calls
from people import LONDON, OWNER, SIX_SECONDS, TO_DEVICE

from esl_agent.core.tariff import Plan
from esl_agent.lab.freeswitch import PrivateSwitch
from esl_agent.store.accounts import top_up
from esl_agent.store.numbers import NumberKind, OwnedNumber, add_number, remove_number
from esl_agent.store.plans import add_plan
from esl_agent.store.pool import connected

pytestmark = pytest.mark.switch

PAID_US = 6_000_000
#: The switch looks at its schedule every half second.
SCHEDULE_US = 500_000


def test_the_switch_ends_a_call_within_what_was_held_for_it(calls: Calls, agent: AgentProcess) -> None:
    calls.alpha("answer", ring_ms=50)
    calls.dial(SIX_SECONDS, f"011{LONDON}", "stay")
    calls.bridged(1)
    agent.kill()

    end = calls.event("CHANNEL_HANGUP_COMPLETE", "outbound")
    assert end["Hangup-Cause"] == "ALLOTTED_TIMEOUT"
    assert int(end["variable_billusec"]) <= PAID_US + SCHEDULE_US


def test_it_ends_a_call_that_came_in_too_though_nobody_heard_its_answer(
    calls: Calls, agent: AgentProcess, books_url: str, switch: PrivateSwitch
) -> None:
    """A customer who pays for what comes in; the daemon is killed while his phone rings."""
    agent.stop()
    with connected(books_url) as conn:
        add_plan(conn, Plan("pays", "standard", inbound_rate_per_minute=Decimal("0.6")))
        conn.execute("UPDATE accounts SET plan = 'pays' WHERE account_id = %s", [int(SIX_SECONDS.account)])
        top_up(conn, int(SIX_SECONDS.account), Decimal("0.06"), "six more seconds")
        remove_number(conn, TO_DEVICE.number)
        add_number(conn, OwnedNumber(TO_DEVICE.number, int(SIX_SECONDS.account), NumberKind.DID))
    agent.start()
    calls.device(OWNER, "answer", ring_ms=2_000)
    calls.bring(TO_DEVICE.number, "trunk_stay")
    calls.event("CHANNEL_PROGRESS", "outbound")
    agent.kill()

    end = calls.event("CHANNEL_HANGUP_COMPLETE", "inbound", deadline_s=20)
    assert end["Hangup-Cause"] == "ALLOTTED_TIMEOUT"
    assert 0 < int(end["variable_billusec"]) <= PAID_US + SCHEDULE_US
