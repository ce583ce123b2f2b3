"""Versions of the terms of service, and who accepted which (terms 16)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from psycopg.rows import class_row

from esl_agent.core.office.terms import TermsVersion
from esl_agent.errors import EslAgentError
from esl_agent.store.changes import Changed, announce
from esl_agent.store.pool import Connection

VERSION_CHARACTERS_MAX: Final = 64
BODY_CHARACTERS_MAX: Final = 1_000_000


class TermsError(EslAgentError):
    """The terms can't be published, or accepted, as was asked."""


@dataclass(frozen=True, slots=True)
class Published:
    """A version as it is listed; `sha256` is of its text in UTF-8."""

    version: str
    sha256: str
    in_force_on: date
    grace_days: int
    published_by: str
    published_at: datetime


@dataclass(frozen=True, slots=True)
class Acceptance:
    """When, by what means and from which address a version was accepted."""

    version: str
    sha256: str | None
    accepted_at: datetime
    means: str
    address: str
    recorded_by: str


def publish(conn: Connection, new: TermsVersion, body: str, by: str) -> None:
    """Keep a version with its text; the same again changes nothing.  Raises TermsError."""
    if not 1 <= len(new.version) <= VERSION_CHARACTERS_MAX:
        raise TermsError(f"a version is named by 1 to {VERSION_CHARACTERS_MAX} characters")
    if not body.strip() or len(body) > BODY_CHARACTERS_MAX or "\0" in body:
        raise TermsError(f"the text of terms has 1 to {BODY_CHARACTERS_MAX} characters, and no NUL")
    digest = hashlib.sha256(body.encode()).hexdigest()
    with conn.transaction():
        conn.execute("LOCK TABLE terms_versions IN SHARE ROW EXCLUSIVE MODE")
        for known in list_versions(conn):
            if known.version == new.version:
                if (known.sha256, known.in_force_on) == (digest, new.in_force_on):
                    return
                raise TermsError(
                    f"version {new.version} was published with another text or day: customers may have"
                    " accepted it, so publish another version"
                )
            if known.in_force_on == new.in_force_on:
                raise TermsError(f"version {known.version} is in force from {known.in_force_on} on, too")
        conn.execute(
            "INSERT INTO terms_versions (version, body, sha256, in_force_on, grace_days, published_by)"
            " VALUES (%s, %s, %s, %s, %s, %s)",
            [new.version, body, digest, new.in_force_on, new.grace_days, by],
        )
        announce(conn, Changed.TARIFFS)


def list_versions(conn: Connection) -> list[Published]:
    """Every version, the newest first."""
    with conn.cursor(row_factory=class_row(Published)) as cursor:
        return cursor.execute(
            "SELECT version, sha256, in_force_on, grace_days, published_by, published_at FROM terms_versions"
            " ORDER BY in_force_on DESC"
        ).fetchall()


def load_versions(conn: Connection) -> tuple[TermsVersion, ...]:
    """What admission needs to know of them."""
    return tuple(
        TermsVersion(each.version, each.in_force_on, each.grace_days) for each in list_versions(conn)
    )


def body_of(conn: Connection, version: str) -> str:
    """The text of a version; raises TermsError where there is none."""
    row = conn.execute("SELECT body FROM terms_versions WHERE version = %s", [version]).fetchone()
    if row is None:
        raise TermsError(f"there is no version {version!r}: `esl-agent terms list` shows which there are")
    return str(row[0])


def record_acceptance(
    conn: Connection, account_id: int, version: str, by: str, means: str, address: str
) -> None:
    """Note an acceptance, the first of a version counts; raises TermsError for a version that is none."""
    versions = {each.version: each.sha256 for each in list_versions(conn)}
    if versions and version not in versions:
        raise TermsError(f"there is no version {version!r}: `esl-agent terms list` shows which there are")
    conn.execute(
        "INSERT INTO terms_acceptances (account_id, version, sha256, accepted_at, means, address,"
        " recorded_by) VALUES (%s, %s, %s, now(), %s, %s, %s) ON CONFLICT DO NOTHING",
        [account_id, version, versions.get(version), means, address, by],
    )


def acceptances(conn: Connection, account_id: int) -> list[Acceptance]:
    """What an account accepted, the latest first."""
    with conn.cursor(row_factory=class_row(Acceptance)) as cursor:
        return cursor.execute(
            "SELECT version, sha256, accepted_at, means, address, recorded_by FROM terms_acceptances"
            " WHERE account_id = %s ORDER BY accepted_at DESC, version",
            [account_id],
        ).fetchall()
