"""The daemon is killed while calls are up: what the switch was told before is enough to end them in time."""

from __future__ import annotations

import pytest
from agent_process import AgentProcess
from conftest import Calls
from people import LONDON, SIX_SECONDS

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
