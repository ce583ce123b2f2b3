"""A connection that waits for the server as greenlets wait.

psycopg's own way makes a poll object, watchers and a timer at every wait, which
costs a hold more time in the daemon than Postgres takes to decide on it.
"""

from __future__ import annotations

from typing import Any, Final

import gevent
import psycopg
from psycopg.abc import RV, PQGen
from psycopg.waiting import READY_R, READY_RW, READY_W, WAIT_R, WAIT_RW, WAIT_W

#: By what is waited for: libev's events, and what psycopg is told.  That both may be there is no more than
#: a hint: it reads and writes what it can, for the socket never blocks.
_READ: Final = 1
_WRITE: Final = 2
_EVENTS: Final = {WAIT_R: _READ, WAIT_W: _WRITE, WAIT_RW: _READ | _WRITE}
_READY: Final = {WAIT_R: READY_R, WAIT_W: READY_W, WAIT_RW: READY_RW}
#: psycopg's own interval, for what has a deadline and is left to it.
_INTERVAL_S: Final = 0.1


class GreenConnection(psycopg.Connection[Any]):
    """As psycopg's; a server that is gone wakes it by the end of its socket, as it would anyway."""

    def wait(self, gen: PQGen[RV], interval: float = _INTERVAL_S, timeout: float | None = None) -> RV:
        """What `gen` comes to."""
        if timeout is not None:
            return super().wait(gen, interval, timeout)
        hub = gevent.get_hub()
        try:
            wanted = next(gen)
            while True:
                watcher = hub.loop.io(self.pgconn.socket, _EVENTS[wanted])
                try:
                    hub.wait(watcher)
                finally:
                    watcher.close()
                wanted = gen.send(_READY[wanted])
        except StopIteration as end:
            result: RV = end.value
            return result
