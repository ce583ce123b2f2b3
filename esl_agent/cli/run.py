"""`esl-agent run`: the daemon."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from esl_agent import config as configuration
from esl_agent.agent.daemon import Daemon
from esl_agent.agent.duty.duty import StoodDown
from esl_agent.agent.open_files import raise_open_files
from esl_agent.noc.log import open_log, take_library_warnings
from esl_agent.noc.tally import Tally


@click.command()
@click.option(
    "--config",
    "path",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The daemon's TOML file; without one, defaults and the environment count.",
)
def run(path: Path | None) -> None:
    """Hold, meter, cut and rate calls until told to stop.

    SIGTERM lets what is owed be written first, a second one ends at once;
    SIGHUP reads decks, plans and numbers again.
    """
    config = configuration.load(path, os.environ)
    tally = Tally()
    log, close_log = open_log(
        style=config.log.format,
        level=config.log.level,
        mask_numbers=config.log.mask_numbers,
        hear=tally.hear,
    )
    starts_over = False
    try:
        take_library_warnings(log)
        raise_open_files(config, log)
        daemon = Daemon(config, log, tally)
        daemon.watch_signals()
        daemon.run()
    except StoodDown:
        starts_over = True
    finally:
        close_log()
    if starts_over:  # every socket is closed by this: none is passed on to a new program
        os.execv(sys.executable, sys.orig_argv)  # noqa: S606  the command that began this process
