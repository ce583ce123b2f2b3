"""`esl-agent disclose` and `disclosures`: what the law requires to be handed over, and the register of it."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime
from pathlib import Path

import click

from esl_agent.cli import arguments
from esl_agent.cli.arguments import ACCOUNT_ID
from esl_agent.cli.database import operator, with_database
from esl_agent.cli.output import as_json_option, print_json, print_table
from esl_agent.errors import EslAgentError
from esl_agent.office import disclosure
from esl_agent.office.disclosure import Demand, Kind, Scope
from esl_agent.store.pool import Connection


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--authority", type=arguments.text, required=True, help="Who asks for it.")
@click.option("--reference", type=arguments.text, required=True, help="The order, or the section of the law.")
@click.option("--account", "accounts", type=ACCOUNT_ID, multiple=True)
@click.option("--number", "numbers", type=arguments.text, multiple=True, help="International digits.")
@click.option("--since", type=arguments.day, required=True, help="The first day, UTC.")
@click.option("--until", type=arguments.day, required=True, help="The first day that is not meant, UTC.")
@click.option(
    "--kind", "kinds", type=click.Choice([kind.value for kind in Kind]), multiple=True, required=True
)
@click.option("--by", type=arguments.text, default=operator, help="Who hands it over; by default you.")
@as_json_option
@with_database
def disclose(
    conn: Connection,
    file: Path,
    authority: str,
    reference: str,
    accounts: tuple[int, ...],
    numbers: tuple[str, ...],
    since: date,
    until: date,
    kinds: tuple[str, ...],
    by: str,
    as_json: bool,
) -> None:
    """Write exactly what is asked for to FILE, a ZIP of CSV files, and enter it in the register."""
    scope = Scope(accounts, numbers, since, until, tuple(map(Kind, kinds)))
    entry = disclosure.disclose(conn, scope, Demand(authority, reference, by), file, datetime.now(UTC))
    if as_json:
        print_json(entry)
        return
    click.echo(f"disclosure {entry.disclosure}: {entry.row_count} rows in {file}, sha256 {entry.file_sha256}")


@click.group()
def disclosures() -> None:
    """The register of what was handed over."""


@disclosures.command("list")
@as_json_option
@with_database
def list_(conn: Connection, as_json: bool) -> None:
    """Every entry, the oldest first."""
    entries = disclosure.register(conn)
    if as_json:
        print_json(entries)
        return
    columns = ("disclosure", "made_at", "made_by", "authority", "legal_reference", "scope", "row_count")
    print_table(columns, [[getattr(entry, name) for name in columns] for entry in entries])


@disclosures.command()
@click.argument("files", type=click.Path(exists=True, dir_okay=False, path_type=Path), nargs=-1)
@as_json_option
@with_database
def check(conn: Connection, files: tuple[Path, ...], as_json: bool) -> None:
    """Whether the register is as it was written; and which entry each of FILES is."""
    by_hash = {entry.file_sha256: entry.disclosure for entry in disclosure.register(conn)}
    entry_of = {str(file): by_hash.get(hashlib.sha256(file.read_bytes()).hexdigest()) for file in files}
    broken = disclosure.broken_entries(conn)
    if as_json:
        print_json({"entries": len(by_hash), "broken": broken, "files": entry_of})
        raise SystemExit(int(bool(broken)))
    for file, found in entry_of.items():
        click.echo(f"{file}: {f'disclosure {found}' if found else 'in no entry of the register'}")
    if broken:
        raise EslAgentError(f"entries {', '.join(map(str, broken))} are not as they were written")
    click.echo(f"{len(by_hash)} entries, as they were written")
