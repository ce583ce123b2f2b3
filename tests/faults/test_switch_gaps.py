"""The switch tells things twice, in the wrong order, late, or not at all; or it is gone for a while."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from esl_agent.core.leg import Product
from esl_agent.simulator.plan import Kind

from .cluster import DID
from .stage import SHORT_GRANTS, Stage

pytestmark = pytest.mark.faults


def test_events_come_twice_and_in_the_wrong_order(stage: Stage) -> None:
    stage.switch.duplicate_events(100_000)
    stage.switch.reorder(seed=7)
    with stage.traffic(calls_per_second=20, seconds=4, seed=2):
        pass

    stage.finish()


def test_commands_and_their_answers_are_lost_while_money_ends(stage: Stage) -> None:
    stage.poor_calls()
    stage.call(10, talk_s=8)
    stage.wait_talking(15)
    stage.switch.lose_commands(8)
    stage.switch.lose_replies(8)

    # What a lost kill lets through is taken from nobody: it stands on the CDR.
    stage.finish(allowed=["uncollected"])


def test_the_switch_is_slow_to_do_as_it_is_told_while_money_ends(stage: Stage) -> None:
    stage.switch.slow_commands(300)
    stage.poor_calls()
    stage.wait_talking(5)
    stage.wait_over()

    stage.finish(allowed=["uncollected"])


def test_the_link_is_cut_again_and_again_and_calls_go_on(stage: Stage) -> None:
    stage.call(20, talk_s=10)
    stage.wait_talking(20)
    for cuts in range(1, 5):
        stage.agent.to_switch.cut()
        stage.agent.wait_says_again("SWITCH_CONNECTED", than=cuts)

    stage.finish()


def test_an_event_breaks_off_in_the_middle(stage: Stage) -> None:
    stage.call(10, talk_s=6)
    stage.wait_talking(10)
    stage.switch.truncate_next("HEARTBEAT")
    stage.agent.wait_says("SWITCH_LOST")

    stage.finish()


def test_nothing_gets_through_from_the_switch_for_a_while(stage: Stage) -> None:
    stage.call(20, talk_s=3)
    stage.wait_talking(20)
    stage.agent.to_switch.stall()
    stage.wait_over()
    stage.agent.to_switch.heal()

    stage.finish()


def test_calls_end_while_the_link_is_down(stage: Stage) -> None:
    stage.call(20, talk_s=2)
    stage.wait_talking(20)
    stage.agent.to_switch.refuse()
    stage.wait_over()
    stage.agent.to_switch.heal()

    assert stage.finish().recovered == 20


def test_ends_are_never_told(stage: Stage) -> None:
    stage.call(20, talk_s=2)
    stage.switch.drop_events(15, "CHANNEL_HANGUP_COMPLETE")

    stage.finish()


def test_nothing_at_all_is_told_of_some_calls(stage: Stage) -> None:
    stage.switch.drop_events(40)
    with stage.traffic(calls_per_second=20, seconds=3, seed=10):
        pass

    stage.finish()


def test_of_calls_to_customers_numbers_no_event_comes_and_half_a_file_is_left(stage: Stage) -> None:
    stage.agent.to_switch.refuse()
    stage.switch.truncate_cdr_files(1_000)
    stage.call(5, talk_s=1, kind=Kind.INBOUND, product=Product.INBOUND, did=DID)
    stage.wait_over()
    stage.agent.to_switch.heal()

    # They asked, so they were there; how long they talked nobody can know.
    stage.finish(allowed=["estimated"])


def test_half_a_file_is_left_of_calls_that_end_while_the_link_is_down(stage: Stage) -> None:
    stage.switch.truncate_cdr_files(1_000)
    stage.call(10, talk_s=2)
    stage.wait_talking(10)
    stage.agent.to_switch.refuse()
    stage.wait_over()
    stage.agent.to_switch.heal()

    stage.finish(allowed=["estimated"])


def test_the_switch_dies_with_all_its_calls(stage: Stage) -> None:
    stage.call(20, talk_s=30)
    stage.wait_talking(20)
    stage.switch.restart(down_s=1)
    stage.agent.wait_says("SWITCH_LOST")

    assert stage.finish(allowed=["estimated"]).recovered == 20


def test_the_switch_is_shut_down_and_started_again(stage: Stage) -> None:
    stage.call(20, talk_s=30)
    stage.wait_talking(20)
    stage.switch.restart(down_s=1, graceful=True)
    stage.agent.wait_says("SWITCH_LOST")

    stage.finish()


def test_money_that_comes_while_the_link_is_down_keeps_calls_up(set_stage: Callable[..., Stage]) -> None:
    stage = set_stage(settings=SHORT_GRANTS)
    stage.agent.start()
    stage.call(20, talk_s=12)
    stage.wait_talking(20)
    stage.agent.to_switch.refuse()
    stage.agent.wait_says("CALL_EXTENDED")
    stage.agent.to_switch.heal()

    # The switch's own cut was set to what was held before; it has to be moved in time.
    stage.finish()
