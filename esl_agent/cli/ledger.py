"""`esl-agent ledger`: whether the books add up."""

from __future__ import annotations

import click

from esl_agent.cli.database import with_database
from esl_agent.cli.output import as_json_option, print_json, print_table
from esl_agent.store import ledger as books
from esl_agent.store.pool import Connection


@click.group()
def ledger() -> None:
    """Whether the books add up."""


@ledger.command()
@as_json_option
@with_database
def check(conn: Connection, as_json: bool) -> None:
    """Re-add every balance from the ledger, and reserved sums and calls up from the open reservations.

    Fails if a stored sum is not what its rows add up to.
    """
    differences = books.check(conn)
    if as_json:
        print_json({"differences": differences})
    elif differences:
        print_table(
            ("account", "what", "stored", "rows add up to"),
            [(each.account_id, each.what, each.stored, each.summed) for each in differences],
            numbers=("account", "stored", "rows add up to"),
        )
    else:
        click.echo("every balance, reserved sum and number of calls up is what its rows add up to")
    if differences:
        raise click.exceptions.Exit(1)
