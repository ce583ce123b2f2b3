"""The daemon's side of the module inside the switch: lines of JSON over a path or a port of this machine."""

import json
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import gevent
import pytest
from answers import ADMITTED, NOW_US, PATIENT, SOON_S, Agent
from fixtures.scripted_switch import PATIENCE_S
from gevent import socket as gevent_socket

from esl_agent.core.admission.question import Question
from esl_agent.core.leg import Product
from esl_agent.errors import EslAgentError
from esl_agent.switch.directory import SipUser
from esl_agent.switch.errors import DoorError
from esl_agent.switch.local_door import Books, LocalDoor, LocalDoorConfig, Report
from esl_agent.switch.peers import PeerLimits
from esl_agent.switch.trouble import TroubleKind

SECRET = "open sesame"

CALL = {
    "leg": "20CE9487-d732-469d-9148-54a9764b3db2",
    "account": "1001",
    "product": "forwarding",
    "number": "+12125550147",
    "caller": "15145550123",
    "did": "15145550199",
    "trunk": "true",
    "oli": "",
}
PHONE = SipUser(user="1001", domain="sip.example.com", a1_hash="0123456789abcdef" * 2, account_id=1001)


def books() -> Books:
    def account(account_id: int) -> Report | None:
        if account_id == 666:
            raise EslAgentError("the database is away")
        if account_id == 667:
            raise RuntimeError("the agent's own fault")
        return {"account": account_id, "balance": Decimal("12.3400")} if account_id == 1001 else None

    return Books(
        status=lambda: {"switch": "connected"},
        live=lambda: {"calls": [{"leg": "a", "seconds": 12}]},
        account=account,
        user=lambda user, domain: PHONE if user.lower() == "1001" or user == "other" else None,
    )


OpenDoor = Callable[..., LocalDoor]


@pytest.fixture
def open_door(agent: Agent) -> Iterator[OpenDoor]:
    with ExitStack() as doors:

        def open_(address: str = "127.0.0.1:0", **settings: Any) -> LocalDoor:
            config = LocalDoorConfig(address, **{"limits": PATIENT} | settings)
            door = LocalDoor(config, agent.decide, books(), agent.now_us, agent.troubles.put, agent.lose)
            door.start()
            doors.callback(door.stop)
            return door

        yield open_


@pytest.fixture
def door(open_door: OpenDoor) -> LocalDoor:
    return open_door()


@pytest.fixture
def path(open_door: OpenDoor, tmp_path: Path) -> Path:
    """Of a door that is one."""
    open_door(str(tmp_path / "door"))
    return tmp_path / "door"


def ask_bytes(address: int | Path, request: bytes) -> bytes:
    """What comes back until the connection ends."""
    family = socket.AF_UNIX if isinstance(address, Path) else socket.AF_INET
    with gevent_socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.settimeout(PATIENCE_S)
        sock.connect(str(address) if isinstance(address, Path) else ("127.0.0.1", address))
        sock.sendall(request)
        with sock.makefile("rb") as reply:
            return reply.read()


def ask(address: int | Path, **request: Any) -> Any:
    return json.loads(ask_bytes(address, json.dumps(request).encode() + b"\n"))


# What can be asked


def test_a_call_is_asked_about_and_answered(door: LocalDoor, agent: Agent) -> None:
    assert ask(door.port, ask="call", call=CALL) == {"variables": dict(ADMITTED.variables)}
    assert agent.asked() == Question(
        account_id=1001,
        product=Product.FORWARDING,
        dialled="+12125550147",
        caller_number="15145550123",
        caller_leg_uuid="20ce9487-d732-469d-9148-54a9764b3db2",
        did="15145550199",
        is_trunk=True,
        asked_us=NOW_US,
    )


def test_reports(path: Path) -> None:
    assert ask(path, ask="status") == {"report": {"switch": "connected"}}
    assert ask(path, ask="live") == {"report": {"calls": [{"leg": "a", "seconds": 12}]}}
    assert ask(path, ask="account", account="1001") == {"report": {"account": 1001, "balance": "12.3400"}}


@pytest.mark.parametrize("account", ["1002", "", "0", "-1", "١", "9" * 5_000])
def test_an_account_that_is_not_there(path: Path, account: str) -> None:
    error = f"there is no account {account[:20]}"
    assert ask(path, ask="account", account=account) == {"error": error}


def test_what_a_book_says_is_wrong_is_passed_on(path: Path, agent: Agent) -> None:
    assert ask(path, ask="account", account="666") == {"error": "the database is away"}
    assert agent.troubles.empty()


def test_a_book_that_fails_does_not_end_the_door(path: Path, agent: Agent) -> None:
    reply = ask(path, ask="account", account="667")
    assert reply == {"error": "the agent failed; its log says over what"}
    assert agent.trouble(TroubleKind.NO_DECISION).detail == "RuntimeError: the agent's own fault"
    assert ask(path, ask="status")


def test_a_user_is_told_on_a_path(open_door: OpenDoor, tmp_path: Path) -> None:
    path = tmp_path / "door"
    open_door(str(path))
    assert ask(path, ask="user", user="1001", domain="sip.example.com") == {"user": PHONE.entry()}
    assert ask(path, ask="user", user="1002", domain="sip.example.com") == {"user": None}


@pytest.mark.parametrize(
    ("user", "domain"), [("other", "sip.example.com"), ("1001", "elsewhere.example.com")]
)
def test_a_user_is_exactly_the_one_that_was_asked_for(
    open_door: OpenDoor, tmp_path: Path, user: str, domain: str
) -> None:
    path = tmp_path / "door"
    open_door(str(path))
    assert ask(path, ask="user", user=user, domain=domain) == {"user": None}


@pytest.mark.parametrize(
    "request_",
    [
        {"ask": "user", "user": "1001", "domain": "sip.example.com"},
        {"ask": "account", "account": "1001"},
        {"ask": "live"},
    ],
    ids=lambda request: request["ask"],
)
def test_a_port_without_a_secret_tells_nothing_of_anybody(
    open_door: OpenDoor, request_: dict[str, str]
) -> None:
    assert "or with a secret" in ask(open_door().port, **request_)["error"]
    told = ask(open_door(secret=SECRET).port, **request_, secret=SECRET)
    assert told.keys() <= {"user", "report"}


@pytest.mark.parametrize("secret", ["", "open sesamo", "é"])
def test_a_secret_is_asked_for_everything(open_door: OpenDoor, agent: Agent, secret: str) -> None:
    port = open_door(secret=SECRET).port
    for request in ({"ask": "status"}, {"ask": "call", "call": CALL}):
        assert "has not the secret" in ask(port, **request, secret=secret)["error"]
    assert agent.questions.empty()
    assert SECRET not in agent.trouble(TroubleKind.BAD_REQUEST).detail


# Nothing is said


def test_an_agent_that_fails_says_nothing(door: LocalDoor, agent: Agent) -> None:
    agent.fails()
    assert ask_bytes(door.port, json.dumps({"ask": "call", "call": CALL}).encode() + b"\n") == b""
    agent.trouble(TroubleKind.NO_DECISION)


@pytest.mark.parametrize("missing", ["leg", "product"])
def test_a_call_without_what_makes_it_a_question(door: LocalDoor, agent: Agent, missing: str) -> None:
    call = {name: text for name, text in CALL.items() if name != missing}
    assert ask_bytes(door.port, json.dumps({"ask": "call", "call": call}).encode() + b"\n") == b""
    agent.trouble(TroubleKind.BAD_REQUEST)


@pytest.mark.parametrize(
    "request_",
    [
        b"\n",
        b"{}\n",
        b"GET / HTTP/1.0\r\n",
        b'{"ask": 1}\n',
        b'{"ask": "reboot"}\n',
        b'{"ask": "call", "call": {"leg": 1}}\n',
        b'{"ask": "call", "call": [[[[[[\n',
        b'{"ask": "\xff"}\n',
        b"[" * 5_000 + b"\n",
    ],
)
def test_what_is_no_request_is_said(door: LocalDoor, agent: Agent, request_: bytes) -> None:
    reply = json.loads(ask_bytes(door.port, request_))
    assert list(reply) == ["error"]
    agent.trouble(TroubleKind.BAD_REQUEST)


def test_a_request_without_end_is_not_read_to_it(door: LocalDoor) -> None:
    with (
        gevent_socket.create_connection(("127.0.0.1", door.port)) as sock,
        pytest.raises(ConnectionError),
    ):
        sock.sendall(b"x" * 100_000_000)


def test_a_peer_that_asks_nothing_is_let_go(open_door: OpenDoor, agent: Agent) -> None:
    door = open_door(limits=PeerLimits(ask_timeout_s=SOON_S))
    assert ask_bytes(door.port, b'{"ask"') == b""
    agent.trouble(TroubleKind.SILENT)


def test_a_late_answer_is_handed_back(open_door: OpenDoor, agent: Agent) -> None:
    may_answer = agent.waits()
    door = open_door(limits=PeerLimits(answer_timeout_s=SOON_S))
    assert ask_bytes(door.port, json.dumps({"ask": "call", "call": CALL}).encode() + b"\n") == b""
    may_answer.set()
    assert agent.undelivered.get(timeout=PATIENCE_S) == (agent.asked(), ADMITTED)


def test_an_answer_that_the_switch_waits_for_no_longer_is_handed_back(door: LocalDoor, agent: Agent) -> None:
    has_gone = agent.waits()
    with gevent_socket.create_connection(("127.0.0.1", door.port)) as sock:
        sock.sendall(json.dumps({"ask": "call", "call": CALL}).encode() + b"\n")
        question = agent.asked()
    has_gone.set()
    assert agent.undelivered.get(timeout=PATIENCE_S) == (question, ADMITTED)


def test_a_thousand_idle_peers_do_not_stop_service(open_door: OpenDoor, tmp_path: Path) -> None:
    path = tmp_path / "door"
    door = open_door(str(path), limits=PeerLimits(idle_max=50, silent_min_s=0, ask_timeout_s=PATIENCE_S))
    with ExitStack() as crowd:
        for _ in range(1_000):
            peer = crowd.enter_context(gevent_socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            peer.connect(str(path))
            gevent.idle()
        assert ask(path, ask="status") == {"report": {"switch": "connected"}}
    assert door.complaints.counts[TroubleKind.PUSHED_OUT] > 900


# Opening and closing


def test_a_path_is_for_its_owner_and_group_alone(open_door: OpenDoor, tmp_path: Path) -> None:
    path = tmp_path / "door"
    door = open_door(str(path))
    assert stat.filemode(path.stat().st_mode) == "srw-rw----"
    door.stop()
    assert not path.exists()


def test_its_folder_is_made_and_the_one_above_it_is_not(open_door: OpenDoor, tmp_path: Path) -> None:
    open_door(str(tmp_path / "run" / "door"))
    assert stat.filemode((tmp_path / "run").stat().st_mode) == "drwxr-x---"
    with pytest.raises(DoorError, match=r"local_socket names another place"):
        open_door(str(tmp_path / "not" / "there" / "door"))


def test_a_group_that_is_not_there_is_said(open_door: OpenDoor, tmp_path: Path) -> None:
    with pytest.raises(DoorError, match="no such group: 'nobody-at-all'"):
        open_door(str(tmp_path / "door"), group="nobody-at-all")


def test_the_socket_of_an_agent_that_is_gone_is_cleared_away(open_door: OpenDoor, tmp_path: Path) -> None:
    path = tmp_path / "door"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as abandoned:
        abandoned.bind(str(path))
    open_door(str(path))
    assert ask(path, ask="status")


def test_an_agent_that_is_there_keeps_its_path(open_door: OpenDoor, tmp_path: Path, agent: Agent) -> None:
    path = tmp_path / "door"
    open_door(str(path))
    config = LocalDoorConfig(str(path))
    second = LocalDoor(config, agent.decide, books(), agent.now_us, agent.troubles.put)
    with pytest.raises(DoorError, match="another agent listens on"):
        second.start()
    second.stop()
    assert ask(path, ask="status")


def test_what_is_no_socket_is_left_alone(open_door: OpenDoor, tmp_path: Path) -> None:
    path = tmp_path / "door"
    path.write_text("a diary")
    with pytest.raises(DoorError, match="is something else than a socket"):
        open_door(str(path))
    assert path.read_text() == "a diary"


@pytest.mark.parametrize("address", ["0.0.0.0:8085", "192.0.2.1:8085", "localhost:8085", "127.0.0.1", ":80"])
def test_only_this_machine_can_be_listened_on(open_door: OpenDoor, address: str) -> None:
    with pytest.raises(DoorError, match="neither a path nor an address of this machine"):
        open_door(address)


def test_a_path_that_no_socket_can_have_is_said(open_door: OpenDoor) -> None:
    with pytest.raises(DoorError, match="over 107 bytes long"):
        open_door("/tmp/" + "x" * 200)
