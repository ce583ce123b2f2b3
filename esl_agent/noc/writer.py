"""Writes log lines from a thread of its own, so that a stuck reader can't hold up a call.

A terminal stopped with Ctrl-S or a full pipe blocks whoever writes to it.  The
daemon only puts lines into a bounded queue; a real thread (not a greenlet)
does the writing, many lines at a time.
"""

from __future__ import annotations

import contextlib
import os
from typing import Final

from gevent.monkey import get_original

#: Lines that may wait for the reader; beyond it lines are dropped and counted.
LINES_MAX: Final = 20_000
#: Lines joined into one write.
LINES_PER_WRITE_MAX: Final = 500
#: How long the end of the program waits for a reader that does not read.
CLOSE_TIMEOUT_S: Final = 2.0

_start_thread = get_original("_thread", "start_new_thread")
_allocate_lock = get_original("_thread", "allocate_lock")
_SimpleQueue = get_original("queue", "SimpleQueue")


class LineWriter:
    """Lines to a file descriptor, in order; `close` waits for what is queued."""

    def __init__(self, descriptor: int, lines_max: int = LINES_MAX) -> None:
        self._descriptor = descriptor
        self._lines_max = lines_max
        self._queue = _SimpleQueue()
        self._dropped = 0
        self._finished = _allocate_lock()
        self._finished.acquire()
        _start_thread(self._run, ())

    def write(self, line: str) -> None:
        if self._queue.qsize() >= self._lines_max:
            self._dropped += 1
            return
        self._queue.put(line)

    def take_dropped(self) -> int:
        """How many lines were dropped since this was last asked, once there is room to say so."""
        if not self._dropped or self._queue.qsize() >= self._lines_max // 2:
            return 0
        dropped, self._dropped = self._dropped, 0
        return dropped

    def close(self) -> None:
        self._queue.put(None)
        self._finished.acquire(timeout=CLOSE_TIMEOUT_S)

    def _run(self) -> None:
        # Nobody is left to tell when the reader has gone away.
        with contextlib.suppress(OSError):
            while self._write_some():
                pass
        self._finished.release()

    def _write_some(self) -> bool:
        line = self._queue.get()
        lines: list[str] = []
        while line is not None:
            lines.append(line)
            if self._queue.empty() or len(lines) >= LINES_PER_WRITE_MAX:
                break
            line = self._queue.get()
        data = memoryview("".join(lines).encode("utf-8", "backslashreplace"))
        while data:
            data = data[os.write(self._descriptor, data) :]
        return line is not None
