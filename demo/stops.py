"""Ctrl-C and its kin: they stop the demo where it waits, never where something is half done."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import gevent

from demo.errors import Stopped

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stops:
    """Throws Stopped into the greenlet that made it, once, when a signal comes."""

    def __init__(self) -> None:
        self._main = gevent.getcurrent()
        self._came = 0
        self._held = False
        for number in SIGNALS:
            gevent.signal_handler(number, self._take, number)

    @contextmanager
    def held(self) -> Iterator[None]:
        """A signal that comes meanwhile counts afterwards, and more than what it made fail."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
            if self._came:
                raise Stopped(self._came) from None

    def ignore(self) -> None:
        """From here on nothing stops the demo: it is ending."""
        self._held = True

    def _take(self, number: int) -> None:
        is_first, self._came = not self._came, self._came or number
        if is_first and not self._held:
            gevent.get_hub().loop.run_callback(self._main.throw, Stopped(number))
