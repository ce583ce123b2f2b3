"""A queue that is worked off in batches."""

from __future__ import annotations

from collections.abc import Sequence

import gevent
import pytest
from gevent.event import Event

from esl_agent.agent.batches import BatchQueue, QueueFullError


def test_what_comes_while_a_batch_is_worked_on_makes_the_next_batch() -> None:
    queue = BatchQueue[int](queue_max=100, batch_max=10)
    started, go_on = Event(), Event()
    batches: list[list[int]] = []

    def work(batch: Sequence[int]) -> None:
        batches.append(list(batch))
        started.set()
        go_on.wait()

    worker = gevent.spawn(queue.run, work)
    queue.put(0)
    started.wait()
    for number in range(1, 15):
        queue.put(number)
    assert len(queue) == 15
    assert not queue.wait_empty(0)
    go_on.set()
    assert queue.wait_empty(5)
    assert batches == [[0], list(range(1, 11)), list(range(11, 15))]
    assert len(queue) == 0
    worker.kill()


def test_a_full_queue_takes_no_more() -> None:
    queue = BatchQueue[str](queue_max=2, batch_max=1)
    queue.put("a")
    queue.put("b")
    with pytest.raises(QueueFullError):
        queue.put("c")
    assert len(queue) == 2


def test_two_at_work_take_turns_and_the_queue_is_empty_when_both_are_done() -> None:
    queue = BatchQueue[int](queue_max=100, batch_max=10)
    go_on = [Event(), Event()]
    batches: list[list[int]] = []

    def work(batch: Sequence[int]) -> None:
        batches.append(list(batch))
        go_on[len(batches) - 1].wait()

    workers = [gevent.spawn(queue.run, work) for _ in range(2)]
    for number in range(2):
        queue.put(number)
        gevent.idle()
    assert batches == [[0], [1]]
    go_on[1].set()
    assert not queue.wait_empty(0.01)
    go_on[0].set()
    assert queue.wait_empty(5)
    gevent.killall(workers)


def test_where_nobody_waits_a_batch_gathers() -> None:
    queue = BatchQueue[int](queue_max=100, batch_max=3)
    batches: list[list[int]] = []
    worker = gevent.spawn(queue.run, lambda batch: batches.append(list(batch)), 0.05)
    queue.put(0)
    gevent.idle()
    for number in range(1, 4):
        queue.put(number)
    assert queue.wait_empty(5)
    assert batches == [[0, 1, 2], [3]]
    worker.kill()


def test_a_batch_gathers_no_longer_as_soon_as_somebody_waits() -> None:
    queue = BatchQueue[int](queue_max=100, batch_max=10)
    batches: list[list[int]] = []
    worker = gevent.spawn(queue.run, lambda batch: batches.append(list(batch)), 3_600)
    queue.put(0)
    gevent.idle()
    assert batches == []
    queue.put(1, is_awaited=True)
    assert queue.wait_empty(5)
    assert batches == [[0, 1]]
    queue.put(2)
    assert not queue.wait_empty(0.01)
    worker.kill()
