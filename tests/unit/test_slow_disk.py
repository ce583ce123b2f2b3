"""The thread for what blocks on the disk (agent/money/disk.py)."""

from __future__ import annotations

from threading import Event

import gevent
import pytest
from gevent.monkey import get_original

from esl_agent.agent.money.disk import HANGING_PATIENCE_S, Disk

RealEvent = get_original("threading", "Event")
PATIENCE_S = 5.0


@pytest.fixture
def disk() -> Disk:
    return Disk(patience_s=0.5)


def test_one_that_hung_and_is_only_slow_by_now_is_waited_for_as_before(disk: Disk) -> None:
    """What took too long is done at last: the disk answers, though it takes its time over each thing."""
    goes_on: Event = RealEvent()
    with pytest.raises(TimeoutError):
        disk.call(goes_on.wait)
    with pytest.raises(TimeoutError):
        disk.call(int)  # it hangs still
    goes_on.set()
    with gevent.Timeout(PATIENCE_S):
        while disk.is_hanging:
            gevent.sleep(0.01)
    assert disk.call(_slowly) == "done"


def test_what_is_raised_on_the_disk_is_raised_where_it_was_asked_for(disk: Disk) -> None:
    with pytest.raises(ZeroDivisionError):
        disk.call(divmod, 1, 0)
    assert disk.call(divmod, 7, 2) == (3, 1)


def _slowly() -> str:
    get_original("time", "sleep")(HANGING_PATIENCE_S * 1.5)
    return "done"
