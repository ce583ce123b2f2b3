"""`esl-agent number`: DIDs, toll-free numbers and verified caller IDs of accounts."""

from __future__ import annotations

from decimal import Decimal

import click

from esl_agent.cli import arguments
from esl_agent.cli.arguments import ACCOUNT_ID
from esl_agent.cli.database import configured, with_database
from esl_agent.cli.output import as_json_option, print_done, print_json, print_table
from esl_agent.config import numbering_of
from esl_agent.core.admission.facts import PayphonePolicy
from esl_agent.core.money import ZERO
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
@click.option(
    "--payphone-policy",
    type=click.Choice([policy.value for policy in PayphonePolicy]),
    default=PayphonePolicy.ALLOW.value,
    show_default=True,
    help="What payphones' calls to a toll-free number meet with.",
)
@click.option(
    "--payphone-surcharge",
    type=arguments.amount,
    default=ZERO,
    help="Once a call, with the policy surcharge.",
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
    payphone_policy: str,
    payphone_surcharge: Decimal,
    as_json: bool,
) -> None:
    """Give NUMBER to an account, or say anew what becomes of its calls.

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
        payphone_policy=PayphonePolicy(payphone_policy),
        payphone_surcharge=payphone_surcharge,
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
@as_json_option
@with_database
def remove(conn: Connection, number: str, as_json: bool) -> None:
    """Take NUMBER away from its account."""
    digits = _parsed(number).digits
    numbers.remove_number(conn, digits)
    print_done(as_json, f"{digits} belongs to nobody now", number=digits, removed=True)


def _parsed(text: str) -> Number:
    return numbering_of(configured()).parse(text)


def _print(owned: list[OwnedNumber]) -> None:
    print_table(
        ("number", "account", "kind", "forwarded", "to", "payphones"),
        [
            (
                each.number,
                each.account_id,
                each.kind,
                each.forward_when,
                each.forward_to,
                _payphones(each) if each.kind is NumberKind.TOLL_FREE else "",
            )
            for each in owned
        ],
        numbers=("number", "account"),
    )


def _payphones(owned: OwnedNumber) -> str:
    surcharge = f" {owned.payphone_surcharge}" if owned.payphone_surcharge else ""
    return f"{owned.payphone_policy}{surcharge}"
