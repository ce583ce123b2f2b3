"""Whatever comes in at a door, however it is cut: it ends in time, and the next call is served."""

import json
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from typing import Any

import gevent
import pytest
from answers import ADMITTED, Agent
from calling_switch import PHONE_CALLS, CallingSwitch
from fixtures.scripted_switch import PATIENCE_S
from gevent import socket as gevent_socket
from hypothesis import given, settings
from hypothesis import strategies as st

from esl_agent.switch.local_door import Books, LocalDoor, LocalDoorConfig
from esl_agent.switch.outbound import OutboundDoor, OutboundDoorConfig
from esl_agent.switch.peers import PeerLimits

ROUNDS = 100
SOON_S = 0.02  # a deadline that is meant to pass

PATIENT = PeerLimits(ask_timeout_s=PATIENCE_S, answer_timeout_s=PATIENCE_S)
IMPATIENT = PeerLimits(ask_timeout_s=SOON_S, answer_timeout_s=SOON_S)
REQUEST = json.dumps({"ask": "call", "call": {"leg": "20ce9487-d732-469d-9148-54a9764b3db2"}}).encode()


@pytest.fixture(scope="module")
def agent() -> Agent:
    return Agent()


@pytest.fixture(scope="module", params=[PATIENT, IMPATIENT], ids=["patient", "impatient"])
def limits(request: pytest.FixtureRequest) -> PeerLimits:
    """Sent to the first, whatever comes has an end; the second has to end it."""
    limits: PeerLimits = request.param
    return limits


@pytest.fixture(scope="module")
def outbound(agent: Agent, limits: PeerLimits) -> Iterator[OutboundDoor]:
    door = OutboundDoor(OutboundDoorConfig(port=0, limits=limits), agent.decide, agent.now_us, id)
    door.start()
    yield door
    door.stop()


@pytest.fixture(scope="module")
def local(agent: Agent, limits: PeerLimits) -> Iterator[LocalDoor]:
    books = Books(status=dict, live=dict, account=lambda _: None, user=lambda _, __: None)
    door = LocalDoor(LocalDoorConfig("127.0.0.1:0", limits=limits), agent.decide, books, agent.now_us, id)
    door.start()
    yield door
    door.stop()


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """A part of `whole` with other bytes put in."""
    start, end = sorted(draw(st.tuples(*[st.integers(0, len(whole))] * 2)))
    tokens = st.sampled_from([b"\n", b"\n\n", b": ", b"Content-Length: 9\n", b"}"])
    noise = draw(st.binary(max_size=40) | tokens)
    return whole[:start] + noise + whole[end:]


def anything(whole: bytes) -> st.SearchStrategy[bytes]:
    return st.binary(max_size=300) | damaged(whole)


cuts = st.lists(st.integers(min_value=0), max_size=4)


def send_to_the_end(port: int, data: bytes, places: list[int], *, is_finished: bool) -> bytes:
    """Send it in pieces, and read until the door ends the connection."""
    with gevent_socket.create_connection(("127.0.0.1", port), PATIENCE_S) as sock:
        edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
        with suppress(OSError):  # the door may have ended it before
            for begin, end in pairwise(edges):
                sock.sendall(data[begin:end])
                gevent.idle()
            if is_finished:
                sock.shutdown(gevent_socket.SHUT_WR)
        received = b""
        with suppress(ConnectionError):
            while piece := sock.recv(10_000):
                received += piece
        return received


@settings(max_examples=ROUNDS, deadline=None)
@given(anything(PHONE_CALLS), cuts)
def test_the_outbound_door(
    outbound: OutboundDoor, limits: PeerLimits, agent: Agent, data: bytes, places: list[int]
) -> None:
    received = send_to_the_end(outbound.port, data, places, is_finished=limits is PATIENT)
    assert received.startswith(b"connect\n\n") or not received
    while not agent.questions.empty():
        account_id = agent.questions.get().account_id
        assert account_id is None or b"variable_esl_ask_account: %d" % account_id in data
    if limits is PATIENT:
        with CallingSwitch(outbound.port) as switch:
            assert switch.told() == dict(ADMITTED.variables)
        agent.questions.get()


@settings(max_examples=ROUNDS, deadline=None)
@given(anything(REQUEST), cuts)
def test_the_local_door(
    local: LocalDoor, limits: PeerLimits, agent: Agent, data: bytes, places: list[int]
) -> None:
    reply = send_to_the_end(local.port, data, places, is_finished=limits is PATIENT)
    if reply:
        assert list(json.loads(reply)) == ["error"]
    assert agent.questions.empty()
    if limits is PATIENT:
        assert send_to_the_end(local.port, b'{"ask":"status"}\n', [], is_finished=True) == b'{"report":{}}\n'


any_value = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
)
any_request = st.fixed_dictionaries(
    {"ask": st.sampled_from(["call", "status", "live", "account", "user"]) | any_value},
    optional={
        "call": st.dictionaries(st.sampled_from(["leg", "product", "x"]), st.text(max_size=20)) | any_value,
        "account": st.text(max_size=30) | any_value,
        "user": st.text(max_size=20),
        "domain": st.text(max_size=20),
        "secret": st.text(max_size=20) | st.none(),
    },
)


@settings(max_examples=ROUNDS, deadline=None)
@given(any_request)
def test_requests_of_any_shape(local: LocalDoor, agent: Agent, request_: dict[str, Any]) -> None:
    reply = send_to_the_end(local.port, json.dumps(request_).encode() + b"\n", [], is_finished=True)
    if reply:
        assert set(json.loads(reply)) < {"error", "report", "user"}
    assert agent.questions.empty()
