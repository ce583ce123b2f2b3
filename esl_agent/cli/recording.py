"""`esl-agent recording`: what was recorded (terms 12), and whether it is all there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import click

from esl_agent.cli import arguments
from esl_agent.cli.arguments import ACCOUNT_ID
from esl_agent.cli.database import configured, with_database
from esl_agent.cli.output import as_json_option, print_json, print_table, time_text
from esl_agent.errors import EslAgentError
from esl_agent.office import recording_check as office
from esl_agent.store import recordings
from esl_agent.store.pool import Connection
from esl_agent.store.recording_files import RecordingFiles
from esl_agent.store.recordings import Recording

#: How far back a check looks where nothing else is said.
CHECK_DAYS: Final = 31
COLUMNS: Final = ("account", "began_at", "seconds", "department", "told", "file", "kept_until")


class NoFolder(EslAgentError):
    """The folder of recordings can't be looked at."""


@click.group()
def recording() -> None:
    """Recordings of your departments' calls."""


@recording.command("list")
@click.option("--account", "account_id", type=ACCOUNT_ID, help="Only this account's.")
@click.option("--since", type=arguments.time, help="Begun then or later.")
@click.option("--until", type=arguments.time, help="Begun before then.")
@click.option(
    "--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="The latest so many."
)
@as_json_option
@with_database
def list_(
    conn: Connection,
    account_id: int | None,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    as_json: bool,
) -> None:
    """The latest recordings, whose they are and how long they are kept."""
    found = recordings.newest(conn, account_id, since, until, limit)
    if as_json:
        print_json(found)
    else:
        print_table(COLUMNS, map(_listed, found), numbers=("account", "seconds"))


@recording.command()
@click.option("--since", type=arguments.time, help=f"Of calls begun since; by default {CHECK_DAYS} days ago.")
@click.option("--hash", "hashes", is_flag=True, help="Read every file: is it as it was when it stopped?")
@click.option("--mend", is_flag=True, help="Write down what the daemon missed, as CDRs and files tell it.")
@as_json_option
@with_database
def check(conn: Connection, since: datetime | None, hashes: bool, mend: bool, as_json: bool) -> None:
    """Compare the files with what is known of them, and with the CDRs; on a machine that sees the folder.

    It fails where a fault is left.
    """
    config, now = configured().recording, datetime.now(UTC)
    if not config.folder:
        raise NoFolder("[recording] folder is not set: run this where the switch's recordings can be seen")
    files = RecordingFiles(Path(config.folder))
    try:
        shelf = office.look(conn, files)
        found = list(
            office.check(
                conn,
                files,
                shelf,
                since or now - timedelta(days=CHECK_DAYS),
                now,
                talk_min_s=config.start_max_s,
                hashes=hashes,
            )
        )
        mended = {each.path for each in found if mend and office.mend(conn, files, shelf, each)}
    except OSError as error:
        raise NoFolder(f"the recordings in {config.folder} can't be read: {error.strerror}") from None
    left = [each for each in found if each.path not in mended]
    if as_json:
        print_json({"files": len(shelf.names), "mended": sorted(mended), "faults": left})
    else:
        _print(found, mended)
        click.echo(f"{len(shelf.names)} files, {len(mended)} mended, {len(left)} faults left")
    if left:
        raise SystemExit(1)


def _print(found: list[office.Found], mended: set[str]) -> None:
    if found:
        rows = [
            (
                each.fault,
                each.account_id,
                each.leg_uuid,
                each.since,
                each.path,
                "mended" if each.path in mended else "",
            )
            for each in found
        ]
        print_table(("fault", "account", "leg", "since", "file", ""), rows, numbers=("account",))


def _listed(found: Recording) -> tuple[object, ...]:
    seconds = None if found.duration_ms is None else f"{found.duration_ms / 1_000:.1f}"
    deleted = found.deleted_at and f"deleted {time_text(found.deleted_at)} by {found.deleted_by}"
    return (found.account_id, found.started_at, seconds, found.department, found.told, found.path,
            deleted or found.delete_after)  # fmt: skip
