"""How early a kill is sent, as delays are measured and cuts fall together (agent/calls/timing.py)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import pytest
from fixtures.records import NOON_US, a_price

from esl_agent.agent.calls.timing import CUT_LEAD_MAX_MS, Timing
from esl_agent.agent.calls.worst import Worst
from esl_agent.core.call import begin_held, step
from esl_agent.core.call_signals import Answered, ArmSwitchCut, Timer
from esl_agent.core.call_state import CallPolicy
from esl_agent.core.leg import Direction, Leg, Product

POLICY = CallPolicy(cut_lead_ms=60)
LEG = Leg(
    "leg", Direction.OUTBOUND, NOON_US, 1001, Product.TERMINATION, "44", "44", "15145550100",
    "caller", None, None, is_loopback=False,
)  # fmt: skip
TALKING, _ = step(begin_held(LEG, a_price(), Decimal(1))[0], Answered(NOON_US), POLICY, NOON_US)


@dataclass
class Measured:
    """A switchboard and timers, as they were measured."""

    round_trip_us: int = 0
    command_us: float = 500.0
    late_us: int = 0
    due: int = 0

    def cuts_near(self, at_us: int) -> int:
        return self.due

    def kill(self, leg_uuid: str, cause: str) -> None: ...
    def arm_cut(self, leg_uuid: str, arm: ArmSwitchCut) -> None: ...
    def disarm_cut(self, leg_uuid: str) -> None: ...
    def set(self, owner: str, timer: Timer, at_us: int) -> None: ...
    def drop(self, owner: str) -> None: ...


@pytest.mark.parametrize(
    ("measured", "lead_ms"),
    [
        (Measured(), 60),
        (Measured(round_trip_us=20_000, late_us=5_000), 60),
        (Measured(round_trip_us=50_000, late_us=20_000), 100),
        (Measured(due=20), 60),
        (Measured(due=500), 280),
        (Measured(due=9_000), CUT_LEAD_MAX_MS),
    ],
    ids=["quick", "usual", "slow", "few at once", "many at once", "far too many"],
)
def test_the_lead_grows_with_what_delays_a_kill(measured: Measured, lead_ms: int) -> None:
    assert Timing(POLICY, measured, measured).policy_for(TALKING).cut_lead_ms == lead_ms


def test_the_operators_own_lead_may_be_longer_than_any() -> None:
    policy = CallPolicy(cut_lead_ms=1_500)
    timing = Timing(policy, Measured(due=9_000), Measured(due=9_000))
    assert timing.policy_for(TALKING).cut_lead_ms == 1_500


def test_the_worst_is_forgotten_after_two_windows() -> None:
    worst = Worst(100)
    worst.heard(7, 1_000)
    worst.heard(3, 1_010)
    assert [worst.value(now_us) for now_us in (1_050, 1_150, 1_199, 1_200)] == [7, 7, 7, 0]
