"""`esl-agent payment`: what customers paid, and what the bank returned."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Final

import click

from esl_agent.cli import arguments
from esl_agent.cli.arguments import ACCOUNT_ID
from esl_agent.cli.database import configured, dry_run_option, operator, rehearsed, today, with_database
from esl_agent.cli.dunning import policy as dunning_policy
from esl_agent.cli.output import as_json_option, print_json, print_table
from esl_agent.core import money
from esl_agent.office import payments
from esl_agent.office.dunning import receive
from esl_agent.office.payments import Booked, Method, NewPayment, Return, ReturnFeePolicy
from esl_agent.store.pool import Connection

METHOD: Final = click.Choice([method.value for method in Method])

_by = click.option("--by", type=arguments.text, default=operator, help="Who recorded it; by default you.")


@click.group()
def payment() -> None:
    """What customers paid, and what the bank returned."""


@payment.command()
@click.argument("account_id", type=ACCOUNT_ID)
@click.argument("amount", type=arguments.amount)
@click.option("--method", type=METHOD, required=True)
@click.option(
    "--reference", type=arguments.text, required=True, help="The check's, transfer's or receipt's number."
)
@click.option("--received-on", type=arguments.day, help="By default today.")
@_by
@dry_run_option
@as_json_option
@with_database
def take(
    conn: Connection,
    account_id: int,
    amount: Decimal,
    method: str,
    reference: str,
    received_on: date | None,
    by: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Credit a payment to the account, once for each reference."""
    new = NewPayment(
        account_id=account_id,
        amount=amount,
        reference=reference,
        method=Method(method),
        received_on=received_on or today(),
        by=by,
    )
    with rehearsed(conn, dry_run=dry_run):
        booked, is_lifted = receive(conn, new, today(), configured().admission.time_zone, dunning_policy())
    lifted = ", suspension lifted" if is_lifted else ""
    done = (
        f"{amount} credited{lifted}"
        if booked.is_new
        else f"{reference!r} was credited before: nothing changed"
    )
    _tell(booked, done, dry_run=dry_run, as_json=as_json)


@payment.command("return")
@click.argument("account_id", type=ACCOUNT_ID)
@click.argument("reference", type=arguments.text)
@click.option("--reason", type=arguments.text, required=True, help="As the bank says it: no funds, stopped.")
@click.option("--returned-on", type=arguments.day, help="By default today.")
@_by
@dry_run_option
@as_json_option
@with_database
def return_(
    conn: Connection,
    account_id: int,
    reference: str,
    reason: str,
    returned_on: date | None,
    by: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Take back the credit of a payment that the bank returned, and charge the fee: once.

    [office] returned_check_fee says how much, and consumers_pay_returned_checks whether
    an account of type consumer pays it.
    """
    office = configured().office
    policy = ReturnFeePolicy(money.amount(office.returned_check_fee), office.consumers_pay_returned_checks)
    what = Return(
        account_id=account_id, reference=reference, reason=reason, returned_on=returned_on or today(), by=by
    )
    with rehearsed(conn, dry_run=dry_run):
        booked = payments.return_payment(conn, what, policy)
    returned = booked.payment
    fee = f" and a fee of {returned.return_fee} charged" if returned.return_fee else ", no fee"
    done = f"{returned.amount} taken back{fee}"
    if not booked.is_new:
        done = f"{reference!r} was returned on {returned.returned_on}: nothing changed"
    _tell(booked, done, dry_run=dry_run, as_json=as_json)


@payment.command("list")
@click.argument("account_id", type=ACCOUNT_ID, required=False)
@as_json_option
@with_database
def list_(conn: Connection, account_id: int | None, as_json: bool) -> None:
    """The latest payments, of ACCOUNT_ID or of everybody, at most 1,000."""
    found = payments.list_payments(conn, account_id)
    if as_json:
        print_json(found)
        return
    columns = ("account_id", "received_on", "method", "amount", "reference", "returned_on", "return_reason")
    rows = [[getattr(each, column) for column in columns] for each in found]
    print_table(columns, rows, numbers=("account_id", "amount"))


def _tell(booked: Booked, done: str, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        print_json({"payment": booked.payment, "balance": booked.account.balance, "done_now": booked.is_new})
        return
    account = booked.account
    after = "  (a dry run: nothing is done)" if dry_run else ""
    click.echo(f"account {account.account_id}: {done}; balance {account.balance} {account.currency}{after}")
