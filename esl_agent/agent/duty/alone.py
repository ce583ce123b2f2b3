"""A daemon without a twin: it has its switch's lock.

So a second one that is started by mistake is told so, and ends.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import gevent
from gevent.event import Event

from esl_agent.agent.clock import monotonic_us
from esl_agent.agent.duty.duty import CONNECT_S, LOST, AlreadyActive, url_of
from esl_agent.config import Config, switch_name_of
from esl_agent.noc.log import Log
from esl_agent.store import lease
from esl_agent.store.pool import Connection
from esl_agent.switch.events import TwinWord

#: How long a daemon waits for the lock of one that has just ended.
LOCK_WAIT_S: Final = 5.0
LOCK_RETRY_S: Final = 0.2
#: How often it looks whether it still has the lock.
LOCK_EVERY_S: Final = 5.0


class Alone:
    """A daemon without a twin: `begin` gets the lock, `run` keeps it."""

    def __init__(self, config: Config, log: Log, stop_daemon: Callable[[], None]) -> None:
        self._url = url_of(config)
        self._switch = switch_name_of(config)
        self._log = log
        self._stop_daemon = stop_daemon
        self._conn: Connection | None = None
        self._is_unseen = False  # there is no session to have a lock in

    def begin(self, stop: Event) -> bool:
        """Get the lock, or raise AlreadyActive; a database that is away is waited for."""
        until_us = monotonic_us() + int(LOCK_WAIT_S * 1_000_000)
        while not stop.is_set():
            holder = self._other_holder()
            if holder is None:
                return True
            if monotonic_us() > until_us:
                self._tell(holder)
                raise AlreadyActive(
                    f"another daemon is active for the switch {self._switch!r} (Postgres session {holder}):"
                    " give another switch its own [switch] name, or twins [twin] enabled = true, both of them"
                )
            stop.wait(LOCK_RETRY_S)
        return False

    def wait_turn(self, stop: Event) -> bool:
        return not stop.is_set()

    def run(self) -> None:
        """Keep the lock, and get it again after an outage; one that is another's by then ends the daemon."""
        while True:
            gevent.sleep(LOCK_EVERY_S)
            holder = None if self._is_unseen else self._other_holder()
            if holder is not None:
                self._tell(holder)
                return self._stop_daemon()

    def may_act(self) -> bool:
        return True

    def is_stale(self) -> bool:
        return False

    def link_changed(self, *, is_up: bool) -> None:
        pass

    def heard(self, word: TwinWord) -> None:
        pass

    def opened(self) -> None:
        pass

    def leave_if_lost(self) -> None:
        pass

    def end(self) -> None:
        if self._conn is not None:
            self._conn.close()
            self._conn = None

    def _tell(self, holder: int) -> None:
        self._log("TWIN_ALREADY_ACTIVE", switch=self._switch, session=holder)

    def _other_holder(self) -> int | None:
        """The session that has the lock; None where that is our own, or it can't be told."""
        try:
            with gevent.Timeout(CONNECT_S):
                if self._conn is None:
                    self._conn = lease.connect_to_lease(self._url)
                if lease.is_own_session(self._conn):
                    return lease.lock(self._conn, self._switch)
                self._log("TWIN_UNSEEN", switch=self._switch)
                self._is_unseen = True
        except LOST:
            self.end()
        return None
