"""Twins as processes, the ways they hear and write by, and what the switch was told by whom."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic
from typing import Any, Final

import gevent
import psycopg
from faults.proxy import Proxy, to_path

from esl_agent.lab.ports import LOOPBACK
from esl_agent.simulator.config import SimulatorConfig
from esl_agent.simulator.simulator import Simulator
from esl_agent.store.embedded import PORT

from .conftest import PATIENCE_S

#: What ends or moves calls, or makes them hear something.
EFFECTS: Final = ("api uuid_kill", "api sched_api", "api sched_del", "api uuid_broadcast", "api uuid_setvar")
HOLDER: Final = "esl-agent-holder"


class TwinProcess:
    """`esl-agent run`, with a way of its own to Postgres that can be broken."""

    def __init__(self, name: str, url: str, folder: Path, environment: dict[str, str]) -> None:
        self.name = name
        parts = psycopg.conninfo.conninfo_to_dict(url)
        self.to_postgres = Proxy(name, to_path(f"{parts['host']}/.s.PGSQL.{PORT}"), lambda fault: None)
        way = f"postgresql://postgres@{LOOPBACK}:{self.to_postgres.port}/{parts['dbname']}"
        self._environment = os.environ | environment | {
            "ESL_AGENT_DATABASE_URL": f"{way}?sslmode=disable&gssencmode=disable",
        }  # fmt: skip
        self._log = folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> TwinProcess:
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "esl_agent", "run"],
                env=self._environment, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
        return self

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def ended(self) -> int:
        assert self._process is not None
        return self._process.wait(PATIENCE_S)

    def close(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
            self._process.wait()
        self.to_postgres.close()

    def text(self) -> str:
        return self._log.read_text()

    def said(self, word: str) -> list[str]:
        return re.findall(rf"^.* {word}\b.*$", self.text(), re.MULTILINE)

    def wait_for(self, pattern: str, count: int = 1) -> str:
        """Wait until it has said this so often; the last line of it."""
        with gevent.Timeout(PATIENCE_S, AssertionError(f"{self.name}: no {pattern!r} in:\n{self.text()}")):
            while len(found := re.findall(rf"^.*{pattern}.*$", self.text(), re.MULTILINE)) < count:
                gevent.sleep(0.02)
        return found[-1]


class Record:
    """What each client told the switch: (when, the twin's holder or "", the command)."""

    def __init__(self, simulator: Simulator) -> None:
        self._told: list[tuple[float, object, str]] = []
        self._holders: dict[object, str] = {}
        simulator.core.when_told.append(self._note)

    def _note(self, listener: Any, command: Any) -> None:
        if HOLDER in command.headers:
            self._holders[listener] = command.headers[HOLDER]
        if command.line.startswith(EFFECTS):
            self._told.append((monotonic(), listener, command.line))

    def effects(self, pid: int | None = None, since: float = 0.0) -> list[str]:
        """The commands with an effect on calls, of one process or of all, in order."""
        return [
            line
            for at, listener, line in self._told
            if at >= since and (pid is None or f"/{pid}/" in self._holders.get(listener, ""))
        ]

    def strangers(self) -> list[str]:
        """Effects by who never said that it is active."""
        return [line for _, listener, line in self._told if listener not in self._holders]


def a_switch(**changes: Any) -> Simulator:
    return Simulator(SimulatorConfig(port=0, heartbeat_s=1.0, **changes)).start()
