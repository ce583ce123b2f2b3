"""`esl-agent simulate`, as somebody starts and ends it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from esl_agent.cli.simulate import simulate
from esl_agent.simulator.simulator import Simulator

from .raw_client import PATIENCE_S, log_in

TRACE = Path(__file__).parents[1] / "traces" / "outbound_us_caller_hangup"


@contextmanager
def running(*options: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The command on a port of its own, and the port."""
    process = subprocess.Popen(
        [sys.executable, "-m", "esl_agent", "simulate", "--port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    first = process.stderr.readline()
    try:
        yield process, int(first.rpartition(":")[2])
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_cleanly_when_told_to_and_sums_up(number: signal.Signals) -> None:
    with running() as (process, port):
        client = log_in(port)
        assert client.ask("api hostname") == "vm"
        process.send_signal(number)
        output, errors = process.communicate(timeout=PATIENCE_S)

    assert process.returncode == 0
    assert json.loads(output)["calls"] == 0
    assert "Traceback" not in errors
    assert list(client.rest())[-1].body == b"The system is being shut down.\n"


def test_it_waits_for_a_client_places_its_calls_and_ends(tmp_path: Path) -> None:
    truth = tmp_path / "truth.jsonl"
    options = (
        "--calls-per-second",
        "200",
        "--calls",
        "20",
        "--talk-ms",
        "100",
        "--ring-ms",
        "20",
        "--talk-exactly",
    )
    with running(*options, "--seed", "7", "--truth", str(truth), "--account", "1005") as (process, port):
        client = log_in(port)
        client.ask("event json CHANNEL_HANGUP_COMPLETE")
        heard = {client.event()["Unique-ID"] for _ in range(40)}
        client.close()
        output, _ = process.communicate(timeout=PATIENCE_S)

    summary = json.loads(output)
    legs = [json.loads(line) for line in truth.read_text().splitlines()]
    assert (summary["calls"], summary["legs"], summary["calls_up"]) == (20, 40, 0)
    assert {leg["uuid"] for leg in legs} == heard
    assert {leg["account"] for leg in legs if leg["is_outbound"]} == {"1005"}


def test_it_stays_until_a_client_that_is_behind_has_read_everything() -> None:
    options = (
        "--calls-per-second",
        "500",
        "--calls",
        "50",
        "--talk-ms",
        "0",
        "--ring-ms",
        "0",
        "--talk-exactly",
    )
    with running(*options) as (process, port):
        client = log_in(port)
        client.ask("event json CHANNEL_HANGUP_COMPLETE")
        assert process.stderr is not None
        while "the last call is over" not in process.stderr.readline():
            pass
        *ends, goodbye = client.rest()
        client.close()
        process.communicate(timeout=PATIENCE_S)

    assert len(ends) == 100
    assert goodbye.body == b"The system is being shut down.\n"


def test_it_replays_a_trace() -> None:
    with running("--replay", str(TRACE)) as (_, port):
        client = log_in(port)
        client.ask("event json CHANNEL_ANSWER")

        assert client.event()["Core-UUID"] == "7fa905c0-5d18-4999-a2a6-e526aff1df62"


def test_a_configuration_file_is_read_and_options_win(tmp_path: Path) -> None:
    file = tmp_path / "simulator.toml"
    file.write_text(
        """
        [simulator]
        port = 1
        password = "secret"
        cdr_dir = "%s"
        carriers = [{name = "north", address = "127.0.0.1:5099"}]
        [simulator.names]
        account = "payer"
        [simulator.traffic]
        calls_per_second = 100.0
        calls = 1
        talk_ms_mean = 100
        [simulator.traffic.shares]
        busy = 0.0
        """
        % (tmp_path / "cdr")
    )
    with running("--config", str(file)) as (process, port):
        client = log_in(port, "secret")
        client.ask("event json CHANNEL_CREATE")
        client.event()
        outbound = client.event()
        client.close()
        process.communicate(timeout=PATIENCE_S)

    assert outbound["variable_payer"] == "1001"
    assert outbound["variable_esl_carrier"] == "north"
    assert outbound["Channel-Name"].endswith("@127.0.0.1:5099")
    assert len(list((tmp_path / "cdr").iterdir())) == 2


@pytest.mark.parametrize("text", ["[simulator]\nport = 'no'", "[simulator]\ntick_ms = [1]", "not toml"])
def test_a_configuration_that_makes_no_sense_is_refused_with_a_word(tmp_path: Path, text: str) -> None:
    file = tmp_path / "simulator.toml"
    file.write_text(text)
    result = subprocess.run(
        [sys.executable, "-m", "esl_agent", "simulate", "--config", str(file)], capture_output=True, text=True
    )

    assert result.returncode == 1
    assert result.stderr.startswith(f"esl-agent: {file}: ")
    assert "Traceback" not in result.stderr


def test_a_port_that_is_taken_is_said_to_be(simulator: Simulator) -> None:
    result = CliRunner().invoke(simulate, ["--port", str(simulator.port)])

    assert result.exception is not None
    assert f"can't listen on 127.0.0.1:{simulator.port}" in str(result.exception)
