"""Timers of many calls on one greenlet."""

from __future__ import annotations

from collections.abc import Iterator

import gevent
import pytest
from gevent.event import AsyncResult

from esl_agent.agent.calls.timers import TOGETHER_US, Timers
from esl_agent.agent.clock import monotonic_us
from esl_agent.core.call_signals import Timer


class Bell:
    """What rang, in order; `wait(n)` until n have."""

    def __init__(self) -> None:
        self.rung: list[tuple[str, Timer, int]] = []
        self._waiting: tuple[int, AsyncResult[None]] | None = None

    def __call__(self, owner: str, timer: Timer) -> None:
        self.rung.append((owner, timer, monotonic_us()))
        if self._waiting and len(self.rung) >= self._waiting[0]:
            self._waiting[1].set(None)

    def wait(self, count: int) -> None:
        self._waiting = (count, AsyncResult())
        if len(self.rung) < count:
            self._waiting[1].get(timeout=10)


@pytest.fixture
def bell() -> Bell:
    return Bell()


@pytest.fixture
def timers(bell: Bell) -> Iterator[Timers]:
    timers = Timers(monotonic_us, bell)
    greenlet = gevent.spawn(timers.run)
    yield timers
    greenlet.kill()


def test_timers_ring_in_the_order_of_their_times_and_never_early(timers: Timers, bell: Bell) -> None:
    due = {f"call {number}": monotonic_us() + 30_000 + (number * 7_919 % 40) * 1_000 for number in range(40)}
    for owner, at_us in due.items():
        timers.set(owner, Timer.CUT, at_us)
    bell.wait(40)
    assert [owner for owner, _, _ in bell.rung] == sorted(due, key=lambda owner: due[owner])
    assert all(rung_us >= due[owner] for owner, _, rung_us in bell.rung)


def test_a_timer_that_was_moved_rings_once_at_its_new_time(timers: Timers, bell: Bell) -> None:
    now_us = monotonic_us()
    timers.set("a", Timer.CUT, now_us + 5_000)
    timers.set("a", Timer.CUT, now_us + 40_000)
    timers.set("b", Timer.CUT, now_us + 80_000)
    bell.wait(2)
    assert [owner for owner, _, _ in bell.rung] == ["a", "b"]
    assert bell.rung[0][2] >= now_us + 40_000


def test_a_timer_may_be_moved_to_an_earlier_time(timers: Timers, bell: Bell) -> None:
    timers.set("a", Timer.ASK, monotonic_us() + 60_000_000)
    timers.set("a", Timer.ASK, monotonic_us() + 1_000)
    bell.wait(1)
    assert bell.rung[0][:2] == ("a", Timer.ASK)


def test_dropped_timers_never_ring(timers: Timers, bell: Bell) -> None:
    for timer in Timer:
        timers.set("a", timer, monotonic_us() + 5_000)
    timers.drop("a")
    timers.set("b", Timer.CUT, monotonic_us() + 20_000)
    bell.wait(1)
    assert [owner for owner, _, _ in bell.rung] == ["b"]


def test_it_is_known_how_many_calls_are_due_to_be_cut_together(timers: Timers, bell: Bell) -> None:
    at_us = monotonic_us() + 3_600_000_000
    for owner in ("a", "b", "c", "d"):
        timers.set(owner, Timer.CUT, at_us)
    timers.set("a", Timer.ASK, at_us)
    timers.set("b", Timer.CUT, at_us + 10 * TOGETHER_US)
    timers.drop("c")
    assert timers.cuts_near(at_us) == 2
    assert timers.cuts_near(at_us + 10 * TOGETHER_US) == 1


def test_it_is_known_how_late_cuts_ring() -> None:
    now_us = 1_000_000
    timers = Timers(lambda: now_us, lambda owner, timer: None)
    timers.set("a", Timer.CUT, 0)  # at once
    timers.set("b", Timer.CUT, now_us + 1_000)
    now_us += 8_000
    greenlet = gevent.spawn(timers.run)
    gevent.sleep(0)
    greenlet.kill()
    assert timers.late_us == 8_000
