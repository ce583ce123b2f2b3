"""`esl-agent live`: the calls that are up, as the daemon beside the switch sees them."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
import gevent
from gevent.event import Event
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from esl_agent import config as configuration
from esl_agent.cli.database import config_option
from esl_agent.cli.output import as_json_option, output_width, print_json, print_table, table_of
from esl_agent.config import AdmissionConfig
from esl_agent.errors import EslAgentError
from esl_agent.switch.embedded import ask

WATCH_EVERY_S: Final = 1.0
COLUMNS: Final = (
    "account",
    "to",
    "product",
    "phase",
    "since",
    "talked_s",
    "cost",
    "held",
    "funded_until",
    "funded_s",
)
#: Where the terminal is narrower than all of them are.
WIDTH_OF_ALL: Final = 124
NARROW: Final = ("account", "to", "since", "cost", "held", "funded_until")
NUMBERS: Final = ("account", "talked_s", "cost", "held", "funded_s")
TIMES: Final = ("since", "funded_until")


class NoDaemonError(EslAgentError):
    """There is no daemon to ask, or it did not answer."""


@click.command()
@click.option("--watch", is_flag=True, help="Again every second, until Ctrl-C.")
@config_option
@as_json_option
def live(watch: bool, path: Path | None, as_json: bool) -> None:
    """Show the calls that are up: who pays, since when, the cost so far, and until when it is funded.

    Times are UTC.  A call that is free, or not answered yet, is funded until no
    particular time.
    """
    if watch and as_json:
        raise click.UsageError("--watch is for people, --json for programs: give one of them")
    door = configuration.load(path, os.environ).admission
    if not door.local_socket:
        raise NoDaemonError("the daemon opens no local door: [admission] local_socket is empty")
    if watch:
        _watch(door)
        return
    report = ask_live(door)
    if as_json:
        print_json(report)
        return
    columns = columns_for(output_width())
    print_table(columns, rows_of(report, columns), numbers=NUMBERS)
    click.echo(_summary(report))


def ask_live(door: AdmissionConfig) -> Mapping[str, Any]:
    """The daemon's report; raises NoDaemonError."""
    try:
        report = ask(door.local_socket, {"ask": "live"}, door.local_secret)["report"]
    except LookupError as error:
        raise NoDaemonError(f"the daemon at {door.local_socket} refuses: {error}") from None
    except (OSError, ValueError) as error:
        raise NoDaemonError(
            f"{error}: is `esl-agent run` up here, with the same [admission] local_socket?"
        ) from None
    return dict(report)


def _watch(door: AdmissionConfig) -> None:
    stop = Event()
    gevent.signal_handler(signal.SIGINT, stop.set)
    with Live(console=Console(highlight=False), auto_refresh=False) as screen:
        screen.update(_picture(door, screen.console.width), refresh=True)
        while not stop.wait(WATCH_EVERY_S):
            screen.update(_picture(door, screen.console.width), refresh=True)


def _picture(door: AdmissionConfig, width: int) -> Group:
    """What is shown now; a daemon that is away may come back."""
    try:
        report = ask_live(door)
    except NoDaemonError as error:
        return Group(Text(f"{datetime.now(UTC):%H:%M:%S}  {error}"))
    columns = columns_for(width)
    return Group(table_of(columns, rows_of(report, columns), numbers=NUMBERS), Text(_summary(report)))


def columns_for(width: int) -> tuple[str, ...]:
    """What there is room for."""
    return COLUMNS if width >= WIDTH_OF_ALL else NARROW


def rows_of(report: Mapping[str, Any], columns: Sequence[str]) -> list[list[object]]:
    return [[_cell(name, call.get(name)) for name in columns] for call in report["calls"]]


def _cell(name: str, value: object) -> object:
    return f"{datetime.fromisoformat(value):%H:%M:%S}" if name in TIMES and isinstance(value, str) else value


def _summary(report: Mapping[str, Any]) -> str:
    up, shown = report["up"], len(report["calls"])
    calls = "1 call is up" if up == 1 else f"{up} calls are up"
    return f"{calls}." if up <= shown else f"{calls}; the {shown} that began first are shown."
