"""What the HTTP API answered to requests with an Idempotency-Key, so that one sent again changes nothing.

A row is there before the work is begun, without an answer; one whose work broke
off (a crash) may be begun again after a while, for the work itself is safe to
repeat: payments have their own reference, and states are simply set.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from esl_agent.store.pool import Connection

#: How long an answer is kept.
KEPT_HOURS: Final = 24
#: After so long a request that has no answer is thought to have broken off.
BROKEN_OFF_S: Final = 60
#: Rows removed by one call of `forget_old`.
FORGOTTEN_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class Key:
    """A request, as its sender knows it; `request_sha256` is of what it asks for."""

    token: str
    idempotency_key: str
    request_sha256: bytes


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """What was answered; all None while the request is under way."""

    request_sha256: bytes
    status: int | None
    content_type: str | None
    body: bytes | None


def begin(conn: Connection, key: Key) -> StoredAnswer | None:
    """None where the request is to be carried out now; else what is known of it already."""
    begun = conn.execute(
        "INSERT INTO api_answers AS known (token, idempotency_key, request_sha256) VALUES (%s, %s, %s)"
        " ON CONFLICT (token, idempotency_key) DO UPDATE SET asked_at = now()"
        " WHERE known.status IS NULL AND known.request_sha256 = excluded.request_sha256"
        " AND known.asked_at < now() - make_interval(secs => %s)",
        [key.token, key.idempotency_key, key.request_sha256, BROKEN_OFF_S],
    )
    if begun.rowcount:
        return None
    row = conn.execute(
        "SELECT request_sha256, status, content_type, body FROM api_answers"
        " WHERE token = %s AND idempotency_key = %s",
        [key.token, key.idempotency_key],
    ).fetchone()
    return StoredAnswer(*row) if row else begin(conn, key)  # it was given up just now


def finish(conn: Connection, key: Key, status: int, content_type: str, body: bytes) -> None:
    """This was the answer."""
    conn.execute(
        "UPDATE api_answers SET status = %s, content_type = %s, body = %s"
        " WHERE token = %s AND idempotency_key = %s AND status IS NULL",
        [status, content_type, body, key.token, key.idempotency_key],
    )


def give_up(conn: Connection, key: Key) -> None:
    """Nothing was done: the request may be sent again at once."""
    conn.execute(
        "DELETE FROM api_answers WHERE token = %s AND idempotency_key = %s AND status IS NULL",
        [key.token, key.idempotency_key],
    )


def forget_old(conn: Connection) -> int:
    """Remove answers that are older than a day; how many."""
    return conn.execute(
        "DELETE FROM api_answers WHERE (token, idempotency_key) IN"
        " (SELECT token, idempotency_key FROM api_answers"
        "  WHERE asked_at < now() - make_interval(hours => %s) LIMIT %s)",
        [KEPT_HOURS, FORGOTTEN_MAX],
    ).rowcount
