"""The demo from the first step to the last."""

from __future__ import annotations

import time
from contextlib import ExitStack, suppress
from itertools import chain
from pathlib import Path
from typing import Final

from rich.console import Console

from demo import books
from demo.cast import CUSTOMERS, DIDS
from demo.errors import Stopped
from demo.folder import own_folder
from demo.keep import keep_up
from demo.stage import Stage, shown
from demo.stops import Stops
from esl_agent.lab.child import wait_until

DECK: Final = "demo/deck.csv"
TERMS: Final = "2026-01"
BETWEEN_CALLS_S: Final = 0.4
CONNECT_S: Final = 15.0
ACT_S: Final = 30.0
SETTLE_S: Final = 10.0

WHERE_NEXT: Final = """
[bold]Where next[/]
  make demo KEEP=1        the same, left up, to play with
  README.md               how to run it beside your FreeSWITCH
  esl_agent/core/call.py  the life of a call, as a table of transitions
  docs/log.md             each word of the log, and what to do about it
  .demo/                  this demo's logs and configuration
"""


def play(console: Console, where: Path, *, keep: bool) -> None:
    """Set up, call, show what it cost, and end; raises EslAgentError where something went wrong."""
    stops = Stops()
    with own_folder(where) as folder, ExitStack() as started:
        stage = Stage(console, folder, started, stops)
        try:
            _set_up(stage)
            _call(stage)
            _show_books(stage)
            if keep or not stage.switch.acts:
                with suppress(Stopped):  # the way that this ends
                    keep_up(stage)
            else:
                console.print(WHERE_NEXT)
        finally:
            stops.ignore()
            console.print("[dim]Ending all that was started …[/]")


def _set_up(stage: Stage) -> None:
    stage.heading("Database, deck, customers")
    stage.start_postgres()
    run = stage.shell.run
    run("migrate")
    run("deck", "import", DECK)
    for customer in CUSTOMERS:
        account = str(customer.account)
        run("account", "add", "--id", account, "--name", customer.name, "--accept-terms", TERMS, quiet=True)
        run("account", "top-up", account, customer.top_up, "--reference", f"receipt-{account}")
        run("number", "add", customer.phone, "--account", account, "--kind", "verified", quiet=True)
    for did in DIDS:
        forward = ("--forward-to", did.forward_to) if did.forward_to else ()
        run("number", "add", did.number, "--account", str(did.owner), *forward, quiet=True)
    stage.heading("Switch and daemon")
    stage.start_switch()
    for priority, carrier in enumerate(stage.switch.carriers, 1):
        run("carrier", "add", carrier, quiet=True)
        run("route", "add", "any", "--carrier", carrier, "--priority", str(priority), quiet=True)
    stage.start_daemon()


def _call(stage: Stage) -> None:
    """All the calls, with the log beside; returns when every leg has its CDR, and the log has said so."""

    def is_connected() -> bool:
        return stage.is_up() and stage.log.count("SWITCH_CONNECTED") > 0

    def is_settled() -> bool:
        settled = books.legs_settled(stage.database_url)
        is_told = stage.log.count("CALL_RATED") >= len(settled)
        return stage.is_up() and is_told and stage.switch.paid_legs() <= settled

    stage.heading("Calls, and the daemon's log")
    with stage.log:
        wait_until(is_connected, "the daemon is connected to the switch", CONNECT_S)
        for act in stage.switch.acts:
            for scene in act:
                stage.place(scene)
                time.sleep(BETWEEN_CALLS_S)
            stage.switch.finish(ACT_S)
            wait_until(is_settled, "every leg has its CDR", SETTLE_S)


def _show_books(stage: Stage) -> None:
    """What it came to; raises DemoError if that is not right to the last cent."""
    stage.heading("What it came to")
    stage.shell.run("cdr", "list")
    stage.shell.run("account", "list")
    stage.shell.run("ledger", "check")
    if stage.switch.cdr_folder is not None:
        stage.shell.run("reconcile", "--dry-run", "--config", shown(stage.config))
    sums = books.read_books(stage.database_url)
    sums.check()
    books.check_costs(stage.database_url, chain.from_iterable(stage.switch.acts))
    stage.console.print(
        f"\n[bold green]✓ {sums.calls} CDRs come to {sums.rated:.4f} CAD, "
        f"and the ledger took {sums.taken:.4f} CAD.[/]"
    )
