"""The switch's scheduler: whole seconds, a look every half second, no replacing."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esl_agent.simulator.scheduler import POLL_US, Scheduler

from .bench import NOW_US, SECOND_US, Bench


def fired_after_us(asked_at_us: int, seconds: int) -> int:
    """How long after it was asked for a task of `+seconds` runs, if it is polled when it says so."""
    scheduler, fired = Scheduler(), []
    now_us = asked_at_us
    scheduler.add(now_us, now_us // SECOND_US + seconds, "g", lambda: fired.append(now_us))
    while not fired:
        assert scheduler.next_poll_us is not None
        now_us = scheduler.next_poll_us
        scheduler.poll(now_us)
    return int(fired[0]) - asked_at_us


@given(st.integers(0, SECOND_US - 1), st.integers(1, 30))
def test_plus_n_runs_between_n_minus_1_and_n_plus_a_half_second(offset_us: int, seconds: int) -> None:
    delay_us = fired_after_us(NOW_US + offset_us, seconds)

    assert (seconds - 1) * SECOND_US < delay_us <= seconds * SECOND_US + POLL_US


def test_plus_0_runs_at_the_next_look() -> None:
    assert fired_after_us(NOW_US + 1, 0) == 0


def test_adding_a_task_makes_the_switch_look_at_once() -> None:
    scheduler, fired = Scheduler(), []
    scheduler.add(NOW_US, NOW_US // SECOND_US + 1, "g", lambda: fired.append("first"))
    scheduler.poll(NOW_US + 900_000)
    scheduler.add(NOW_US + SECOND_US, NOW_US // SECOND_US + 60, "g", lambda: fired.append("second"))

    assert scheduler.next_poll_us == NOW_US + SECOND_US
    scheduler.poll(NOW_US + SECOND_US)
    assert fired == ["first"]


def test_tasks_of_one_second_run_in_the_order_they_were_added() -> None:
    scheduler = Scheduler()
    fired: list[str] = []
    for second, name in ((3, "a"), (2, "b"), (3, "c")):
        scheduler.add(NOW_US, NOW_US // SECOND_US + second, "g", partial(fired.append, name))
    scheduler.poll(NOW_US + 5 * SECOND_US)

    assert fired == ["a", "b", "c"]


def test_a_task_may_delete_the_ones_after_it() -> None:
    scheduler, fired = Scheduler(), []
    scheduler.add(NOW_US, 0 + NOW_US // SECOND_US, "first", lambda: scheduler.delete_group("second"))
    scheduler.add(NOW_US, 0 + NOW_US // SECOND_US, "second", lambda: fired.append("second"))
    scheduler.poll(NOW_US)

    assert not fired
    assert not scheduler.tasks()


def test_deleted_tasks_do_not_pile_up() -> None:
    scheduler = Scheduler()
    for _ in range(30_000):
        task = scheduler.add(NOW_US, NOW_US // SECOND_US + 3600, "g", lambda: None)
        scheduler.delete_id(task.id)

    assert len(scheduler) == 0
    assert len(scheduler._due) <= 10_001


def test_no_look_is_due_while_there_is_nothing_to_do() -> None:
    scheduler = Scheduler()
    scheduler.add(NOW_US, NOW_US // SECOND_US, "g", lambda: None)
    scheduler.poll(NOW_US)

    assert scheduler.next_poll_us is None


# Through the commands


def test_a_scheduled_kill_ends_the_leg_and_its_cause_reaches_both_legs() -> None:
    bench = Bench()
    call = bench.place(talk_ms=60_000)
    bench.pass_s(1)
    leg = call.peer
    assert leg is not None
    assert bench.api(f"sched_api +3 cut_{leg.uuid} uuid_kill {leg.uuid} ALLOTTED_TIMEOUT") == "+OK Added: 1\n"
    bench.pass_s(10)

    assert {truth.cause for truth in bench.core.truth.legs} == {"ALLOTTED_TIMEOUT"}
    cut_after_us = leg.hangup_us - NOW_US - SECOND_US
    assert 2 * SECOND_US < cut_after_us <= 3.5 * SECOND_US


def test_a_cut_is_replaced_by_deleting_its_group() -> None:
    bench = Bench()
    leg = peer(bench)
    command = f"cut_{leg} uuid_kill {leg} ALLOTTED_TIMEOUT"
    assert bench.api(f"sched_api +3 {command}") == "+OK Added: 1\n"
    assert bench.api(f"sched_del cut_{leg}") == "+OK Deleted: 1\n"
    assert bench.api(f"sched_api +30 {command}") == "+OK Added: 2\n"
    bench.pass_s(10)
    assert bench.api(f"uuid_exists {leg}") == "true"
    bench.pass_s(22)
    assert bench.api(f"uuid_exists {leg}") == "false"


def test_sched_hangup_adds_and_the_earlier_one_wins() -> None:
    bench = Bench()
    leg = peer(bench)
    bench.api(f"sched_hangup +3 {leg} ALLOTTED_TIMEOUT")
    bench.api(f"sched_hangup +30 {leg} ALLOTTED_TIMEOUT")
    bench.pass_s(4)

    assert bench.api(f"uuid_exists {leg}") == "false"


def test_sched_del_of_a_leg_deletes_all_that_was_scheduled_for_it() -> None:
    bench = Bench()
    leg = peer(bench)
    bench.api(f"sched_hangup +3 {leg}")
    bench.api(f"sched_hangup +5 {leg}")

    assert bench.api(f"sched_del {leg}") == "+OK Deleted: 2\n"


def test_sched_hangup_without_a_plus_hangs_up_at_once() -> None:
    """`10` without its first character is 0."""
    bench = Bench()
    leg = peer(bench)

    assert bench.api(f"sched_hangup 10 {leg}") == "+OK\n"
    assert bench.api(f"uuid_exists {leg}") == "false"


def test_a_past_absolute_time_never_comes() -> None:
    bench = Bench()
    leg = peer(bench, talk_ms=10_000_000)
    assert bench.api(f"sched_hangup {NOW_US // SECOND_US - 60} {leg}") == "+OK\n"
    bench.pass_s(5_000)

    assert bench.api(f"uuid_exists {leg}") == "true"


def test_a_task_with_an_at_repeats() -> None:
    bench = Bench()
    leg = peer(bench)
    bench.api(f"sched_api @2 g uuid_setvar {leg} seen yes")
    bench.pass_s(3)
    assert bench.api(f"uuid_getvar {leg} seen") == "yes"
    bench.api(f"uuid_setvar {leg} seen")
    bench.pass_s(3)
    assert bench.api(f"uuid_getvar {leg} seen") == "yes"


@pytest.mark.parametrize("line", ["sched_api", "sched_api +3", "sched_api +3 group"])
def test_half_a_schedule_is_told_the_syntax(line: str) -> None:
    assert Bench().api(line) == ("-ERR Invalid syntax. USAGE: [+@]<time> <group_name> <command_string>[&]\n")


def peer(bench: Bench, **plan: int) -> str:
    """The outbound leg of a call that talks for a minute."""
    call = bench.place(**{"talk_ms": 60_000, **plan})
    bench.pass_s(1)
    assert call.peer is not None
    return call.peer.uuid
