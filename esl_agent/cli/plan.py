"""`esl-agent plan`: what groups of accounts pay."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

import click

from esl_agent.cli import arguments
from esl_agent.cli.database import with_database
from esl_agent.cli.output import as_json_option, print_facts, print_json, print_table
from esl_agent.core.money import ZERO
from esl_agent.core.numbering import NumberClass
from esl_agent.core.price import Increment
from esl_agent.core.tariff import DEFAULT_FORWARDING_RATE, Plan
from esl_agent.store import plans
from esl_agent.store.pool import Connection

INCREMENT: Final = re.compile(r"([a-z_]+)=(\d{1,4})/(\d{1,4})", re.ASCII)


@click.group()
def plan() -> None:
    """What groups of accounts pay."""


def _increments(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> dict[NumberClass, Increment]:
    increments = {}
    for value in values:
        parts = INCREMENT.fullmatch(value)
        if not parts or parts[1] not in set(NumberClass):
            classes = ", ".join(NumberClass)
            raise click.BadParameter(f"{value!r} isn't written like mexico=60/60; the classes are {classes}")
        increments[NumberClass(parts[1])] = Increment(int(parts[2]), int(parts[3]))
    return increments


@plan.command()
@click.argument("name", type=arguments.text)
@click.option(
    "--deck", type=arguments.text, help="Whose rates count; by default the deck of the plan's own name."
)
@click.option(
    "--increment",
    "increments",
    multiple=True,
    callback=_increments,
    metavar="CLASS=MIN/STEP",
    help="Seconds of a class, like mexico=60/60; may be given again.",
)
@click.option("--forwarding-surcharge/--no-forwarding-surcharge", default=True, show_default=True)
@click.option("--forwarding-rate", type=arguments.rate, default=DEFAULT_FORWARDING_RATE, help="Per minute.")
@click.option("--free-toll-free/--no-free-toll-free", default=True, show_default=True)
@click.option("--inbound-rate", type=arguments.rate, default=ZERO, help="A minute of calls to its DIDs.")
@click.option("--grace-ms", type=click.IntRange(0, 999), default=0, help="Talk past a step that is forgiven.")
@as_json_option
@with_database
def add(
    conn: Connection,
    name: str,
    deck: str | None,
    increments: dict[NumberClass, Increment],
    forwarding_surcharge: bool,
    forwarding_rate: Decimal,
    free_toll_free: bool,
    inbound_rate: Decimal,
    grace_ms: int,
    as_json: bool,
) -> None:
    """Make a plan; its deck may be imported later."""
    made = Plan(
        name=name,
        deck=deck or name,
        increments=increments,
        forwarding_surcharge=forwarding_surcharge,
        forwarding_rate_per_minute=forwarding_rate,
        free_toll_free=free_toll_free,
        inbound_rate_per_minute=inbound_rate,
        grace_ms=grace_ms,
    )
    plans.add_plan(conn, made)
    _tell(made, as_json)


@plan.command()
@click.argument("name", type=arguments.text)
@as_json_option
@with_database
def show(conn: Connection, name: str, as_json: bool) -> None:
    """One plan and its terms."""
    _tell(plans.get_plan(conn, name), as_json)


@plan.command("list")
@as_json_option
@with_database
def list_(conn: Connection, as_json: bool) -> None:
    """Every plan."""
    found = list(plans.load_all(conn).values())
    if as_json:
        print_json(found)
    else:
        print_table(("plan", "deck"), [(each.name, each.deck) for each in found])


@plan.command("set-deck")
@click.argument("name", type=arguments.text)
@click.argument("deck", type=arguments.text)
@as_json_option
@with_database
def set_deck(conn: Connection, name: str, deck: str, as_json: bool) -> None:
    """Price the plan's calls by another deck; the daemon takes it up on SIGHUP."""
    plans.set_deck(conn, name, deck)
    _tell(plans.get_plan(conn, name), as_json)


def _tell(shown: Plan, as_json: bool) -> None:
    if as_json:
        print_json(shown)
        return
    surcharge = f"{shown.forwarding_rate_per_minute} a minute" if shown.forwarding_surcharge else "none"
    increments = [(f"increment, {each}", "{}/{}".format(*shown.increment(each))) for each in NumberClass]
    print_facts(
        [
            ("plan", shown.name),
            ("deck", shown.deck),
            ("forwarding surcharge", surcharge),
            ("toll-free calls", "free" if shown.free_toll_free else "as the deck says"),
            ("inbound calls", f"{shown.inbound_rate_per_minute} a minute"),
            ("grace", f"{shown.grace_ms} ms"),
            *increments,
        ]
    )
