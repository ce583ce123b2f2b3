"""The daemon as a process of the tests' own, beside the switch."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Final

from esl_agent.lab.child import Child, wait_until
from esl_agent.lab.freeswitch import PrivateSwitch

READY_S: Final = 20.0

SETTINGS: Final = """\
[database]
url = "{url}"
[switch]
name = "{name}"
host = "{host}"
port = {port}
password = "{password}"
[admission]
outbound_port = {admission_port}
local_socket = "{door}"
[journal]
folder = "{journal}"
[limits]
account_cache_s = 1
[log]
level = "debug"
"""


class AgentProcess:
    """`esl-agent run` with both doors open, where the switch asks.

    `event_port` is where it finds the Event Socket, if not at the switch; `admission_port` and `door` are
    other doors; `more` is further settings.
    """

    def __init__(
        self,
        switch: PrivateSwitch,
        url: str,
        folder: Path,
        *,
        name: str = "",
        event_port: int | None = None,
        admission_port: int | None = None,
        door: str | None = None,
        more: str = "",
    ) -> None:
        self._log = folder / "log"
        self._settings = folder / "esl-agent.toml"
        self._settings.write_text(
            SETTINGS.format(
                url=url,
                host=switch.host,
                port=event_port or switch.event_port,
                password=switch.password,
                name=name,
                admission_port=admission_port or switch.admission_port,
                door=switch.door if door is None else door,
                journal=folder / "journal",
            )
            + more
        )
        self._child: Child | None = None

    def start(self) -> None:
        """Return when it can decide."""
        command = [sys.executable, "-m", "esl_agent", "run", "--config", str(self._settings)]
        self._child = Child(command, self._log)
        wait_until(lambda: self.has_said("SWITCH_CONNECTED"), "the daemon is ready", READY_S)

    def has_said(self, word: str, count: int = 1) -> bool:
        """Whether it said so since it was started last."""
        return self._log.read_text(encoding="utf-8").count(f" {word} ") >= count

    def wait_says(self, word: str, count: int) -> None:
        wait_until(lambda: self.has_said(word, count), f"{count} times {word}", READY_S)

    def lines(self, word: str) -> list[str]:
        """The lines of its log with `word`."""
        lines = self._log.read_text(encoding="utf-8").splitlines() if self._log.exists() else []
        return [line for line in lines if word in line]

    def stop(self) -> None:
        if self._child is not None:
            self._child.stop()
            self._child = None

    def kill(self) -> None:
        """As a crash: nothing is tidied up."""
        if self._child is not None:
            self._child.stop(signal.SIGKILL)
            self._child = None
