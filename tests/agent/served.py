"""A daemon as a process that serves HTTP, and the simulated switch that asks it."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from esl_agent.lab.child import Child, wait_until
from esl_agent.lab.ports import free_port
from esl_agent.simulator.config import SimulatorConfig
from esl_agent.simulator.simulator import Simulator
from esl_agent.store.pool import Connection

from .conftest import PATIENCE_S
from .exchange import put_carriers


class Served(NamedTuple):
    simulator: Simulator
    daemon: Child
    address: str

    def get(self, path: str, method: str = "GET") -> tuple[int, str]:
        """The status, and the text; raises URLError where nobody answers."""
        try:
            with urlopen(Request(f"http://{self.address}{path}", method=method)) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def is_alive(self) -> bool:
        with suppress(URLError, ConnectionError):
            return self.get("/healthz")[0] == 200
        return False

    def wait_for(self, path: str, status: int) -> str:
        """The text, once it is answered with that status."""
        wait_until(lambda: self.get(path)[0] == status, f"{path} answers {status}", PATIENCE_S)
        return self.get(path)[1]

    def scrape(self) -> Scrape:
        status, text = self.get("/metrics")
        assert status == 200
        return Scrape(text)


class Scrape:
    """The samples of one answer, by name and labels."""

    def __init__(self, text: str) -> None:
        self.families = {family.name: family for family in text_string_to_metric_families(text)}
        self.samples: dict[str, dict[tuple[tuple[str, str], ...], float]] = defaultdict(dict)
        for family in self.families.values():
            for sample in family.samples:
                self.samples[sample.name][tuple(sorted(sample.labels.items()))] = sample.value

    def value(self, name: str, **labels: str) -> float:
        return self.samples[name][tuple(sorted(labels.items()))]

    def by(self, name: str, *labels: str) -> dict[Any, float]:
        """Values by those labels, those that are 0 left out."""
        found = {
            tuple(dict(key)[label] for label in labels): value for key, value in self.samples[name].items()
        }
        return {key[0] if len(key) == 1 else key: value for key, value in found.items() if value}


@pytest.fixture
def serve(
    conn: Connection, customers: None, database_url: str, tmp_path: Path
) -> Iterator[Callable[..., Served]]:
    """Starts a switch and a daemon, with settings of the environment; they are ended after the test."""
    put_carriers(conn)
    started: list[Served] = []

    def start(**settings: str) -> Served:
        door, web = free_port(), free_port()
        simulator = Simulator(SimulatorConfig(port=0, admission=f"127.0.0.1:{door}")).start()
        environment = {
            "ESL_AGENT_DATABASE_URL": database_url,
            "ESL_AGENT_SWITCH_PORT": str(simulator.port),
            "ESL_AGENT_ADMISSION_OUTBOUND_PORT": str(door),
            "ESL_AGENT_ADMISSION_LOCAL_SOCKET": "",
            "ESL_AGENT_JOURNAL_FOLDER": str(tmp_path / "journal"),
            "ESL_AGENT_WEB_PORT": str(web),
            "ESL_AGENT_LOG_LEVEL": "error",
            "ESL_AGENT_LIMITS_DRAIN_S": "1",
            **settings,
        }
        daemon = Child([sys.executable, "-m", "esl_agent", "run"], tmp_path / "log", environment)
        started.append(Served(simulator, daemon, f"127.0.0.1:{web}"))
        wait_until(started[-1].is_alive, "the daemon serves", PATIENCE_S)
        return started[-1]

    yield start
    for served in started:
        served.daemon.stop()
        served.simulator.stop()
