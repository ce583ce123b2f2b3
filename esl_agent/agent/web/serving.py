"""The HTTP server as a part of the daemon: opened when it starts, and never a reason for it to stop."""

from __future__ import annotations

from typing import Final

import gevent
from gevent.event import Event

from esl_agent.agent.parts import Parts
from esl_agent.agent.web.books import PooledBooks
from esl_agent.agent.web.metrics import exposition_of
from esl_agent.agent.web.page import Page
from esl_agent.agent.web.ports import ports_of
from esl_agent.noc.log import Log
from esl_agent.switch.errors import DoorError
from esl_agent.web.app import make_app
from esl_agent.web.context import Context
from esl_agent.web.gate import Gate
from esl_agent.web.routes.page import EVENTS_PATH
from esl_agent.web.server import WebServer

#: How soon an address that can't be had is tried again, and a page that failed: that less and less often.
RETRY_S: Final = 10.0
PAGE_RETRY_MAX_S: Final = 600.0
#: How long requests that are under way may take to end.
LEAVE_S: Final = 0.5


class Serving:
    """`start` it, and `close` it at the end; nothing where [web] port is 0."""

    def __init__(self, parts: Parts, log: Log) -> None:
        self._config = config = parts.config
        self._log = log
        self._reads = PooledBooks(config.database.url, config, log)
        url = config.web.database_url
        self._acts = PooledBooks(url, config, log) if url else None
        self._page = Page(parts, log)
        self._running: gevent.Greenlet[..., None] | None = None
        context = Context(
            config,
            ports_of(parts, self._page.feed, exposition_of(parts).render),
            self._reads,
            self._acts,
            Gate(config.web, self._reads, parts.now_us, log),
            log,
        )
        self._server = WebServer(config.web, make_app(context), log)

    @property
    def port(self) -> int:
        return self._server.port

    def start(self, stop: Event) -> None:
        """Returns at once; an address that can't be had is tried again until `stop` is set."""
        if self._config.web.port:
            gevent.spawn(self._open, stop)
            self._running = gevent.spawn(self._run_page)

    def _open(self, stop: Event) -> None:
        is_told = False
        while not stop.is_set():
            try:
                self._server.start()
            except DoorError as error:
                if not is_told:
                    self._log("WEB_CLOSED", error=str(error))
                is_told = True
                stop.wait(RETRY_S)
            else:
                self._log("WEB_OPEN", where=f"{self._config.web.host}:{self.port}")
                return

    def _run_page(self) -> None:
        """For ever: who looks on goes without for a while where it fails, and calls go on."""
        retry_s = RETRY_S
        while True:
            try:
                self._page.run(self._reads)
            except Exception as error:  # noqa: BLE001  whatever it is, it is told, and is no call's end
                self._log("WEB_FAILED", path=EVENTS_PATH, error=repr(error))
            gevent.sleep(retry_s)
            retry_s = min(retry_s * 2, PAGE_RETRY_MAX_S)

    def close(self) -> None:
        self._server.stop(LEAVE_S)
        if self._running is not None:
            self._running.kill()
        for books in (self._reads, self._acts):
            if books is not None:
                books.close()
