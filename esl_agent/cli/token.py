"""`esl-agent token`: who may use the HTTP API, and as what."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import click

from esl_agent.cli import arguments
from esl_agent.cli.database import operator, with_database
from esl_agent.cli.output import as_json_option, print_json, print_table
from esl_agent.store import tokens
from esl_agent.store.pool import Connection
from esl_agent.store.tokens import TokenRole

ROLE: Final = click.Choice([role.value for role in TokenRole])
COLUMNS: Final = ("name", "role", "added_at", "added_by", "expires_at", "last_used_at", "revoked_at")

_by = click.option("--by", type=arguments.text, default=operator, help="Who decided it; by default you.")


@click.group()
def token() -> None:
    """Tokens of the HTTP API: a secret is shown once, when it is made, and kept nowhere."""


@token.command()
@click.argument("name", type=arguments.text)
@click.option("--role", type=ROLE, required=True, help="noc reads and ends calls; office has money too.")
@click.option(
    "--expires", "expires_at", type=arguments.time, help="From when on it is refused; by default never."
)
@_by
@as_json_option
@with_database
def add(conn: Connection, name: str, role: str, expires_at: datetime | None, by: str, as_json: bool) -> None:
    """Make a token, and print its secret: now, and never again."""
    secret = tokens.add_token(conn, name, TokenRole(role), by, expires_at)
    if as_json:
        print_json({"name": name, "role": role, "expires_at": expires_at, "secret": secret})
    else:
        click.echo(secret)


@token.command("list")
@as_json_option
@with_database
def list_(conn: Connection, as_json: bool) -> None:
    """All tokens, the revoked ones too."""
    found = tokens.list_tokens(conn)
    if as_json:
        print_json(found)
    else:
        print_table(COLUMNS, [[getattr(each, column) for column in COLUMNS] for each in found])


@token.command()
@click.argument("name", type=arguments.text)
@_by
@as_json_option
@with_database
def revoke(conn: Connection, name: str, by: str, as_json: bool) -> None:
    """Refuse NAME's secret from now on; a daemon that has just seen it does so within seconds."""
    revoked = tokens.revoke_token(conn, name, by)
    if as_json:
        print_json(revoked)
    else:
        click.echo(f"token {revoked.name} is revoked, since {revoked.revoked_at:%F %T} UTC")
