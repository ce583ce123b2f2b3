"""The daemon is stopped, killed or frozen, at any moment, and started again."""

from __future__ import annotations

import pytest

from .stage import Stage

pytestmark = pytest.mark.faults


def test_stopped_and_started_between_calls(stage: Stage) -> None:
    for _ in range(3):
        stage.call(5, talk_s=0.5)
        stage.wait_over()
        stage.agent.stop()
        stage.agent.start()

    assert stage.finish().recovered == 0


def test_frozen_while_calls_talk_and_end(stage: Stage) -> None:
    stage.call(20, talk_s=3)
    stage.wait_talking(20)
    stage.agent.freeze()
    stage.wait_over()
    stage.agent.thaw()

    stage.finish()


def test_killed_while_calls_talk_and_half_of_them_end(stage: Stage) -> None:
    stage.call(20, talk_s=2)
    stage.call(20, talk_s=10)
    stage.wait_talking(40)
    stage.agent.kill()
    stage.wait_down_to(20)
    stage.agent.start()

    stage.finish()
