"""`--keep`: everything stays up, to be played with, until Ctrl-C."""

from __future__ import annotations

import select
import shlex
import sys
from pathlib import Path
from typing import Final

from rich.markup import escape

from demo.cast import Scene
from demo.shell import ROOT
from demo.stage import Stage, shown
from esl_agent.errors import EslAgentError

LOOK_EVERY_S: Final = 0.5
CALLER: Final = 1001
TALK_MS: Final = 10_000
DIGITS_MAX: Final = 20

COMMANDS: Final = """\
All of it stays up; Ctrl-C ends it.  In another terminal:

  cd {root}
  export PATH={programs}:$PATH
  export ESL_AGENT_DATABASE_URL={url}
  esl-agent doctor --config {config}
  esl-agent live --watch --config {config}
  esl-agent account show 1003
  esl-agent account top-up 1003 5.00 --reference by-hand
  esl-agent account suspend 1001 --reason unpaid
  esl-agent cdr list --account 1001
  esl-agent deck show standard --prefix 52
  esl-agent quote +525512345678 --seconds 61 --deck demo/deck.csv
  tail -f {log}
"""


def keep_up(stage: Stage) -> None:
    """Show the log and call what is typed, until a signal comes."""
    stage.heading("Yours now")
    commands = COMMANDS.format(
        root=shlex.quote(str(ROOT)),
        programs=shlex.quote(str(Path(sys.executable).parent)),
        url=shlex.quote(stage.database_url),
        config=shlex.quote(shown(stage.config)),
        log=shlex.quote(shown(stage.log_file)),
    )
    stage.console.print(commands, soft_wrap=True, markup=False)
    is_dialling = sys.stdin.isatty()
    if is_dialling:
        stage.console.print(f"Type a number and Enter, and account {CALLER} calls it.\n")
    with stage.log:
        while stage.is_up():
            # Not input(): what waits here must not hold up the switch, which may live in this process.
            if select.select([sys.stdin] if is_dialling else [], [], [], LOOK_EVERY_S)[0]:
                line = sys.stdin.readline()
                is_dialling = bool(line)
                _dial(stage, line.strip())


def _dial(stage: Stage, typed: str) -> None:
    number = "".join(character for character in typed if character not in " -().")
    if not number:
        return
    if not number.removeprefix("+").isdecimal() or not number.isascii() or len(number) > DIGITS_MAX:
        stage.console.print(f"{escape(typed)}: that is no number to dial")
        return
    try:
        stage.place(Scene(title="as typed", account=CALLER, number=number, talk_ms=TALK_MS))
    except EslAgentError as error:
        stage.console.print(escape(str(error)))
