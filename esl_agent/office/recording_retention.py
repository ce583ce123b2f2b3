"""Recordings that were kept for their time are deleted (terms 12, 15).

A file goes first, and then its row says so, with an entry in the register of
retention: whatever stops a run between the two, the next one finds the row, and
a file that has gone already is as good as deleted.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from esl_agent.store.pool import Connection
from esl_agent.store.recording_files import RecordingFiles

#: Files deleted, and entered, at a time.
BATCH_ROWS: Final = 200


def count_due(conn: Connection, before: datetime) -> int:
    """How many recordings were to be kept until before then."""
    row: Any = conn.execute(
        "SELECT count(*) FROM recordings WHERE deleted_at IS NULL AND delete_after < %s", [before]
    ).fetchone()
    return int(row[0])


class Place(NamedTuple):
    """Where a recording stands among those that are due."""

    delete_after: datetime
    account_id: int
    leg_uuid: str


FIRST: Final = Place(datetime(1, 1, 1, tzinfo=UTC), 0, "")


@dataclass(frozen=True, slots=True)
class Few:
    """What became of the next few that were due."""

    deleted: int
    kept: tuple[str, ...]  # files that can't be deleted, each with why
    last: Place | None  # behind which the next ones are; None: there were none


def delete_due(
    conn: Connection, files: RecordingFiles, before: datetime, by: str, after: Place = FIRST
) -> Few:
    """Delete the next few of these, inside a transaction.

    A file that can't be deleted keeps its row, and holds up no other one.  Raises
    OSError where that goes for the folder.
    """
    due = conn.execute(
        "SELECT delete_after, account_id, leg_uuid, path FROM recordings"
        " WHERE deleted_at IS NULL AND delete_after < %s"
        " AND (delete_after, account_id, leg_uuid) > (%s, %s, %s)"
        " ORDER BY delete_after, account_id, leg_uuid LIMIT %s FOR UPDATE",
        [before, *after, BATCH_ROWS],
    ).fetchall()
    deleted: list[tuple[str, int, str]] = []
    kept: list[str] = []
    for _, account_id, leg_uuid, path in due:
        try:
            files.remove(path)
        except OSError as error:
            kept.append(f"{path} ({error.strerror or error})")
        else:
            deleted.append((by, account_id, leg_uuid))
    if deleted:
        files.sync()
    with conn.cursor() as cursor:
        cursor.executemany(
            "UPDATE recordings SET deleted_at = clock_timestamp(), deleted_by = %s"
            " WHERE (account_id, leg_uuid) = (%s, %s)",
            deleted,
        )
    return Few(len(deleted), tuple(kept), Place(*due[-1][:3]) if due else None)


def forget_deleted(conn: Connection, before: datetime) -> None:
    """What is known of recordings that were deleted goes with the CDRs of their calls."""
    conn.execute("DELETE FROM recordings WHERE deleted_at IS NOT NULL AND started_at < %s", [before])
