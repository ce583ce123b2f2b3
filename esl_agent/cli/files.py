"""`esl-agent files`: write out what goes with the package."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from esl_agent.files import config_dir, dialplan_dir, monitoring_dir, sql_dir, write_out

SOURCES: Final = {
    "config": config_dir,
    "dialplan": dialplan_dir,
    "monitoring": monitoring_dir,
    "sql": sql_dir,
}


@click.command()
@click.argument("what", type=click.Choice(list(SOURCES)))
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--overwrite", is_flag=True, help="Replace files that are there with other content.")
def files(what: str, folder: Path, overwrite: bool) -> None:
    """Write what goes with the package to FOLDER.

    The example configuration, FreeSWITCH's dialplan files, the migrations, or
    Prometheus' alert rules with Grafana's dashboard.
    """
    for path in write_out(SOURCES[what](), folder, overwrite=overwrite):
        click.echo(path)
