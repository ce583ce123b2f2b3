"""`esl-agent files`: write out what goes with the package."""

from __future__ import annotations

from pathlib import Path

import click

from esl_agent.files import dialplan_dir, sql_dir, write_out


@click.command()
@click.argument("what", type=click.Choice(["dialplan", "sql"]))
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--overwrite", is_flag=True, help="Replace files that are there with other content.")
def files(what: str, folder: Path, overwrite: bool) -> None:
    """Write FreeSWITCH's dialplan files, or the migrations, to FOLDER."""
    source = dialplan_dir() if what == "dialplan" else sql_dir()
    for path in write_out(source, folder, overwrite=overwrite):
        click.echo(path)
