"""The migrations runner: numbered SQL files, applied once, in order, and never changed afterwards."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import psycopg

from esl_agent.errors import EslAgentError
from esl_agent.files import sql_dir
from esl_agent.store.cdrs import ensure_partitions
from esl_agent.store.pool import Connection

#: Two runners at once wait for each other on this advisory lock ("esl-migr" in ASCII).
LOCK_KEY: Final = 0x65736C2D6D696772
FILE_NAME: Final = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")


class MigrationError(EslAgentError):
    """The migrations on disk and those in the database don't go together."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file of sql/; the checksum is of its bytes."""

    version: int
    name: str
    checksum: str
    script: str


def read_migrations(folder: Path) -> list[Migration]:
    """The migrations of a folder in order; raises MigrationError for a gap or a strange name."""
    migrations: list[Migration] = []
    for path in sorted(folder.glob("*.sql")):
        parts = FILE_NAME.fullmatch(path.name)
        if not parts:
            raise MigrationError(f"{path}: a migration is named like 0007_what_it_does.sql")
        if int(parts[1]) != len(migrations) + 1:
            raise MigrationError(f"{path}: migration {len(migrations) + 1:04} is missing, or there twice")
        body = path.read_bytes()
        checksum = hashlib.sha256(body).hexdigest()
        migrations.append(Migration(int(parts[1]), parts[2], checksum, body.decode()))
    return migrations


def migrate(conn: Connection, folder: Path | None = None) -> list[Migration]:
    """Apply what is missing, all or nothing, and make the partitions ahead; returns what was applied.

    Safe to run from several places at once.  Raises MigrationError where the
    database has a migration that the folder lacks or has with other content.
    """
    known = read_migrations(folder or sql_dir())
    with conn.transaction():
        conn.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK_KEY])
        conn.execute(
            "CREATE TABLE IF NOT EXISTS schema_migrations (version integer PRIMARY KEY, name text NOT NULL,"
            " checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        pending = _pending(conn, known)
        for migration in pending:
            _apply(conn, migration)
    ensure_partitions(conn, datetime.now(UTC))
    return pending


def check(conn: Connection, folder: Path | None = None) -> list[Migration]:
    """The migrations that the database lacks, changing nothing; raises MigrationError as `migrate` does."""
    known = read_migrations(folder or sql_dir())
    if conn.execute("SELECT to_regclass('schema_migrations')").fetchone() == (None,):
        return known
    return _pending(conn, known)


def _pending(conn: Connection, known: list[Migration]) -> list[Migration]:
    applied = conn.execute("SELECT version, name, checksum FROM schema_migrations ORDER BY version")
    done = 0
    for version, name, checksum in applied:
        if version > len(known):
            raise MigrationError(
                f"the database has migration {version:04}_{name}, which this version of esl-agent"
                " doesn't know: install the newer version"
            )
        if known[version - 1].checksum != checksum:
            raise MigrationError(
                f"migration {version:04}_{known[version - 1].name} was changed after it was applied:"
                " bring the file back as it was, and put the change into a new migration"
            )
        done = version
    return known[done:]


def _apply(conn: Connection, migration: Migration) -> None:
    try:
        conn.execute(migration.script)
    except psycopg.Error as error:
        raise MigrationError(f"migration {migration.version:04}_{migration.name} failed: {error}") from error
    conn.execute(
        "INSERT INTO schema_migrations (version, name, checksum) VALUES (%s, %s, %s)",
        [migration.version, migration.name, migration.checksum],
    )
