"""`esl-agent charge`: what customers are charged besides calls."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import click

from esl_agent.cli import arguments
from esl_agent.cli.arguments import ACCOUNT_ID
from esl_agent.cli.database import configured, dry_run_option, operator, rehearsed, today, with_database
from esl_agent.cli.output import as_json_option, print_json, print_table
from esl_agent.core.office.recurring import Recurring
from esl_agent.office import charges
from esl_agent.office.charges import Charge, RecurringCharge
from esl_agent.store.accounts import get_account
from esl_agent.store.pool import Connection

_by = click.option("--by", type=arguments.text, default=operator, help="Who charges it; by default you.")
_description = click.option(
    "--description", type=arguments.text, required=True, help="As the invoice says it."
)
_exempt = click.option("--exempt", is_flag=True, help="Without taxes.")


@click.group()
def charge() -> None:
    """What customers are charged besides calls."""


@charge.command()
@click.argument("account_id", type=ACCOUNT_ID)
@click.argument("amount", type=arguments.amount)
@_description
@click.option(
    "--reference", type=arguments.text, required=True, help="Of the work or the order, charged once."
)
@click.option("--on", type=arguments.day, help="By default today.")
@_exempt
@_by
@dry_run_option
@as_json_option
@with_database
def add(
    conn: Connection,
    account_id: int,
    amount: Decimal,
    description: str,
    reference: str,
    on: date | None,
    exempt: bool,
    by: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Charge AMOUNT (before taxes) once, for support or the like."""
    new = Charge(account_id, reference, description, amount, not exempt, on or today(), None, by)
    with rehearsed(conn, dry_run=dry_run):
        is_new = charges.add_single(conn, new)
        account = get_account(conn, account_id)
    if as_json:
        print_json({"charge": new, "balance": account.balance, "done_now": is_new})
        return
    done = f"{amount} charged" if is_new else f"{reference!r} was charged before: nothing changed"
    after = "  (a dry run: nothing is done)" if dry_run else ""
    click.echo(f"account {account_id}: {done}; balance {account.balance} {account.currency}{after}")


@charge.command()
@click.argument("account_id", type=ACCOUNT_ID)
@click.argument("amount", type=arguments.amount)
@click.option(
    "--id", "word", type=arguments.text, required=True, help="Your word for it, such as did-5145550101."
)
@_description
@click.option("--number", type=arguments.text, help="The DID it is for: charged while that is the account's.")
@click.option(
    "--anchor-day", type=click.IntRange(1, 31), help="Due on this day of each month; by default --from's."
)
@click.option("--from", "starts_on", type=arguments.day, help="By default today.")
@click.option("--until", "ends_on", type=arguments.day, help="The first day without it.")
@click.option(
    "--prorated", is_flag=True, help="Charge the days before the first anchor day by their share of a month."
)
@_exempt
@_by
@as_json_option
@with_database
def monthly(
    conn: Connection,
    account_id: int,
    amount: Decimal,
    word: str,
    description: str,
    number: str | None,
    anchor_day: int | None,
    starts_on: date | None,
    ends_on: date | None,
    prorated: bool,
    exempt: bool,
    by: str,
    as_json: bool,
) -> None:
    """Charge AMOUNT (before taxes) every month, in advance; `charge run` makes the charges."""
    begins = starts_on or today()
    if ends_on is not None and ends_on < begins:
        raise click.BadParameter(f"--until {ends_on} is before --from {begins}")
    terms = Recurring(amount, anchor_day or begins.day, begins, ends_on, prorated)
    new = RecurringCharge(account_id, word, description, not exempt, number, by, terms)
    charges.add_recurring(conn, new)
    _tell(new, as_json=as_json)


@charge.command()
@click.argument("account_id", type=ACCOUNT_ID)
@click.argument("word", metavar="ID", type=arguments.text)
@click.option("--on", type=arguments.day, help="The first day without it; by default today.")
@as_json_option
@with_database
def end(conn: Connection, account_id: int, word: str, on: date | None, as_json: bool) -> None:
    """Charge ID no more; what was charged stays charged."""
    _tell(charges.end_recurring(conn, account_id, word, on or today()), as_json=as_json)


@charge.command("list")
@click.argument("account_id", type=ACCOUNT_ID, required=False)
@as_json_option
@with_database
def list_(conn: Connection, account_id: int | None, as_json: bool) -> None:
    """What is charged every month; with ACCOUNT_ID also what was charged."""
    recurring = charges.list_recurring(conn, account_id)
    made = charges.list_charges(conn, account_id) if account_id is not None else []
    if as_json:
        print_json({"monthly": recurring, "charges": made})
        return
    columns = ("account_id", "id", "amount", "day", "from", "until", "number", "description")
    rows = [
        (each.account_id, each.charge, each.terms.amount, each.terms.anchor_day, each.terms.starts_on,
         each.terms.ends_on, each.number, each.description)
        for each in recurring
    ]  # fmt: skip
    print_table(columns, rows, numbers=("account_id", "amount", "day"))
    if made:
        _print_charges(made)


@charge.command()
@click.option("--on", type=arguments.day, help="Make what was due up to this day; by default today.")
@dry_run_option
@as_json_option
@with_database
def run(conn: Connection, on: date | None, dry_run: bool, as_json: bool) -> None:
    """Make the monthly charges that are due and not made; as often as you like.  For a daily timer."""
    time_zone = configured().admission.time_zone
    made = list(charges.run_monthly(conn, on or today(), time_zone, dry_run=dry_run))
    if as_json:
        print_json({"charges": made, "dry_run": dry_run})
        return
    if made:
        _print_charges(made)
    total = sum(each.amount for each in made)
    click.echo(f"{len(made)} charges{' would be' if dry_run else ''} made, {total} in all")


def _print_charges(made: list[Charge]) -> None:
    columns = ("account_id", "charged_on", "amount", "description", "reference")
    rows = [[getattr(each, column) for column in columns] for each in made]
    print_table(columns, rows, numbers=("account_id", "amount"))


def _tell(known: RecurringCharge, *, as_json: bool) -> None:
    if as_json:
        print_json(known)
        return
    terms = known.terms
    until = f" until {terms.ends_on}" if terms.ends_on else ""
    click.echo(
        f"account {known.account_id}: {terms.amount} for {known.description!r} on day {terms.anchor_day}"
        f" of each month from {terms.starts_on}{until}"
    )
