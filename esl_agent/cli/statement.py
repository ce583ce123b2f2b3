"""`esl-agent statement`: what an account paid and used in a period."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from esl_agent.cli import arguments
from esl_agent.cli.arguments import ACCOUNT_ID
from esl_agent.cli.database import configured, today, with_database
from esl_agent.cli.output import as_json_option, print_json, print_table
from esl_agent.cli.papers import issuer, write_paper
from esl_agent.core.office.months import months_after
from esl_agent.office.statements import statement_of, statement_paper
from esl_agent.store.pool import Connection


@click.command()
@click.argument("account_id", type=ACCOUNT_ID)
@click.option("--since", type=arguments.day, help="By default the first day of last month.")
@click.option(
    "--until", type=arguments.day, help="The first day that is not meant; by default a month later."
)
@click.option(
    "--output",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="As the customer gets it: .html or .pdf.",
)
@as_json_option
@with_database
def statement(
    conn: Connection,
    account_id: int,
    since: date | None,
    until: date | None,
    file: Path | None,
    as_json: bool,
) -> None:
    """What an account paid and used in a period, from one balance to the next."""
    begins = since or months_after(today().replace(day=1), -1)
    ends = until or months_after(begins, 1)
    if ends <= begins:
        raise click.BadParameter(f"the period from {begins} until {ends} is empty")
    found = statement_of(conn, account_id, begins, ends, configured().admission.time_zone)
    if file is not None:
        write_paper(statement_paper(conn, found, issuer()), file)
        return
    if as_json:
        print_json(found)
        return
    rows: list[tuple[object, ...]] = [(begins, "balance", "", found.opening)]
    rows += [("", line.kind, f"{line.calls} to {line.description}", -line.amount) for line in found.calls]
    rows += [(line.day, line.kind, line.description, line.change) for line in found.lines]
    rows.append((ends, "balance", "", found.closing))
    print_table(("day", "what", "description", "amount"), rows, numbers=("amount",))
