"""Recordings that were kept for their time are deleted (terms 12, 15).

A file goes first, and then its row says so, with an entry in the register of
retention: whatever stops a run between the two, the next one finds the row, and
a file that has gone already is as good as deleted.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

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


def delete_due(conn: Connection, files: RecordingFiles, before: datetime, by: str) -> int:
    """Delete the next few of these, inside a transaction; how many.

    Raises OSError where a file can't be deleted.
    """
    due = conn.execute(
        "SELECT account_id, leg_uuid, path FROM recordings WHERE deleted_at IS NULL AND delete_after < %s"
        " ORDER BY delete_after LIMIT %s FOR UPDATE",
        [before, BATCH_ROWS],
    ).fetchall()
    for _, _, path in due:
        files.remove(path)
    if due:
        files.sync()
    with conn.cursor() as cursor:
        cursor.executemany(
            "UPDATE recordings SET deleted_at = clock_timestamp(), deleted_by = %s"
            " WHERE (account_id, leg_uuid) = (%s, %s)",
            [(by, account_id, leg_uuid) for account_id, leg_uuid, _ in due],
        )
    return len(due)


def forget_deleted(conn: Connection, before: datetime) -> None:
    """What is known of recordings that were deleted goes with the CDRs of their calls."""
    conn.execute("DELETE FROM recordings WHERE deleted_at IS NOT NULL AND started_at < %s", [before])
