"""`esl-agent retention`: what has been kept for its time is removed."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from esl_agent.cli import arguments
from esl_agent.cli.database import configured, dry_run_option, operator, today, with_database
from esl_agent.cli.output import as_json_option, print_json, print_table
from esl_agent.office import retention as office
from esl_agent.office.retention import RetentionPolicy
from esl_agent.store.pool import Connection
from esl_agent.store.recording_files import RecordingFiles


@click.group()
def retention() -> None:
    """How long what is known of calls and customers is kept."""


@retention.command()
@click.option("--on", type=arguments.day, help="As if it were that day; by default today.")
@click.option("--by", type=arguments.text, default=operator, help="Who removes it; by default you.")
@dry_run_option
@as_json_option
@with_database
def run(conn: Connection, on: date | None, by: str, dry_run: bool, as_json: bool) -> None:
    """Remove what has been kept for its time, as [retention] says; look with --dry-run first.

    For the owner of the tables; recordings go where [recording] folder is seen.
    Ledger entries are added up, so that balances still re-add.
    """
    config = configured().retention
    policy = RetentionPolicy(config.calls_months, config.holds_months, config.ledger_years)
    folder = configured().recording.folder
    files = RecordingFiles(Path(folder)) if folder else None
    removed = list(office.run(conn, policy, on or today(), by, recordings=files, dry_run=dry_run))
    if as_json:
        print_json({"removed": removed, "dry_run": dry_run})
        return
    rows = [(each.kind, each.before, each.row_count) for each in removed]
    print_table(("kind", "before", "would be removed" if dry_run else "removed"), rows, numbers=("removed",))
