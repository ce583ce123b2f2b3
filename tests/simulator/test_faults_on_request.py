"""Trouble between the switch and its clients, on request."""

from __future__ import annotations

from pathlib import Path

import pytest

from esl_agent.simulator.faults import Faults
from esl_agent.simulator.listener import Listener
from esl_agent.simulator.plan import CallPlan
from esl_agent.simulator.simulator import Simulator
from esl_agent.simulator.traffic import TrafficConfig

from .bench import Bench
from .conftest import StartSimulator
from .raw_client import PATIENCE_S, RawClient, log_in

SHORT = CallPlan(ring_ms=20, talk_ms=100)
LONG = CallPlan(ring_ms=20, talk_ms=3_600_000)


def subscribe(simulator: Simulator, names: str = "ALL") -> RawClient:
    client = log_in(simulator.port)
    client.ask(f"event json {names}")
    return client


def run_call(simulator: Simulator, plan: CallPlan = SHORT) -> None:
    assert simulator.place_call(plan).wait_ended(PATIENCE_S)


def mark(simulator: Simulator) -> None:
    """Send an event that can be told from the others."""
    simulator.core.fire_bare("SHUTDOWN", [])


def until_mark(client: RawClient) -> list[tuple[str, int]]:
    """Names and numbers of the events up to the mark."""
    heard = []
    while (event := client.event())["Event-Name"] != "SHUTDOWN":
        heard.append((event["Event-Name"], int(event["Event-Sequence"])))
    return heard


def test_events_are_dropped(simulator: Simulator) -> None:
    client = subscribe(simulator, "CHANNEL_ANSWER CHANNEL_HANGUP_COMPLETE SHUTDOWN")
    simulator.faults.drop_events(3)
    run_call(simulator)
    mark(simulator)

    assert [name for name, _ in until_mark(client)] == ["CHANNEL_HANGUP_COMPLETE"]


def test_events_of_one_name_are_dropped(simulator: Simulator) -> None:
    client = subscribe(simulator, "CHANNEL_ANSWER CHANNEL_HANGUP_COMPLETE SHUTDOWN")
    simulator.faults.drop_events(100, ["CHANNEL_HANGUP_COMPLETE"])
    run_call(simulator)
    mark(simulator)

    assert [name for name, _ in until_mark(client)] == ["CHANNEL_ANSWER"] * 2


def test_events_come_twice(simulator: Simulator) -> None:
    client = subscribe(simulator, "CHANNEL_HANGUP_COMPLETE SHUTDOWN")
    simulator.faults.duplicate_events(1)
    run_call(simulator)
    mark(simulator)
    numbers = [number for _, number in until_mark(client)]

    assert len(numbers) == 3
    assert numbers[0] == numbers[1] != numbers[2]


def test_an_event_breaks_off_and_the_connection_with_it(simulator: Simulator) -> None:
    client = subscribe(simulator, "CHANNEL_ANSWER")
    before = len(client.received)
    simulator.faults.truncate_next()
    run_call(simulator)

    assert list(client.rest()) == []
    assert len(client.received) > before
    assert not simulator.core.listeners


def test_events_change_places_and_none_is_lost(simulator: Simulator) -> None:
    client = subscribe(simulator)
    simulator.faults.reorder(seed=1, window=4)
    for _ in range(5):
        run_call(simulator)
    simulator.faults.in_order()
    mark(simulator)
    numbers = [number for _, number in until_mark(client)]

    assert numbers != sorted(numbers)
    assert len(set(numbers)) == len(numbers) == simulator.summary().events - 1
    displaced = [
        abs(place - rank) for place, rank in enumerate(sorted(range(len(numbers)), key=numbers.__getitem__))
    ]
    assert max(displaced) > 0


def test_what_is_held_back_comes_by_itself(simulator: Simulator) -> None:
    client = subscribe(simulator, "CHANNEL_HANGUP_COMPLETE")
    simulator.faults.reorder(seed=1, window=1_000)
    run_call(simulator)

    assert len(client.events(2)) == 2


def test_nothing_is_sent_during_a_stall_and_everything_after(simulator: Simulator) -> None:
    client = subscribe(simulator, "CHANNEL_HANGUP_COMPLETE")
    simulator.faults.stall(3_600)
    run_call(simulator)
    (listener,) = simulator.core.listeners

    assert isinstance(listener, Listener)
    assert listener.waiting == 2
    simulator.faults.stall(0)
    assert [client.event()["Event-Name"] for _ in range(2)] == ["CHANNEL_HANGUP_COMPLETE"] * 2


def test_a_command_is_lost(simulator: Simulator) -> None:
    client = log_in(simulator.port)
    call = simulator.place_call(LONG)
    assert call.wait_answered(PATIENCE_S)
    simulator.faults.lose_commands(1)
    client.send(f"api uuid_kill {call.caller_uuid}\n\n")

    assert client.ask(f"api uuid_exists {call.caller_uuid}") == "true"


def test_a_reply_is_lost_and_the_command_done(simulator: Simulator) -> None:
    client = log_in(simulator.port)
    call = simulator.place_call(LONG)
    assert call.wait_answered(PATIENCE_S)
    simulator.faults.lose_replies(1)
    client.send(f"api uuid_kill {call.caller_uuid}\n\n")

    assert client.ask(f"api uuid_exists {call.caller_uuid}") == "false"


def test_commands_are_slow() -> None:
    """With a clock that only the test moves: no reply before its time, and all of them in order."""
    bench = Bench()
    faults = Faults(bench.core)
    listener = Listener(bench.core, faults)
    listener.is_authed = True
    faults.slow_commands(250)
    listener.receive(b"api hostname\n\napi version short\n\n")
    bench.pass_s(0.249)
    assert listener.take() == b""
    bench.pass_s(0.001)

    assert listener.take().endswith(b"\n\nvmContent-Type: api/response\nContent-Length: 8\n\n1.10.12\n")


def test_all_connections_break_and_may_come_again(simulator: Simulator) -> None:
    clients = [subscribe(simulator) for _ in range(3)]
    simulator.faults.disconnect()

    assert [list(client.rest()) for client in clients] == [[], [], []]
    assert log_in(simulator.port).ask("api hostname") == "vm"


def test_a_crash_forgets_the_calls_without_a_word(simulator: Simulator) -> None:
    client = subscribe(simulator)
    call = simulator.place_call(LONG)
    assert call.wait_answered(PATIENCE_S)
    old_core, port = simulator.core.identity.core_uuid, simulator.port
    simulator.faults.restart()
    names = [frame.body.split(b'"')[3] for frame in client.rest() if frame.body]
    again = log_in(port)

    assert b"CHANNEL_HANGUP" not in names
    assert call.wait_ended(PATIENCE_S)
    assert again.ask(f"api uuid_exists {call.caller_uuid}") == "false"
    assert again.ask("api global_getvar core_uuid") not in ("", old_core)
    again.ask("event json CHANNEL_CREATE")
    simulator.place_call(SHORT)
    assert int(again.event()["Event-Sequence"]) < 20
    assert {truth.cause for truth in simulator.legs_ended()} >= {"CRASH"}


def test_a_graceful_restart_hangs_up_first(simulator: Simulator) -> None:
    client = subscribe(simulator, "CHANNEL_HANGUP_COMPLETE")
    call = simulator.place_call(LONG)
    assert call.wait_answered(PATIENCE_S)
    simulator.faults.restart(graceful=True)
    simulator.faults.stall(0)
    list(client.rest())

    causes = {truth.uuid: truth.cause for truth in simulator.legs_ended()}
    assert causes[call.caller_uuid] == "SYSTEM_SHUTDOWN"


def test_a_switch_that_is_down_takes_no_calls_and_no_connections(simulator: Simulator) -> None:
    port = simulator.port
    simulator.faults.restart(down_s=3_600)

    assert simulator.place_call(SHORT).wait_ended(PATIENCE_S)
    with pytest.raises(OSError, match="refused"):
        log_in(port)
    simulator.come_back()
    assert log_in(port).ask("api hostname") == "vm"


def test_traffic_goes_on_after_a_restart(start: StartSimulator) -> None:
    simulator = start(
        traffic=TrafficConfig(calls_per_second=100.0, calls=50, talk_ms_mean=60.0, talk_exactly=True)
    )
    simulator.begin_traffic()
    simulator.faults.restart()
    assert simulator.traffic_over.wait(PATIENCE_S)
    assert simulator.wait_quiet(PATIENCE_S)

    assert simulator.summary().calls == 50


def test_the_clock_of_the_switch_is_off(simulator: Simulator) -> None:
    client = subscribe(simulator, "SHUTDOWN")
    simulator.faults.skew(-90_000)
    mark(simulator)

    stamp_us = int(client.event()["Event-Date-Timestamp"])
    assert stamp_us == pytest.approx(simulator.core.now_us - 90_000_000, abs=1_000_000)


def test_cdr_files_are_missing_or_broken(start: StartSimulator, tmp_path: Path) -> None:
    simulator = start(cdr_dir=tmp_path)
    simulator.faults.skip_cdr_files(1)
    simulator.faults.truncate_cdr_files(1)
    run_call(simulator)

    (file,) = tmp_path.iterdir()
    assert not file.read_text().endswith("}\n")
