"""`esl-agent invoice` and `esl-agent interest`: what customers are asked to pay."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from esl_agent.cli import arguments
from esl_agent.cli.arguments import ACCOUNT_ID
from esl_agent.cli.database import configured, dry_run_option, operator, rehearsed, today, with_database
from esl_agent.cli.output import as_json_option, print_facts, print_json, print_table
from esl_agent.cli.papers import issuer, write_paper
from esl_agent.office import arrears, invoices
from esl_agent.office.invoice_paper import invoice_paper
from esl_agent.office.invoices import Invoice, InvoicePolicy
from esl_agent.office.usage import CALLS_AGE_MIN
from esl_agent.store.pool import Connection

LISTED = (
    "invoice_number",
    "account_id",
    "issued_on",
    "due_on",
    "before_taxes",
    "total",
    "currency",
    "credits",
)

_by = click.option("--by", type=arguments.text, default=operator, help="Who issues it; by default you.")
_on = click.option("--on", type=arguments.day, help="By default today.")


@click.group()
def invoice() -> None:
    """What customers are asked to pay: charges, calls that are paid for afterwards, and taxes."""


@invoice.command()
@_on
@_by
@dry_run_option
@as_json_option
@with_database
def run(conn: Connection, on: date | None, by: str, dry_run: bool, as_json: bool) -> None:
    """Invoice everything that is on no invoice yet; as often as you like.  For a monthly timer.

    Charges up to that day, and calls settled before it.  [office] net_days says how long
    customers have to pay.
    """
    day = on or today()
    issued = list(invoices.issue_all(conn, day, _policy(day), by, dry_run=dry_run))
    if as_json:
        print_json({"invoices": issued, "dry_run": dry_run})
        return
    if issued:
        _print_invoices(issued)
    would_be = " would be" if dry_run else ""
    click.echo(f"{len(issued)} invoices{would_be} issued, {sum(each.total for each in issued)} in all")


@invoice.command("list")
@click.argument("account_id", type=ACCOUNT_ID, required=False)
@as_json_option
@with_database
def list_(conn: Connection, account_id: int | None, as_json: bool) -> None:
    """The latest invoices and credit notes, of ACCOUNT_ID with what is open of each."""
    if account_id is None:
        found = invoices.list_invoices(conn)
        if as_json:
            print_json(found)
        else:
            _print_invoices(found)
        return
    stood = arrears.invoices_on(conn, account_id, today(), _time_zone())
    if as_json:
        print_json(stood)
        return
    columns = ("invoice", "issued_on", "due_on", "total", "credited", "interest", "open")
    rows = [
        (each.invoice.invoice_number, each.invoice.issued_on, each.invoice.due_on, each.invoice.total,
         each.credited, each.interest, each.open_amount)
        for each in stood
    ]  # fmt: skip
    print_table(columns, rows, numbers=("total", "credited", "interest", "open"))


@invoice.command()
@click.argument("number", type=arguments.text)
@as_json_option
@with_database
def show(conn: Connection, number: str, as_json: bool) -> None:
    """An invoice with its lines."""
    found = invoices.get_invoice(conn, number)
    lines = invoices.lines_of(conn, found)
    if as_json:
        print_json({"invoice": found, "lines": lines})
        return
    print_facts([(name.replace("_", " "), getattr(found, name)) for name in Invoice.__slots__])
    columns = ("position", "kind", "description", "calls", "billed_seconds", "amount")
    rows = [[getattr(line, column) for column in columns] for line in lines]
    print_table(columns, rows, numbers=("position", "calls", "billed_seconds", "amount"))


@invoice.command()
@click.argument("number", type=arguments.text)
@click.option("--line", "positions", type=int, multiple=True, help="Of the invoice; all by default.")
@click.option("--reason", type=arguments.text, required=True)
@_on
@_by
@dry_run_option
@as_json_option
@with_database
def credit(
    conn: Connection,
    number: str,
    positions: tuple[int, ...],
    reason: str,
    on: date | None,
    by: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Take lines of an invoice back, with their taxes, by a credit note."""
    with rehearsed(conn, dry_run=dry_run):
        note = invoices.credit(conn, number, positions, reason, by, on or today())
    if as_json:
        print_json(note)
        return
    after = "  (a dry run: nothing is done)" if dry_run else ""
    click.echo(f"credit note {note.invoice_number}: {note.total} {note.currency} of invoice {number}{after}")


@invoice.command()
@click.argument("number", type=arguments.text)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@with_database
def export(conn: Connection, number: str, file: Path) -> None:
    """Write an invoice to FILE, as the customer gets it: .html or .pdf."""
    write_paper(invoice_paper(conn, invoices.get_invoice(conn, number), issuer()), file)


@click.group()
def interest() -> None:
    """Interest on invoices that are past due."""


@interest.command("run")
@_on
@dry_run_option
@as_json_option
@with_database
def run_interest(conn: Connection, on: date | None, dry_run: bool, as_json: bool) -> None:
    """Charge interest for each month past due that is completed; as often as you like.  For a daily timer."""
    rate = Decimal(configured().office.interest_per_month)
    charged = list(arrears.charge_interest(conn, on or today(), _time_zone(), rate, dry_run=dry_run))
    if as_json:
        print_json({"interest": charged, "dry_run": dry_run})
        return
    if charged:
        columns = ("account_id", "invoice_number", "month", "charged_on", "open_amount", "amount")
        rows = [[getattr(each, column) for column in columns] for each in charged]
        print_table(columns, rows, numbers=("account_id", "month", "open_amount", "amount"))
    would_be = " would be" if dry_run else ""
    click.echo(f"{len(charged)} months{would_be} charged, {sum(each.amount for each in charged)} in all")


def _policy(day: date) -> InvoicePolicy:
    """Calls before that day, by the operator's clock, that were settled a while ago."""
    midnight = datetime.combine(day, time(), ZoneInfo(_time_zone()))
    settled = datetime.now(UTC) - CALLS_AGE_MIN
    return InvoicePolicy(configured().office.net_days, min(midnight, settled))


def _time_zone() -> str:
    return configured().admission.time_zone


def _print_invoices(found: list[Invoice]) -> None:
    rows = [[getattr(each, column) for column in LISTED] for each in found]
    print_table(LISTED, rows, numbers=("account_id", "before_taxes", "total"))
