"""`esl-agent run`: the daemon."""

from __future__ import annotations

import os
from pathlib import Path

import click

from esl_agent import config as configuration
from esl_agent.agent.daemon import Daemon
from esl_agent.agent.open_files import raise_open_files
from esl_agent.noc.log import open_log, take_library_warnings


@click.command()
@click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path),
    help="The TOML file; without one, defaults and the environment count.",
)
def run(path: Path | None) -> None:
    """Hold, meter, cut and rate calls until told to stop.

    SIGTERM lets what is owed be written first, a second one ends at once;
    SIGHUP reads decks, plans and numbers again.
    """
    config = configuration.load(path, os.environ)
    log, close_log = open_log(
        style=config.log.format, level=config.log.level, mask_numbers=config.log.mask_numbers
    )
    try:
        take_library_warnings(log)
        raise_open_files(config, log)
        daemon = Daemon(config, log)
        daemon.watch_signals()
        daemon.run()
    finally:
        close_log()
