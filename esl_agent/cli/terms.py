"""`esl-agent terms`: the versions of the terms of service, and who accepted which."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from esl_agent.cli import arguments
from esl_agent.cli.arguments import ACCOUNT_ID
from esl_agent.cli.database import operator, today, with_database
from esl_agent.cli.output import as_json_option, print_json, print_table
from esl_agent.core.office.terms import TermsVersion
from esl_agent.errors import EslAgentError
from esl_agent.store import terms as store
from esl_agent.store.accounts import get_account
from esl_agent.store.pool import Connection


@click.group()
def terms() -> None:
    """The versions of the terms of service, and who accepted which."""


@terms.command()
@click.argument("version", type=arguments.text)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--from", "in_force_on", type=arguments.day, help="In force from this day on; by default today."
)
@click.option(
    "--grace-days",
    type=click.IntRange(0, 365),
    default=30,
    show_default=True,
    help="How long who accepted an older version may go on.",
)
@click.option("--by", type=arguments.text, default=operator, help="Who publishes it; by default you.")
@as_json_option
@with_database
def publish(
    conn: Connection,
    version: str,
    file: Path,
    in_force_on: date | None,
    grace_days: int,
    by: str,
    as_json: bool,
) -> None:
    """Publish VERSION, whose text is in FILE; customers have to accept it."""
    try:
        body = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise EslAgentError(f"{file} can't be read as UTF-8 text: {error}") from None
    new = TermsVersion(version, in_force_on or today(), grace_days)
    store.publish(conn, new, body, by)
    if as_json:
        print_json(new)
        return
    click.echo(f"terms {version}: in force from {new.in_force_on} on; who has not accepted them by"
               f" {new.refuses_on} makes no calls")  # fmt: skip


@terms.command("list")
@as_json_option
@with_database
def list_(conn: Connection, as_json: bool) -> None:
    """Every version, the newest first."""
    versions = store.list_versions(conn)
    if as_json:
        print_json(versions)
        return
    columns = ("version", "in_force_on", "grace_days", "published_by", "sha256")
    print_table(columns, [[getattr(each, column) for column in columns] for each in versions])


@terms.command()
@click.argument("version", type=arguments.text)
@as_json_option
@with_database
def show(conn: Connection, version: str, as_json: bool) -> None:
    """The text of VERSION, to the byte."""
    body = store.body_of(conn, version)
    if as_json:
        print_json({"version": version, "text": body})
        return
    click.echo(body, nl=False)


@terms.command()
@click.argument("account_id", type=ACCOUNT_ID)
@as_json_option
@with_database
def accepted(conn: Connection, account_id: int, as_json: bool) -> None:
    """What an account accepted: when, how and from where."""
    get_account(conn, account_id)
    found = store.acceptances(conn, account_id)
    if as_json:
        print_json(found)
        return
    columns = ("version", "accepted_at", "means", "address", "recorded_by")
    print_table(columns, [[getattr(each, column) for column in columns] for each in found])
