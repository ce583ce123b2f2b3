"""The daemon is stopped, killed or frozen, at any moment, and started again."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from esl_agent.core.leg import Product
from esl_agent.lab.child import wait_until
from esl_agent.simulator.plan import Kind

from .cluster import DID, TOLL_FREE
from .stage import PATIENCE_S, Stage

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


def test_killed_together_with_the_switch(stage: Stage) -> None:
    stage.call(20, talk_s=30)
    stage.wait_talking(20)
    stage.agent.kill()
    stage.switch.restart(down_s=1)
    stage.agent.start()

    # The switch left no files: that there is none proves nothing.
    assert stage.finish(allowed=["estimated"]).recovered == 20


def test_killed_together_with_the_switch_that_forwarded_calls(stage: Stage) -> None:
    stage.call(10, talk_s=30, kind=Kind.FORWARDED, product=Product.FORWARDING, did=DID)
    stage.wait_talking(10)
    stage.agent.kill()
    stage.switch.restart(down_s=1)
    stage.agent.start()

    # Of both legs of each; none is given up because the other is settled first.
    assert stage.finish(allowed=["estimated"]).recovered == 20


def test_killed_and_of_the_calls_that_end_meanwhile_no_file_is_left(stage: Stage) -> None:
    stage.switch.skip_cdr_files(1_000)
    stage.call(20, talk_s=3)
    stage.call(5, talk_s=3, kind=Kind.FORWARDED, product=Product.FORWARDING, did=DID)
    stage.call(5, talk_s=3, number=TOLL_FREE)
    stage.call(5, talk_s=3, number="911")
    stage.wait_talking(35)
    stage.agent.wait_answers_kept(40)
    stage.agent.kill()
    stage.wait_over()
    stage.agent.start()

    # That they were answered is all that anybody knows, of those too that nothing is held for.
    found = stage.finish(allowed=["estimated"])
    assert (found.legs, found.recovered, found.untold) == (40, 40, [])


def test_stopped_and_of_the_calls_that_ring_then_no_file_is_left(stage: Stage) -> None:
    stage.switch.skip_cdr_files(1_000)
    stage.call(10, ring_ms=6_000, talk_s=1)
    wait_until(lambda: len(stage.agent.said("CALL_TRYING")) == 10, "all are tried", PATIENCE_S)
    stage.postgres.stop()
    stage.agent.stop()
    stage.wait_over()
    stage.agent.begin()

    # It knew that they were there, and not that they would be answered.
    assert stage.finish(allowed=["estimated"]).recovered == 10


def test_killed_during_an_outage_and_of_the_calls_that_talk_no_file_is_left(stage: Stage) -> None:
    stage.switch.skip_cdr_files(1_000)
    stage.call(20, ring_ms=1_500, talk_s=2)
    stage.wait_calls(20)
    wait_until(lambda: len(stage.agent.said("CALL_TRYING")) == 20, "all are tried", PATIENCE_S)
    stage.postgres.stop()
    stage.wait_talking(20)
    stage.agent.wait_answers_kept(20)
    stage.agent.kill()
    stage.wait_over()

    # What is held for them is in the database, and that they talked is not.
    assert stage.finish(allowed=["estimated"]).recovered == 20


def test_killed_again_and_again_while_calls_come_and_go_that_leave_no_file(stage: Stage) -> None:
    stage.switch.skip_cdr_files(10_000)
    with stage.traffic(calls_per_second=20, seconds=10, seed=14):
        for calls in range(20, 181, 40):
            stage.wait_calls(calls)
            stage.agent.kill()
            stage.agent.start()

    # Of what came and went while nobody was there nobody can know.
    stage.finish(allowed=["estimated", "untold"])


def test_killed_and_of_the_calls_that_end_meanwhile_half_a_file_is_left(stage: Stage) -> None:
    stage.switch.truncate_cdr_files(1_000)
    stage.call(10, talk_s=1)
    stage.wait_talking(10)
    stage.agent.kill()
    stage.wait_over()
    stage.agent.start()

    # Half a file tells that its leg was there, and not for how long.
    stage.finish(allowed=["estimated"])


def test_stopped_and_of_forwarded_calls_that_end_meanwhile_half_a_file_is_left(stage: Stage) -> None:
    stage.switch.truncate_cdr_files(1_000)
    stage.call(10, talk_s=5, kind=Kind.FORWARDED, product=Product.FORWARDING, did=DID)
    stage.wait_talking(10)
    stage.agent.stop()
    stage.wait_over()
    stage.agent.start()

    # Both legs of each were known to talk; that the caller's is gone says nothing of the other.
    stage.finish(allowed=["estimated"])


def test_killed_again_and_again_while_calls_come_and_go(stage: Stage) -> None:
    with stage.traffic(calls_per_second=20, seconds=10, seed=11):
        for calls in range(20, 181, 40):
            stage.wait_calls(calls)
            stage.agent.kill()
            stage.agent.start()

    stage.finish()


def test_killed_at_any_moment_even_while_it_starts(stage: Stage) -> None:
    random = Random(12)
    with stage.traffic(calls_per_second=20, seconds=10, seed=12):
        calls = 0
        while (calls := calls + random.randint(5, 40)) < 180:
            stage.wait_calls(calls)
            stage.agent.kill()
            stage.agent.begin()

    stage.finish()


def test_a_new_version_is_started_while_calls_talk(stage: Stage) -> None:
    stage.call(20, talk_s=8)
    stage.wait_talking(20)
    stage.agent.stop()
    stage.agent.start()

    assert stage.finish().recovered == 0


def test_killed_with_the_link_and_the_database_down(stage: Stage) -> None:
    stage.call(20, talk_s=3)
    stage.wait_talking(20)
    stage.postgres.stop()
    stage.agent.to_switch.refuse()
    stage.agent.wait_says("SWITCH_LOST")
    stage.agent.kill()
    stage.agent.begin()
    stage.wait_over()

    stage.finish()


def test_while_it_is_away_the_switch_ends_calls_whose_money_ends(stage: Stage) -> None:
    stage.poor_calls()
    stage.wait_talking(5)
    stage.agent.kill()
    stage.wait_over()

    # A second and a half at the most is what the switch's own clock lets through.
    found = stage.finish(allowed=["uncollected"])
    assert found.legs == 5


def test_a_daemon_that_is_back_in_time_keeps_calls_up(set_stage: Callable[..., Stage]) -> None:
    stage = set_stage(settings={"budget": {"grant_s": 12}})
    stage.agent.start()
    stage.call(20, talk_s=15)
    stage.wait_talking(20)
    stage.agent.kill()
    stage.agent.start()

    stage.finish()
    assert stage.agent.said("CALL_EXTENDED")


def test_frozen_in_the_middle_of_recovery(stage: Stage) -> None:
    stage.call(5, talk_s=1, kind=Kind.INBOUND, product=Product.INBOUND, did=DID)
    stage.call(talk_s=9)
    stage.wait_talking(6)
    stage.agent.kill()
    stage.wait_down_to(1)
    stage.agent.start(awaits="RECOVERY_DONE")
    stage.agent.freeze()
    stage.wait_over()
    stage.agent.thaw()

    # Its patience with legs that are gone is over, and it has not yet looked for their files.
    stage.finish()
