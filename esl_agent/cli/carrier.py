"""`esl-agent carrier`: the ways out, and how each wants to be called."""

from __future__ import annotations

import click

from esl_agent.cli.database import with_database
from esl_agent.cli.output import as_json_option, print_done, print_json, print_table
from esl_agent.core.admission.carriers import Carrier, NumberFormat
from esl_agent.store import carriers
from esl_agent.store.carriers import StoredCarrier
from esl_agent.store.pool import Connection


@click.group()
def carrier() -> None:
    """The ways out, and how each wants to be called."""


@carrier.command()
@click.argument("name")
@click.option("--dial", "dial_template", metavar="TEMPLATE", help="By default sofia/gateway/NAME/{number}.")
@click.option(
    "--number-format",
    type=click.Choice([form.value for form in NumberFormat]),
    default=NumberFormat.E164.value,
    show_default=True,
)
@click.option("--strip", "strip_digits", type=int, default=0, help="Digits to take off its front.")
@click.option("--prepend", default="", metavar="DIGITS", help="To put before what is left.")
@click.option("--capacity", type=click.IntRange(min=1), help="Calls at a time; by default no limit.")
@click.option(
    "--progress-timeout", "progress_timeout_s", type=int, metavar="S", help="Silent so long, it failed."
)
@as_json_option
@with_database
def add(
    conn: Connection,
    name: str,
    dial_template: str | None,
    number_format: str,
    strip_digits: int,
    prepend: str,
    capacity: int | None,
    progress_timeout_s: int | None,
    as_json: bool,
) -> None:
    """Add carrier NAME, or say anew how it is called; it gets calls by its routes."""
    described = Carrier(
        name=name,
        dial_template=dial_template or f"sofia/gateway/{name}/{{number}}",
        number_format=NumberFormat(number_format),
        strip_digits=strip_digits,
        prepend=prepend,
        capacity=capacity,
        progress_timeout_s=progress_timeout_s,
    )
    carriers.put_carrier(conn, described)
    _tell([stored for stored in carriers.list_carriers(conn) if stored.carrier.name == name], as_json)


@carrier.command("list")
@as_json_option
@with_database
def list_(conn: Connection, as_json: bool) -> None:
    """Every carrier."""
    _tell(carriers.list_carriers(conn), as_json)


@carrier.command()
@click.argument("name")
@as_json_option
@with_database
def disable(conn: Connection, name: str, as_json: bool) -> None:
    """Give NAME no more calls; those that are up go on."""
    carriers.enable_carrier(conn, name, False)
    print_done(
        as_json, f"carrier {name} gets no more calls; its routes are kept", carrier=name, enabled=False
    )


@carrier.command()
@click.argument("name")
@as_json_option
@with_database
def enable(conn: Connection, name: str, as_json: bool) -> None:
    """Give NAME calls again."""
    carriers.enable_carrier(conn, name, True)
    print_done(as_json, f"carrier {name} gets calls by its routes", carrier=name, enabled=True)


def _tell(stored: list[StoredCarrier], as_json: bool) -> None:
    columns = (
        "name",
        "dial_template",
        "number_format",
        "strip_digits",
        "prepend",
        "capacity",
        "progress_timeout_s",
    )
    rows = [[getattr(each.carrier, column) for column in columns] for each in stored]
    if as_json:
        print_json(
            [
                dict(zip(columns, row, strict=True)) | {"is_enabled": each.is_enabled}
                for each, row in zip(stored, rows, strict=True)
            ]
        )
        return
    print_table(
        (*columns, "state"),
        [
            [*row, "enabled" if each.is_enabled else "disabled"]
            for each, row in zip(stored, rows, strict=True)
        ],
        numbers=("strip_digits", "capacity", "progress_timeout_s"),
    )
