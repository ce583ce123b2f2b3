"""`esl-agent dunning`: what is done about invoices that are past due."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from datetime import date

import click

from esl_agent.cli import arguments
from esl_agent.cli.database import configured, dry_run_option, today, with_database
from esl_agent.cli.output import as_json_option, print_json, print_table
from esl_agent.config import dunning_policy_of
from esl_agent.core.office.dunning import DunningPolicy
from esl_agent.noc.log import open_log
from esl_agent.office import dunning as office
from esl_agent.office.dunning import Taken
from esl_agent.store.pool import Connection


@click.group()
def dunning() -> None:
    """What is done about invoices that are past due: reminders, suspension, closure."""


@dunning.command()
@click.option("--on", type=arguments.day, help="By default today.")
@dry_run_option
@as_json_option
@with_database
def run(conn: Connection, on: date | None, dry_run: bool, as_json: bool) -> None:
    """Take the steps that are due, each once.  For a daily timer.

    [office] says on which days, and which command is run at each step
    (dunning_hook), with the step, the account, the invoice, what is open and the currency.
    """
    config = configured()
    time_zone = config.admission.time_zone
    steps = office.take_steps(conn, on or today(), time_zone, policy(), dry_run=dry_run)
    taken = list(steps if dry_run else _told(steps))
    if as_json:
        print_json({"steps": taken, "dry_run": dry_run})
        return
    if taken:
        columns = ("account_id", "name", "invoice_number", "due_on", "open_amount", "step")
        rows = [[getattr(each, column) for column in columns] for each in taken]
        print_table(columns, rows, numbers=("account_id", "open_amount"))
    click.echo(f"{len(taken)} steps{' would be' if dry_run else ''} taken")


def policy() -> DunningPolicy:
    """As configured."""
    return dunning_policy_of(configured())


def _told(steps: Iterable[Taken]) -> Iterator[Taken]:
    """Each is told when it is taken, and before the next is: what is in the books was said."""
    config = configured()
    log, close_log = open_log(style=config.log.format, level=config.log.level, stream=sys.stderr)
    try:
        for each in steps:
            office.tell(log, each, config.office.dunning_hook)
            yield each
    finally:
        close_log()
