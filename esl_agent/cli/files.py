"""`esl-agent files`: write out what goes with the package."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click
import msgspec

from esl_agent.files import config_dir, dialplan_dir, sql_dir, write_files, write_out

OPENAPI: Final = "openapi"
SOURCES: Final = {"config": config_dir, "dialplan": dialplan_dir, "sql": sql_dir}


@click.command()
@click.argument("what", type=click.Choice([*SOURCES, OPENAPI]))
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--overwrite", is_flag=True, help="Replace files that are there with other content.")
def files(what: str, folder: Path, overwrite: bool) -> None:
    """Write the example configuration, FreeSWITCH's dialplan files, the migrations, or the HTTP API's
    description, to FOLDER.
    """
    if what == OPENAPI:
        written = write_files({Path("openapi.json"): _openapi()}, folder, overwrite=overwrite)
    else:
        written = write_out(SOURCES[what](), folder, overwrite=overwrite)
    for path in written:
        click.echo(path)


def _openapi() -> bytes:
    from esl_agent.web.routes.description import description_json

    return msgspec.json.format(description_json(), indent=2) + b"\n"
