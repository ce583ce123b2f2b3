"""Recordings in the database: of which call, in which file, from when until when, and how long it is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from psycopg.rows import class_row

from esl_agent.store.cdrs import to_time
from esl_agent.store.pool import Connection
from esl_agent.store.recording_files import Measure

_SELECT: Final = (
    "SELECT account_id, leg_uuid, caller_leg_uuid, path, department, told, told_at, started_at, stopped_at,"
    " duration_ms, bytes, sha256, delete_after, deleted_at, deleted_by FROM recordings "
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A recording that began; times are microseconds since 1970 on the switch's clock."""

    account_id: int
    leg_uuid: str  # that was called, and is recorded
    caller_leg_uuid: str | None
    path: str  # its file, from the folder of recordings
    department: str
    told: str | None  # who was: caller, called or both
    told_us: int | None
    started_us: int
    days: int  # how long it is kept


@dataclass(frozen=True, slots=True)
class Recording:
    """A row; the columns bear these names."""

    account_id: int
    leg_uuid: str
    caller_leg_uuid: str | None
    path: str
    department: str
    told: str | None
    told_at: datetime | None
    started_at: datetime
    stopped_at: datetime | None
    duration_ms: int | None
    bytes: int | None
    sha256: str | None
    delete_after: datetime
    deleted_at: datetime | None
    deleted_by: str | None


def put_begun(conn: Connection, begun: Begun) -> bool:
    """Write that a recording began; False where that is known already."""
    written = conn.execute(
        "INSERT INTO recordings (account_id, leg_uuid, caller_leg_uuid, path, department, told, told_at,"
        "                        started_at, delete_after)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s::timestamptz + make_interval(days => %s))"
        " ON CONFLICT (account_id, leg_uuid) DO NOTHING",
        [
            *(begun.account_id, begun.leg_uuid, begun.caller_leg_uuid, begun.path, begun.department),
            *(begun.told, begun.told_us and to_time(begun.told_us), to_time(begun.started_us)),
            *(to_time(begun.started_us), begun.days),
        ],
    )
    return bool(written.rowcount)


def put_stopped(
    conn: Connection,
    account_id: int,
    leg_uuid: str,
    stopped_us: int,
    duration_ms: int | None,
    measure: Measure | None,
) -> None:
    """Write that a recording stopped; `measure` is of its file, where that can be seen."""
    conn.execute(
        "UPDATE recordings SET stopped_at = %s, duration_ms = %s, bytes = %s, sha256 = %s"
        " WHERE (account_id, leg_uuid) = (%s, %s) AND deleted_at IS NULL",
        [
            *(to_time(stopped_us), duration_ms, measure and measure.bytes, measure and measure.sha256),
            *(account_id, leg_uuid),
        ],
    )


def newest(
    conn: Connection, account_id: int | None, since: datetime | None, until: datetime | None, limit: int
) -> list[Recording]:
    """The latest recordings, of one account or of all, begun in [since, until); the latest first."""
    with conn.cursor(row_factory=class_row(Recording)) as cursor:
        return cursor.execute(
            _SELECT + "WHERE (%(account)s::bigint IS NULL OR account_id = %(account)s)"
            " AND (%(since)s::timestamptz IS NULL OR started_at >= %(since)s)"
            " AND (%(until)s::timestamptz IS NULL OR started_at < %(until)s)"
            " ORDER BY started_at DESC, account_id, leg_uuid LIMIT %(limit)s",
            {"account": account_id, "since": since, "until": until, "limit": limit},
        ).fetchall()


def of_paths(conn: Connection, paths: Sequence[str]) -> dict[str, Recording]:
    """What is known of files, by their paths."""
    with conn.cursor(row_factory=class_row(Recording)) as cursor:
        found = cursor.execute(_SELECT + "WHERE path = ANY(%s::text[])", [list(paths)]).fetchall()
    return {recording.path: recording for recording in found}
