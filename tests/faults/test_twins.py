"""Two daemons for one switch: whatever becomes of the one that acts, the other goes on, and never do both."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .agent import Agent
from .stage import TWINS, Stage

pytestmark = pytest.mark.faults

Twins = tuple[Stage, Agent, Agent]


@pytest.fixture
def twins(set_stage: Callable[..., Stage]) -> Twins:
    """A stage, the daemon that acts, and the one that is ready to."""
    stage = set_stage(TWINS)
    first, second = stage.agents
    first.start(awaits="TWIN_OPEN")
    second.start(awaits="TWIN_STANDBY")
    return stage, first, second


def test_the_one_that_acts_is_killed(twins: Twins) -> None:
    stage, first, second = twins
    stage.call(20, talk_s=8)
    stage.wait_talking(20)
    first.kill()
    second.wait_says("TWIN_OPEN")
    stage.call(5, talk_s=1)

    stage.finish()
    assert len(second.said("CALL_ADMITTED")) >= 5


def test_the_one_that_acts_is_killed_and_the_calls_end_before_the_other_acts(twins: Twins) -> None:
    stage, first, second = twins
    stage.switch.skip_cdr_files(1_000)
    stage.call(20, talk_s=3)
    stage.wait_talking(20)
    first.wait_answers_kept(20)
    second.freeze()
    first.kill()
    stage.wait_over()
    second.thaw()
    second.wait_says("TWIN_OPEN")

    # The first one's journal may be on another machine: what it knew is in the database as well.
    assert stage.finish(allowed=["estimated"]).recovered == 20


def test_they_are_killed_in_turns_while_calls_come_and_go(twins: Twins) -> None:
    stage, acting, ready = twins
    with stage.traffic(calls_per_second=20, seconds=12, seed=13):
        for calls in (30, 90, 150):
            stage.wait_calls(calls)
            opened = len(ready.said("TWIN_OPEN"))
            acting.kill()
            acting.begin()
            ready.wait_says_again("TWIN_OPEN", than=opened)
            acting, ready = ready, acting

    stage.finish()


def test_the_one_that_acts_is_frozen_and_finds_itself_relieved(twins: Twins) -> None:
    stage, first, second = twins
    stage.poor_calls()
    stage.call(15, talk_s=8)
    stage.wait_talking(20)
    first.freeze()
    second.wait_says("TWIN_OPEN")
    first.thaw()
    first.wait_says("TWIN_LOST")

    stage.finish(allowed=["uncollected"])
    assert len(first.said("TWIN_ACTIVE")) == 1


def test_the_one_that_acts_loses_the_database_alone(twins: Twins) -> None:
    stage, first, second = twins
    stage.call(20, talk_s=8)
    stage.wait_talking(20)
    first.to_postgres.refuse()
    second.wait_says("TWIN_OPEN")
    first.wait_says("TWIN_LOST")

    stage.finish()


def test_the_database_is_away_for_both_and_calls_go_on(twins: Twins) -> None:
    stage, first, _ = twins
    stage.call(20, talk_s=4)
    stage.wait_talking(20)
    stage.postgres.stop()
    stage.wait_over()
    first.wait_kept(20)
    stage.postgres.start()

    stage.finish()


def test_the_one_that_is_ready_dies_and_nobody_notices(twins: Twins) -> None:
    stage, first, second = twins
    with stage.traffic(calls_per_second=20, seconds=4, seed=14):
        stage.wait_calls(20)
        second.kill()

    stage.finish()
    assert not first.said("TWIN_LOST")
