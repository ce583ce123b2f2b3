"""Files of recordings, what is known of them, and the CDRs of their calls are compared, and mended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import psycopg
from psycopg.rows import class_row

from esl_agent.errors import EslAgentError
from esl_agent.store.cdrs import to_us
from esl_agent.store.departments import DAYS, load_all
from esl_agent.store.pool import Connection
from esl_agent.store.recording_files import RecordingFiles, leg_of
from esl_agent.store.recordings import Begun, Recording, of_paths, put_begun, put_stopped

#: Paths looked up at once.
PATHS_AT_ONCE: Final = 1_000
#: A recording that began longer ago and was not heard to stop has stopped.
STOPPED_AFTER: Final = timedelta(hours=24)


class MendError(EslAgentError):
    """Nothing was mended."""


class Fault(StrEnum):
    """What is wrong with a recording."""

    ROW_MISSING = "row missing"  # there is a file that a CDR names, and no row; it can be mended
    NOT_STOPPED = "not stopped"  # it was not heard to stop; it can be mended
    UNKNOWN_FILE = "unknown file"  # there is a file that nothing tells of
    NOT_DELETED = "not deleted"  # there is a file, and its row says that it was deleted
    CHANGED = "changed"  # the file is not as it was when it stopped
    FILE_MISSING = "file missing"  # there is a row, or a CDR that names it, and no file
    NOT_RECORDED = "not recorded"  # a department's call was answered and has no recording


@dataclass(frozen=True, slots=True)
class Found:
    """A fault of one recording; of one that is not there, `leg_uuid` is the CDR's."""

    fault: Fault
    path: str
    account_id: int | None = None
    leg_uuid: str | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Named:
    """A CDR that names a recording; the columns bear these names."""

    recording: str
    account_id: int
    leg_uuid: str
    other_leg_uuid: str | None
    answered_at: datetime
    number: str
    caller: str
    forwarded_from: str | None


@dataclass(frozen=True, slots=True)
class Shelf:
    """The files that there are, and what is known of them."""

    names: frozenset[str]
    rows: Mapping[str, Recording]
    named: Mapping[str, Named]  # of those without a row


def look(conn: Connection, files: RecordingFiles) -> Shelf:
    """Raises OSError where the folder can't be read."""
    names = sorted(files.names())
    rows: dict[str, Recording] = {}
    for place in range(0, len(names), PATHS_AT_ONCE):
        rows |= of_paths(conn, names[place : place + PATHS_AT_ONCE])
    with conn.cursor(row_factory=class_row(Named)) as cursor:
        # The newest one: of a forwarded call, the leg that went out.
        named = cursor.execute(
            "SELECT recording, account_id, leg_uuid, other_leg_uuid, answered_at, number, caller,"
            " forwarded_from FROM cdrs WHERE recording = ANY(%s::text[]) AND answered_at IS NOT NULL"
            " ORDER BY created_at",
            [[name for name in names if name not in rows]],
        ).fetchall()
    return Shelf(frozenset(names), rows, {each.recording: each for each in named})


def check(
    conn: Connection,
    files: RecordingFiles,
    shelf: Shelf,
    since: datetime,
    now: datetime,
    *,
    talk_min_s: int,
    hashes: bool = False,
) -> Iterator[Found]:
    """Every fault of the files, and of what was recorded since then; raises OSError.

    A call with less than `talk_min_s` may have ended while it was told that it is recorded.  With `hashes`
    every file is read.
    """
    for name in sorted(shelf.names):
        row = shelf.rows.get(name)
        if row is not None:
            fault = _fault_of_row(row, now) or (_fault_of_file(files, row) if hashes else None)
            if fault is not None:
                yield Found(fault, name, row.account_id, row.leg_uuid, row.started_at)
        elif (named := shelf.named.get(name)) is not None:
            yield Found(Fault.ROW_MISSING, name, named.account_id, leg_of(name), named.answered_at)
        else:
            yield Found(Fault.UNKNOWN_FILE, name)
    yield from _missing_files(conn, shelf, since)
    yield from _not_recorded(conn, since, talk_min_s)


def _fault_of_row(row: Recording, now: datetime) -> Fault | None:
    if row.deleted_at is not None:
        return Fault.NOT_DELETED
    is_over = row.stopped_at is None and now - row.started_at > STOPPED_AFTER
    return Fault.NOT_STOPPED if is_over else None


def _fault_of_file(files: RecordingFiles, row: Recording) -> Fault | None:
    measure = files.measure(row.path) if row.sha256 is not None else None
    return Fault.CHANGED if measure is not None and measure.sha256 != row.sha256 else None


def _missing_files(conn: Connection, shelf: Shelf, since: datetime) -> Iterator[Found]:
    rows = conn.execute(
        "SELECT path, account_id, leg_uuid, started_at FROM recordings"
        " WHERE deleted_at IS NULL AND started_at >= %(since)s"
        " UNION"
        " SELECT recording, account_id, leg_uuid, answered_at FROM cdrs"
        " WHERE recording IS NOT NULL AND created_at >= %(since)s"
        "   AND NOT EXISTS (SELECT FROM recordings WHERE path = recording)"
        " ORDER BY 4, 1",
        {"since": since},
    ).fetchall()
    for path, *rest in rows:
        if path not in shelf.names:
            yield Found(Fault.FILE_MISSING, path, *rest)


def _not_recorded(conn: Connection, since: datetime, talk_min_s: int) -> Iterator[Found]:
    rows = conn.execute(
        "SELECT account_id, leg_uuid, answered_at FROM cdrs"
        " WHERE created_at >= %s AND recording IS NULL AND 'to_record' = ANY(tags) AND duration_us >= %s"
        " ORDER BY answered_at",
        [since, talk_min_s * 1_000_000],
    ).fetchall()
    for row in rows:
        yield Found(Fault.NOT_RECORDED, "", *row)


def mend(conn: Connection, files: RecordingFiles, shelf: Shelf, found: Found) -> bool:
    """Write what was missed of a recording, as its CDR and its file tell it; False where they don't.

    Raises MendError where the login may not, OSError where the file can't be read.
    """
    if found.fault not in (Fault.ROW_MISSING, Fault.NOT_STOPPED):
        return False
    measure = files.measure(found.path)
    if measure is None or found.account_id is None or found.leg_uuid is None:
        return False
    started_us = measure.modified_us - (measure.duration_ms or 0) * 1_000
    leg = (found.account_id, found.leg_uuid)
    try:
        with conn.transaction():
            if found.fault is Fault.ROW_MISSING:
                put_begun(conn, _begun_of(conn, shelf.named[found.path], started_us))
            put_stopped(conn, *leg, measure.modified_us, measure.duration_ms, measure)
    except psycopg.errors.InsufficientPrivilege:
        raise MendError("this login may not mend recordings: use the daemon's, or the owner's") from None
    return True


def _begun_of(conn: Connection, named: Named, started_us: int) -> Begun:
    """What the CDR tells of it: not who was told."""
    departments = load_all(conn)
    ends = (named.number, named.forwarded_from or "", named.caller)
    department = next((departments[end] for end in ends if end in departments), None)
    leg_uuid = leg_of(named.recording)
    return Begun(
        account_id=named.account_id,
        leg_uuid=leg_uuid,
        caller_leg_uuid=named.other_leg_uuid if named.leg_uuid == leg_uuid else named.leg_uuid,
        path=named.recording,
        department=department.number if department else named.number,
        told=None,
        told_us=None,
        started_us=max(started_us, to_us(named.answered_at)),
        days=department.days if department else DAYS,
    )
