"""`esl-agent reconcile`: the switch's own files against the books."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

import click

from esl_agent.agent.admission.rehearsal import OneConnection
from esl_agent.agent.files.cdr_folder import CdrFolder
from esl_agent.agent.files.reconciliation import ReconcileError, Reconciler, Report
from esl_agent.cli import arguments
from esl_agent.cli.database import configured, with_database
from esl_agent.cli.output import as_json_option, print_json, print_table
from esl_agent.store.cdrs import to_time, to_us
from esl_agent.store.pool import Connection

#: Rows of a table; --json has them all.
ROWS_SHOWN_MAX: Final = 200


@click.command()
@click.option("--since", type=arguments.time, help="Only files written and legs created since then, UTC.")
@click.option("--dry-run", is_flag=True, help="Settle nothing, only say what would be.")
@as_json_option
@with_database
def reconcile(conn: Connection, since: datetime | None, dry_run: bool, as_json: bool) -> None:
    """Compare the switch's CDR files with the CDRs, and settle legs that have none.

    It reads the folder of [cdr_files] with its done/ and broken/, needs no
    daemon and can run beside one: a leg is settled once, whoever comes first.
    Files stay where they are. Exits with 1 where anything was not as it should be.
    """
    config = configured()
    folder = CdrFolder.of(config)
    if folder.folder is None:
        raise ReconcileError("no folder is set: [cdr_files] folder, or ESL_AGENT_CDR_FILES_FOLDER")
    reconciler = Reconciler(conn, OneConnection(conn), folder, config, is_dry=dry_run)
    report = reconciler.run(to_us(since) if since else None)
    if as_json:
        print_json(_as_json(report))
    else:
        _print(report, dry_run=dry_run)
    raise SystemExit(int(not report.is_clean))


def _print(report: Report, *, dry_run: bool) -> None:
    owed = "legs in files without CDR, " + ("not settled: a dry run" if dry_run else "settled now")
    _section(
        owed,
        ("created", "leg", "account", "to", "talk s", "total", "uncollected", "refused"),
        [
            (
                to_time(leg.created_us), leg.leg_uuid, leg.account_id, leg.number, _seconds(leg.duration_us),
                leg.total, leg.uncollected, leg.refused,
            )
            for leg in report.owed
        ],
    )  # fmt: skip
    _section(
        "differing durations",
        ("created", "leg", "account", "billed s", "file s"),
        [
            (
                to_time(leg.created_us), leg.leg_uuid, leg.account_id, _seconds(leg.billed_us),
                _seconds(leg.file_us),
            )
            for leg in report.differing
        ],
    )  # fmt: skip
    _section(
        "CDRs without file",
        ("created", "leg", "account", "talk s"),
        [
            (to_time(leg.created_us), leg.leg_uuid, leg.account_id, _seconds(leg.duration_us))
            for leg in report.without_file or ()
        ],
    )
    _section("broken files", ("file", "what is wrong"), report.broken)
    click.echo(
        f"{report.files} files: {report.billed} legs have their CDR, {report.free} are nobody's to pay, "
        f"{len(report.owed)} had no CDR, {len(report.differing)} differ, {len(report.broken)} are broken, "
        f"{report.in_the_making} are too young."
    )
    if report.without_file is None:
        click.echo("CDRs without file can't be told: [cdr_files] when_done does not keep them.")


def _section(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    if not rows:
        return
    click.echo(f"{len(rows)} {title}")
    print_table(columns, rows[:ROWS_SHOWN_MAX], numbers=[name for name in columns if name.endswith(" s")])
    if len(rows) > ROWS_SHOWN_MAX:
        click.echo(f"… and {len(rows) - ROWS_SHOWN_MAX} more: --json has them all")


def _seconds(us: int) -> str:
    return f"{us / 1_000_000:.6f}"


def _as_json(report: Report) -> dict[str, Any]:
    return {
        "files": report.files,
        "billed": report.billed,
        "free": report.free,
        "too_young": report.in_the_making,
        "owed": _rows(report.owed),
        "differing": _rows(report.differing),
        "without_file": None if report.without_file is None else [asdict(leg) for leg in report.without_file],
        "broken": _rows(report.broken),
    }


def _rows(rows: Iterable[Any]) -> list[dict[str, object]]:
    return [row._asdict() for row in rows]
