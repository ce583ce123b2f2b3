"""Two switches with a daemon each, and one database: the accounts are the same, and so is their money."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .stage import TWO_SWITCHES, Stage

pytestmark = pytest.mark.faults


@pytest.fixture
def stage(set_stage: Callable[..., Stage]) -> Stage:
    """Both daemons are connected."""
    set_two = set_stage(TWO_SWITCHES)
    for agent in set_two.agents:
        agent.start()
    return set_two


def test_money_for_one_call_is_asked_for_on_both(stage: Stage) -> None:
    stage.poor_calls()
    stage.poor_calls()
    stage.poor_calls()
    stage.wait_over()

    found = stage.finish()
    assert found.legs == 5  # a call each: there was no money for the others


def test_one_daemon_is_killed_and_one_is_cut_off(stage: Stage) -> None:
    east, west = stage.agents
    with stage.traffic(calls_per_second=20, seconds=6, seed=15):
        stage.wait_calls(30)
        east.kill()
        west.to_postgres.refuse()
        stage.wait_calls(80)
        east.begin()
        west.to_postgres.heal()

    stage.finish()


def test_a_daemon_that_comes_back_leaves_the_others_calls_alone(stage: Stage) -> None:
    stage.call(20, talk_s=6)
    stage.wait_talking(20)
    east, west = stage.agents
    east.kill()
    east.start(awaits="RECOVERY_DONE")

    stage.finish()
    assert len(west.said("CALL_RATED")) == 10
