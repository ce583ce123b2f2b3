"""`esl-agent run` as a process: what its signals do, and what it says when it can't begin."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
import pytest
from fixtures.postgres import as_role

from esl_agent.lab.ports import free_port
from esl_agent.simulator.config import SimulatorConfig
from esl_agent.simulator.plan import CallPlan
from esl_agent.simulator.simulator import Simulator

from .conftest import PATIENCE_S

UNIT = Path(__file__).parents[2] / "etc" / "systemd" / "esl-agent.service"


class Running:
    """A daemon's process and its log."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process, self._log = process, log

    def text(self) -> str:
        return self._log.read_text()

    def wait_for(self, pattern: str) -> re.Match[str]:
        with gevent.Timeout(PATIENCE_S, AssertionError(f"no {pattern!r} in:\n{self.text()}")):
            while not (found := re.search(pattern, self.text())):
                gevent.sleep(0.02)
        return found

    def ended(self) -> int:
        return self.process.wait(PATIENCE_S)


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    simulator = Simulator(SimulatorConfig(port=0)).start()
    yield simulator
    simulator.stop()


@pytest.fixture
def run(
    database_url: str, customers: None, simulator: Simulator, tmp_path: Path
) -> Iterator[Callable[..., Running]]:
    """Starts `esl-agent run`, under another program if need be; whatever still runs afterwards is ended."""
    started: list[Running] = []

    def start(*under: str, **settings: str) -> Running:
        environment = os.environ | {
            "ESL_AGENT_DATABASE_URL": database_url,
            "ESL_AGENT_SWITCH_PORT": str(simulator.port),
            "ESL_AGENT_ADMISSION_OUTBOUND_PORT": str(free_port()),
            "ESL_AGENT_ADMISSION_LOCAL_SOCKET": "",
            "ESL_AGENT_LIMITS_DRAIN_S": "1",
            "ESL_AGENT_JOURNAL_FOLDER": str(tmp_path / "journal"),
            **settings,
        }
        log = tmp_path / f"log {len(started)}"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*under, sys.executable, "-m", "esl_agent", "run"],
                env=environment, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
        started.append(Running(process, log))
        return started[-1]

    yield start
    for running in started:
        running.process.kill()
        running.process.wait()


def test_sigterm_lets_a_call_that_ends_soon_be_settled(
    run: Callable[..., Running], simulator: Simulator
) -> None:
    agent = run(ESL_AGENT_LIMITS_DRAIN_S="10")
    agent.wait_for("SWITCH_CONNECTED")
    simulator.place_call(CallPlan(number="442079460000", ring_ms=20, talk_ms=700))
    agent.wait_for("CALL_ANSWERED")
    agent.process.send_signal(signal.SIGTERM)
    assert agent.ended() == 0
    said = agent.text()
    assert said.index("AGENT_DRAINING") < said.index("CALL_RATED") < said.index("AGENT_STOPPED")
    assert "unsettled=0 live=0" in said
    assert "CALL_CUT" not in said


def test_a_daemon_that_may_no_more_than_a_daemon_must(
    run: Callable[..., Running], simulator: Simulator, database_url: str
) -> None:
    daemon = run(ESL_AGENT_DATABASE_URL=as_role(database_url, "esl_agent_daemon"))
    daemon.wait_for("SWITCH_CONNECTED")
    simulator.place_call(CallPlan(number="442079460000", ring_ms=20, talk_ms=300))
    daemon.wait_for("CALL_RATED")
    daemon.process.send_signal(signal.SIGTERM)
    assert daemon.ended() == 0
    assert "DB_REFUSED" not in daemon.text()
    assert "DB_DOWN" not in daemon.text()


def test_sigterm_does_not_cut_a_call_that_goes_on(run: Callable[..., Running], simulator: Simulator) -> None:
    agent = run()
    agent.wait_for("SWITCH_CONNECTED")
    handle = simulator.place_call(CallPlan(number="442079460000", ring_ms=20, talk_ms=60_000))
    agent.wait_for("CALL_ANSWERED")
    agent.process.send_signal(signal.SIGTERM)
    assert agent.ended() == 0
    assert "live=1" in agent.wait_for("AGENT_STOPPED.*")[0]
    assert simulator.core.api("uuid_exists", handle.outbound_uuids[0]) == "true"


def test_a_second_sigterm_ends_it_now(run: Callable[..., Running], simulator: Simulator) -> None:
    agent = run(ESL_AGENT_LIMITS_DRAIN_S="600")
    agent.wait_for("SWITCH_CONNECTED")
    simulator.place_call(CallPlan(number="442079460000", ring_ms=20, talk_ms=60_000))
    agent.wait_for("CALL_ANSWERED")
    agent.process.send_signal(signal.SIGTERM)
    agent.wait_for("AGENT_DRAINING")
    agent.process.send_signal(signal.SIGTERM)
    assert agent.ended() == 1


def test_sighup_reads_decks_and_plans_again(run: Callable[..., Running]) -> None:
    agent = run()
    agent.wait_for("SWITCH_CONNECTED")
    agent.process.send_signal(signal.SIGHUP)
    assert "plans=1 decks=1" in agent.wait_for("CONFIG_RELOADED.*")[0]
    assert agent.process.poll() is None


def test_systemd_is_told_when_it_is_ready_reloads_and_stops_and_that_it_lives(
    run: Callable[..., Running], tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(PATIENCE_S)
        told: list[str] = []

        def wait_told(line: str) -> None:
            while line not in told:
                told.extend(systemd.recv(4_096).decode().splitlines())

        agent = run(NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="400000")
        wait_told("STATUS=its doors are open for calls")
        told.clear()
        wait_told("WATCHDOG=1")  # by now the events' and the timers' parts have to prove that they live
        told.clear()
        wait_told("WATCHDOG=1")
        agent.process.send_signal(signal.SIGHUP)
        wait_told("RELOADING=1")
        wait_told("STATUS=decks, plans and numbers were read again")
        agent.process.send_signal(signal.SIGTERM)
        wait_told("STOPPING=1")
        assert agent.ended() == 0


def test_a_daemon_asks_the_kernel_for_nothing_that_its_unit_refuses(
    run: Callable[..., Running], simulator: Simulator, tmp_path: Path
) -> None:
    strace = shutil.which("strace") or pytest.skip("no strace here")
    refused = refused_by_unit()
    calls = tmp_path / "calls"
    daemon = run(strace, "-f", "-qq", "-e", "signal=none", "-o", str(calls))
    daemon.wait_for("SWITCH_CONNECTED")
    simulator.place_call(CallPlan(number="442079460000", ring_ms=20, talk_ms=300))
    daemon.wait_for("CALL_RATED")
    pid = int(daemon.wait_for(r"AGENT_STARTED.* pid=(\d+)")[1])
    os.kill(pid, signal.SIGTERM)
    assert daemon.ended() == 0
    lines = calls.read_text().splitlines()
    done = {found[1] for line in lines if (found := re.match(r"\d+ +(\w+)\(", line))}
    assert {"socket", "fdatasync", "epoll_pwait"} & done  # it was heard at work
    assert done & refused == set()
    # MemoryDenyWriteExecute=
    assert [line for line in lines if "PROT_WRITE|PROT_EXEC" in line] == []


def refused_by_unit() -> set[str]:
    """What the unit's SystemCallFilter= lines keep from it, of what systemd has groups for."""
    program = shutil.which("systemd-analyze") or pytest.skip("no systemd-analyze here")
    said = subprocess.run([program, "syscall-filter"], capture_output=True, text=True, check=True).stdout
    groups: dict[str, set[str]] = {}
    for line in said.splitlines():
        if line.startswith("@"):
            members = groups.setdefault(line.strip(), set())
        elif line.startswith("    ") and not line.strip().startswith("#"):
            members.add(line.strip())

    def calls(name: str) -> set[str]:
        parts = groups[name]
        return parts.union(*(calls(part) for part in parts if part.startswith("@")))

    allowed: set[str] = set()
    for line in re.findall(r"^SystemCallFilter=(.*)$", UNIT.read_text(), re.M):
        named = set().union(*map(calls, line.removeprefix("~").split()))
        allowed = allowed - named if line.startswith("~") else allowed | named
    return set().union(*map(calls, groups)) - allowed


def test_a_configuration_that_cannot_be_is_told_in_lines_without_a_traceback(
    run: Callable[..., Running],
) -> None:
    agent = run(ESL_AGENT_BUDGET_GRANT_S="often", ESL_AGENT_SWITCH_PORT="0")
    assert agent.ended() == 2  # which systemd does not start again
    said = agent.text()
    assert "ESL_AGENT_BUDGET_GRANT_S = 'often'" in said
    assert "ESL_AGENT_SWITCH_PORT = '0'" in said
    assert "Traceback" not in said


def test_a_port_that_is_taken_is_told_in_a_line(run: Callable[..., Running], simulator: Simulator) -> None:
    agent = run(ESL_AGENT_ADMISSION_OUTBOUND_PORT=str(simulator.port))
    assert agent.ended() == 1
    assert str(simulator.port) in agent.text()
    assert "Traceback" not in agent.text()


def test_a_journal_that_another_daemon_has_is_told_in_a_line(run: Callable[..., Running]) -> None:
    first = run()
    first.wait_for("SWITCH_CONNECTED")
    second = run()
    assert second.ended() == 1
    assert f"in use by process {first.process.pid}: each daemon needs" in second.text()
    assert "Traceback" not in second.text()


def test_without_a_database_it_waits_for_one_and_can_be_stopped(run: Callable[..., Running]) -> None:
    agent = run(ESL_AGENT_DATABASE_URL="postgresql://nobody@127.0.0.1:1/nothing")
    agent.wait_for("DB_DOWN")
    agent.process.send_signal(signal.SIGTERM)
    assert agent.ended() == 0
