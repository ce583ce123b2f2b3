"""`esl-agent journal`: what waits for Postgres, and what Postgres refused."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import date
from functools import partial
from pathlib import Path
from typing import Final

import click
import msgspec
import psycopg

from esl_agent import config as configuration
from esl_agent.agent.clock import calendar
from esl_agent.agent.money.journal_place import journal_folder, journal_of
from esl_agent.cli.database import config_option, configured, with_database
from esl_agent.cli.output import as_json_option, print_done, print_facts, print_json, print_table
from esl_agent.config import JournalConfig
from esl_agent.store.cdrs import to_time
from esl_agent.store.journal import MB, Journal, JournalError, JournalInUse, unusable
from esl_agent.store.journal_records import BrokenRecord, Record
from esl_agent.store.journal_summary import Summary, look
from esl_agent.store.pool import Connection
from esl_agent.store.record_writer import Written, account_of, leg_of, write_apart, write_records
from esl_agent.store.unwritable import read_refused, rewrite, set_aside, unwritable_files

#: Records in one commit.
BATCH_MAX: Final = 200
#: What Postgres says of a record, not of its own state.
REFUSALS: Final = (
    psycopg.DataError, psycopg.IntegrityError, psycopg.errors.ProgramLimitExceeded, UnicodeError,
)  # fmt: skip

_folder = click.option(
    "--folder", type=click.Path(path_type=Path), help="Another journal than the configured one."
)


@click.group()
def journal() -> None:
    """What has happened and is not in Postgres yet (docs/journal.md)."""


@journal.command()
@config_option
@_folder
@as_json_option
def show(path: Path | None, folder: Path | None, as_json: bool) -> None:
    """What waits and what was set aside; the daemon may be at work meanwhile."""
    config = configuration.load(path, os.environ)
    where = _folder_of(config.journal, folder)
    try:
        found = look(where)
        refused = [(name, *_read(line)) for name, line in _lines(where)]
    except OSError as error:
        raise JournalError(unusable(where, error)) from None
    if as_json:
        print_json(msgspec.to_builtins(found, builtin_types=(), enc_hook=str))
        return
    _print(found)
    if refused:
        print_table(("file", "account", "leg", "Postgres says"), refused)


@journal.command()
@_folder
@as_json_option
@with_database
def replay(conn: Connection, folder: Path | None, as_json: bool) -> None:
    """Write what Postgres refused once more, and, where no daemon is at work, what waits.

    What is in the database already changes nothing, so it may be repeated.
    Exits with 1 if Postgres still refuses something.
    """
    settings = configured()
    config, today = settings.journal, calendar(settings.admission.time_zone)()
    where = _folder_of(config, folder)
    if not where.is_dir():
        raise JournalError(f"there is no journal in {where}")
    waited: int | None = None
    said = f"a daemon is at work in {where} and writes what waits by itself"
    try:
        waiting = journal_of(msgspec.structs.replace(config, folder=str(where)), os.environ)
        waited = _write_waiting(conn, waiting, today)
        said = f"{waited} records were waiting"
    except JournalInUse:
        pass
    written, left = _write_refused(conn, where, today)
    said += f"\n{written} of {written + left} records that were set aside are written"
    print_done(as_json, said, waited=waited, written=written, still_refused=left)
    raise SystemExit(int(left > 0))


def _folder_of(config: JournalConfig, folder: Path | None) -> Path:
    return folder.absolute() if folder else journal_folder(config, os.environ)


def _write_waiting(conn: Connection, waiting: Journal, today: date) -> int:
    """How many there were; those that Postgres refuses are set aside."""
    write = partial(_write, conn, today)
    waiting.open()
    reached, count = waiting.begins, 0
    try:
        while reached < waiting.ends:
            read = waiting.read(reached, waiting.ends, BATCH_MAX)
            _, refused = write_apart([record for record, _ in read.records], write, REFUSALS)
            if refused:
                set_aside(waiting.folder, refused)
            reached = read.reached
            count += len(read.records)
            for name, problem in read.broken:
                click.echo(f"passed over in {name or waiting.folder}: {problem}", err=True)
    finally:
        waiting.close(reached)
    return count


def _write(conn: Connection, today: date, records: Sequence[Record]) -> list[Written]:
    return write_records(conn, records, today)


def _write_refused(conn: Connection, folder: Path, today: date) -> tuple[int, int]:
    """How many are written, and how many are still refused and stay in their files."""
    written = left = 0
    for path in unwritable_files(folder):
        try:
            records = [read_refused(line).record for line in path.read_bytes().splitlines()]
        except BrokenRecord as error:
            raise JournalError(f"{path}: {error}: mend the line, or move the file elsewhere") from None
        _, still = write_apart(records, partial(_write, conn, today), REFUSALS) if records else ([], [])
        for each in still:
            click.echo(f"{leg_of(each.record)}: {each.error}", err=True)
        rewrite(path, still)
        written += len(records) - len(still)
        left += len(still)
    return written, left


def _lines(folder: Path) -> list[tuple[str, bytes]]:
    return [(path.name, line) for path in unwritable_files(folder) for line in path.read_bytes().splitlines()]


def _read(line: bytes) -> tuple[object, str, str]:
    try:
        refused = read_refused(line)
    except BrokenRecord as error:
        return None, "", str(error)
    return account_of(refused.record), leg_of(refused.record), refused.error


def _print(found: Summary) -> None:
    oldest = None if found.oldest_us is None else to_time(found.oldest_us)
    print_facts(
        [
            ("folder", found.folder),
            ("size", f"{found.size_bytes / MB:.1f} MB in {found.segments} segments"),
            ("free on its disk", f"{found.free_bytes // MB} MB"),
            ("calls that wait", f"{found.settlements}, which cost {found.cost}"),
            ("the oldest ended", oldest),
            ("releases that wait", found.releases),
            ("answers that wait", found.answers),
            ("broken lines", found.broken),
            ("refused by Postgres", f"{found.unwritable} in {len(found.unwritable_files)} files"),
            ("broken files", " ".join(found.broken_files) or 0),
        ]
    )
