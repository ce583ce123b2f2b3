"""The demo from the first step to the last."""

from __future__ import annotations

import os
import shlex
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.markup import escape

from demo import books
from demo.cast import CUSTOMERS, DIDS, Scene
from demo.errors import DemoError
from demo.keep import keep_up
from demo.live_log import LiveLog
from demo.shell import ROOT, Shell, esl_agent
from demo.stage import own_folder, write_config
from demo.stops import Stops
from demo.switch import Switch, choose
from esl_agent.lab.child import Child, wait_until
from esl_agent.store.embedded import EmbeddedPostgres

DATABASE: Final = "demo"
DECK: Final = "demo/deck.csv"
TERMS: Final = "2026-01"
BETWEEN_CALLS_S: Final = 0.4
CONNECT_S: Final = 15.0
ACT_S: Final = 30.0
SETTLE_S: Final = 10.0
DAEMON_STOP_S: Final = 5.0


class Play:
    """What is on stage; `started` ends it all, the last thing first."""

    def __init__(self, console: Console, folder: Path, started: ExitStack, stops: Stops) -> None:
        self.console = console
        self.folder = folder
        self.config = folder / "esl-agent.toml"
        self._started = started
        self._stops = stops

    def set_up(self) -> None:
        self.heading("Set up")
        self.database_url = self._start_postgres()
        self.environment = {"ESL_AGENT_DATABASE_URL": self.database_url}
        self.shell = Shell(self.console, self.environment)
        self.shell.run("migrate")
        self.shell.run("deck", "import", DECK)
        for customer in CUSTOMERS:
            account = str(customer.account)
            self.shell.run(
                "account",
                "add",
                "--id",
                account,
                "--name",
                customer.name,
                "--accept-terms",
                TERMS,
                quiet=True,
            )
            self.shell.run("account", "top-up", account, customer.top_up, "--reference", f"receipt-{account}")
        for did in DIDS:
            forward = ("--forward-to", did.forward_to) if did.forward_to else ()
            self.shell.run("number", "add", did.number, "--account", str(did.owner), *forward, quiet=True)

    def start(self) -> None:
        self.heading("Switch and daemon")
        self.switch = self._start_switch()
        write_config(
            self.config, self.database_url, self.switch, "color" if self.console.is_terminal else "plain"
        )
        self.log = self._start_daemon()

    def call(self) -> None:
        """All the calls, with the log beside; returns when every one has its CDR."""
        self.heading("Calls, and the daemon's log")
        with self.log:
            wait_until(self._is_connected, "the daemon is connected to the switch", CONNECT_S)
            for act in self.switch.acts:
                for scene in act:
                    self.place(scene)
                    time.sleep(BETWEEN_CALLS_S)
                self.switch.finish(ACT_S)
                wait_until(self._is_settled, "every leg has its CDR", SETTLE_S)

    def place(self, scene: Scene) -> None:
        who = "Somebody" if scene.is_from_outside else str(scene.account)
        self.console.print(f"[bold cyan]☎ {who} calls {scene.number}: {escape(scene.title)}[/]")
        self.switch.place(scene)

    def show_books(self) -> None:
        self.heading("What it came to")
        self.shell.run("cdr", "list")
        self.shell.run("account", "list")
        self.shell.run("ledger", "check")
        sums = books.read_books(self.database_url)
        sums.check()
        self.console.print(
            f"\n[bold green]✓ {sums.calls} CDRs come to {sums.rated:.4f} CAD, "
            f"and the ledger took {sums.taken:.4f} CAD.[/]"
        )

    def is_up(self) -> bool:
        """Always so: raises DemoError if the daemon has ended."""
        if self._daemon.exit_code is not None:
            raise DemoError(
                f"the daemon ended with exit code {self._daemon.exit_code}:\n{self._daemon.tail()}"
            )
        return True

    def places(self) -> tuple[str, str, str]:
        """The database's URL, the top of the tree, and where the programs are."""
        return self.database_url, str(ROOT), str(Path(sys.executable).parent)

    def heading(self, text: str) -> None:
        self.console.print()
        self.console.rule(f"[bold]{text}", align="left", style="dim")

    def _start_postgres(self) -> str:
        postgres = EmbeddedPostgres(self.folder)
        self._started.callback(postgres.remove)
        with self._stops.held():
            postgres.start()
            url = postgres.ensure_database(DATABASE)
        self.console.print(f"Postgres runs in {_shown(self.folder)}; the commands below find it by")
        self.console.print(
            f"$ export ESL_AGENT_DATABASE_URL={shlex.quote(url)}", soft_wrap=True, style="bold"
        )
        return url

    def _start_switch(self) -> Switch:
        switch, why = choose(os.environ, self.folder)
        self.console.print(f"The switch is {escape(why)}.", soft_wrap=True)
        self._started.callback(switch.stop)
        with self._stops.held():
            switch.start()
        return switch

    def _start_daemon(self) -> LiveLog:
        command = shlex.join(["esl-agent", "run", "--config", _shown(self.config)])
        self.console.print(f"$ {command} > {_shown(self.folder / 'agent.log')}", style="bold", soft_wrap=True)
        log = self.folder / "agent.log"
        with self._stops.held():
            self._daemon = Child(esl_agent("run", "--config", str(self.config)), log)
            self._started.callback(self._daemon.stop, grace_s=DAEMON_STOP_S)
        return LiveLog(log, self.console)

    def _is_connected(self) -> bool:
        return self.is_up() and self.log.count("SWITCH_CONNECTED") > 0

    def _is_settled(self) -> bool:
        """Whether every leg has its CDR, and the log has said so."""
        settled = books.legs_settled(self.database_url)
        return (
            self.is_up()
            and self.switch.paid_legs() <= settled
            and self.log.count("CALL_RATED") >= len(settled)
        )


def play(console: Console, *, keep: bool) -> None:
    """Set up, call, show what it cost, and end; raises EslAgentError where something went wrong."""
    stops = Stops()
    with own_folder() as folder, ExitStack() as started:
        try:
            on_stage = Play(console, folder, started, stops)
            on_stage.set_up()
            on_stage.start()
            on_stage.call()
            on_stage.show_books()
            if keep or not on_stage.switch.acts:
                keep_up(on_stage)
            else:
                _say_where_next(console)
        finally:
            stops.ignore()
            console.print("\n[dim]Ending all that was started …[/]")


def _say_where_next(console: Console) -> None:
    console.print(
        "\n[bold]Where next[/]\n"
        "  make demo KEEP=1       the same, left up, to play with\n"
        "  README.md              how to run it beside your FreeSWITCH\n"
        "  esl_agent/core/call.py the life of a call, as a table of transitions\n"
        "  docs/log.md            each word of the log, and what to do about it\n"
        "  .demo/                 this demo's logs and configuration"
    )


def _shown(path: Path) -> str:
    return str(path.relative_to(ROOT))
