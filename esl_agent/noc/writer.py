"""Writes log lines from a thread of its own, so that a stuck reader can't hold up a call.

A terminal stopped with Ctrl-S or a full pipe blocks whoever writes to it.  The
daemon only appends to a bounded queue; a real thread (not a greenlet) looks at
it every few milliseconds and writes all there is.  It is never woken by a
line: handing the interpreter over for each would cost more than the line.
"""

from __future__ import annotations

import errno
import os
from collections import deque
from typing import Final

from gevent.monkey import get_original

#: Lines that may wait for the reader; beyond it lines are dropped and counted.
LINES_MAX: Final = 20_000
#: Lines joined into one write.
LINES_PER_WRITE_MAX: Final = 500
#: How long a line waits at the most, where the reader reads.
FLUSH_EVERY_S: Final = 0.02
#: How soon a disk that takes nothing, full as it may be, is tried again.
AGAIN_S: Final = 0.5
#: Nobody reads any more, and nobody will.
GONE: Final = frozenset({errno.EPIPE, errno.EBADF})
#: How long the end of the program waits for a reader that does not read.
CLOSE_TIMEOUT_S: Final = 2.0

_start_thread = get_original("_thread", "start_new_thread")
_allocate_lock = get_original("_thread", "allocate_lock")
_sleep = get_original("time", "sleep")


class LineWriter:
    """Lines to a file descriptor, in order; `close` waits for what is queued."""

    def __init__(self, descriptor: int, lines_max: int = LINES_MAX) -> None:
        self._descriptor = descriptor
        self._lines_max = lines_max
        self._lines: deque[str] = deque()
        self._dropped = 0
        self._is_closing = False
        self._finished = _allocate_lock()
        self._finished.acquire()
        _start_thread(self._run, ())

    def write(self, line: str) -> None:
        if len(self._lines) >= self._lines_max:
            self._dropped += 1
        else:
            self._lines.append(line)

    def take_dropped(self) -> int:
        """How many lines were dropped since this was last asked, once there is room to say so."""
        if not self._dropped or len(self._lines) >= self._lines_max // 2:
            return 0
        dropped, self._dropped = self._dropped, 0
        return dropped

    def close(self) -> None:
        self._is_closing = True
        self._finished.acquire(timeout=CLOSE_TIMEOUT_S)

    def _run(self) -> None:
        # Nobody is left to tell when the reader has gone away.
        is_read = True
        while is_read and not (self._is_closing and not self._lines):
            if self._lines:
                is_read = self._write_some()
            else:
                _sleep(FLUSH_EVERY_S)
        self._finished.release()

    def _write_some(self) -> bool:
        """Write what there is, however long that takes; False where there is no use in going on."""
        count = min(len(self._lines), LINES_PER_WRITE_MAX)
        lines = "".join([self._lines.popleft() for _ in range(count)])
        data = memoryview(lines.encode("utf-8", "backslashreplace"))
        while data:
            try:
                data = data[os.write(self._descriptor, data) :]
            except OSError as error:
                if error.errno in GONE or self._is_closing:
                    return False
                _sleep(AGAIN_S)
        return True
