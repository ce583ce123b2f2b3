"""`esl-agent deck`: import rates, and look at them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from esl_agent.cli import arguments
from esl_agent.cli.database import operator, with_database
from esl_agent.cli.output import as_json_option, print_json, print_table
from esl_agent.core.deck_file import ParsedDeck, parse_deck
from esl_agent.errors import EslAgentError
from esl_agent.store import decks
from esl_agent.store.decks import DeckImport, DeckVersion
from esl_agent.store.pool import Connection

#: Lines between two movements of the progress bar.
PROGRESS_LINES: Final = 5_000

Advance = Callable[[int], None]


class DeckFileError(EslAgentError):
    """The file is no deck; every bad line is named, up to a limit."""


@click.group()
def deck() -> None:
    """Rate decks: import them, and look at them."""


@deck.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--deck", "name", type=arguments.text, default="standard", show_default=True)
@click.option("--effective", type=arguments.time, help="When it takes effect, UTC; by default now.")
@click.option("--currency", type=arguments.currency, default="CAD", show_default=True)
@click.option("--update", is_flag=True, help="Keep the rates of the version before that FILE doesn't name.")
@click.option("--dry-run", is_flag=True, help="Only say what it would do.")
@as_json_option
@with_database
def import_(
    conn: Connection,
    file: Path,
    name: str,
    effective: datetime | None,
    currency: str,
    update: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Make a new version of a deck from a CSV file, all of it or nothing.

    Columns are known by their names: prefix and rate, and destination,
    minimum, step, connection fee and effective date where there are any.
    Rows of a day to come make a version of their own for that day.
    """
    now = datetime.now(UTC)
    if effective is not None and effective.date() < now.date():
        raise click.BadParameter("that day is over; leave it out for now", param_hint="--effective")
    order = DeckImport(
        deck=name,
        rows=read_deck(file).rows,
        effective_from=max(effective or now, now),
        currency=currency,
        source=file.name,
        by=operator(),
        is_update=update,
    )
    made = write_deck(conn, order, dry_run=dry_run)
    if as_json:
        print_json({"dry_run": dry_run, "versions": made})
        return
    for version in made:
        would = "would have" if dry_run else "has"
        click.echo(
            f"deck {version.deck} version {version.version} {would} {version.rates} rates"
            f" from {version.effective_from:%Y-%m-%d %H:%M} UTC on"
        )
    for version in decks.list_versions(conn, name):
        if version.effective_from <= made[-1].effective_from:
            continue
        click.echo(f"version {version.version} replaces it on {version.effective_from:%Y-%m-%d %H:%M} UTC")


@deck.command("list")
@as_json_option
@with_database
def list_(conn: Connection, as_json: bool) -> None:
    """The latest version of every deck."""
    _tell(decks.latest_versions(conn), as_json)


@deck.command()
@click.argument("name", type=arguments.text)
@click.option("--prefix", default="", help="Print the rates of prefixes that begin so.")
@click.option("--version", type=click.IntRange(min=1), help="Of this version; by default the one in effect.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@as_json_option
@with_database
def show(conn: Connection, name: str, prefix: str, version: int | None, limit: int, as_json: bool) -> None:
    """A deck's versions; with --prefix or --version, rates."""
    if not prefix and version is None:
        _tell(decks.get_versions(conn, name), as_json)
        return
    wanted = decks.get_version(conn, name, version)
    rates = decks.list_rates(conn, wanted, prefix, limit)
    if as_json:
        print_json({"version": wanted, "rates": rates})
        return
    click.echo(f"deck {wanted.deck} version {wanted.version}, {wanted.currency}")
    columns = ("prefix", "destination", "rate_per_minute", "minimum_s", "step_s", "connection_fee")
    print_table(
        columns, [[getattr(rate, column) for column in columns] for rate in rates], numbers=columns[2:]
    )


def read_deck(path: Path) -> ParsedDeck:
    """The rows of a deck's file; raises DeckFileError naming every bad line."""
    try:
        with path.open(encoding="utf-8", newline="") as file, _bar("reading", path.stat().st_size) as advance:
            parsed = parse_deck(_counted(file, advance))
    except UnicodeDecodeError:
        raise DeckFileError(f"{path} isn't UTF-8 text: save it as UTF-8") from None
    except OSError as error:
        raise DeckFileError(f"{path} can't be read: {error.strerror}") from None
    if parsed.error_count:
        lines = [f"  line {error.line_number}: {error.text}" for error in parsed.errors]
        if parsed.error_count > len(lines):
            lines.append(f"  and {parsed.error_count - len(lines)} more")
        raise DeckFileError(f"nothing was imported from {path}:\n" + "\n".join(lines))
    return parsed


def write_deck(conn: Connection, order: DeckImport, *, dry_run: bool = False) -> list[DeckVersion]:
    """Write the versions that the order makes; in a dry run, write them and take all of it back."""
    with _bar("writing", len(order.rows)) as advance, conn.transaction(force_rollback=dry_run):
        return decks.import_deck(conn, order, advance)


@contextmanager
def _bar(label: str, length: int) -> Iterator[Advance]:
    """A progress bar, where somebody is looking."""
    if not sys.stderr.isatty():
        yield lambda count: None
        return
    with click.progressbar(length=length, label=label, file=sys.stderr) as bar:
        yield bar.update


def _counted(lines: Iterable[str], advance: Advance) -> Iterator[str]:
    characters = 0
    for number, line in enumerate(lines, 1):
        characters += len(line)
        if number % PROGRESS_LINES == 0:
            advance(characters)
            characters = 0
        yield line
    advance(characters)


def _tell(versions: list[DeckVersion], as_json: bool) -> None:
    if as_json:
        print_json(versions)
        return
    columns = (
        "deck",
        "version",
        "effective_from",
        "rates",
        "currency",
        "source",
        "imported_at",
        "imported_by",
    )
    rows = [[getattr(version, column) for column in columns] for version in versions]
    print_table(columns, rows, numbers=("version", "rates"))
