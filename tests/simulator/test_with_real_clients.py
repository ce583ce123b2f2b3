"""Clients that know nothing of a simulator can't tell: the agent's own, and stock greenswitch."""

from __future__ import annotations

import gc

import greenswitch
import pytest
from gevent.event import Event
from gevent.queue import Queue

from esl_agent.core.leg import LegEnd
from esl_agent.simulator.plan import CallPlan
from esl_agent.simulator.simulator import Simulator
from esl_agent.switch import commands
from esl_agent.switch.channels import decode_channels
from esl_agent.switch.events import SwitchEvent
from esl_agent.switch.legs import leg_end_of
from esl_agent.switch.link import LinkChange, LinkConfig, LinkState, SwitchLink

from .raw_client import PATIENCE_S

SHORT = CallPlan(ring_ms=20, talk_ms=120)


def test_the_agents_own_link_hears_a_call_as_it_was(simulator: Simulator) -> None:
    heard: Queue[SwitchEvent] = Queue()
    link = SwitchLink(LinkConfig(port=simulator.port, password="ClueCon"), heard.put, lambda change: None)
    link.start()
    try:
        assert link.wait_connected(PATIENCE_S)
        simulator.place_call(SHORT)
        ends: list[LegEnd] = []
        while len(ends) < 2:
            event = heard.get(timeout=PATIENCE_S)
            if event.name == "CHANNEL_HANGUP_COMPLETE":
                ends.append(leg_end_of(event))
    finally:
        link.stop()

    truths = {truth.uuid: truth for truth in simulator.legs_ended()}
    for end in ends:
        truth = truths[end.leg.leg_uuid]
        assert end.duration_us == truth.duration_us
        assert end.hangup_cause == truth.cause
        assert end.ended_by == "caller"
    (paid,) = [end.leg for end in ends if end.leg.account_id is not None]
    assert (paid.account_id, paid.priced_number, paid.carrier) == (1001, "12125550147", "a")


def test_the_agents_commands_are_answered(simulator: Simulator) -> None:
    link = SwitchLink(
        LinkConfig(port=simulator.port, password="ClueCon"), lambda event: None, lambda change: None
    )
    link.start()
    try:
        assert link.wait_connected(PATIENCE_S)
        call = simulator.place_call(CallPlan(ring_ms=20, talk_ms=3_600_000))
        assert call.wait_answered(PATIENCE_S)
        (leg,) = call.outbound_uuids
        assert link.command(commands.sched_cut_after(leg, 60)).startswith("+OK")
        assert link.command(commands.uuid_exists(leg)).strip() == "true"
        rows = decode_channels(link.command(commands.show_channels_json()))
        assert {row.leg_uuid for row in rows} == {leg, call.caller_uuid}
        assert link.command(commands.uuid_kill(leg, "ALLOTTED_TIMEOUT")).startswith("+OK")
    finally:
        link.stop()
    assert call.wait_ended(PATIENCE_S)


def test_the_agents_link_notices_a_restart(simulator: Simulator) -> None:
    changes: list[LinkChange] = []
    restarted = Event()

    def on_state(change: LinkChange) -> None:
        changes.append(change)
        if change.is_restarted:
            restarted.set()

    config = LinkConfig(port=simulator.port, password="ClueCon", retry_min_s=0.01)
    link = SwitchLink(config, lambda event: None, on_state)
    link.start()
    try:
        assert link.wait_connected(PATIENCE_S)
        simulator.faults.restart()
        assert restarted.wait(PATIENCE_S)
    finally:
        link.stop()

    assert [change.state for change in changes][:2] == [LinkState.CONNECTED, LinkState.LOST]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_stock_greenswitch_hears_plain_events(simulator: Simulator) -> None:
    heard: Queue[dict[str, str]] = Queue()
    client = greenswitch.InboundESL("127.0.0.1", simulator.port, "ClueCon")
    client.connect()
    client.register_handle("CHANNEL_HANGUP_COMPLETE", lambda event: heard.put(dict(event.headers)))
    client.send("event plain CHANNEL_HANGUP_COMPLETE")
    assert client.send("api hostname").data == "vm"
    simulator.place_call(SHORT)
    told = [heard.get(timeout=PATIENCE_S) for _ in range(2)]
    client.stop()
    gc.collect()

    durations = {truth.uuid: truth.duration_us for truth in simulator.legs_ended()}
    assert {event["Unique-ID"]: int(event["variable_billusec"]) for event in told} == durations
