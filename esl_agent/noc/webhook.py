"""Tells a receiver of the operator's something by HTTP, signed as Standard Webhooks has it.

http.client is all that this needs: it waits as gevent does, follows no redirect,
knows no proxy and keeps no cookie, which a library would have to be told.
What the receiver says besides its status is not read.
"""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Final
from urllib.parse import urlsplit

import gevent
import standardwebhooks

from esl_agent import __version__
from esl_agent.errors import EslAgentError

SCHEMES: Final = ("https", "http")
#: How long one try may take, from the look-up of the name to the answer.
POST_TIMEOUT_S: Final = 10.0


class WebhookError(EslAgentError):
    """The receiver was not reached, or did not take it."""


class _TookTooLong(Exception):
    pass


class Webhook:
    """`url` and `secret` (whsec_ and base64) are checked with the configuration."""

    def __init__(self, url: str, secret: str, timeout_s: float = POST_TIMEOUT_S) -> None:
        self._url = urlsplit(url)
        self._signer = standardwebhooks.Webhook(secret)
        self._timeout_s = timeout_s

    def post(self, message_id: str, body: str, now: datetime | None = None) -> None:
        """One try; raises WebhookError.  A receiver knows a message that it had before by its id."""
        now = now or datetime.now(UTC)
        headers = {
            "content-type": "application/json",
            "user-agent": f"esl-agent/{__version__}",
            "webhook-id": message_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._signer.sign(message_id, now, body),
        }
        status = self._send(body.encode(), headers)
        if not 200 <= status < 300:
            refused = "a redirect, which is not followed" if 300 <= status < 400 else "not taken"
            raise WebhookError(f"answered {status}: {refused}")

    def _send(self, body: bytes, headers: dict[str, str]) -> int:
        # http.client's own limit is for each read: a receiver that drips would hold us for ever.
        limit = gevent.Timeout(self._timeout_s, _TookTooLong)
        connection: HTTPConnection | None = None
        try:
            with limit:
                connection = self._connection()
                connection.request("POST", self._path, body, headers)
                return connection.getresponse().status
        except _TookTooLong:
            raise WebhookError(f"no answer within {self._timeout_s:g} s") from None
        except HTTPException as error:  # whose text may be the receiver's
            raise WebhookError(f"no HTTP answer: {type(error).__name__}") from None
        except OSError as error:
            raise WebhookError(error.strerror or str(error)) from None
        except ValueError as error:  # a name that can't be looked up
            raise WebhookError(str(error)) from None
        finally:
            if connection is not None:
                connection.close()

    def _connection(self) -> HTTPConnection:
        host, port = self._url.hostname or "", self._url.port
        if self._url.scheme == "https":
            return HTTPSConnection(host, port, context=ssl.create_default_context())
        return HTTPConnection(host, port)

    @property
    def _path(self) -> str:
        path = self._url.path or "/"
        return f"{path}?{self._url.query}" if self._url.query else path
