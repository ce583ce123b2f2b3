"""`esl-agent department`: the numbers whose calls are recorded (terms 12)."""

from __future__ import annotations

from collections.abc import Iterable

import click

from esl_agent.cli import arguments
from esl_agent.cli.database import configured, operator, with_database
from esl_agent.cli.output import as_json_option, print_done, print_json, print_table
from esl_agent.config import numbering_of
from esl_agent.core.tariff import NEVER_CHARGED
from esl_agent.store import departments
from esl_agent.store.departments import DAYS, DAYS_MAX, Department, DepartmentError
from esl_agent.store.pool import Connection


@click.group()
def department() -> None:
    """Numbers of your departments: calls from and to them are recorded."""


@department.command()
@click.argument("number")
@click.option("--name", type=arguments.text, required=True, help="Such as support.")
@click.option(
    "--days",
    type=click.IntRange(1, DAYS_MAX),
    default=DAYS,
    show_default=True,
    help="How long its recordings are kept.",
)
@click.option("--by", type=arguments.text, default=operator, help="Who adds it; by default you.")
@as_json_option
@with_database
def add(conn: Connection, number: str, name: str, days: int, by: str, as_json: bool) -> None:
    """Have calls from and to NUMBER recorded, or say anew whose it is and for how long they are kept."""
    parsed = numbering_of(configured()).parse(number)
    if parsed.number_class in NEVER_CHARGED:
        raise DepartmentError(f"{parsed.digits} is no department's number: calls to it are never recorded")
    new = Department(parsed.digits, name, days)
    departments.put_department(conn, new, by)
    if as_json:
        print_json(new)
    else:
        _print([new])


@department.command("list")
@as_json_option
@with_database
def list_(conn: Connection, as_json: bool) -> None:
    """The numbers whose calls are recorded."""
    found = departments.load_all(conn).values()
    if as_json:
        print_json(list(found))
    else:
        _print(found)


@department.command()
@click.argument("number")
@as_json_option
@with_database
def remove(conn: Connection, number: str, as_json: bool) -> None:
    """Have no more calls of NUMBER recorded; what was recorded is kept for its time."""
    digits = numbering_of(configured()).parse(number).digits
    departments.remove_department(conn, digits)
    print_done(as_json, f"calls from and to {digits} are not recorded now", number=digits, removed=True)


def _print(found: Iterable[Department]) -> None:
    print_table(
        ("number", "department", "days"),
        [(each.number, each.name, each.days) for each in found],
        numbers=("number", "days"),
    )
