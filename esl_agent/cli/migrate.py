"""`esl-agent migrate`: bring the database to what this version of the program expects."""

from __future__ import annotations

import click

from esl_agent.cli.database import with_database
from esl_agent.store import migrations
from esl_agent.store.migrations import MigrationError
from esl_agent.store.pool import Connection


@click.command()
@click.option("--check", is_flag=True, help="Change nothing; fail if something is missing.")
@with_database
def migrate(conn: Connection, check: bool) -> None:
    """Apply the migrations that the database lacks, and make the CDR partitions of the months ahead."""
    if check:
        missing = ", ".join(f"{each.version:04}_{each.name}" for each in migrations.check(conn))
        if missing:
            raise MigrationError(f"the database lacks {missing}: run `esl-agent migrate`")
        click.echo("the database has every migration")
        return
    applied = migrations.migrate(conn)
    for each in applied:
        click.echo(f"applied {each.version:04}_{each.name}")
    if not applied:
        click.echo("the database has every migration already")
