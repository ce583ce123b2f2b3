"""The Event Socket over real TCP, as mod_event_socket.c speaks it."""

from __future__ import annotations

import json
import uuid

import pytest

from esl_agent.simulator.plan import CallPlan
from esl_agent.simulator.simulator import Simulator

from .conftest import StartSimulator
from .raw_client import Closed, RawClient, log_in

GOODBYE = b"Disconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n"
SHORT = CallPlan(ring_ms=20, talk_ms=100)


def test_the_first_bytes_and_the_last(simulator: Simulator) -> None:
    client = RawClient(simulator.port)
    client.send("auth ClueCon\n\nexit\n\n")
    list(client.rest())

    assert bytes(client.received) == (
        b"Content-Type: auth/request\n\n"
        b"Content-Type: command/reply\nReply-Text: +OK accepted\n\n"
        b"Content-Type: command/reply\nReply-Text: +OK bye\n\n"
        b"Content-Type: text/disconnect-notice\nContent-Length: 67\n\n" + GOODBYE
    )


def test_a_wrong_password_ends_the_connection(simulator: Simulator) -> None:
    client = RawClient(simulator.port)
    client.send("auth guess\n\n")
    frames = list(client.rest())

    assert [frame.reply_text for frame in frames[1:2]] == ["-ERR invalid"]
    assert frames[2].content_type == "text/disconnect-notice"


def test_nothing_is_done_before_the_password(simulator: Simulator) -> None:
    client = RawClient(simulator.port)
    client.frame()

    assert client.ask("api status") == "-ERR command not found"
    assert client.ask("event json ALL") == "-ERR command not found"
    assert client.ask("auth ClueCon") == "+OK accepted"


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        ("nonsense", "-ERR command not found"),
        ("event json CHANNEL_ANSWER", "+OK event listener enabled json"),
        ("event plain ALL", "+OK event listener enabled plain"),
        ("event CHANNEL_ANSWER", "+OK event listener enabled plain"),
        ("event json CUSTOM sofia::register", "+OK event listener enabled json"),
        ("event json", "-ERR no keywords supplied"),
        ("event json NO_SUCH_EVENT", "-ERR no keywords supplied"),
        ("nixevent CHANNEL_ANSWER", "+OK events nixed"),
        ("nixevent", "-ERR no keywords supplied"),
        ("noevents", "-ERR not listening for events"),
        ("filter Unique-ID abc", "+OK filter added. [Unique-ID]=[abc]"),
        ("filter add Unique-ID abc", "+OK filter added. [Unique-ID]=[abc]"),
        ("filter delete Unique-ID", "+OK filter deleted. [Unique-ID][]"),
        ("filter delete Unique-ID abc", "+OK filter deleted. [Unique-ID][abc]"),
        ("filter delete all", "+OK filter deleted. [all][]"),
        ("filter Unique-ID", "-ERR invalid syntax"),
        ("linger", "-ERR not controlling a session"),
        ("nolinger", "-ERR not controlling a session"),
        ("divert_events on", "-ERR not controlling a session."),
        ("myevents no-such-leg", "-ERR invalid uuid"),
        ("sendmsg no-such-leg\ncall-command: hangup", "-ERR invalid session id [no-such-leg]"),
        ("log 7", "+OK log level 7 [7]"),
        ("log crit", "+OK log level crit [2]"),
        ("log deep", "-ERR invalid log level"),
        ("nolog", "-ERR not loging"),
        ("api uuid_exists x", "false"),
        ("api global_getvar nothing", "-ERR no reply\n"),
        ("api nonsense", "-ERR nonsense Command not found!\n"),
        ("API STATUS 1", None),
    ],
)
def test_replies(client: RawClient, command: str, reply: str | None) -> None:
    answer = client.ask(command)

    assert answer == reply or (reply is None and answer.startswith("UP 0 years"))


def test_noevents_after_events(client: RawClient) -> None:
    client.ask("event json ALL")

    assert client.ask("noevents") == "+OK no longer listening for events"


def test_commands_may_come_in_one_write_with_crlf_and_with_bodies(client: RawClient) -> None:
    client.send(
        "\r\n\napi uuid_exists a\r\n\r\n"
        "sendevent CUSTOM\nEvent-Subclass: x::y\nContent-Length: 12\n\nhello\n\nworld"
        "api hostname\n\n"
    )

    assert client.frame().body == b"false"
    assert client.frame().reply_text.startswith("+OK ")
    assert client.frame().body == b"vm"


def test_an_endless_command_ends_the_connection(client: RawClient) -> None:
    client.send("x" * (1024 * 1024 + 100))

    assert list(client.rest())[-1].body == GOODBYE


def test_a_client_gets_what_it_asked_for_and_nothing_else(simulator: Simulator, client: RawClient) -> None:
    client.ask("event json CHANNEL_ANSWER CHANNEL_HANGUP_COMPLETE CHANNEL_DESTROY")
    client.ask("nixevent CHANNEL_DESTROY")
    call = simulator.place_call(SHORT)
    events = client.events(4)
    assert call.wait_ended(20)

    assert [event["Event-Name"] for event in events] == ["CHANNEL_ANSWER"] * 2 + [
        "CHANNEL_HANGUP_COMPLETE"
    ] * 2
    assert {event["Unique-ID"] for event in events} == {call.caller_uuid, *call.outbound_uuids}
    assert client.ask("api uuid_exists x") == "false"


def test_what_a_leg_was_is_what_its_last_event_says(simulator: Simulator, client: RawClient) -> None:
    client.ask("event json CHANNEL_HANGUP_COMPLETE")
    simulator.place_call(SHORT)
    told = {event["Unique-ID"]: event for event in client.events(2)}

    for truth in simulator.legs_ended():
        event = told[truth.uuid]
        assert int(event["variable_billusec"]) == truth.duration_us
        assert int(event["Caller-Channel-Hangup-Time"]) == truth.ended_us


def test_plain_events_have_the_length_they_say(simulator: Simulator, client: RawClient) -> None:
    client.ask("event plain CHANNEL_CREATE")
    simulator.place_call(SHORT)
    frame = client.frame()

    assert frame.content_type == "text/event-plain"
    assert frame.body.startswith(b"Event-Name: CHANNEL_CREATE\nCore-UUID: ")
    assert frame.body.endswith(b"\n\n")


def test_heartbeats_come_by_themselves(start: StartSimulator) -> None:
    client = log_in(start(heartbeat_s=0.05).port)
    client.ask("event json HEARTBEAT")
    first, second = client.events(2)

    assert first["Event-Info"] == "System Ready"
    assert int(second["Uptime-msec"]) > int(first["Uptime-msec"])


def test_a_background_job_is_told_by_event_after_its_reply(client: RawClient) -> None:
    client.ask("event json BACKGROUND_JOB")
    job = str(uuid.uuid4())
    client.send(f"bgapi uuid_exists nobody\nJob-UUID: {job}\n\n")
    reply = client.frame()
    event = client.event()

    assert reply.headers["Reply-Text"] == f"+OK Job-UUID: {job}"
    assert reply.headers["Job-UUID"] == job
    assert event["Event-Name"] == "BACKGROUND_JOB"
    assert (event["Job-UUID"], event["Job-Command"], event["Job-Command-Arg"]) == (
        job,
        "uuid_exists",
        "nobody",
    )
    assert event["_body"] == "false"
    assert event["Content-Length"] == "5"


def test_what_a_command_brings_about_is_told_after_its_reply(simulator: Simulator, client: RawClient) -> None:
    client.ask("event json CHANNEL_HANGUP")
    call = simulator.place_call(CallPlan(ring_ms=20, talk_ms=60_000))
    assert call.wait_answered(20)
    client.send(f"api uuid_kill {call.caller_uuid}\n\n")

    assert client.frame().body == b"+OK\n"
    assert client.event()["Event-Name"] == "CHANNEL_HANGUP"


@pytest.mark.parametrize(
    ("filters", "directions"),
    [
        (["Call-Direction outbound"], {"outbound"}),
        (["call-direction OUTBOUND"], {"outbound"}),
        (["Call-Direction outbound", "Call-Direction inbound"], {"inbound", "outbound"}),
        (["Call-Direction inbound", "Call-Direction -outbound"], {"inbound"}),
        (["Call-Direction /^out/"], {"outbound"}),
        (["variable_esl_account 1001"], {"outbound"}),
    ],
)
def test_filters(simulator: Simulator, client: RawClient, filters: list[str], directions: set[str]) -> None:
    client.ask("event json CHANNEL_CREATE BACKGROUND_JOB")
    for text in filters:
        client.ask(f"filter {text}")
    call = simulator.place_call(SHORT)
    assert call.wait_ended(20)
    client.send("filter delete all\n\nbgapi status\n\n")

    seen = set()
    while (event := client.event())["Event-Name"] != "BACKGROUND_JOB":
        seen.add(event["Call-Direction"])
    assert seen == directions


def test_a_filter_on_a_header_that_an_event_lacks_swallows_the_event(client: RawClient) -> None:
    """Filtered by direction, no background job is ever told of."""
    client.ask("event json BACKGROUND_JOB")
    client.ask("filter Call-Direction outbound")
    client.send("bgapi status\n\n")
    assert client.frame().reply_text.startswith("+OK Job-UUID")

    assert client.ask("api hostname") == "vm"


def test_myevents_tells_of_one_leg(simulator: Simulator, client: RawClient) -> None:
    call = simulator.place_call(CallPlan(ring_ms=300, talk_ms=100))
    assert client.ask(f"myevents {call.caller_uuid} json") == "+OK Events Enabled"
    assert client.ask(f"myevents {call.caller_uuid}") == "-ERR aready enabled."

    names: list[str] = []
    while not names or names[-1] != "CHANNEL_DESTROY":
        event = client.event()
        assert event["Unique-ID"] == call.caller_uuid
        names.append(event["Event-Name"])
    assert names[:2] == ["CHANNEL_ANSWER", "CHANNEL_BRIDGE"]


def test_a_client_that_does_not_read_loses_events_and_then_the_connection(start: StartSimulator) -> None:
    simulator = start(event_queue_max=50, missed_max=10)
    client = log_in(simulator.port)
    client.ask("event json ALL")
    simulator.faults.stall(60)
    for _ in range(20):
        simulator.place_call(SHORT)
    assert simulator.wait_quiet(20)
    simulator.faults.stall(0)
    *events, last = client.rest()

    assert last.body == b"killed listener because of lost events\n"
    assert len(events) == 50
    assert simulator.summary().events_lost == 11


def test_the_log_tells_of_lost_events_once_there_is_room(start: StartSimulator) -> None:
    """With the prefix that every line of the log has, and nowhere else."""
    simulator = start(event_queue_max=5)
    client = log_in(simulator.port)
    assert client.ask("log crit") == "+OK log level crit [2]"
    client.ask("event json CHANNEL_CREATE CHANNEL_ANSWER CHANNEL_HANGUP_COMPLETE")
    simulator.faults.stall(3_600)
    assert simulator.place_call(SHORT).wait_ended(20)
    simulator.faults.stall(0)
    client.events(5)
    simulator.place_call(SHORT)
    while (frame := client.frame()).content_type != "log/data":
        pass

    assert frame.headers["Log-Level"] == "2"
    prefix, _, text = frame.body.decode().partition(" Lost ")
    assert prefix.endswith("% [CRIT] mod_event_socket.c:389")
    assert text == "[1] events! Event Queue size: [0/5]\n"


def test_many_clients_hear_the_same(simulator: Simulator) -> None:
    clients = [log_in(simulator.port) for _ in range(5)]
    for client in clients:
        client.ask("event json CHANNEL_HANGUP_COMPLETE")
    simulator.place_call(SHORT)
    heard = {json.dumps(client.events(2), sort_keys=True) for client in clients}

    assert len(heard) == 1


def test_clients_are_told_when_the_switch_shuts_down(simulator: Simulator, client: RawClient) -> None:
    simulator.stop()

    assert list(client.rest())[-1].body == b"The system is being shut down.\n"


def test_a_client_that_leaves_is_forgotten(simulator: Simulator, client: RawClient) -> None:
    client.ask("event json ALL")
    client.send("exit\n\n")
    list(client.rest())
    with pytest.raises(Closed):
        client.frame()

    assert not simulator.core.listeners


def test_an_event_of_a_clients_own_reaches_whoever_wants_its_subclass(
    simulator: Simulator, client: RawClient
) -> None:
    other, deaf = log_in(simulator.port), log_in(simulator.port)
    client.ask("event json CUSTOM esl_agent::active")
    other.ask("event json HEARTBEAT CUSTOM x::y esl_agent::active")
    deaf.ask("event json HEARTBEAT CUSTOM x::y")
    said = "sendevent CUSTOM\nEvent-Subclass: esl_agent::active\nEsl-Agent-Epoch: 7"
    reply = deaf.ask(said)
    deaf.ask(said.replace("esl_agent::active", "x::y"))

    for hearer in (client, other):
        (event,) = hearer.events(1)
        assert (event["Event-Name"], event["Esl-Agent-Epoch"]) == ("CUSTOM", "7")
        assert f"+OK {event['Event-UUID']}" == reply
    (own,) = deaf.events(1)
    assert own["Event-Subclass"] == "x::y"


def test_an_event_that_was_sent_begins_with_what_was_said(simulator: Simulator, client: RawClient) -> None:
    """As the switch itself writes it: who looks for the name at the beginning doesn't find it there."""
    client.ask("event json CUSTOM x::y")
    client.ask("sendevent CUSTOM\nEvent-Subclass: x::y\nA: 1\nContent-Length: 2\n\nhi".rstrip("\n"))
    (event,) = client.events(1)

    keys = list(event)
    assert keys[:3] == ["Command", "A", "Content-Length"]
    assert keys.index("Event-UUID") < keys.index("Event-Subclass") < keys.index("Event-Name")
    assert event["_body"] == "hi"


def test_an_event_sent_of_a_leg_that_is_up_is_for_that_leg_alone(
    simulator: Simulator, client: RawClient
) -> None:
    call = simulator.place_call(SHORT)
    client.ask("event json CUSTOM x::y")
    client.ask(f"sendevent CUSTOM\nEvent-Subclass: x::y\nUnique-ID: {call.caller_uuid}")
    client.ask("sendevent CUSTOM\nEvent-Subclass: x::y\nA: after")

    assert client.events(1)[0]["A"] == "after"
