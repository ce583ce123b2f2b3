"""What commands print: tables for people, JSON for programs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

import click
import msgspec
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

#: Where nobody's terminal sets the width: lines stay whole for grep.
WIDE_COLUMNS: Final = 240

as_json_option = click.option("--json", "as_json", is_flag=True, help="As one JSON document.")


def print_json(value: object) -> None:
    """Amounts as text, times in ISO 8601."""
    click.echo(msgspec.json.format(msgspec.json.encode(value, enc_hook=str), indent=2))


def print_done(as_json: bool, said: str, **facts: object) -> None:
    """What a command has done that has nothing to show: a sentence, or what the sentence says as JSON."""
    if as_json:
        print_json(facts)
    else:
        click.echo(said)


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, numbers: Sequence[str] = ()
) -> None:
    """A table under its columns; those in `numbers` are set to the right."""
    console = Console(highlight=False)
    console.width = output_width()
    console.print(table_of(columns, rows, numbers=numbers))


def table_text(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, numbers: Sequence[str] = ()
) -> str:
    """As `print_table`, as text."""
    console = Console(highlight=False)
    console.width = output_width()
    with console.capture() as captured:
        console.print(table_of(columns, rows, numbers=numbers))
    return captured.get().rstrip()


def table_of(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, numbers: Sequence[str] = ()
) -> Table:
    """As `print_table`, not printed."""
    table = Table(box=box.SIMPLE, pad_edge=False)
    for column in columns:
        table.add_column(
            column.replace("_", " "), justify="right" if column in numbers else "left", overflow="fold"
        )
    for row in rows:
        table.add_row(*(escape(_shown(cell)) for cell in row))
    return table


def output_width() -> int:
    """Of the terminal; where there is none, of a wide one."""
    console = Console()
    return console.width if console.is_terminal else WIDE_COLUMNS


def print_facts(facts: Sequence[tuple[str, object]]) -> None:
    """Names and what they are, a line each."""
    width = max(len(name) for name, _ in facts)
    for name, value in facts:
        click.echo(f"{click.style(name.ljust(width), bold=True)}  {_shown(value)}")


def time_text(time: datetime | None) -> str:
    """A moment as people read it, always UTC."""
    return "" if time is None else f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def _shown(value: object) -> str:
    if value is None:
        return ""
    # Names and numbers came from customers and callers: nothing of theirs moves the cursor.
    text = time_text(value) if isinstance(value, datetime) else str(value)
    return "".join(character if character.isprintable() else "?" for character in text)
