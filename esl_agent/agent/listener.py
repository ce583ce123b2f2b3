"""Hears what others change in the database, for as long as the daemon lives."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final, NoReturn

import gevent
import psycopg

from esl_agent.agent.database import OUTAGE
from esl_agent.noc.log import Log
from esl_agent.store.changes import Change, Changed, change_of, listen
from esl_agent.store.pool import connect_to_listen

#: The pause before a lost connection is tried again; it doubles up to the limit that is configured.
RETRY_MIN_S: Final = 0.1

Heard = frozenset[Change]


class Listener:
    """`run` it; `on_changes` is told what others changed, in one set for all that came meanwhile.

    While there was no connection anything may have changed.  If `on_changes`
    fails over the database the connection is made anew, so that nothing is lost.
    """

    def __init__(
        self, url: str, on_changes: Callable[[Heard], None], log: Log, *, retry_max_s: float
    ) -> None:
        self._url = url
        self._on_changes = on_changes
        self._log = log
        self._retry_max_s = retry_max_s
        self._is_lost = False
        self._pause_s = RETRY_MIN_S

    def run(self) -> NoReturn:
        while True:
            try:
                self._hear()
            except (*OUTAGE, psycopg.Error) as error:
                if not self._is_lost:
                    self._log("NOTICES_LOST", error=" ".join(str(error).split()))
                self._is_lost = True
            # Less by chance, so that agents don't march in step.
            gevent.sleep(self._pause_s * (1 - secrets.randbelow(500) / 1_000))
            self._pause_s = min(self._pause_s * 2, self._retry_max_s)

    def _hear(self) -> NoReturn:
        with connect_to_listen(self._url) as conn:
            listen(conn)
            self._on_changes(frozenset({Change(Changed.EVERYTHING)}))
            self._log("NOTICES_HEARD")
            self._is_lost, self._pause_s = False, RETRY_MIN_S
            while True:
                notices = conn.notifies(stop_after=1)  # and with the first all that came along
                self._on_changes(frozenset(change_of(notice.payload) for notice in notices))
