"""`esl-agent run` as a process that can be killed and started again, beside a simulated switch."""

from __future__ import annotations

import re
import signal
import sys
from pathlib import Path
from typing import Final

from esl_agent.lab.child import Child, wait_until

PATIENCE_S: Final = 20.0


class Killable:
    """Each life has a log of its own; what is said is looked for in all of them."""

    def __init__(self, folder: Path, sections: dict[str, dict[str, object]]) -> None:
        self._folder = folder
        self._settings = folder / "agent.toml"
        lines = []
        for section, values in sections.items():
            lines += [f"[{section}]", *(f"{name} = {_toml(value)}" for name, value in values.items())]
        self._settings.write_text("\n".join(lines))
        self._lives: list[Child] = []

    def start(self) -> None:
        """Return when it has compared its calls with the switch's."""
        command = [sys.executable, "-m", "esl_agent", "run", "--config", str(self._settings)]
        self._lives.append(Child(command, self._folder / f"life {len(self._lives)}.log"))
        newest = self._lives[-1].log
        wait_until(lambda: "RECOVERY_DONE" in newest.read_text(), f"recovery in {newest}", PATIENCE_S)

    def kill(self) -> None:
        """As a crash: nothing is tidied up."""
        self._lives[-1].stop(signal.SIGKILL)

    def stop(self) -> None:
        self._lives[-1].stop(grace_s=PATIENCE_S)

    def close(self) -> None:
        for life in self._lives:
            life.stop(signal.SIGKILL)

    def said(self, word: str) -> list[str]:
        """The lines of this word."""
        text = "\n".join(life.log.read_text() for life in self._lives)
        return re.findall(rf"^\S+ [A-Z]+ +{word}\b.*", text, re.MULTILINE)

    def wait_says(self, word: str, count: int = 1) -> list[str]:
        wait_until(lambda: len(self.said(word)) >= count, f"{count} times {word}", PATIENCE_S)
        return self.said(word)


def _toml(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).lower()
