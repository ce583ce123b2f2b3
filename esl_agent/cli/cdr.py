"""`esl-agent cdr`: what calls were, what they cost and why."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import Final

import click

from esl_agent.cli import arguments
from esl_agent.cli.arguments import ACCOUNT_ID
from esl_agent.cli.cdr_files import write_csv, write_json_lines
from esl_agent.cli.database import with_database
from esl_agent.cli.output import as_json_option, print_json, print_table
from esl_agent.errors import EslAgentError
from esl_agent.store.cdrs import CdrFilter, CdrRow, iterate_cdrs, newest_cdrs, to_table, to_time, to_us
from esl_agent.store.pool import Connection

ROWS_LISTED_MAX: Final = 10_000
NUMBERS: Final = ("account", "talk s", "billed s", "rate", "total", "uncollected")
#: What a bookkeeper looks for, within 120 columns; --wide has all of it.
LISTED: Final = ("created", "account", "to", "ended", "billed s", "rate", "total", "uncollected")
LISTED_WIDE: Final = (
    "created", "account", "caller", "to", "destination", "ended", "by", "carrier",
    "talk s", "billed s", "rate", "total", "uncollected", "source",
)  # fmt: skip


class CdrExportError(EslAgentError):
    """The file can't be written."""


_account = click.option("--account", "account_id", type=ACCOUNT_ID, help="Only this account's.")
_since = click.option("--since", type=arguments.time, help="Created at or after this time, UTC.")


@click.group()
def cdr() -> None:
    """What calls were, what they cost and why."""


@cdr.command("list")
@_account
@_since
@click.option("--limit", type=click.IntRange(1, ROWS_LISTED_MAX), default=20, show_default=True)
@click.option("--wide", is_flag=True, help="With who called, by which carrier, and how it is known.")
@as_json_option
@with_database
def list_(
    conn: Connection, account_id: int | None, since: datetime | None, limit: int, wide: bool, as_json: bool
) -> None:
    """The latest calls, the latest first.

    "ended" is the switch's cause in capitals, or the reason why the call was refused.
    """
    rows = newest_cdrs(conn, CdrFilter(account_id, to_us(since) if since else None), limit)
    if as_json:
        print_json([to_table(row) for row in rows])
        return
    columns = LISTED_WIDE if wide else LISTED
    print_table(columns, ([listed(row)[name] for name in columns] for row in rows), numbers=NUMBERS)


@cdr.command()
@_account
@_since
@click.option("--until", type=arguments.time, help="Created before this time, UTC.")
@click.option("--format", "style", type=click.Choice(["csv", "jsonl"]), default="csv", show_default=True)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="By default standard output.")
@with_database
def export(
    conn: Connection,
    account_id: int | None,
    since: datetime | None,
    until: datetime | None,
    style: str,
    output: Path | None,
) -> None:
    """Write calls to a file, in the order of time; the file is there only once it is whole."""
    which = CdrFilter(account_id, to_us(since) if since else None, to_us(until) if until else None)
    rows = iterate_cdrs(conn, which)
    write = write_csv if style == "csv" else write_json_lines
    if output is None:
        write(rows, sys.stdout)
        return
    unfinished = output.with_name(output.name + ".part")
    try:
        with unfinished.open("w", encoding="utf-8", newline="") as file:
            count = write(rows, file)
        unfinished.replace(output)
    except OSError as error:
        raise CdrExportError(f"can't write {output}: {error.strerror}") from None
    click.echo(f"{count} calls written to {output}", err=True)


def listed(row: CdrRow) -> dict[str, object]:
    """A call by the names of the columns."""
    return {
        "created": to_time(row.created_us),
        "account": row.account_id,
        "caller": row.caller,
        "to": row.number or row.dialled,
        "destination": row.price.destination,
        "ended": row.refused or row.hangup_cause,
        "by": row.ended_by,
        "carrier": row.carrier,
        "talk s": f"{row.duration_us / 1_000_000:.3f}",
        "billed s": row.charge.billed_seconds,
        "rate": row.price.rate_per_minute,
        "total": row.charge.total,
        "uncollected": row.uncollected or "",
        "source": row.source,
    }
