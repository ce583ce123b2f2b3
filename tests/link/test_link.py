"""The link to a switch that comes, goes, falls silent, is started anew and drops events."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fixtures.scripted_switch import PATIENCE_S, Peer, ScriptedSwitch
from gevent.queue import Queue

from esl_agent.core.leg import Direction
from esl_agent.switch import commands
from esl_agent.switch.errors import CommandTimeout, ConnectionLost
from esl_agent.switch.events import Heartbeat, SwitchEvent, VariableNames
from esl_agent.switch.legs import leg_of
from esl_agent.switch.link import LinkChange, LinkConfig, LinkState, SwitchLink

TRACES = Path(__file__).parents[1] / "traces"
CORE = "7fa905c0-5d18-4999-a2a6-e526aff1df62"
OTHER_CORE = "11111111-2222-3333-4444-555555555555"


class Watched:
    """A link with what it tells."""

    def __init__(self, config: LinkConfig) -> None:
        self.events: Queue[SwitchEvent] = Queue()
        self.changes: Queue[LinkChange] = Queue()
        self.link = SwitchLink(config, self.events.put, self.changes.put)

    def next(self, state: LinkState) -> LinkChange:
        """The next change, which is to be of this state."""
        change: LinkChange = self.changes.get(timeout=PATIENCE_S)
        assert change.state == state, change
        return change


@pytest.fixture
def config(switch: ScriptedSwitch) -> LinkConfig:
    return LinkConfig(port=switch.port, retry_min_s=0.001, retry_max_s=0.01)


@pytest.fixture
def watched(config: LinkConfig) -> Iterator[Watched]:
    made = Watched(config)
    yield made
    made.link.stop()


@pytest.fixture
def standing(watched: Watched) -> Watched:
    watched.link.start()
    watched.next(LinkState.CONNECTED)
    return watched


def events_peer(switch: ScriptedSwitch) -> Peer:
    return switch.next_peer("HEARTBEAT")


def test_the_link_says_which_run_of_the_switch_it_stands_to(watched: Watched) -> None:
    watched.link.start()
    assert watched.next(LinkState.CONNECTED) == LinkChange(LinkState.CONNECTED, core_uuid=CORE)
    assert watched.link.wait_connected(PATIENCE_S)


def test_events_and_commands_go_by_connections_of_their_own(
    switch: ScriptedSwitch, standing: Watched
) -> None:
    jobs, events = switch.next_peer("BACKGROUND_JOB"), events_peer(switch)
    assert jobs is not events
    assert events.subscribed == {
        "CHANNEL_CREATE",
        "CHANNEL_ANSWER",
        "CHANNEL_HANGUP_COMPLETE",
        "HEARTBEAT",
    }
    assert standing.link.command(commands.status()) == "+OK status"
    assert standing.link.background(commands.show_channels_json()) == "+OK show channels as json"
    assert [line for line in events.received if "api " in line] == []


def test_events_come_through(switch: ScriptedSwitch, standing: Watched) -> None:
    events_peer(switch).event("CHANNEL_CREATE", Unique_ID="1", Core_UUID=CORE, Event_Sequence="5")
    assert standing.events.get(timeout=PATIENCE_S).unique_id == "1"


def test_a_hostile_caller_comes_through_as_what_he_is(config: LinkConfig, switch: ScriptedSwitch) -> None:
    """The bytes of a real switch: a display name that holds another account's header and another event."""
    names = VariableNames(account="billed_account", product="billed_product")
    watched = Watched(replace(config, names=names))
    watched.link.start()
    watched.next(LinkState.CONNECTED)
    events_peer(switch).send((TRACES / "outbound_hostile_caller_name" / "events.json.esl").read_bytes())
    told = [watched.events.get(timeout=PATIENCE_S) for _ in range(6)]
    assert sorted(event.name for event in told) == [
        *["CHANNEL_ANSWER"] * 2,
        *["CHANNEL_CREATE"] * 2,
        *["CHANNEL_HANGUP_COMPLETE"] * 2,
    ]
    assert {(leg_of(event).direction, leg_of(event).account_id) for event in told} == {
        (Direction.INBOUND, None),
        (Direction.OUTBOUND, 1001),
    }
    watched.link.stop()


def test_the_heartbeat_comes_through_too_with_how_many_legs_are_up(
    switch: ScriptedSwitch, standing: Watched
) -> None:
    events_peer(switch).event("HEARTBEAT", Core_UUID=CORE, Event_Sequence="5", Session_Count="12")
    heartbeat = standing.events.get(timeout=PATIENCE_S)
    assert isinstance(heartbeat, Heartbeat)
    assert heartbeat.session_count == 12


@pytest.mark.parametrize("subscribed_to", ["HEARTBEAT", "BACKGROUND_JOB"])
def test_when_either_connection_ends_both_are_made_anew(
    switch: ScriptedSwitch, standing: Watched, subscribed_to: str
) -> None:
    jobs, events = switch.next_peer("BACKGROUND_JOB"), events_peer(switch)
    (events if subscribed_to == "HEARTBEAT" else jobs).hang_up()
    lost = standing.next(LinkState.LOST)
    assert (lost.reason, lost.core_uuid) == ("the switch closed the connection", CORE)
    assert 0 < lost.retry_s <= 0.01
    assert not standing.next(LinkState.CONNECTED).is_restarted
    assert jobs.is_gone.wait(PATIENCE_S)
    assert events.is_gone.wait(PATIENCE_S)
    events_peer(switch).event("CHANNEL_CREATE", Unique_ID="after", Core_UUID=CORE)
    assert standing.events.get(timeout=PATIENCE_S).unique_id == "after"


def test_a_switch_that_was_started_anew_is_told_from_one_that_was_not(
    switch: ScriptedSwitch, standing: Watched
) -> None:
    switch.core_uuid = OTHER_CORE
    events_peer(switch).hang_up()
    standing.next(LinkState.LOST)
    again = standing.next(LinkState.CONNECTED)
    assert (again.core_uuid, again.is_restarted) == (OTHER_CORE, True)


def test_a_switch_that_does_not_say_its_core_is_known_by_its_events(
    switch: ScriptedSwitch, watched: Watched
) -> None:
    switch.answers["api global_getvar"] = lambda peer, lines: peer.answer("-ERR no reply\n")
    watched.link.start()
    assert watched.next(LinkState.CONNECTED).core_uuid == ""
    peer = events_peer(switch)
    peer.event("HEARTBEAT", Core_UUID=CORE, Event_Sequence="5")
    peer.event("HEARTBEAT", Core_UUID=OTHER_CORE, Event_Sequence="6")
    gap = watched.next(LinkState.GAP)
    assert (gap.core_uuid, gap.is_restarted) == (OTHER_CORE, True)
    assert gap.reason == f"the switch was started anew: its core is {OTHER_CORE}, it was {CORE}"


def test_the_link_tries_for_ever_and_says_each_reason_once(switch: ScriptedSwitch, watched: Watched) -> None:
    greet = switch.greet
    switch.greet = Peer.hang_up
    watched.link.start()
    assert watched.next(LinkState.LOST).reason == "the switch closed the connection"
    visits = switch.visits
    while switch.visits < visits + 20:
        watched.link.wait_connected(0.01)
    switch.greet = greet
    switch.password = "another"
    assert "refuses the password" in watched.next(LinkState.LOST).reason
    switch.password = "ClueCon"
    watched.next(LinkState.CONNECTED)


def test_the_wait_between_attempts_grows_to_its_limit(config: LinkConfig) -> None:
    link = SwitchLink(replace(config, retry_min_s=0.1, retry_max_s=5.0), id, id)
    for failures, longest_s in [(0, 0.1), (1, 0.2), (5, 3.2), (6, 5.0), (10**6, 5.0)]:
        waits = [link._retry_s(failures) for _ in range(200)]
        assert longest_s / 2 < min(waits) <= max(waits) <= longest_s
        assert len(set(waits)) > 50, "agents must not all come back at once"


def test_a_switch_that_falls_silent_is_lost(config: LinkConfig, switch: ScriptedSwitch) -> None:
    watched = Watched(replace(config, heartbeat_timeout_s=0.1))
    watched.link.start()
    watched.next(LinkState.CONNECTED)
    assert "no event and no heartbeat came" in watched.next(LinkState.LOST).reason
    watched.next(LinkState.CONNECTED)
    watched.link.stop()


def test_a_switch_that_stops_answering_commands_is_lost(config: LinkConfig, switch: ScriptedSwitch) -> None:
    """The probe finds it out, though nobody sends a command."""
    switch.answers["api uuid_exists"] = lambda peer, lines: None
    watched = Watched(replace(config, probe_every_s=0.01, answer_timeout_s=0.1))
    watched.link.start()
    watched.next(LinkState.CONNECTED)
    assert "a command has waited" in watched.next(LinkState.LOST).reason
    del switch.answers["api uuid_exists"]
    watched.next(LinkState.CONNECTED)
    watched.link.stop()


def test_a_command_has_a_deadline_that_does_not_end_the_link(
    switch: ScriptedSwitch, standing: Watched
) -> None:
    switch.answers["api status"] = lambda peer, lines: None
    with pytest.raises(CommandTimeout):
        standing.link.command(commands.status(), deadline_s=0.02)
    assert standing.link.is_connected


def test_without_a_switch_a_command_fails_at_once(watched: Watched) -> None:
    with pytest.raises(ConnectionLost, match="no connection to the switch at the moment"):
        watched.link.command(commands.status())


def test_events_that_the_switch_dropped_are_a_gap(switch: ScriptedSwitch, standing: Watched) -> None:
    """As mod_event_socket says it, in the log only."""
    peer = events_peer(switch)
    begin = "2026-11-23 07:43:08.110622 100.00% [CRIT] mod_event_socket.c:387 "
    peer.log_line(f"{begin}something else\n")
    peer.log_line(f"{begin}Lost [37] events! Event Queue size: [99999/100000]\n")
    gap = standing.next(LinkState.GAP)
    assert gap.reason == "the switch dropped events: Lost [37] events! Event Queue size: [99999/100000]"
    assert standing.link.is_connected


def test_a_switch_that_does_not_give_its_log_serves_all_the_same(
    switch: ScriptedSwitch, watched: Watched
) -> None:
    switch.answers["log"] = lambda peer, lines: peer.reply("-ERR permission denied")
    watched.link.start()
    watched.next(LinkState.CONNECTED)


def test_an_event_that_cannot_be_read_is_a_gap(switch: ScriptedSwitch, standing: Watched) -> None:
    events_peer(switch).event("CHANNEL_ANSWER", Event_Sequence="not a number")
    assert "can't be read" in standing.next(LinkState.GAP).reason


def test_a_hole_in_the_numbering_of_a_busy_switch_is_a_gap(switch: ScriptedSwitch, standing: Watched) -> None:
    peer = events_peer(switch)
    at_us = 1795400040323150
    for sequence in (500, 557, 540, 5_000, 5_020):
        peer.event(
            "CHANNEL_CREATE",
            Core_UUID=CORE,
            Event_Sequence=str(sequence),
            Event_Date_Timestamp=str(at_us + sequence),
        )
    assert "4443 events were made within 4 ms and none came" in standing.next(LinkState.GAP).reason
    assert [standing.events.get(timeout=PATIENCE_S).sequence for _ in range(5)] == [
        500,
        557,
        540,
        5_000,
        5_020,
    ]
    assert standing.changes.empty()


def test_a_listener_that_fails_does_not_end_the_link(
    config: LinkConfig, switch: ScriptedSwitch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(change: LinkChange) -> None:
        raise RuntimeError("the listener's own fault")

    link = SwitchLink(config, id, fail)
    link.start()
    assert link.wait_connected(PATIENCE_S)
    assert link.command(commands.status()) == "+OK status"
    assert "the listener's own fault" in caplog.text
    link.stop()


def test_stopping_closes_both_connections_and_ends_the_attempts(
    switch: ScriptedSwitch, standing: Watched
) -> None:
    jobs, events = switch.next_peer("BACKGROUND_JOB"), events_peer(switch)
    standing.link.stop()
    assert jobs.is_gone.wait(PATIENCE_S)
    assert events.is_gone.wait(PATIENCE_S)
    assert not standing.link.is_connected
    assert switch.visits == 2


def test_a_link_that_is_still_trying_can_be_stopped(switch: ScriptedSwitch, watched: Watched) -> None:
    switch.greet = lambda peer: None
    watched.link.start()
    while not switch.visits:
        watched.link.wait_connected(0.001)
    watched.link.stop()
    assert not watched.link.is_connected
