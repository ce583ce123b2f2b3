"""A daemon of the stage: a process that can be killed and frozen, and the ways it hears and writes by."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from esl_agent.lab.child import Child, wait_until
from esl_agent.lab.ports import LOOPBACK

from .proxy import Proxy, to_path, to_port

START_S: Final = 30.0
#: How long a word of the log is waited for.
SAID_S: Final = 30.0

#: However bad things are, of these there is no need.
NEVER_SAID: Final = ("AGENT_CRASHED", "CDR_UNWRITABLE", "LIBRARY_WARNING")

#: What it says of a leg that it has seen, and not only planned.
WORDS_OF_LEGS: Final = ("CALL_TRYING", "CALL_ANSWERED", "CALL_RECOVERED", "CALL_GONE")

#: What it says of a leg that talks.
WORDS_OF_TALK: Final = ("CALL_ANSWERED",)
#: How soon a daemon has on disk that a leg was answered: it gathers others for 50 ms, then the disk syncs.
#: That of a leg that it heard answered later than this before it was killed may be lost.
ANSWER_KEPT_S: Final = 0.5

#: What stands in each line of the journal that tells of a call that is over, and of one that talks.
SETTLEMENT: Final = b'"record":"settlement"'
ANSWER: Final = b'"record":"answer"'

#: Traffic of the stage is a dialer's: it is watched, but nobody is kept from calling for it.
TRAFFIC_RULES: Final = """
[[rule]]
name = "short-calls"
when = [{ measure = "short_share", direction = "out", window = "24h", above = 0.15, sample = 100 }]
do = "alert"
"""

_LEG: Final = re.compile(r" leg=([0-9a-f-]{36})")

Sections = Mapping[str, Mapping[str, object]]


class Agent:
    """`esl-agent run`, with a proxy of its own to the switch and one to Postgres."""

    def __init__(
        self,
        name: str,
        folder: Path,
        *,
        switch_port: int,
        postgres_path: str,
        database: str,
        settings: Sequence[Sections],
        note: Callable[[str], None],
    ) -> None:
        self.name = name
        self.to_switch = Proxy(f"{name} to switch", to_port(switch_port), note)
        self.to_postgres = Proxy(f"{name} to postgres", to_path(postgres_path), note)
        self._note = note
        self._folder = folder
        self._lives = 0
        self._killed_s: dict[int, float] = {}  # when each life ended that was killed
        self._child: Child | None = None
        self.journal = folder / f"{name}-journal"
        self._settings = folder / f"{name}.toml"
        url = f"postgresql://postgres@{LOOPBACK}:{self.to_postgres.port}/{database}"
        rules = folder / "traffic.toml"
        rules.write_text(TRAFFIC_RULES)
        ways: Sections = {
            "database": {"url": f"{url}?sslmode=disable&gssencmode=disable"},
            "switch": {"port": self.to_switch.port},
            "journal": {"folder": str(folder / f"{name}-journal")},
            "traffic": {"rules_file": str(rules)},
        }
        self._settings.write_text(_toml(ways, *settings))

    # Its life

    def start(self, *, awaits: str = "SWITCH_CONNECTED") -> None:
        """Start it, and wait until it says `awaits`."""
        self.begin()
        self.wait_says(awaits, START_S)

    def begin(self) -> None:
        """Start it, and wait for nothing."""
        if self.is_running:
            return
        self._lives += 1
        command = [sys.executable, "-m", "esl_agent", "run", "--config", str(self._settings)]
        self._child = Child(command, self._log_of(self._lives))

    def kill(self) -> None:
        """kill -9: nothing is tidied up."""
        self._note(f"{self.name}: killed")
        self._killed_s.setdefault(self._lives, time.time())
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM: what is owed is written first."""
        self._note(f"{self.name}: stopped")
        self._end(signal.SIGTERM)

    def freeze(self) -> None:
        if not self.is_running:
            return
        self._note(f"{self.name}: frozen")
        os.kill(self._running().pid, signal.SIGSTOP)

    def thaw(self) -> None:
        if self.is_running:
            os.kill(self._running().pid, signal.SIGCONT)

    def fill_disk(self) -> None:
        """It can write to no file any more, its log included: a stand-in for a disk that is full."""
        if not self.is_running:
            return
        self._note(f"{self.name}: disk full")
        resource.prlimit(self._running().pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))

    def empty_disk(self) -> None:
        if self.is_running:
            unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
            resource.prlimit(self._running().pid, resource.RLIMIT_FSIZE, unlimited)

    def close(self) -> None:
        """The play is over."""
        self.thaw()
        self._end(signal.SIGKILL)
        self.to_switch.close()
        self.to_postgres.close()

    @property
    def is_running(self) -> bool:
        return self._child is not None and self._child.exit_code is None

    def heal(self) -> None:
        """Its ways are whole, and it runs."""
        self.to_switch.heal()
        self.to_postgres.heal()
        self.thaw()
        self.empty_disk()
        self.begin()

    # What it says

    def said(self, word: str) -> list[str]:
        """The lines of this word, of all its lives."""
        logs = map(self._log_of, range(1, self._lives + 1))
        return [line for log in logs for line in _lines_of(word, log)]

    def _log_of(self, life: int) -> Path:
        return self._folder / f"{self.name}-{life}.log"

    def legs_heard_of(self) -> set[str]:
        """The legs that it says were there; of a life that was killed, that talked long enough before."""
        lines: list[str] = []
        for life in range(1, self._lives + 1):
            log, killed_s = self._log_of(life), self._killed_s.get(life)
            for word in WORDS_OF_LEGS if killed_s is None else WORDS_OF_TALK:
                lines += [
                    line
                    for line in _lines_of(word, log)
                    if killed_s is None or _said_s(line) < killed_s - ANSWER_KEPT_S
                ]
        return {leg for line in lines for leg in _LEG.findall(line)}

    def complaints(self) -> list[str]:
        """What it ought never to say, whatever happens around it."""
        return [line for word in NEVER_SAID for line in self.said(word)]

    def wait_says(self, word: str, deadline_s: float = SAID_S) -> None:
        """Wait until it says the word in its present life."""
        log = self._running().log

        def is_said() -> bool:
            if not self.is_running:
                raise AssertionError(f"{self.name} has ended:\n{self._running().tail()}")
            return re.search(rf"\b{word}\b", log.read_text(errors="replace")) is not None

        wait_until(is_said, f"{self.name} says {word}", deadline_s)

    def wait_kept(self, calls: int) -> None:
        """Until the ends of so many calls are on its disk."""
        self._wait_in_journal(SETTLEMENT, calls)

    def wait_answers_kept(self, legs: int) -> None:
        """Until it is on its disk that so many legs were answered."""
        self._wait_in_journal(ANSWER, legs)

    def _wait_in_journal(self, what: bytes, count: int) -> None:
        def is_kept() -> bool:
            segments = self.journal.glob("segment-*.log")
            return sum(segment.read_bytes().count(what) for segment in segments) >= count

        wait_until(is_kept, f"{what!r} is {count} times in the journal of {self.name}", SAID_S)

    def wait_says_again(self, word: str, than: int, deadline_s: float = SAID_S) -> None:
        """Wait until it has said the word more than so often in all its lives."""
        wait_until(lambda: len(self.said(word)) > than, f"{self.name} says {word} again", deadline_s)

    def _running(self) -> Child:
        assert self._child is not None, f"{self.name} was never started"
        return self._child

    def _end(self, with_signal: signal.Signals) -> None:
        if self._child is not None:
            self._child.stop(with_signal, grace_s=60)


def _lines_of(word: str, log: Path) -> list[str]:
    return re.findall(rf"^\S+ [A-Z]+ +{word}\b.*", log.read_text(errors="replace"), re.MULTILINE)


def _said_s(line: str) -> float:
    return datetime.fromisoformat(line.split(" ", 1)[0]).timestamp()


def _toml(*parts: Sections) -> str:
    """All parts in one, the later ones before the earlier; JSON's values are TOML's too."""
    lines = []
    for section in dict.fromkeys(name for part in parts for name in part):
        values = {name: value for part in parts for name, value in part.get(section, {}).items()}
        lines += [f"[{section}]", *(f"{name} = {json.dumps(value)}" for name, value in values.items())]
    return "\n".join(lines) + "\n"
