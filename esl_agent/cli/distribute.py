"""`esl-agent distribute`: spread the tables over the machines of a Citus cluster, by account."""

from __future__ import annotations

import click

from esl_agent.cli.database import with_database
from esl_agent.cli.output import as_json_option, print_json
from esl_agent.store import distribution, migrations
from esl_agent.store.migrations import MigrationError
from esl_agent.store.pool import Connection


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@as_json_option
@with_database
def distribute(conn: Connection, dry_run: bool, as_json: bool) -> None:
    """Spread the tables over the machines of a Citus cluster, by account; docs/scaling.md says when to.

    Stop every daemon first. What is distributed already is left alone, so it may be repeated.
    """
    if migrations.check(conn):
        raise MigrationError("the database lacks migrations: run `esl-agent migrate` first")
    steps = distribution.missing(conn) if dry_run else distribution.distribute(conn)
    if as_json:
        print_json(steps)
        return
    for step in steps:
        click.echo(f"{step.table}: {step.how}" + ("  (not done)" if dry_run else ""))
    if not steps:
        click.echo("every table is distributed already")
