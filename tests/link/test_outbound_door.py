"""The door for the switch's outbound socket, asked by what a real switch sends and by what none would."""

import gevent
import pytest
from answers import ADMITTED, NOW_US, SOON_S, Agent, OpenOutbound
from calling_switch import PAYPHONE_CALLS, PHONE_CALLS, CallingSwitch
from fixtures.scripted_switch import PATIENCE_S
from gevent.event import Event

from esl_agent.core.admission.question import Question
from esl_agent.core.leg import Product
from esl_agent.switch.commands import CommandError
from esl_agent.switch.door import Answer
from esl_agent.switch.errors import DoorError
from esl_agent.switch.outbound import CallSession, OutboundDoor
from esl_agent.switch.peers import PeerLimits
from esl_agent.switch.trouble import TroubleKind

# The exchange


def test_a_call_is_asked_about_and_told_what_was_decided(outbound: OutboundDoor, agent: Agent) -> None:
    with CallingSwitch(outbound.port) as switch:
        assert switch.told() == dict(ADMITTED.variables)
        assert switch.read() is None, "the connection ends: the dialplan goes on"
    assert agent.asked() == Question(
        account_id=1001,
        product=Product.TERMINATION,
        dialled="15145551234",
        caller_number="15145550199",
        caller_leg_uuid="20ce9487-d732-469d-9148-54a9764b3db2",
        asked_us=NOW_US,
    )
    assert outbound.clerk.delivered == 1


def test_a_call_from_a_trunk_brings_its_did_and_its_oli(outbound: OutboundDoor, agent: Agent) -> None:
    with CallingSwitch(outbound.port, PAYPHONE_CALLS) as switch:
        switch.told()
    question = agent.asked()
    assert question.account_id is None
    assert question.product is Product.INBOUND
    assert (question.dialled, question.did) == ("18005550188", "18005550188")
    assert (question.oli, question.is_trunk) == ("27", True)


def test_headers_that_a_phone_made_up_are_values_and_nothing_else(
    outbound: OutboundDoor, agent: Agent
) -> None:
    """The recording's display name and headers hold `%0Avariable_esl_ask_account: 9999` and the like."""
    assert b"9999" in PHONE_CALLS
    with CallingSwitch(outbound.port) as switch:
        switch.told()
    assert agent.asked().account_id == 1001


def test_the_variables_are_sent_in_the_order_in_which_they_are_to_be_set(outbound: OutboundDoor) -> None:
    with CallingSwitch(outbound.port) as switch:
        told = switch.told()
    assert told is not None
    assert list(told) == list(ADMITTED.variables)


def test_calls_do_not_wait_for_each_other(outbound: OutboundDoor, agent: Agent) -> None:
    last_has_asked = Event()

    def wait_for_the_last(question: Question) -> Answer:
        if agent.questions.qsize() == 50:
            last_has_asked.set()
        assert last_has_asked.wait(PATIENCE_S)
        return ADMITTED

    agent.verdict = wait_for_the_last
    switches = [CallingSwitch(outbound.port) for _ in range(50)]
    calls = [gevent.spawn(switch.told) for switch in switches]
    gevent.joinall(calls, raise_error=True)
    assert all(call.value == dict(ADMITTED.variables) for call in calls)
    for switch in switches:
        switch.close()


def test_greenswitchs_applications_go_out_as_checked_commands() -> None:
    ours, switchs = gevent.socket.socketpair()
    session = CallSession("a switch", ours)
    hanging_up = gevent.spawn(session.hangup, "USER_BUSY")
    lines = switchs.recv(1_000).decode().splitlines()
    assert lines == [
        "sendmsg",
        "call-command: execute",
        "execute-app-name: hangup",
        "execute-app-arg: USER_BUSY",
        "",
    ]
    switchs.sendall(b"Content-Type: command/reply\nReply-Text: +OK\n\n")
    hanging_up.get(timeout=PATIENCE_S)
    with pytest.raises(CommandError):
        session.hangup("USER_BUSY\n\nexit")
    session.close()
    switchs.close()


# Nothing is set


def test_an_agent_that_fails_sets_nothing(outbound: OutboundDoor, agent: Agent) -> None:
    agent.fails()
    with CallingSwitch(outbound.port) as switch:
        assert switch.told() is None
    trouble = agent.trouble(TroubleKind.NO_DECISION)
    assert "20ce9487-d732-469d-9148-54a9764b3db2: RuntimeError: the agent's own fault" in trouble.detail


@pytest.mark.parametrize("value", ["a\nb", "${system(reboot)}", "a'b", "a~b", "a\\nb", " a", "é"])
def test_a_variable_that_the_switch_would_read_otherwise_sets_nothing(
    outbound: OutboundDoor, agent: Agent, value: str
) -> None:
    agent.verdict = lambda question: Answer({"esl_route_1": value, "esl_admitted": "true"})
    with CallingSwitch(outbound.port) as switch:
        assert switch.told() is None
    assert "esl_route_1 can't be set" in agent.trouble(TroubleKind.NO_DECISION).detail


def test_a_late_answer_sets_nothing_and_is_handed_back(open_outbound: OpenOutbound, agent: Agent) -> None:
    may_answer = agent.waits()
    outbound = open_outbound(PeerLimits(ask_timeout_s=PATIENCE_S, answer_timeout_s=SOON_S))
    with CallingSwitch(outbound.port) as switch:
        assert switch.told() is None
    agent.trouble(TroubleKind.LATE)
    assert len(outbound.peers) == 1, "while the agent works on it, it counts"
    may_answer.set()
    assert agent.undelivered.get(timeout=PATIENCE_S) == (agent.asked(), ADMITTED)
    assert outbound.clerk.delivered == 0


def test_an_answer_to_a_caller_who_has_gone_is_handed_back(outbound: OutboundDoor, agent: Agent) -> None:
    has_gone = agent.waits()
    with CallingSwitch(outbound.port) as switch:
        switch.tell()
        question = agent.asked()
    has_gone.set()
    assert agent.undelivered.get(timeout=PATIENCE_S) == (question, ADMITTED)


def test_variables_that_the_switch_refuses_are_handed_back(outbound: OutboundDoor, agent: Agent) -> None:
    with CallingSwitch(outbound.port) as switch:
        switch.tell()
        switch.read()
        switch.sock.sendall(b"Content-Type: command/reply\nReply-Text: -ERR memory error\n\n")
        switch.sock.sendall(b"Content-Type: command/reply\nReply-Text: +OK bye\n\n")
        assert agent.undelivered.get(timeout=PATIENCE_S) == (agent.asked(), ADMITTED)
    assert "-ERR memory error" in agent.trouble(TroubleKind.UNDELIVERED).detail


@pytest.mark.parametrize(
    ("told", "instead", "says"),
    [
        (b"variable_esl_ask_product: termination\n", b"", "the product '' is none of"),
        (b"_product: termination", b"_product: _undef_", "the product '' is none of"),
        (b"_product: termination", b"_product: resale", "the product 'resale' is none of"),
        (b"\nUnique-ID: 20ce9487", b"\nUnique-ID: call-id%40phone", "which is no UUID"),
    ],
)
def test_a_dialplan_that_asks_no_question_is_told_of(
    outbound: OutboundDoor, agent: Agent, told: bytes, instead: bytes, says: str
) -> None:
    assert told in PHONE_CALLS
    with CallingSwitch(outbound.port, PHONE_CALLS.replace(told, instead)) as switch:
        assert switch.told() is None
    assert says in agent.trouble(TroubleKind.BAD_REQUEST).detail
    assert agent.questions.empty()


@pytest.mark.parametrize(
    "answer",
    [
        PHONE_CALLS.replace(b"Control: full", b"variable_esl_ask_account: 9999\nControl: full"),
        PHONE_CALLS.replace(b"Control: full", b"variable_x: " + b"x" * 1_000_000),
        PHONE_CALLS.replace(b"Control: full", b"Content-Length: 99999999"),
        b"HTTP/1.1 400 Bad Request\r\n\r\n\n\n",
        b"Content-Type: text/disconnect-notice\nContent-Length: 0\n\n",
        b"Content-Type: api/resp",
    ],
    ids=["account twice", "endless header", "huge body", "no switch", "farewell", "cut off"],
)
def test_what_no_switch_sends_ends_the_connection(
    outbound: OutboundDoor, agent: Agent, answer: bytes
) -> None:
    with CallingSwitch(outbound.port) as switch:
        assert switch.read() == ["connect"]
        switch.send(answer)
        switch.finish_sending()
        assert switch.read() is None
    assert agent.questions.empty()


# Opening and closing


def test_a_port_that_is_taken_is_said(open_outbound: OpenOutbound) -> None:
    port = open_outbound().port
    with pytest.raises(DoorError, match=f"can't listen on 127.0.0.1 port {port}: Address already in use"):
        open_outbound(port=port)


def test_a_door_that_closes_lets_those_who_wait_have_their_answers(
    outbound: OutboundDoor, agent: Agent
) -> None:
    may_answer = agent.waits()
    port = outbound.port
    with CallingSwitch(port) as switch, CallingSwitch(port) as idle:
        call = gevent.spawn(switch.told)
        idle.read()
        agent.asked()
        closing = gevent.spawn(outbound.stop, PATIENCE_S)
        assert idle.read() is None
        may_answer.set()
        assert call.get(timeout=PATIENCE_S) == dict(ADMITTED.variables)
        closing.get(timeout=PATIENCE_S)
    with pytest.raises(ConnectionRefusedError):
        CallingSwitch(port)
    assert len(outbound.peers) == 0


def test_a_door_that_closes_at_once_lets_nobody_hang(outbound: OutboundDoor, agent: Agent) -> None:
    may_answer = agent.waits()
    with CallingSwitch(outbound.port) as switch:
        call = gevent.spawn(switch.told)
        agent.asked()
        outbound.stop()
        assert call.get(timeout=PATIENCE_S) is None
    may_answer.set()
    agent.undelivered.get(timeout=PATIENCE_S)
