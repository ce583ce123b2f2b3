"""Postgres is stopped, killed, read-only, frozen or slow, or its answers get lost, with calls up."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .proxy import BACK, FORTH
from .stage import ON_TRUST, SHORT_GRANTS, Stage

pytestmark = pytest.mark.faults


def test_stopped_while_calls_talk_and_end(stage: Stage) -> None:
    stage.call(20, talk_s=3)
    stage.wait_talking(20)
    stage.postgres.stop()
    stage.wait_over()
    stage.agent.wait_says("DB_DOWN")
    stage.postgres.start()

    stage.finish()


def test_killed_while_calls_come_and_go(stage: Stage) -> None:
    with stage.traffic(calls_per_second=20, seconds=6, seed=3):
        for calls in (20, 60, 100):
            stage.wait_calls(calls)
            stage.postgres.kill()
            stage.postgres.start()

    stage.finish()


def test_read_only_as_after_a_failover(stage: Stage) -> None:
    with stage.traffic(calls_per_second=20, seconds=5, seed=4):
        stage.wait_calls(20)
        stage.postgres.read_only()
        stage.wait_calls(80)
        stage.postgres.read_only(False)

    stage.finish()


def test_frozen_while_calls_come_and_go(stage: Stage) -> None:
    with stage.traffic(calls_per_second=20, seconds=6, seed=5):
        stage.wait_calls(20)
        stage.postgres.freeze()
        stage.wait_calls(100)
        stage.postgres.thaw()

    stage.finish()


def test_slow_to_answer(stage: Stage) -> None:
    stage.agent.to_postgres.slow(0.1)
    with stage.traffic(calls_per_second=20, seconds=5, seed=6):
        pass

    stage.finish(allowed=["uncollected"])


def test_what_it_committed_was_never_heard(stage: Stage) -> None:
    with stage.traffic(calls_per_second=20, seconds=6, seed=7):
        for calls in range(20, 110, 15):
            stage.wait_calls(calls)
            stage.agent.to_postgres.stall(BACK)
            stage.wait_calls(calls + 5)
            stage.agent.to_postgres.cut()
            stage.agent.to_postgres.heal()

    stage.finish()


def test_the_way_to_it_breaks_off_in_the_middle_of_anything(stage: Stage) -> None:
    with stage.traffic(calls_per_second=20, seconds=6, seed=8):
        for number, calls in enumerate(range(10, 110, 10)):
            stage.wait_calls(calls)
            stage.agent.to_postgres.truncate(after_bytes=997 * number)

    stage.finish()


def test_nothing_gets_through_to_it_for_a_while(stage: Stage) -> None:
    with stage.traffic(calls_per_second=20, seconds=6, seed=9):
        stage.wait_calls(20)
        stage.agent.to_postgres.stall(FORTH)
        stage.wait_calls(100)
        stage.agent.to_postgres.heal()

    stage.finish()


def test_an_outage_that_is_shorter_than_what_is_held_cuts_nobody(set_stage: Callable[..., Stage]) -> None:
    stage = set_stage(settings=SHORT_GRANTS)
    stage.agent.start()
    stage.call(20, talk_s=12)
    stage.wait_talking(20)
    stage.postgres.stop()
    stage.agent.wait_says("CALL_LOW_BALANCE")
    stage.postgres.start()

    stage.finish()


def test_calls_go_out_on_the_last_known_balance_and_the_daemon_is_killed(
    set_stage: Callable[..., Stage],
) -> None:
    stage = set_stage(settings=ON_TRUST)
    stage.agent.start()
    stage.call(10, talk_s=0.5)
    stage.wait_over()
    stage.postgres.stop()
    stage.agent.wait_says("DB_DOWN")
    stage.call(10, talk_s=3)
    stage.wait_talking(10)
    stage.agent.kill()
    stage.agent.begin()
    stage.wait_over()
    stage.postgres.start()

    assert stage.finish().legs == 20
