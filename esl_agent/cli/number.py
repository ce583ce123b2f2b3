"""`esl-agent number`: DIDs, toll-free numbers and verified caller IDs of accounts."""

from __future__ import annotations

import click

from esl_agent.cli.arguments import ACCOUNT_ID
from esl_agent.cli.database import configured, with_database
from esl_agent.cli.output import as_json_option, print_json, print_table
from esl_agent.config import numbering_of
from esl_agent.core.numbering import Number, NumberClass
from esl_agent.store import numbers
from esl_agent.store.numbers import ForwardWhen, NumberKind, OwnedNumber
from esl_agent.store.pool import Connection


@click.group()
def number() -> None:
    """DIDs, toll-free numbers and verified caller IDs of accounts."""


@number.command()
@click.argument("number")
@click.option("--account", "account_id", type=ACCOUNT_ID, required=True, help="Whose it is.")
@click.option(
    "--kind",
    type=click.Choice([kind.value for kind in NumberKind]),
    help="By default did, or toll_free by the number itself; verified is another carrier's, for caller ID.",
)
@click.option("--forward-to", metavar="NUMBER", help="Where its calls go on to.")
@click.option(
    "--forward-when", type=click.Choice([when.value for when in ForwardWhen]), help="By default always."
)
@as_json_option
@with_database
def add(
    conn: Connection,
    number: str,
    account_id: int,
    kind: str | None,
    forward_to: str | None,
    forward_when: str | None,
    as_json: bool,
) -> None:
    """Give NUMBER to an account, or change its forwarding.

    Numbers may be written as they are dialled at home.
    """
    parsed = _parsed(number)
    is_toll_free = parsed.number_class is NumberClass.TOLL_FREE
    owned = OwnedNumber(
        number=parsed.digits,
        account_id=account_id,
        kind=NumberKind(kind) if kind else NumberKind.TOLL_FREE if is_toll_free else NumberKind.DID,
        forward_to=_parsed(forward_to).digits if forward_to else None,
        forward_when=ForwardWhen(forward_when or ("always" if forward_to else "never")),
    )
    numbers.add_number(conn, owned)
    if as_json:
        print_json(owned)
    else:
        _print([owned])


@number.command("list")
@click.option("--account", "account_id", type=ACCOUNT_ID, help="Only this account's.")
@as_json_option
@with_database
def list_(conn: Connection, account_id: int | None, as_json: bool) -> None:
    """The numbers of one account, or all."""
    owned = numbers.list_numbers(conn, account_id)
    if as_json:
        print_json(owned)
    else:
        _print(owned)


@number.command()
@click.argument("number")
@with_database
def remove(conn: Connection, number: str) -> None:
    """Take NUMBER away from its account."""
    digits = _parsed(number).digits
    numbers.remove_number(conn, digits)
    click.echo(f"{digits} belongs to nobody now")


def _parsed(text: str) -> Number:
    return numbering_of(configured()).parse(text)


def _print(owned: list[OwnedNumber]) -> None:
    print_table(
        ("number", "account", "kind", "forwarded", "to"),
        [(each.number, each.account_id, each.kind, each.forward_when, each.forward_to) for each in owned],
        numbers=("number", "account"),
    )
