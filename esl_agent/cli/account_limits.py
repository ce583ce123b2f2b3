"""`esl-agent account limits`: how many calls, how much money, which destinations, which caller ID."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import click

from esl_agent.cli import arguments
from esl_agent.cli.arguments import ACCOUNT_ID
from esl_agent.cli.database import configured, with_database
from esl_agent.cli.output import as_json_option, print_facts, print_json
from esl_agent.config import numbering_of
from esl_agent.core.admission.limits import CallerIdPolicy, Limits, TollFree
from esl_agent.core.numbering import NumberClass
from esl_agent.store import accounts
from esl_agent.store import limits as store
from esl_agent.store.pool import Connection

#: What is typed to have no limit again.
NONE: Final = "none"
#: What the operator sets and changes a limit by.
Change = tuple[Any]


def _or_none(read: Callable[[str], object], *, nothing: object = None) -> Callable[[str], Change]:
    """What `read` makes of the text, or nothing; in a tuple, for to click None is an option not given."""
    return lambda text: (nothing if text == NONE else read(text),)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):
        raise click.BadParameter(f"{text!r} is neither a whole number nor {NONE}")
    return int(text)


def _classes(text: str) -> frozenset[NumberClass]:
    try:
        return frozenset(map(NumberClass, text.split(",")))
    except ValueError:
        classes = ", ".join(NumberClass)
        raise click.BadParameter(
            f"{text!r} isn't written like premium,satellite; there are: {classes}"
        ) from None


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",")]


_COUNT: Final = _or_none(_count)
_AMOUNT: Final = _or_none(arguments.amount)
_CLASSES: Final = _or_none(_classes, nothing=frozenset())
_COUNTRIES: Final = _or_none(lambda text: frozenset(_words(text.upper())), nothing=frozenset())
_PREFIXES: Final = _or_none(lambda text: tuple(word.removeprefix("+") for word in _words(text)), nothing=())


@click.command("limits")
@click.argument("account_id", type=ACCOUNT_ID)
@click.option("--max-calls", type=_COUNT, metavar="N", help="Calls at a time.")
@click.option("--calls-per-second", type=_COUNT, metavar="N")
@click.option("--spend-per-day", type=_AMOUNT, metavar="AMOUNT", help="By calls, on the operator's date.")
@click.option(
    "--spend-per-call", type=_AMOUNT, metavar="AMOUNT", help="The call is cut before it costs more."
)
@click.option("--blocked-classes", type=_CLASSES, metavar="CLASS,…", help="Like premium,satellite.")
@click.option("--blocked-countries", type=_COUNTRIES, metavar="CC,…", help="Like JM,CU (ISO 3166).")
@click.option("--blocked-prefixes", type=_PREFIXES, metavar="DIGITS,…", help="From the country code on.")
@click.option("--default-caller", metavar="NUMBER", help="One of the account's numbers.")
@click.option(
    "--caller-id-policy",
    type=click.Choice([policy.value for policy in CallerIdPolicy]),
    help="For calls whose caller ID isn't the account's; replace sends its default caller.",
)
@click.option(
    "--toll-free",
    type=click.Choice([option.value for option in TollFree]),
    help="Calls to toll-free numbers: as the plan has it, refused, or rated by the deck.",
)
@as_json_option
@with_database
def limits(
    conn: Connection,
    account_id: int,
    default_caller: str | None,
    caller_id_policy: str | None,
    toll_free: str | None,
    as_json: bool,
    **given: Change | None,
) -> None:
    """What the account may do: print it, or change what options name; `none` takes a limit away."""
    changes: dict[str, Any] = {name: change[0] for name, change in given.items() if change}
    if default_caller:
        changes["default_caller_id"] = None if default_caller == NONE else _digits(default_caller)
    if caller_id_policy:
        changes["caller_id_policy"] = CallerIdPolicy(caller_id_policy)
    if toll_free:
        changes["toll_free"] = TollFree(toll_free)
    if changes:
        now = store.change_limits(conn, account_id, lambda before: replace(before, **changes))
    else:
        accounts.get_account(conn, account_id)
        now = store.get_limits(conn, account_id)
    if as_json:
        print_json(limits_as_json(now))
    else:
        print_facts([(name, shown or NONE) for name, shown in limit_facts(now)])


def limits_as_json(shown: Limits) -> dict[str, object]:
    """The limits by their names, lists in order."""
    values = {name: getattr(shown, name) for name in store.COLUMNS}
    return {name: sorted(value) if isinstance(value, frozenset) else value for name, value in values.items()}


def limit_facts(shown: Limits) -> list[tuple[str, str]]:
    """The limits in words; "" where there is none."""
    return [(name.replace("_", " "), _shown(value)) for name, value in limits_as_json(shown).items()]


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return ", ".join(value) if isinstance(value, list | tuple) else str(value)


def _digits(text: str) -> str:
    return numbering_of(configured()).parse(text).digits
