"""A process that we started: its output in a file, ended by its id and nobody else's."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from esl_agent.errors import EslAgentError

POLL_S: Final = 0.02
STOP_S: Final = 10.0


class ChildError(EslAgentError):
    """A process did not start, or did not do what it was started for."""


def wait_until(fact: Callable[[], bool], what: str, deadline_s: float) -> None:
    """Return as soon as `fact()` holds; raise ChildError, naming `what`, if it does not in time."""
    end = time.monotonic() + deadline_s
    while not fact():
        if time.monotonic() > end:
            raise ChildError(f"{what}: not within {deadline_s:g} s")
        time.sleep(POLL_S)


class Child:
    """One process; `log` holds what it wrote."""

    def __init__(
        self, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.log = log
        self.name = Path(command[0]).name
        with log.open("wb") as output:
            try:
                self._process = subprocess.Popen(  # noqa: S603  our own command, no shell
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd=log.parent,
                    env={**os.environ, **(environment or {})},
                    start_new_session=True,  # a Ctrl-C at the terminal is ours to pass on
                )
            except OSError as error:
                raise ChildError(f"can't start {command[0]}: {error.strerror}") from None

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def wait(self, deadline_s: float) -> int:
        """Its exit code, once it ends by itself."""
        try:
            return self._process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            said = self.tail()
            raise ChildError(f"{self.name} still runs after {deadline_s:g} s; it wrote:\n{said}") from None

    def stop(self, with_signal: signal.Signals = signal.SIGTERM, grace_s: float = STOP_S) -> int:
        """End it, by force if it does not go within `grace_s`; its exit code."""
        if self._process.poll() is None:
            self._process.send_signal(with_signal)
            try:
                self._process.wait(grace_s)
            except subprocess.TimeoutExpired:
                self._process.kill()
        return self._process.wait()

    def tail(self, lines: int = 20) -> str:
        """The end of what it wrote."""
        text = self.log.read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.splitlines()[-lines:])
