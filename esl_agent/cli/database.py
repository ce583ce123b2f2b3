"""The way of a command to the database: which one, and a connection to it."""

from __future__ import annotations

import functools
import getpass
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click

from esl_agent import config
from esl_agent.config import Config
from esl_agent.store.pool import Connection, connected

#: For commands that need no database.
config_option = click.option(
    "--config", "path", metavar="FILE", type=click.Path(path_type=Path), help="The daemon's TOML file."
)


def with_database(command: Callable[..., None]) -> Callable[..., None]:
    """Gives the command a connection as its first argument, and the options that say to where.

    --database-url comes before the environment (ESL_AGENT_DATABASE_URL), that before --config.
    """

    @click.option("--database-url", metavar="URL", help="A password is better kept in the environment.")
    @click.option(
        "--config",
        "config_file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="The daemon's TOML file; ESL_AGENT_DATABASE_URL overrides its [database] url.",
    )
    @functools.wraps(command)
    def connects(*args: Any, database_url: str | None, config_file: Path | None, **kwargs: Any) -> None:
        settings = config.load(config_file, os.environ)
        click.get_current_context().obj = settings
        with connected(database_url or settings.database.url) as conn:
            command(conn, *args, **kwargs)

    return connects


dry_run_option = click.option("--dry-run", is_flag=True, help="Only say what would become of it.")


@contextmanager
def rehearsed(conn: Connection, *, dry_run: bool) -> Iterator[None]:
    """What is done inside is done wholly, or, in a dry run, wholly taken back."""
    with conn.transaction(force_rollback=dry_run):
        yield


def configured() -> Config:
    """The configuration that the running command was given by --config and the environment."""
    return click.get_current_context().find_object(Config) or Config()


def today() -> date:
    """The operator's date, in the time zone that the configuration says."""
    return datetime.now(ZoneInfo(configured().admission.time_zone)).date()


def operator() -> str:
    """Who gives the command, for what the books say of it."""
    return os.environ.get("SUDO_USER") or getpass.getuser()
