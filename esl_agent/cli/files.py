"""`esl-agent files`: write out what goes with the package."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click
import msgspec

from esl_agent.cli.output import as_json_option, print_done
from esl_agent.files import config_dir, dialplan_dir, monitoring_dir, sql_dir, write_files, write_out

OPENAPI: Final = "openapi"
#: What can be written out of the package: where it is, and which of its files.
SOURCES: Final = {
    "config": (config_dir, ("*.toml",)),
    "dialplan": (dialplan_dir, ("**/*",)),
    "monitoring": (monitoring_dir, ("**/*",)),
    "service": (config_dir, ("systemd/*", "logrotate.d/*")),
    "sql": (sql_dir, ("**/*",)),
}


@click.command()
@click.argument("what", type=click.Choice([*SOURCES, OPENAPI]))
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--overwrite", is_flag=True, help="Replace files that are there with other content.")
@as_json_option
def files(what: str, folder: Path, overwrite: bool, as_json: bool) -> None:
    """Write what goes with the package to FOLDER.

    The example configuration, FreeSWITCH's dialplan files, the migrations,
    systemd's units with logrotate's rule, Prometheus' alert rules with
    Grafana's dashboard, or the HTTP API's description.
    """
    if what == OPENAPI:
        written = write_files({Path("openapi.json"): _openapi()}, folder, overwrite=overwrite)
    else:
        source, patterns = SOURCES[what]
        written = write_out(source(), folder, patterns, overwrite=overwrite)
    print_done(as_json, "\n".join(map(str, written)) or "all of them are there already", written=written)


def _openapi() -> bytes:
    from esl_agent.web.routes.description import description_json

    return msgspec.json.format(description_json(), indent=2) + b"\n"
