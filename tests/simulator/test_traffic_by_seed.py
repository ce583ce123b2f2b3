"""Traffic: random, and the same again for the same seed."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from esl_agent.simulator.plan import Kind, Outcome
from esl_agent.simulator.traffic import Shares, Traffic, TrafficConfig

from .conftest import StartSimulator
from .raw_client import PATIENCE_S

MIX = TrafficConfig(
    calls_per_second=50.0,
    calls=2_000,
    accounts=("1001", "1002", "1003"),
    shares=Shares(
        busy=0.1, no_answer=0.1, cancelled=0.05, failover=0.1, forwarded=0.1, inbound=0.1, transferred=0.05
    ),
)


def test_the_same_seed_brings_the_same_calls() -> None:
    assert list(Traffic(MIX).calls()) == list(Traffic(MIX).calls())
    assert list(Traffic(MIX).calls()) != list(Traffic(replace(MIX, seed=2)).calls())


def test_calls_come_in_order_at_about_the_rate() -> None:
    due = [due_us for due_us, _ in Traffic(MIX).calls()]

    assert due == sorted(due)
    assert due[0] == 0
    assert len(due) / (due[-1] / 1_000_000) == pytest.approx(50, rel=0.1)


def test_calls_may_come_evenly() -> None:
    config = TrafficConfig(calls_per_second=100.0, calls=10, evenly=True)

    assert [due_us for due_us, _ in Traffic(config).calls()] == pytest.approx(
        range(0, 100_000, 10_000), abs=1
    )


def test_a_duration_bounds_the_traffic() -> None:
    config = TrafficConfig(calls_per_second=100.0, duration_s=2.0, evenly=True)
    due = [due_us for due_us, _ in Traffic(config).calls()]

    assert len(due) == pytest.approx(200, abs=1)
    assert due[-1] < 2_000_000


def test_no_calls_come_unless_some_are_wanted() -> None:
    assert list(Traffic(TrafficConfig()).calls()) == []


def test_shares_are_kept() -> None:
    plans = [plan for _, plan in Traffic(MIX).calls()]
    outcomes = Counter(plan.outcome for plan in plans)
    kinds = Counter(plan.kind for plan in plans)
    number = len(plans)

    assert outcomes[Outcome.BUSY] / number == pytest.approx(0.1, abs=0.03)
    assert outcomes[Outcome.NO_ANSWER] / number == pytest.approx(0.1, abs=0.03)
    assert outcomes[Outcome.CANCELLED] / number == pytest.approx(0.05, abs=0.03)
    assert kinds[Kind.FORWARDED] / number == pytest.approx(0.1, abs=0.03)
    assert kinds[Kind.INBOUND] / number == pytest.approx(0.1, abs=0.03)
    assert {plan.account for plan in plans} == set(MIX.accounts)


def test_talk_times_are_bounded_and_exponential_or_exact() -> None:
    config = TrafficConfig(calls_per_second=1.0, calls=3_000, talk_ms_mean=4_000.0, talk_ms_min=100)
    talks = [plan.talk_ms for _, plan in Traffic(config).calls()]
    exact = replace(config, talk_exactly=True)

    assert min(talks) >= 100
    assert sum(talks) / len(talks) == pytest.approx(4_000, rel=0.1)
    assert {plan.talk_ms for _, plan in Traffic(exact).calls()} == {4_000}


def test_a_simulator_places_its_traffic_and_sums_it_up(start: StartSimulator) -> None:
    simulator = start(
        traffic=TrafficConfig(
            calls_per_second=500.0, calls=100, talk_ms_mean=100.0, ring_ms=20, shares=Shares(busy=0.3)
        )
    )
    simulator.begin_traffic()
    assert simulator.traffic_over.wait(PATIENCE_S)
    assert simulator.wait_quiet(PATIENCE_S)
    summary = simulator.summary()

    assert summary.calls == 100
    assert summary.calls_up == 0
    assert summary.causes["USER_BUSY"] > 0
    assert summary.legs == sum(summary.causes.values()) == simulator.core.sessions
    assert summary.talk_us == sum(leg.duration_us for leg in simulator.legs_ended() if leg.is_outbound)
