"""`esl-agent migrate`: bring the database to what this version of the program expects."""

from __future__ import annotations

import click

from esl_agent.cli.database import with_database
from esl_agent.cli.output import as_json_option, print_done
from esl_agent.store import migrations
from esl_agent.store.migrations import MigrationError
from esl_agent.store.pool import Connection


@click.command()
@click.option("--check", is_flag=True, help="Change nothing; fail if something is missing.")
@as_json_option
@with_database
def migrate(conn: Connection, check: bool, as_json: bool) -> None:
    """Apply the migrations that the database lacks, and make the CDR partitions of the months ahead."""
    if check:
        missing = ", ".join(f"{each.version:04}_{each.name}" for each in migrations.check(conn))
        if missing:
            raise MigrationError(f"the database lacks {missing}: run `esl-agent migrate`")
        print_done(as_json, "the database has every migration", applied=[])
        return
    applied = migrations.migrate(conn)
    names = [f"{each.version:04}_{each.name}" for each in applied]
    said = "\n".join(f"applied {name}" for name in names) or "the database has every migration already"
    print_done(as_json, said, applied=names)
