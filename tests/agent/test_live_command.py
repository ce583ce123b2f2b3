"""`esl-agent live`: what is up, told by the daemon itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import gevent
import pytest
from click.testing import CliRunner, Result

from esl_agent.agent.daemon import Daemon
from esl_agent.cli.main import cli
from esl_agent.lab.ports import free_port
from esl_agent.simulator.config import SimulatorConfig
from esl_agent.simulator.plan import CallPlan
from esl_agent.simulator.simulator import Simulator

from .conftest import PATIENCE_S, Journal

UK = "442079460000"


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    simulator = Simulator(SimulatorConfig(port=0)).start()
    yield simulator
    simulator.stop()


@pytest.fixture
def door(start_daemon: Callable[..., Daemon], simulator: Simulator, tmp_path: Path) -> str:
    """Where the daemon may be asked."""
    address = str(tmp_path / "door")
    start_daemon(simulator.port, admission={"local_socket": address})
    return address


def live(door: str, *options: str) -> Result:
    return CliRunner().invoke(cli, ["live", *options], env={"ESL_AGENT_ADMISSION_LOCAL_SOCKET": door})


def test_the_calls_that_are_up_with_their_cost_and_what_is_held(
    door: str, simulator: Simulator, journal: Journal
) -> None:
    assert live(door).output.endswith("0 calls are up.\n")
    simulator.place_call(CallPlan(number=UK, ring_ms=20, talk_ms=60_000))
    simulator.place_call(CallPlan(number="911", ring_ms=20, talk_ms=60_000))
    journal.wait_for("CALL_ANSWERED", 2)

    def report_now() -> Any:
        return json.loads(live(door, "--json").output)

    report = report_now()
    with gevent.Timeout(PATIENCE_S, AssertionError("nothing is held")):
        while not any(Decimal(call["held"]) for call in report["calls"]):
            report = report_now()  # nobody asked for these calls: the answer may come before the hold

    paid, free = sorted(report["calls"], key=lambda call: call["to"])
    assert (report["up"], paid["account"], paid["to"], paid["phase"]) == (2, 1001, UK, "talking")
    assert (paid["cost"], Decimal(paid["held"]) >= Decimal("0.0013")) == ("0.0013", True)
    assert datetime.fromisoformat(paid["funded_until"]) > datetime.fromisoformat(paid["since"])
    assert (free["to"], free["cost"], free["held"], free["funded_until"]) == ("911", "0.0000", "0.0000", None)
    table = live(door).output
    assert UK in table
    assert "2 calls are up." in table


def test_a_port_is_asked_with_its_secret(
    start_daemon: Callable[..., Daemon], simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"127.0.0.1:{free_port()}"
    start_daemon(simulator.port, admission={"local_socket": address, "local_secret": "open sesame"})
    assert "has not the secret" in str(live(address).exception)
    monkeypatch.setenv("ESL_AGENT_ADMISSION_LOCAL_SECRET", "open sesame")
    assert live(address).output.endswith("0 calls are up.\n")


def test_a_daemon_that_is_not_there_is_said_in_a_line() -> None:
    address = f"127.0.0.1:{free_port()}"
    result = live(address)
    assert result.exit_code == 1
    assert f"no daemon at {address}" in str(result.exception)
    assert "esl-agent run" in str(result.exception)


def test_a_daemon_without_a_door_is_too() -> None:
    assert "local_socket is empty" in str(live("").exception)


def test_it_is_watched_by_people_and_read_by_programs() -> None:
    assert live("127.0.0.1:1", "--watch", "--json").exit_code == 2
