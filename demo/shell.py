"""Commands as a person would type them: shown, run, and their output left as it comes."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

from demo.errors import DemoError

ROOT: Final = Path(__file__).resolve().parent.parent
COMMAND_S: Final = 60.0


class Shell:
    """Runs `esl-agent` at the top of the tree, under `environment`."""

    def __init__(self, console: Console, environment: Mapping[str, str]) -> None:
        self._console = console
        self._environment = {**os.environ, **environment}

    def run(self, *arguments: str, quiet: bool = False) -> None:
        """Show and run one command, its output only where it is not `quiet`; raises DemoError if it fails."""
        typed = shlex.join(["esl-agent", *arguments])
        self.show(typed)
        try:
            done = subprocess.run(  # noqa: S603  our own command, no shell reads it
                esl_agent(*arguments),
                check=False,
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL if quiet else None,
                timeout=COMMAND_S,
            )
        except subprocess.TimeoutExpired:
            raise DemoError(f"{typed}: not done after {COMMAND_S:g} s") from None
        if done.returncode != 0:
            raise DemoError(f"{typed}: ended with exit code {done.returncode}, as said above")

    def show(self, typed: str) -> None:
        self._console.print(Text(f"$ {typed}", "bold"), soft_wrap=True)
        self._console.file.flush()


def esl_agent(*arguments: str) -> list[str]:
    """The command line of `esl-agent`, whether or not it is on PATH."""
    return [sys.executable, "-m", "esl_agent", *arguments]
