"""A recorded trace comes back byte for byte."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from esl_agent.simulator.config import SimulatorError
from esl_agent.simulator.replay import Trace
from esl_agent.simulator.simulator import Simulator

from .raw_client import log_in

TRACES = Path(__file__).parents[1] / "traces"


def play(simulator: Simulator, path: Path, speed: float = 0.0) -> None:
    trace = Trace(path)
    simulator.core.when_subscribed.append(lambda listener: trace.play(simulator.core, listener, speed))


@pytest.mark.parametrize(
    ("scene", "form"),
    [
        ("outbound_us_caller_hangup", "json"),
        ("outbound_us_caller_hangup", "plain"),
        ("outbound_hostile_caller_name", "plain"),
        ("outbound_hold_unhold", "json"),
        ("burst_50_calls", "json"),
    ],
)
def test_the_bytes_are_those_of_the_trace(simulator: Simulator, scene: str, form: str) -> None:
    play(simulator, TRACES / scene)
    plain_file = TRACES / scene / f"events.{form}.esl"
    if plain_file.exists():
        recorded = plain_file.read_bytes()
    else:
        recorded = gzip.decompress(Path(f"{plain_file}.gz").read_bytes())
    client = log_in(simulator.port)
    client.send(f"event {form} ALL\n\n")
    client.frame()
    head = client.received.index(b"enabled") + len(f"enabled {form}\n\n")
    while len(client.received) < head + len(recorded):
        client.frame()

    assert bytes(client.received[head:]) == recorded


def test_only_what_was_subscribed_to_is_played(simulator: Simulator) -> None:
    play(simulator, TRACES / "outbound_us_caller_hangup" / "events.json.esl")
    client = log_in(simulator.port)
    client.ask("event json CHANNEL_HANGUP_COMPLETE")

    assert [client.event()["Event-Name"] for _ in range(2)] == ["CHANNEL_HANGUP_COMPLETE"] * 2
    assert client.ask("api hostname") == "vm"


def test_a_trace_may_be_played_in_its_own_time(simulator: Simulator) -> None:
    play(simulator, TRACES / "outbound_busy", speed=100.0)
    client = log_in(simulator.port)
    client.ask("event json CHANNEL_CREATE")

    assert len(client.events(3)) == 3


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"Content-Length: 100\n\n{}", "not the bytes"),
        (b"Content-Length: 100\nContent-Type: text/event-json\n\n{}", "breaks off"),
    ],
)
def test_what_is_no_trace_is_said_to_be_none(tmp_path: Path, content: bytes, word: str) -> None:
    (tmp_path / "events.json.esl").write_bytes(content)
    with pytest.raises(SimulatorError, match=word):
        Trace(tmp_path)


def test_an_empty_folder_is_no_trace(tmp_path: Path) -> None:
    with pytest.raises(SimulatorError, match="no trace there"):
        Trace(tmp_path)
