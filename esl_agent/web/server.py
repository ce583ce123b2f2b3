"""The server itself: gevent's, with limits on what a peer may send and how long it may take.

One request a connection, as at the daemon's other doors (switch/peers.py),
whose crowd control this is: who asks nothing in time is sent away, and a crowd
of the silent makes room for who speaks.  A body is read before the
application is called, so that a slow one keeps nothing but its connection.

No peer is read without a limit: as long as bytes of it wait, reading them gives
nobody else a turn.  So a body says its length beforehand (one in chunks is
refused unread), one that is too large is not read, and what is still to come
when it has been answered is thrown away by pieces, up to a limit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from http import HTTPStatus
from io import BytesIO
from math import inf
from socket import SHUT_WR
from typing import Any, Final, cast

import gevent
import msgspec
from gevent.pywsgi import Input, WSGIHandler, WSGIServer

from esl_agent.config import WebConfig
from esl_agent.noc.log import Log
from esl_agent.switch.peers import ACCEPTS_PER_TURN_MAX, Peer, PeerLimits, Peers, listen_tcp
from esl_agent.switch.trouble import Complaints, Trouble
from esl_agent.web.problems import PROBLEM_TYPE, Problem

BODY_BYTES_MAX: Final = 64 * 1024
#: From connecting to having sent the request; from then to having taken the answer.
ASK_TIMEOUT_S: Final = 10.0
ANSWER_TIMEOUT_S: Final = 20.0
#: How long a peer may take nothing of an answer.
STALL_MAX_S: Final = 10.0
#: What is thrown away of a request after its answer, so that the answer isn't lost to a reset: bytes in
#: all, at a turn, and for how long.
DRAIN_BYTES_MAX: Final = 1024 * 1024
DRAIN_BYTES_PER_TURN: Final = 16 * 1024
DRAIN_MAX_S: Final = 2.0

PEER: Final = "esl_agent.peer"
BODY_TOO_LARGE: Final = "esl_agent.body_too_large"

Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


class WebServer:
    """`start` it; raises DoorError where the address can't be had."""

    def __init__(self, config: WebConfig, app: Application, log: Log) -> None:
        self._config = config
        self._app = app
        self._log = log
        limits = PeerLimits(
            networks=config.networks,
            idle_max=max(config.connections_max // 2, 1),
            peers_max=config.connections_max,
            ask_timeout_s=ASK_TIMEOUT_S,
            answer_timeout_s=ANSWER_TIMEOUT_S,
        )
        self.peers = Peers(limits, Complaints("web", self._trouble))
        self._server: _Server | None = None

    @property
    def port(self) -> int:
        """The one that it listens on; 0 before `start`."""
        return int(self._server.server_port or 0) if self._server else 0

    def start(self) -> None:
        listener = listen_tcp(self._config.host, self._config.port)
        self._server = _Server(listener, self._app, self.peers, self._failed)
        self._server.max_accept = ACCEPTS_PER_TURN_MAX
        self._server.start()

    def stop(self, timeout_s: float = 0.0) -> None:
        """Take no more requests, and give those that are under way `timeout_s`."""
        if self._server is not None:
            self._server.close()
            self._server = None
            self.peers.send_home(timeout_s)

    def _trouble(self, trouble: Trouble) -> None:
        self._log(
            "DOOR_TROUBLE", door=trouble.door, kind=trouble.kind, times=trouble.times, detail=trouble.detail
        )

    def _failed(self, path: str, error: BaseException) -> None:
        self._log("WEB_FAILED", path=path, error=repr(error))


def hold_open(environ: Environ) -> None:
    """This answer is a stream without an end: only a peer that takes nothing of it is sent away."""
    peer = environ.get(PEER)
    if peer is not None:
        cast(Peer, peer).due_s = inf


class _Server(WSGIServer):
    def __init__(
        self, listener: Any, app: Application, peers: Peers, failed: Callable[[str, BaseException], None]
    ) -> None:
        super().__init__(listener, app, log=None, error_log=None)
        self.failed = failed
        self._peers = peers

    def handle(self, sock: Any, address: Any) -> None:
        peer = self._peers.take(sock, address)
        if peer is None:
            return
        try:
            _Handler(sock, address, self, peer).handle()
        except OSError:
            pass  # it is gone, or was dropped, which has been told
        except Exception as error:  # noqa: BLE001  a request that pywsgi itself fails over
            self.failed("", error)
        finally:
            peer.leave()


class _Handler(WSGIHandler):
    """pywsgi's, with a limit to the body, one request a connection, and nothing printed anywhere."""

    server: _Server

    def __init__(self, sock: Any, address: Any, server: _Server, peer: Peer) -> None:
        super().__init__(sock, address, server)
        self._peer = peer

    def handle_one_request(self) -> None:
        """A request that is none is answered here: pywsgi's own answers say nothing."""
        result = super().handle_one_request()
        if isinstance(result, tuple):
            status, answer = result
            if status == str(int(HTTPStatus.REQUEST_URI_TOO_LONG)):
                answer = _raw_answer(HTTPStatus.REQUEST_URI_TOO_LONG, _TOO_LONG)
            self._turn_away(answer)

    def get_environ(self) -> Environ:
        environ: Environ = super().get_environ()
        environ[PEER] = self._peer
        self.close_connection = True
        return environ

    def handle_one_response(self) -> None:
        environ = cast(Environ, self.environ)
        if self.headers.get("transfer-encoding") is not None:
            self._turn_away(_raw_answer(HTTPStatus.LENGTH_REQUIRED, _NO_LENGTH))
            return
        is_too_large = (self.content_length or 0) > BODY_BYTES_MAX
        try:
            body = b"" if is_too_large else cast(Input, self.wsgi_input).read()
        except (OSError, ValueError):  # it broke off
            self._turn_away(_raw_answer(HTTPStatus.BAD_REQUEST, _NO_HTTP))
            return
        self._peer.has_asked()
        self.socket.settimeout(STALL_MAX_S)
        environ[BODY_TOO_LARGE] = is_too_large
        environ["wsgi.input"] = BytesIO(body)
        # Else pywsgi would read on until the body's end, if it has one.
        self.wsgi_input = Input(cast(Any, BytesIO()), 0)
        super().handle_one_response()
        if is_too_large:
            self._drain()

    def _turn_away(self, answer: bytes) -> None:
        with suppress(OSError):
            self.socket.sendall(answer)
            self._drain()

    def _drain(self) -> None:
        """Closing over what was not read would reset the connection, and the answer be lost."""
        left = DRAIN_BYTES_MAX
        with suppress(OSError, gevent.Timeout), gevent.Timeout(DRAIN_MAX_S):
            self.socket.shutdown(SHUT_WR)
            while left > 0 and (data := self.socket.recv(DRAIN_BYTES_PER_TURN)):
                left -= len(data)
                gevent.sleep(0)

    def finalize_headers(self) -> None:
        super().finalize_headers()
        headers = cast(list[tuple[bytes, bytes]], self.response_headers)
        if self.request_version == "HTTP/1.1":  # else pywsgi says so itself
            headers.append((b"Connection", b"close"))

    def log_request(self) -> None:
        """Acts are told by who does them; reads are nobody's news."""

    def handle_error(self, kind: Any, error: Any, trace: Any) -> None:
        if not isinstance(error, OSError):  # else the peer is gone, or takes nothing
            self.server.failed(str(self.path), error)
        if not self.headers_sent:
            problem = Problem(500, HTTPStatus.INTERNAL_SERVER_ERROR.phrase, "the request failed here")
            self.socket.sendall(_raw_answer(HTTPStatus.INTERNAL_SERVER_ERROR, problem))

    def _handle_client_error(self, ex: Exception) -> tuple[str, bytes]:
        return "400", _raw_answer(HTTPStatus.BAD_REQUEST, _NO_HTTP)


_TOO_LONG: Final = Problem(414, HTTPStatus.REQUEST_URI_TOO_LONG.phrase, "the first line is over 8 KB long")
_NO_LENGTH: Final = Problem(
    411,
    HTTPStatus.LENGTH_REQUIRED.phrase,
    "a body in chunks is not taken",
    "Transfer-Encoding",
    "send the body whole, with a Content-Length",
)
_NO_HTTP: Final = Problem(400, HTTPStatus.BAD_REQUEST.phrase, "this is not HTTP as it is understood here")


def _raw_answer(status: HTTPStatus, problem: Problem) -> bytes:
    """What is sent where there is no application to say it."""
    body = msgspec.json.encode(problem)
    head = (
        f"HTTP/1.1 {int(status)} {status.phrase}\r\nConnection: close\r\nContent-Type: {PROBLEM_TYPE}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
