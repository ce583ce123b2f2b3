"""A thread for what blocks on the disk, so that no call waits for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from gevent.threadpool import ThreadPool

Given = ParamSpec("Given")
Result = TypeVar("Result")


class Disk:
    """One thing at a time, in the order in which it was asked for; only the asking greenlet waits."""

    def __init__(self) -> None:
        self._thread = ThreadPool(1)

    def call(self, work: Callable[Given, Result], *args: Given.args, **kwargs: Given.kwargs) -> Result:
        """What `work` returns; what it raises is raised here."""
        outcome: list[Result] = []
        error = self._thread.apply(_failure_of, (lambda: outcome.append(work(*args, **kwargs)),))
        if error is not None:
            raise error
        return outcome[0]

    def close(self) -> None:
        self._thread.kill()


def _failure_of(work: Callable[[], None]) -> Exception | None:
    # Not raised: the pool would write a traceback to standard error.
    try:
        work()
    except Exception as error:  # noqa: BLE001 (raised again where it was asked for)
        return error
    return None
