"""One connection to a switch that behaves, and to one that doesn't."""

import socket
from collections.abc import Iterator

import gevent
import pytest
from fixtures.scripted_switch import PATIENCE_S, Peer, ScriptedSwitch, event_bytes
from gevent.event import AsyncResult
from gevent.queue import Queue

from esl_agent.switch import commands
from esl_agent.switch.client import SwitchConnection
from esl_agent.switch.commands import Api
from esl_agent.switch.errors import (
    CommandRefused,
    CommandTimeout,
    ConnectionLost,
    PasswordRefused,
    SwitchError,
    SwitchRefused,
    SwitchUnreachable,
    TooManyCommands,
)
from esl_agent.switch.events import EventError, SwitchEvent

LEG = "76a32f67-0256-4268-a1ba-e0317bb38fcb"
SOON_S = 0.05  # a deadline that is meant to pass


def to(switch: ScriptedSwitch, password: str = "ClueCon", timeout_s: float = PATIENCE_S) -> SwitchConnection:
    return SwitchConnection("127.0.0.1", switch.port, password, timeout_s)


@pytest.fixture
def connection(switch: ScriptedSwitch) -> Iterator[SwitchConnection]:
    opened = to(switch)
    opened.connect()
    yield opened
    opened.close()


def listen(
    switch: ScriptedSwitch, connection: SwitchConnection, *names: str
) -> tuple[Peer, Queue[SwitchEvent]]:
    """Subscribe; the switch's side of the connection, and the events as they come."""
    events: Queue[SwitchEvent] = Queue()
    for name in names:
        connection.register_handle(name, events.put)
    connection.subscribe(names)
    return switch.next_peer(names[0]), events


# The beginning


def test_a_connection_is_open_once_the_password_was_taken(connection: SwitchConnection) -> None:
    assert connection.connected
    assert connection.command(commands.status()) == "+OK status"


def test_a_password_that_is_refused_is_said_without_repeating_it(switch: ScriptedSwitch) -> None:
    with pytest.raises(PasswordRefused, match="refuses the password") as caught:
        to(switch, "hunter2").connect()
    assert "hunter2" not in str(caught.value)


def test_a_switch_that_sends_us_away_says_so(switch: ScriptedSwitch) -> None:
    switch.greet = lambda peer: peer.send(
        b"Content-Type: text/rude-rejection\nContent-Length: 24\n\nAccess Denied, go away.\n"
    )
    with pytest.raises(SwitchRefused, match=r"access list refuses us: 'Access Denied, go away\.'"):
        to(switch).connect()


def test_nobody_at_the_address() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(SwitchUnreachable, match=f"no switch answers at 127.0.0.1:{port}"):
            SwitchConnection("127.0.0.1", port, "ClueCon").connect()


def test_a_peer_that_says_nothing_is_not_waited_for_for_ever(switch: ScriptedSwitch) -> None:
    switch.greet = lambda peer: None
    with pytest.raises(SwitchUnreachable, match="says nothing"):
        to(switch, timeout_s=SOON_S).connect()


def test_a_peer_that_takes_the_password_and_says_nothing_is_not_either(switch: ScriptedSwitch) -> None:
    switch.answers["auth"] = lambda peer, lines: None
    with pytest.raises(CommandTimeout, match=r"did not answer 'auth \*\*\*'"):
        to(switch, timeout_s=SOON_S).connect()


@pytest.mark.parametrize(
    ("greeting", "says"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n\n\n", "no Event Socket message"),
        (b"Content-Type: command/reply\nReply-Text: +OK\n\n", "an answer to nothing"),
        (b"Content-Type: text/html\n\n", "a message of the kind 'text/html'"),
        (b"Content-Type: auth/requ", "closed the connection in the middle of a message"),
        (b"", "closed the connection"),
    ],
)
def test_a_peer_that_is_no_switch_is_told_from_one(
    switch: ScriptedSwitch, greeting: bytes, says: str
) -> None:
    def greet(peer: Peer) -> None:
        peer.send(greeting)
        peer.hang_up()

    switch.greet = greet
    with pytest.raises(ConnectionLost, match=says):
        to(switch).connect()


# Commands and their answers


def test_many_commands_at_once_get_each_its_own_answer(connection: SwitchConnection) -> None:
    names = [f"variable_{number}" for number in range(2_000)]
    asking = [gevent.spawn(connection.command, commands.global_getvar(name), PATIENCE_S) for name in names]
    gevent.joinall(asking, raise_error=True)
    assert [each.value for each in asking] == [f"+OK global_getvar {name}" for name in names]


def test_an_order_is_answered_to_whom_it_names_though_nobody_waits(
    switch: ScriptedSwitch, connection: SwitchConnection
) -> None:
    told: AsyncResult[str | ConnectionLost] = AsyncResult()
    connection.order(commands.status(), told.set)
    assert told.get(timeout=PATIENCE_S) == "+OK status"

    switch.answers["api"] = lambda peer, lines: peer.close()
    lost: AsyncResult[str | ConnectionLost] = AsyncResult()
    connection.order(commands.status(), lost.set)
    assert isinstance(lost.get(timeout=PATIENCE_S), ConnectionLost)


def test_messages_of_any_size_arrive_whole(switch: ScriptedSwitch, connection: SwitchConnection) -> None:
    """More than the socket's buffers hold, to a peer that starts to read late."""
    arrived: list[str] = []
    may_read: AsyncResult[bool] = AsyncResult()

    def take(peer: Peer, lines: list[str]) -> None:
        may_read.get(timeout=PATIENCE_S)
        arrived.append(lines[-1])
        peer.reply("+OK")

    switch.answers["sendmsg"] = take
    sent = [f"{number:05}" + "x" * 20_000 for number in range(500)]
    for argument in sent:
        connection.post(commands.execute("log", argument))
    may_read.set(True)
    connection.request(commands.execute("log", "last"), PATIENCE_S)
    assert arrived == [f"execute-app-arg: {argument}" for argument in [*sent, "last"]]


def test_a_late_answer_is_not_taken_for_the_next_commands(
    switch: ScriptedSwitch, connection: SwitchConnection
) -> None:
    may_answer: AsyncResult[bool] = AsyncResult()

    def answer_late(peer: Peer, lines: list[str]) -> None:
        may_answer.get(timeout=PATIENCE_S)
        peer.answer("+OK late\n")

    switch.answers["api uuid_kill"] = answer_late
    with pytest.raises(CommandTimeout, match="did not answer 'api uuid_kill"):
        connection.command(commands.uuid_kill(LEG, "USER_BUSY"), SOON_S)
    asking = gevent.spawn(connection.command, commands.status(), PATIENCE_S)
    may_answer.set(True)
    assert asking.get(timeout=PATIENCE_S) == "+OK status"


def test_how_long_the_oldest_command_waits_is_known(
    switch: ScriptedSwitch, connection: SwitchConnection
) -> None:
    assert connection.unanswered_s == 0
    switch.answers["api uuid_kill"] = lambda peer, lines: None
    with pytest.raises(CommandTimeout):
        connection.command(commands.uuid_kill(LEG, "USER_BUSY"), SOON_S)
    assert connection.unanswered_s >= SOON_S


def test_commands_that_wait_are_limited(switch: ScriptedSwitch, connection: SwitchConnection) -> None:
    switch.answers["api"] = lambda peer, lines: None
    connection.in_flight_max = 3
    for _ in range(3):
        connection.post(commands.api(commands.status()))
    with pytest.raises(TooManyCommands, match="3 commands wait"):
        connection.command(commands.status())


def test_a_command_that_fails_says_what_the_switch_says(
    switch: ScriptedSwitch, connection: SwitchConnection
) -> None:
    switch.answers["api uuid_kill"] = lambda peer, lines: peer.answer("-ERR No such channel!\n")
    assert connection.command(commands.uuid_kill(LEG, "USER_BUSY")) == "-ERR No such channel!"
    switch.answers["api uuid_dump"] = lambda peer, lines: peer.reply("-ERR permission denied")
    assert connection.command(commands.uuid_dump(LEG)) == "-ERR permission denied"


def test_a_subscription_that_is_refused_is_an_error(
    switch: ScriptedSwitch, connection: SwitchConnection
) -> None:
    switch.answers["event"] = lambda peer, lines: peer.reply("-ERR no keywords supplied")
    with pytest.raises(CommandRefused, match="refused 'event json NONSENSE': '-ERR no keywords supplied'"):
        connection.subscribe(["NONSENSE"])


# Background jobs


def test_a_background_job_answers_by_its_own_event(
    switch: ScriptedSwitch, connection: SwitchConnection
) -> None:
    peer, _ = listen(switch, connection, "BACKGROUND_JOB")
    peer.event("BACKGROUND_JOB", Job_UUID=LEG, _body="+OK somebody else's")
    assert connection.background(commands.show_channels_json()) == "+OK show channels as json"
    assert peer.received[-1] == "bgapi show channels as json"


def test_a_job_that_does_not_end_in_time(switch: ScriptedSwitch, connection: SwitchConnection) -> None:
    switch.answers["bgapi"] = lambda peer, lines: peer.reply("+OK Job-UUID: x")
    with pytest.raises(CommandTimeout, match="did not finish 'show channels as json'"):
        connection.background(commands.show_channels_json(), SOON_S)


def test_a_job_whose_connection_ends(switch: ScriptedSwitch, connection: SwitchConnection) -> None:
    def reply_and_end(peer: Peer, lines: list[str]) -> None:
        peer.reply("+OK Job-UUID: x")
        peer.hang_up()

    switch.answers["bgapi"] = reply_and_end
    with pytest.raises(ConnectionLost, match="the job's answer will not come"):
        connection.background(commands.show_channels_json())


# Events


def test_events_come_in_order_with_answers_between_them(
    switch: ScriptedSwitch, connection: SwitchConnection
) -> None:
    _, events = listen(switch, connection, "CHANNEL_CREATE", "CHANNEL_ANSWER")

    def answer_amid(peer: Peer, lines: list[str]) -> None:
        peer.event("CHANNEL_CREATE", Unique_ID="1")
        peer.answer("+OK")
        peer.event("CHANNEL_ANSWER", Unique_ID="2")

    switch.answers["api status"] = answer_amid
    assert connection.command(commands.status()) == "+OK"
    told = [events.get(timeout=PATIENCE_S) for _ in range(2)]
    assert [(each.name, each.unique_id) for each in told] == [
        ("CHANNEL_CREATE", "1"),
        ("CHANNEL_ANSWER", "2"),
    ]


def test_a_stream_may_come_a_byte_at_a_time(switch: ScriptedSwitch, connection: SwitchConnection) -> None:
    peer, events = listen(switch, connection, "CHANNEL_CREATE")
    for byte in event_bytes("CHANNEL_CREATE", Unique_ID=LEG):
        peer.send(bytes([byte]))
        gevent.sleep(0)
    assert events.get(timeout=PATIENCE_S).unique_id == LEG


def test_events_that_nobody_handles_are_not_even_decoded(
    switch: ScriptedSwitch, connection: SwitchConnection
) -> None:
    faults: Queue[EventError] = Queue()
    connection.on_event_error = faults.put
    peer, events = listen(switch, connection, "CHANNEL_CREATE")
    broken = b'{"Event-Name":"PRESENCE_IN","broken'
    peer.send(b"Content-Length: %d\nContent-Type: text/event-json\n\n%b" % (len(broken), broken))
    peer.event("CHANNEL_CREATE")
    events.get(timeout=PATIENCE_S)
    assert faults.empty()


def test_an_event_that_cannot_be_read_is_told_and_the_next_one_comes(
    switch: ScriptedSwitch, connection: SwitchConnection
) -> None:
    faults: Queue[EventError] = Queue()
    connection.on_event_error = faults.put
    peer, events = listen(switch, connection, "CHANNEL_CREATE")
    broken = b'{"Event-Name":"CHANNEL_CREATE","broken'
    peer.send(b"Content-Length: %d\nContent-Type: text/event-json\n\n%b" % (len(broken), broken))
    peer.event("CHANNEL_CREATE", Unique_ID=LEG)
    assert events.get(timeout=PATIENCE_S).unique_id == LEG
    assert "can't be read" in str(faults.get(timeout=PATIENCE_S))


def test_a_handler_that_fails_stops_nothing(
    switch: ScriptedSwitch, connection: SwitchConnection, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(event: SwitchEvent) -> None:
        raise RuntimeError("the handler's own fault")

    connection.register_handle("CHANNEL_CREATE", fail)
    peer, events = listen(switch, connection, "CHANNEL_CREATE")
    peer.event("CHANNEL_CREATE")
    events.get(timeout=PATIENCE_S)
    assert "the handler's own fault" in caplog.text
    assert connection.connected


# The end


def ending(connection: SwitchConnection) -> SwitchError:
    reason = connection.wait_end(PATIENCE_S)
    assert reason is not None
    assert not connection.connected
    return reason


def test_an_end_has_a_reason_and_those_who_wait_learn_it(
    switch: ScriptedSwitch, connection: SwitchConnection
) -> None:
    switch.answers["api"] = lambda peer, lines: peer.hang_up()
    with pytest.raises(
        ConnectionLost, match="no answer to 'api status' will come: the switch closed the conn"
    ):
        connection.command(commands.status())
    assert str(ending(connection)) == "the switch closed the connection"
    with pytest.raises(ConnectionLost, match="can't be sent: the switch closed the connection"):
        connection.command(commands.status())


def test_an_event_that_is_cut_off_is_told_from_a_clean_end(
    switch: ScriptedSwitch, connection: SwitchConnection
) -> None:
    peer, events = listen(switch, connection, "CHANNEL_CREATE")
    peer.send(event_bytes("CHANNEL_CREATE") + event_bytes("CHANNEL_CREATE")[:-1])
    peer.hang_up()
    assert str(ending(connection)) == "the switch closed the connection in the middle of a message"
    assert events.qsize() == 1


def test_garbage_ends_the_connection(switch: ScriptedSwitch, connection: SwitchConnection) -> None:
    peer, _ = listen(switch, connection, "CHANNEL_CREATE")
    peer.send(b"\x00\x01\x02 garbage\n\n")
    assert str(ending(connection)).startswith("the switch sent what is no Event Socket message")


def test_the_switch_says_goodbye(switch: ScriptedSwitch, connection: SwitchConnection) -> None:
    peer, _ = listen(switch, connection, "CHANNEL_CREATE")
    peer.send(
        b"Content-Type: text/disconnect-notice\nContent-Length: 67\n\n"
        b"Disconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n"
    )
    assert str(ending(connection)) == (
        "the switch ended the connection: "
        "'Disconnected, goodbye. See you at ClueCon! http://www.cluecon.com/'"
    )


def test_a_notice_that_lingers_is_no_end(switch: ScriptedSwitch, connection: SwitchConnection) -> None:
    peer, events = listen(switch, connection, "CHANNEL_CREATE")
    peer.send(b"Content-Type: text/disconnect-notice\nContent-Disposition: linger\nContent-Length: 0\n\n")
    peer.event("CHANNEL_CREATE")
    events.get(timeout=PATIENCE_S)
    assert connection.connected


def test_closing_reaches_the_switch_and_can_be_done_twice(
    switch: ScriptedSwitch, connection: SwitchConnection
) -> None:
    peer, _ = listen(switch, connection, "CHANNEL_CREATE")
    connection.close()
    connection.close()
    assert peer.is_gone.wait(PATIENCE_S)
    assert str(ending(connection)) == "closed by us"


def test_a_line_break_in_a_command_never_reaches_the_switch(
    switch: ScriptedSwitch, connection: SwitchConnection
) -> None:
    peer, _ = listen(switch, connection, "HEARTBEAT")
    with pytest.raises(commands.CommandError):
        connection.command(Api("status\n\napi fsctl shutdown"))
    connection.command(commands.status())
    assert peer.received[-1] == "api status"
    assert "api fsctl shutdown" not in peer.received


def test_what_waits_to_be_sent_goes_nowhere_once_it_is_stale(
    switch: ScriptedSwitch, connection: SwitchConnection
) -> None:
    """As in a process that stood still while another took over."""
    peer, _ = listen(switch, connection, "HEARTBEAT")
    is_stale = False
    connection.is_stale = lambda: is_stale
    kill = commands.api(commands.uuid_kill(LEG, "ALLOTTED_TIMEOUT"))
    answer = connection.post(kill)
    is_stale = True
    with pytest.raises(ConnectionLost, match="not to be, any more"):
        answer.get(timeout=PATIENCE_S)
    assert connection.wait_end(PATIENCE_S) is not None
    assert kill.line not in peer.received
