"""Whose secret a request shows, remembered for a moment; and for longer, to read, while Postgres is away."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from esl_agent.store.tokens import SECRET_CHARACTERS_MAX, Bearer, find_bearer
from esl_agent.web.ports import Books, DatabaseAwayError, TooSlowError

#: So long after it was revoked a token may still be taken.
FRESH_S: Final = 5.0
#: So long one that was good is good for reading while Postgres is away: that is when NOC has to see most.
STALE_MAX_S: Final = 3_600.0
REMEMBERED_MAX: Final = 1_000


class Bearers:
    def __init__(self, books: Books, clock: Callable[[], float] = time.monotonic) -> None:
        self._books = books
        self._clock = clock
        self._seen: OrderedDict[bytes, tuple[Bearer, float]] = OrderedDict()

    def known(self, secret: str) -> Bearer | None:
        """Whose it is, where that was asked a moment ago."""
        return self._remembered(_digest(secret), FRESH_S)

    def lately(self, secret: str) -> Bearer | None:
        """Whose it was within the last hour; it may have been revoked since."""
        return self._remembered(_digest(secret), STALE_MAX_S)

    def ask(self, secret: str, *, to_read: bool) -> Bearer | None:
        """Whose it is; None for nobody.  Raises DatabaseAwayError where that can't be told."""
        if len(secret) > SECRET_CHARACTERS_MAX:
            return None
        digest = _digest(secret)
        try:
            bearer = self._books.work(lambda conn: find_bearer(conn, secret))
        except (DatabaseAwayError, TooSlowError):
            bearer = self._remembered(digest, STALE_MAX_S) if to_read else None
            if bearer is None:
                raise
            return bearer
        self._seen.pop(digest, None)
        if bearer is not None:
            self._seen[digest] = bearer, self._clock()
            if len(self._seen) > REMEMBERED_MAX:
                self._seen.popitem(last=False)
        return bearer

    def _remembered(self, digest: bytes, for_s: float) -> Bearer | None:
        bearer, seen_s = self._seen.get(digest, (None, 0.0))
        if bearer is None or self._clock() - seen_s > for_s:
            return None
        return None if bearer.expires_at and bearer.expires_at <= datetime.now(UTC) else bearer


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode(errors="replace")).digest()
