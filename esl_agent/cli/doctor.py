"""`esl-agent doctor`: what is missing, a line each, with what to do."""

from __future__ import annotations

import json
import os
from itertools import chain
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.markup import escape

from esl_agent import config as configuration
from esl_agent.agent.doctor.checks import Finding, Findings, Verdict, check_database, check_switch
from esl_agent.agent.doctor.folder_checks import check_cdr_files, check_journal, check_recordings
from esl_agent.agent.doctor.traffic_checks import check_traffic
from esl_agent.agent.doctor.web_checks import check_web
from esl_agent.cli.database import config_option

SIGNS: Final = {
    Verdict.GOOD: "[green]good[/]   ",
    Verdict.WARNING: "[yellow]warning[/]",
    Verdict.BAD: "[bold red]bad[/]    ",
}


@click.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="As JSON lines: one for each finding, as it is found.")
def doctor(path: Path | None, as_json: bool) -> None:
    """Check the configuration, the switch, the database, the HTTP server, and the folders.

    Exits with 1 if anything is bad.
    """
    console = Console(highlight=False, soft_wrap=True)
    is_bad = False
    for finding in _findings(path):
        is_bad |= finding.verdict is Verdict.BAD
        if as_json:
            click.echo(json.dumps(finding._asdict()))
        else:
            advice = f" [dim]→ {escape(finding.advice)}[/]" if finding.advice else ""
            console.print(f"{SIGNS[finding.verdict]}  {escape(finding.what)}{advice}")
    raise SystemExit(int(is_bad))


def _findings(path: Path | None) -> Findings:
    try:
        config = configuration.load(path, os.environ)
    except configuration.ConfigError as error:
        where = f"in {path or 'the environment'}"
        return iter([Finding(Verdict.BAD, problem, where) for problem in error.problems])
    good = Finding(Verdict.GOOD, f"the configuration {path or '(defaults and environment)'} can be used")
    return chain(
        [good],
        check_journal(config, os.environ),
        check_database(config),
        check_switch(config),
        check_cdr_files(config),
        check_web(config),
        check_recordings(config),
        check_traffic(config),
    )
