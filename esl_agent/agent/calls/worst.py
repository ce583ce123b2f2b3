"""The greatest of what was measured lately."""

from __future__ import annotations


class Worst:
    """It is remembered for at least `window_us`, and for less than twice that."""

    def __init__(self, window_us: int) -> None:
        self._window_us = window_us
        self._began_us = 0
        self._this = 0
        self._last = 0

    def heard(self, value: int, now_us: int) -> None:
        self._turn(now_us)
        self._this = max(self._this, value)

    def value(self, now_us: int) -> int:
        """0 where nothing was heard."""
        self._turn(now_us)
        return max(self._this, self._last)

    def _turn(self, now_us: int) -> None:
        windows = (now_us - self._began_us) // self._window_us
        if windows:
            self._last = self._this if windows == 1 else 0
            self._this = 0
            self._began_us += windows * self._window_us
