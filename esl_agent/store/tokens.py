"""Tokens of the HTTP API: a secret is shown once, when it is made, and only its hash is kept.

The hash is a plain SHA-256: a secret has 256 random bits, so there is nothing
to guess from, and a slow hash would only slow each request down.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, LiteralString

from psycopg.rows import kwargs_row

from esl_agent.errors import EslAgentError
from esl_agent.store.pool import Connection

SECRET_BYTES: Final = 32
#: So that a secret is recognised where it should not be: in a log, a repository, a chat.
SECRET_PREFIX: Final = "esl_"  # noqa: S105
#: Longer than any secret of ours.
SECRET_CHARACTERS_MAX: Final = 100
NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)
TOKENS_LISTED_MAX: Final = 1_000

_SELECT: Final = (
    "SELECT name, role, added_at, added_by, expires_at, revoked_at, revoked_by, last_used_at FROM api_tokens "
)


class TokenError(EslAgentError):
    """The token can't be made or revoked as was asked."""


class TokenRole(StrEnum):
    """What its bearer may do through the API; docs/api.md has the table."""

    NOC = "noc"  # read with numbers masked, and end calls
    OFFICE = "office"  # read all, and act on accounts and money
    ADMIN = "admin"  # all of it


@dataclass(frozen=True, slots=True)
class Token:
    """A token as people see it."""

    name: str
    role: TokenRole
    added_at: datetime
    added_by: str
    expires_at: datetime | None
    revoked_at: datetime | None
    revoked_by: str | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Bearer:
    """Who shows a secret."""

    name: str
    role: TokenRole
    expires_at: datetime | None


def add_token(conn: Connection, name: str, role: TokenRole, by: str, expires_at: datetime | None) -> str:
    """Make a token; its secret is in nobody's hands but the caller's.  Raises TokenError."""
    if not NAME.fullmatch(name):
        raise TokenError(f"{name!r} is no name for a token: 1 to 64 letters, digits, dots, dashes and _")
    secret = SECRET_PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    added = conn.execute(
        "INSERT INTO api_tokens (name, role, secret_sha256, added_by, expires_at)"
        " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (name) DO NOTHING",
        [name, role, _hash(secret), by, expires_at],
    )
    if not added.rowcount:
        raise TokenError(f"there is, or was, a token {name!r}: take another name")
    return secret


def list_tokens(conn: Connection) -> Sequence[Token]:
    """All tokens, those that were revoked too, by name."""
    return _select(conn, _SELECT + "ORDER BY name LIMIT %s", TOKENS_LISTED_MAX)


def revoke_token(conn: Connection, name: str, by: str) -> Token:
    """Whoever shows its secret is refused from now on; within seconds where it was just used."""
    conn.execute(
        "UPDATE api_tokens SET revoked_at = now(), revoked_by = %s WHERE name = %s AND revoked_at IS NULL",
        [by, name],
    )
    found = _select(conn, _SELECT + "WHERE name = %s", name)
    if not found:
        raise TokenError(f"there is no token {name!r}: `esl-agent token list` shows which there are")
    return found[0]


def find_bearer(conn: Connection, secret: str) -> Bearer | None:
    """Whose secret it is, if it is in force; that it was used is noted, once a minute."""
    row = conn.execute(
        "SELECT name, role, expires_at, last_used_at IS NULL OR last_used_at < now() - interval '1 minute'"
        " FROM api_tokens WHERE secret_sha256 = %s AND revoked_at IS NULL"
        " AND (expires_at IS NULL OR expires_at > now())",
        [_hash(secret)],
    ).fetchone()
    if row is None:
        return None
    name, role, expires_at, is_to_be_noted = row
    if is_to_be_noted:
        conn.execute(
            "UPDATE api_tokens SET last_used_at = date_trunc('minute', now()) WHERE name = %s", [name]
        )
    return Bearer(name, TokenRole(role), expires_at)


def count_tokens(conn: Connection) -> int:
    """How many are in force."""
    row = conn.execute(
        "SELECT count(*) FROM api_tokens"
        " WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())"
    ).fetchone()
    return int(row[0]) if row else 0


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _select(conn: Connection, query: LiteralString, *values: object) -> list[Token]:
    with conn.cursor(row_factory=kwargs_row(_token)) as cursor:
        return cursor.execute(query, values).fetchall()


def _token(**columns: Any) -> Token:
    return Token(**columns | {"role": TokenRole(columns["role"])})
