"""A thread for what blocks on the disk, so that no call waits for it."""

from __future__ import annotations

import errno
from collections.abc import Callable
from contextlib import suppress
from typing import Final, ParamSpec, TypeVar

import gevent
from gevent.threadpool import ThreadPool

Given = ParamSpec("Given")
Result = TypeVar("Result")

#: A disk that has not done in this time what it was told hangs.
PATIENCE_S: Final = 5.0
#: How long one that hangs is waited for, each time that it is tried again.
HANGING_PATIENCE_S: Final = 0.2


class Disk:
    """One thing at a time, in the order in which it was asked for; only the asking greenlet waits."""

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self._thread = ThreadPool(1)
        self._patience_s = patience_s
        self.is_hanging = False

    def call(self, work: Callable[Given, Result], *args: Given.args, **kwargs: Given.kwargs) -> Result:
        """What `work` returns; what it raises is raised here.

        Raises TimeoutError where the disk hangs; what was asked for may then still be done, and later.
        """
        outcome: list[Result] = []
        patience_s = min(self._patience_s, HANGING_PATIENCE_S) if self.is_hanging else self._patience_s
        try:
            with gevent.Timeout(patience_s, TimeoutError(errno.ETIMEDOUT, "the disk does not answer")):
                error = self._thread.apply(self._done, (lambda: outcome.append(work(*args, **kwargs)),))
        except TimeoutError:
            self.is_hanging = True
            raise
        if error is not None:
            raise error
        return outcome[0]

    def _done(self, work: Callable[[], None]) -> Exception | None:
        """What `work` raised, in the thread; not raised there: the pool would write it to standard error."""
        try:
            work()
        except Exception as error:  # noqa: BLE001 (raised again where it was asked for)
            return error
        finally:
            self.is_hanging = False  # however late: a disk that is slow is waited for as before
        return None

    def close(self) -> None:
        """A thread that the disk holds up is left behind."""
        with suppress(TimeoutError), gevent.Timeout(self._patience_s, TimeoutError()):
            self._thread.kill()
