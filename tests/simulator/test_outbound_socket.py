"""The dialplan asks a socket server before it bridges, as the shipped one does (application `socket`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import unquote

import pytest
from gevent import socket
from gevent.queue import Queue
from gevent.server import StreamServer

from esl_agent.simulator.plan import CallPlan, Kind, Outcome
from esl_agent.simulator.simulator import Simulator

from .conftest import StartSimulator
from .raw_client import PATIENCE_S

Answer = Callable[[socket.socket], None]

LEG_A, LEG_B = "11111111-aaaa-4000-8000-000000000001", "22222222-bbbb-4000-8000-000000000002"


def sendmsg(application: str, argument: str = "") -> str:
    text = f"sendmsg\ncall-command: execute\nexecute-app-name: {application}\n"
    return f"{text}execute-app-arg: {argument}\n\n" if argument else f"{text}\n"


def read_until(sock: socket.socket, end: bytes) -> bytes:
    data = b""
    while not data.endswith(end):
        more = sock.recv(65_536)
        if not more:
            break
        data += more
    return data


def read_all(sock: socket.socket) -> bytes:
    data = b""
    while more := sock.recv(65_536):
        data += more
    return data


@contextmanager
def agent(answer: Answer) -> Iterator[str]:
    """A socket server that deals with each call by `answer`; its address."""

    def handle(sock: socket.socket, address: object) -> None:
        sock.settimeout(PATIENCE_S)
        answer(sock)

    server = StreamServer(("127.0.0.1", 0), handle)
    server.start()
    yield f"127.0.0.1:{server.server_port}"
    server.stop()


def with_variables(*variables: str) -> Answer:
    """All in one write: connect, the variables, exit."""

    def answer(sock: socket.socket) -> None:
        text = "connect\n\n" + sendmsg("multiset", "^^;" + ";".join(variables)) + "exit\n\n"
        sock.sendall(text.encode())
        read_all(sock)

    return answer


def ended(simulator: Simulator, plan: CallPlan) -> dict[str, str]:
    """Place a call and wait for its end; the causes of its legs."""
    call = simulator.place_call(plan)
    assert call.wait_ended(PATIENCE_S)
    return {truth.uuid: truth.cause for truth in simulator.legs_ended()}


SHORT = CallPlan(ring_ms=20, talk_ms=100)


def test_a_call_is_bridged_as_the_agent_says(start: StartSimulator) -> None:
    routes = [
        f"esl_route_{i}=[origination_uuid={leg},esl_account=1001,esl_product=termination,"
        f"esl_number=12125550147,esl_carrier={carrier}]sofia/carrier/12125550147@127.0.0.1:509{i}"
        for i, (leg, carrier) in enumerate(((LEG_A, "north"), (LEG_B, "south")), 1)
    ]
    with agent(with_variables("esl_sip_code=", *routes)) as address:
        simulator = start(admission=address)
        causes = ended(simulator, CallPlan(ring_ms=20, talk_ms=100, carriers_refusing=1))
    truths = {truth.uuid: truth for truth in simulator.legs_ended()}

    assert causes[LEG_A] == "NORMAL_TEMPORARY_FAILURE"
    assert causes[LEG_B] == "NORMAL_CLEARING"
    assert truths[LEG_B].answered_us is not None
    assert (truths[LEG_B].account, truths[LEG_B].carrier) == ("1001", "south")


def test_what_the_agent_reads_at_connect_is_the_whole_channel(start: StartSimulator) -> None:
    answers: Queue[bytes] = Queue()

    def look(sock: socket.socket) -> None:
        sock.sendall(b"connect\n\n")
        answers.put(read_until(sock, b"\n\n"))
        sock.sendall(b"exit\n\n")
        read_all(sock)

    with agent(look) as address:
        simulator = start(admission=address)
        simulator.place_call(CallPlan(account="1007", caller_name="Zoé", variables={"a": "b c"}))
        lines = answers.get(timeout=PATIENCE_S).decode().splitlines()
    headers = {name: unquote(value) for name, _, value in (line.partition(": ") for line in lines)}

    assert len(headers) > 140
    assert headers["Event-Name"] == "CHANNEL_DATA"
    assert headers["Content-Type"] == "command/reply"
    assert headers["Reply-Text"] == "+OK\n"
    assert headers["Socket-Mode"] == "async"
    assert headers["Control"] == "full"
    assert headers["variable_accountcode"] == "1007"
    assert headers["variable_a"] == "b c"
    assert headers["Caller-Caller-ID-Name"] == headers["Channel-Caller-ID-Name"] == "Zoé"
    assert headers["Caller-Destination-Number"] == "12125550147"
    assert headers["variable_current_application"] == "socket"
    assert headers["Answer-State"] == "ringing"


@pytest.mark.parametrize(
    ("status", "cause"),
    [("402", "CALL_REJECTED"), ("404", "UNALLOCATED_NUMBER"), ("503", "NORMAL_TEMPORARY_FAILURE")],
)
def test_a_refusal_is_answered_with_the_status_the_agent_gives(
    start: StartSimulator, status: str, cause: str
) -> None:
    with agent(with_variables(f"esl_sip_code={status}")) as address:
        simulator = start(admission=address)
        causes = ended(simulator, SHORT)

    assert list(causes.values()) == [cause]


def test_the_dialplan_goes_on_when_the_agent_is_away(start: StartSimulator) -> None:
    with agent(lambda sock: None) as address:
        pass  # nobody listens there any more
    simulator = start(admission=address)
    call = simulator.place_call(SHORT)
    assert call.wait_ended(PATIENCE_S)

    assert call.outbound_uuids == []


def test_the_dialplan_goes_on_when_the_agent_dies_in_the_middle(start: StartSimulator) -> None:
    with agent(lambda sock: sock.close()) as address:
        simulator = start(admission=address)
        call = simulator.place_call(SHORT)
        assert call.wait_ended(PATIENCE_S)

    assert call.outbound_uuids == []


def test_who_calls_from_outside_has_no_account(start: StartSimulator) -> None:
    answers: Queue[bytes] = Queue()

    def look(sock: socket.socket) -> None:
        sock.sendall(b"connect\n\n")
        answers.put(read_until(sock, b"\n\n"))

    with agent(look) as address:
        start(admission=address).place_call(CallPlan(kind=Kind.INBOUND, did="18005550100", oli="27"))
        channel = answers.get(timeout=PATIENCE_S)

    assert b"variable_accountcode" not in channel
    assert b"Caller-ANI-II: 27\n" in channel
    assert b"Caller-Destination-Number: 18005550100\n" in channel


def test_hosts_are_tried_in_order(start: StartSimulator) -> None:
    with agent(lambda sock: None) as dead:
        pass
    with agent(with_variables("esl_sip_code=486")) as alive:
        simulator = start(admission=f"{dead}|{alive}")
        causes = ended(simulator, SHORT)

    assert list(causes.values()) == ["USER_BUSY"]


def test_an_agent_may_control_the_call_and_hear_its_events(start: StartSimulator) -> None:
    heard: Queue[bytes] = Queue()

    def control(sock: socket.socket) -> None:
        sock.sendall(b"connect\n\nmyevents json\n\nlinger 1\n\n")
        sock.sendall(sendmsg("answer").encode())
        sock.sendall(sendmsg("set", "seen=yes").encode())
        sock.sendall(sendmsg("playback", "welcome.wav").encode())
        sock.sendall(sendmsg("hangup", "USER_BUSY").encode())
        heard.put(read_all(sock))

    with agent(control) as address:
        simulator = start(admission=address)
        call = simulator.place_call(SHORT)
        data = heard.get(timeout=PATIENCE_S)

    assert call.heard == ["welcome.wav"]
    assert [truth.cause for truth in simulator.legs_ended()] == ["USER_BUSY"]
    assert b"Reply-Text: +OK will linger 1 seconds\n" in data
    names = [part.split(b'"')[0].decode() for part in data.split(b'{"Event-Name":"')[1:]]
    assert names == [
        *("CHANNEL_EXECUTE", "CHANNEL_ANSWER", "CHANNEL_EXECUTE_COMPLETE"),
        *("CHANNEL_EXECUTE", "CHANNEL_EXECUTE_COMPLETE") * 2,
        *("CHANNEL_EXECUTE", "CHANNEL_HANGUP", "CHANNEL_HANGUP_COMPLETE", "CHANNEL_DESTROY"),
    ]
    assert (
        b'"Application":"playback","Application-Data":"welcome.wav","Application-Response":"_none_"' in data
    )
    notices = data.split(b"Content-Type: text/disconnect-notice\n")[1:]
    assert b"Content-Disposition: linger\n" in notices[0]
    assert b"Linger-Time: 1\n" in notices[0]
    assert notices[1].startswith(
        f"Controlled-Session-UUID: {call.caller_uuid}\nContent-Disposition: disconnect\n".encode()
    )


def test_an_agent_may_bridge_by_itself(start: StartSimulator) -> None:
    def bridge(sock: socket.socket) -> None:
        dial = f"[origination_uuid={LEG_A}]sofia/carrier/12125550147@127.0.0.1:5090"
        sock.sendall(("connect\n\n" + sendmsg("bridge", dial)).encode())
        read_all(sock)

    with agent(bridge) as address:
        simulator = start(admission=address)
        causes = ended(simulator, SHORT)

    assert causes[LEG_A] == "NORMAL_CLEARING"


def test_a_caller_that_gives_up_while_the_agent_thinks_ends_the_connection(start: StartSimulator) -> None:
    connections: Queue[bytes] = Queue()

    def think(sock: socket.socket) -> None:
        sock.sendall(b"connect\n\n")
        connections.put(read_until(sock, b"\n\n"))
        connections.put(read_all(sock))

    with agent(think) as address:
        simulator = start(admission=address)
        call = simulator.place_call(SHORT)
        connections.get(timeout=PATIENCE_S)
        simulator.runner.catch_up()
        simulator.core.api("uuid_kill", call.caller_uuid)
        rest = connections.get(timeout=PATIENCE_S)

    assert b"Content-Disposition: disconnect\n" in rest
    assert call.wait_ended(PATIENCE_S)


def test_a_transfer_asks_again(start: StartSimulator) -> None:
    """The new destination is the agent's to decide on, like any."""
    asked: Queue[str] = Queue()

    def decide(sock: socket.socket) -> None:
        sock.sendall(b"connect\n\n")
        text = read_until(sock, b"\n\n").decode()
        number = text.split("Caller-Destination-Number: ")[1].split("\n")[0]
        asked.put(number)
        dial = f"sofia/carrier/{number}@127.0.0.1:5090"
        sock.sendall((sendmsg("multiset", f"^^;esl_sip_code=;esl_route_1={dial}") + "exit\n\n").encode())
        read_all(sock)

    with agent(decide) as address:
        simulator = start(admission=address)
        plan = CallPlan(
            ring_ms=20, transfer_to="442079460000", transfer_after_ms=100, talk_after_transfer_ms=100
        )
        call = simulator.place_call(plan)
        assert call.wait_ended(PATIENCE_S)

    assert [asked.get(timeout=PATIENCE_S) for _ in range(2)] == ["12125550147", "442079460000"]
    assert len(call.outbound_uuids) == 2


def test_a_caller_that_cancels_while_it_rings(start: StartSimulator) -> None:
    dial = f"[origination_uuid={LEG_A}]sofia/carrier/1@127.0.0.1:5090"
    with agent(with_variables("esl_sip_code=", f"esl_route_1={dial}")) as address:
        simulator = start(admission=address)
        causes = ended(simulator, CallPlan(ring_ms=50, outcome=Outcome.CANCELLED))

    assert causes[LEG_A] == "ORIGINATOR_CANCEL"
