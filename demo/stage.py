"""What the demo has up: Postgres, the switch and the daemon, started in this order and ended in the other."""

from __future__ import annotations

import os
import shlex
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.markup import escape

from demo.cast import Scene
from demo.choice import choose
from demo.errors import DemoError
from demo.folder import write_config
from demo.live_log import LiveLog
from demo.shell import ROOT, Shell, esl_agent
from demo.stops import Stops
from esl_agent.lab.child import Child
from esl_agent.store.embedded import EmbeddedPostgres

DATABASE: Final = "demo"
DAEMON_STOP_S: Final = 5.0


class Stage:
    """Everything that is up is on `started`, which ends it.  Raises DemoError where no switch can be had."""

    database_url: str
    shell: Shell
    log: LiveLog

    def __init__(self, console: Console, folder: Path, started: ExitStack, stops: Stops) -> None:
        self.console = console
        self.folder = folder
        self.config = folder / "esl-agent.toml"
        self.log_file = folder / "agent.log"
        self.switch, self._why = choose(os.environ, folder)
        self._started = started
        self._stops = stops

    def heading(self, text: str) -> None:
        self.console.print()
        self.console.rule(f"[bold]{text}", align="left", style="dim")

    def start_postgres(self) -> None:
        postgres = EmbeddedPostgres(self.folder)
        self._started.callback(postgres.remove)
        with self._stops.held():
            postgres.start()
            self.database_url = postgres.ensure_database(DATABASE)
        self.shell = Shell(self.console, {"ESL_AGENT_DATABASE_URL": self.database_url})
        self.shell.show(f"export ESL_AGENT_DATABASE_URL={shlex.quote(self.database_url)}")

    def start_switch(self) -> None:
        self.console.print(f"The switch is {escape(self._why)}.", soft_wrap=True)
        self._started.callback(self.switch.stop)
        with self._stops.held():
            self.switch.start()

    def start_daemon(self) -> None:
        log_format = "color" if self.console.is_terminal else "plain"
        write_config(self.config, self.database_url, self.switch, log_format)
        command = shlex.join(["esl-agent", "run", "--config", shown(self.config)])
        self.shell.show(f"{command} > {shlex.quote(shown(self.log_file))}")
        with self._stops.held():
            self._daemon = Child(esl_agent("run", "--config", str(self.config)), self.log_file)
            self._started.callback(self._daemon.stop, grace_s=DAEMON_STOP_S)
        self.log = LiveLog(self.log_file, self.console)

    def is_up(self) -> bool:
        """Always so: raises DemoError if the daemon has ended."""
        code = self._daemon.exit_code
        if code is not None:
            raise DemoError(f"the daemon ended with exit code {code}: {shown(self.log_file)} says why")
        return True

    def place(self, scene: Scene) -> None:
        """Say who calls whom, and begin the call."""
        who = "somebody" if scene.is_from_outside else str(scene.account)
        self.console.print(f"[bold cyan]☎ {who} calls {scene.number}: {escape(scene.title)}[/]")
        self.switch.place(scene)


def shown(path: Path) -> str:
    """The path as somebody at the top of the tree would type it."""
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)
