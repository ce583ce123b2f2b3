"""`esl-agent account`: customers, their state and their money."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Final

import click

from esl_agent.cli import arguments
from esl_agent.cli.account_limits import limit_facts, limits, limits_as_json
from esl_agent.cli.arguments import ACCOUNT_ID
from esl_agent.cli.database import configured, operator, today, with_database
from esl_agent.cli.dunning import policy as dunning_policy
from esl_agent.cli.output import as_json_option, print_facts, print_json, print_table, time_text
from esl_agent.core.money import ZERO
from esl_agent.core.traffic.restriction import by_and_until
from esl_agent.office.dunning import receive
from esl_agent.office.payments import Method, NewPayment
from esl_agent.store import accounts
from esl_agent.store.accounts import Account, Billing, CustomerType, NewAccount
from esl_agent.store.ledger import last_entries
from esl_agent.store.limits import get_limits
from esl_agent.store.pool import Connection
from esl_agent.store.restrictions import find_open

#: Open reservations and ledger lines that `account show` prints.
LINES_SHOWN: Final = 10

CUSTOMER_TYPE: Final = click.Choice([each.value for each in CustomerType])

_by = click.option("--by", type=arguments.text, default=operator, help="Who decided it; by default you.")


@click.group()
def account() -> None:
    """Customers, their state and their money."""


account.add_command(limits)


@account.command()
@click.option(
    "--id",
    "account_id",
    type=ACCOUNT_ID,
    required=True,
    help="As accountcode in FreeSWITCH.",
)
@click.option("--name", type=arguments.text, required=True)
@click.option("--plan", type=arguments.text, default="standard", show_default=True)
@click.option("--currency", type=arguments.currency, default="CAD", show_default=True)
@click.option(
    "--credit-limit",
    type=arguments.amount,
    default=ZERO,
    show_default=True,
    help="How far below zero it may go.",
)
@click.option(
    "--accept-terms",
    "terms_version",
    type=arguments.text,
    metavar="VERSION",
    help="The terms that were accepted.",
)
@click.option(
    "--type",
    "customer_type",
    type=CUSTOMER_TYPE,
    default=CustomerType.BUSINESS.value,
    show_default=True,
    help="What the customer is before the law.",
)
@_by
@as_json_option
@with_database
def add(
    conn: Connection,
    account_id: int,
    name: str,
    plan: str,
    currency: str,
    credit_limit: Decimal,
    terms_version: str | None,
    customer_type: str,
    by: str,
    as_json: bool,
) -> None:
    """Make an account; without --accept-terms it waits, and makes no calls."""
    new = NewAccount(
        account_id=account_id,
        name=name,
        plan=plan,
        by=by,
        currency=currency,
        credit_limit=credit_limit,
        terms_version=terms_version,
        customer_type=CustomerType(customer_type),
    )
    _tell(accounts.add_account(conn, new), as_json)


@account.command("list")
@click.option("--after", type=click.IntRange(min=0), default=0, metavar="ID", help="Begin behind this one.")
@as_json_option
@with_database
def list_(conn: Connection, after: int, as_json: bool) -> None:
    """Accounts in the order of their numbers, at most 1,000 at a time."""
    found = accounts.list_accounts(conn, after=after)
    if as_json:
        print_json([_as_json(each) for each in found])
        return
    columns = ("account_id", "name", "plan", "state", "balance", "reserved", "available", "currency")
    rows = [[getattr(each, column) for column in columns] for each in found]
    print_table(columns, rows, numbers=("account_id", "balance", "reserved", "available"))


@account.command()
@click.argument("account_id", type=ACCOUNT_ID)
@as_json_option
@with_database
def show(conn: Connection, account_id: int, as_json: bool) -> None:
    """One account, its limits and restrictions, what is held on it for calls, and its last ledger lines."""
    shown = accounts.get_account(conn, account_id)
    limited = get_limits(conn, account_id)
    held = accounts.open_reservations(conn, account_id, LINES_SHOWN)
    entries = last_entries(conn, account_id, LINES_SHOWN)
    restricted = find_open(conn, [account_id]).get(account_id, ())
    if as_json:
        details = {"limits": limits_as_json(limited), "restrictions": restricted}
        details |= {"open_reservations": held, "last_entries": entries}
        print_json(_as_json(shown) | details)
        return
    restrictions = [("restricted", f"{each.action}: {by_and_until(each)}") for each in restricted]
    limits_shown = [(name, limit) for name, limit in limit_facts(limited) if limit]
    print_facts([*_facts(shown), *restrictions, *limits_shown])
    if held:
        rows = [(each.leg_uuid, each.held, each.held_at) for each in held]
        print_table(("held for leg", "held", "since"), rows, numbers=("held",))
    if entries:
        columns = ("recorded", "kind", "change", "reference")
        lines = [(each.recorded_at, each.kind, f"{each.change:+}", each.reference) for each in entries]
        print_table(columns, lines, numbers=("change",))


@account.command("top-up")
@click.argument("account_id", type=ACCOUNT_ID)
@click.argument("amount", type=arguments.amount)
@click.option(
    "--reference", type=arguments.text, required=True, help="Of the payment, which is credited once."
)
@as_json_option
@with_database
def top_up(conn: Connection, account_id: int, amount: Decimal, reference: str, as_json: bool) -> None:
    """Credit a payment received today; `esl-agent payment` says more of it."""
    new = NewPayment(
        account_id=account_id,
        amount=amount,
        reference=reference,
        method=Method.OTHER,
        received_on=today(),
        by=operator(),
    )
    booked, _ = receive(conn, new, today(), configured().admission.time_zone, dunning_policy())
    credited = booked.account
    if as_json:
        print_json(_as_json(credited) | {"credited_now": booked.is_new})
        return
    what = f"{amount} credited" if booked.is_new else f"{reference!r} was credited before: nothing changed"
    click.echo(f"account {account_id}: {what}; balance {credited.balance} {credited.currency}")


@account.command("accept-terms")
@click.argument("account_id", type=ACCOUNT_ID)
@click.argument("version", type=arguments.text)
@click.option("--means", type=arguments.text, help="By signature, web form, telephone …")
@click.option("--address", type=arguments.text, help="From which network address, or where.")
@_by
@as_json_option
@with_database
def accept_terms(
    conn: Connection,
    account_id: int,
    version: str,
    means: str | None,
    address: str | None,
    by: str,
    as_json: bool,
) -> None:
    """Note that the customer accepted VERSION of the terms of service."""
    changed = accounts.accept_terms(conn, account_id, version, by, means=means or "", address=address or "")
    _tell(changed, as_json)


def _state_command(name: str, change: Callable[[Connection, int, str, str], Account], text: str) -> None:
    @account.command(name, help=text)
    @click.argument("account_id", type=ACCOUNT_ID)
    @click.option("--reason", type=arguments.text, required=True)
    @_by
    @as_json_option
    @with_database
    def command(conn: Connection, account_id: int, reason: str, by: str, as_json: bool) -> None:
        _tell(change(conn, account_id, reason, by), as_json)


_state_command("suspend", accounts.suspend, "Refuse the account's calls until it is resumed.")
_state_command("resume", accounts.resume, "Lift a suspension.")
_state_command("close", accounts.close, "Close the account for good.")


@account.command("set-credit")
@click.argument("account_id", type=ACCOUNT_ID)
@click.argument("limit", type=arguments.amount)
@as_json_option
@with_database
def set_credit(conn: Connection, account_id: int, limit: Decimal, as_json: bool) -> None:
    """Let calls bring the balance down to minus LIMIT; 0 is prepaid."""
    _tell(accounts.change_credit_limit(conn, account_id, limit), as_json)


@account.command("set-plan")
@click.argument("account_id", type=ACCOUNT_ID)
@click.argument("plan", type=arguments.text)
@as_json_option
@with_database
def set_plan(conn: Connection, account_id: int, plan: str, as_json: bool) -> None:
    """Put the account on PLAN; calls that are up keep their price."""
    _tell(accounts.change_plan(conn, account_id, plan), as_json)


@account.command()
@click.argument("account_id", type=ACCOUNT_ID)
@click.option("--type", "customer_type", type=CUSTOMER_TYPE, help="What the customer is before the law.")
@click.option("--taxed/--untaxed", "is_taxed", default=None, help="Whether invoices add GST and QST.")
@click.option("--language", type=click.Choice(["en", "fr"]), help="Of invoices.")
@click.option("--address", multiple=True, type=arguments.text, help="A line; give it again for the next.")
@click.option(
    "--invoice-calls/--prepay-calls",
    "calls_are_invoiced",
    default=None,
    help="Put calls on invoices, within the credit limit; or take them from what is paid in.",
)
@as_json_option
@with_database
def billing(
    conn: Connection,
    account_id: int,
    customer_type: str | None,
    is_taxed: bool | None,
    language: str | None,
    address: tuple[str, ...],
    calls_are_invoiced: bool | None,
    as_json: bool,
) -> None:
    """Change how the account is invoiced; without options, show it."""
    new = Billing(
        CustomerType(customer_type) if customer_type else None,
        is_taxed,
        language,
        "\n".join(address) if address else None,
        calls_are_invoiced,
    )
    _tell(accounts.change_billing(conn, account_id, new), as_json)


def _tell(changed: Account, as_json: bool) -> None:
    if as_json:
        print_json(_as_json(changed))
    else:
        print_facts(_facts(changed))


def _as_json(shown: Account) -> dict[str, object]:
    return {name: getattr(shown, name) for name in (*Account.__slots__, "available")}


def _facts(shown: Account) -> list[tuple[str, object]]:
    reason = f" ({shown.state_reason})" if shown.state_reason else ""
    accepted = f"{shown.terms_version}, accepted {time_text(shown.terms_accepted_at)} UTC"
    return [
        ("account", f"{shown.account_id}, {shown.name} ({shown.customer_type})"),
        ("state", f"{shown.state}{reason} since {time_text(shown.state_since)} UTC, by {shown.state_by}"),
        ("terms", accepted if shown.terms_version else "not accepted"),
        ("plan", shown.plan),
        ("invoices", _billing_text(shown)),
        ("balance", f"{shown.balance} {shown.currency}"),
        ("reserved", shown.reserved),
        ("credit limit", shown.credit_limit),
        ("available", shown.available),
        ("calls up", shown.calls_up),
        ("spent on calls", f"{shown.day_spent} on {shown.spent_on}" if shown.day_spent else ZERO),
    ]


def _billing_text(shown: Account) -> str:
    taxes = "taxed" if shown.is_taxed else "without taxes"
    calls = "calls prepaid"
    if shown.calls_invoiced_since is not None:
        calls = f"calls invoiced since {time_text(shown.calls_invoiced_since)} UTC"
    where = ", ".join(shown.address.splitlines()) or "no address"
    return f"in {shown.language}, {taxes}, {calls}; {where}"
