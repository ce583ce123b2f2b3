"""The stage itself: calls of every kind, one outage and one cut, and the books are right."""

from __future__ import annotations

from .stage import Stage


def test_nothing_goes_wrong(stage: Stage) -> None:
    with stage.traffic(calls_per_second=20, seconds=2, seed=1):
        pass

    assert stage.finish().legs > 30


def test_the_link_and_the_database_go_and_come_back(stage: Stage) -> None:
    stage.call(10, talk_s=2)
    stage.wait_talking(10)

    stage.agent.to_postgres.refuse()
    stage.agent.to_switch.cut()
    stage.agent.wait_says("SWITCH_LOST")
    stage.agent.to_postgres.heal()

    stage.finish()
