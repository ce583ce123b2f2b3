"""The module inside the switch, asking a real door; and alone, as the switch's own Python loads it."""

import importlib
import json
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from answers import ADMITTED, SOON_S, Agent
from fixtures.scripted_switch import PATIENCE_S
from gevent import socket as gevent_socket
from gevent.server import StreamServer
from inside_switch import LEG, Freeswitch, Headers, Session, Stream

from esl_agent.core.admission.decision import Decision
from esl_agent.core.admission.reasons import REFUSALS, Reason
from esl_agent.core.admission.variables import answer_variables
from esl_agent.core.leg import Product
from esl_agent.core.numbering.number import NumberClass
from esl_agent.core.numbering.short_codes import short_codes
from esl_agent.switch import embedded
from esl_agent.switch.directory import SipUser
from esl_agent.switch.local_door import Books, LocalDoor, LocalDoorConfig

ROOT = Path(__file__).parents[2]

PHONE = SipUser(
    user="1001",
    domain="sip.example.com",
    a1_hash="0123456789abcdef" * 2,
    account_id=1001,
    caller_number="15145550199",
    caller_name='Smith & Sons "Fresh" <é>',
    max_calls=3,
    variables={"accountcode": "9999", "language": "fr"},
)


@pytest.fixture
def freeswitch(monkeypatch: pytest.MonkeyPatch) -> Freeswitch:
    module = Freeswitch()
    monkeypatch.setitem(sys.modules, "freeswitch", module)
    return module


OpenDoor = Callable[..., LocalDoor]


@pytest.fixture
def open_door(agent: Agent, freeswitch: Freeswitch, tmp_path: Path) -> Iterator[OpenDoor]:
    """Opens a door, on a path unless told otherwise, and tells the switch where it is."""
    books = Books(
        status=lambda: {"switch": "connected", "calls": 2},
        live=lambda: {
            "calls": [{"leg": "a", "seconds": 12, "to": None}, {"leg": "b\nc", "seconds": 3, "to": "1"}]
        },
        account=lambda account_id: {"account": account_id} if account_id == 1001 else None,
        user=lambda user, domain: PHONE if (user, domain) == ("1001", "sip.example.com") else None,
    )
    with ExitStack() as doors:

        def open_(address: str = str(tmp_path / "door"), secret: str = "") -> LocalDoor:
            config = LocalDoorConfig(address, secret=secret)
            door = LocalDoor(config, agent.decide, books, agent.now_us, agent.troubles.put, agent.lose)
            door.start()
            doors.callback(door.stop)
            freeswitch.settings["esl_door"] = f"127.0.0.1:{door.port}" if door.port else address
            return door

        yield open_


@pytest.fixture
def door(open_door: OpenDoor) -> LocalDoor:
    return open_door()


# Calls


def test_a_call_is_asked_about_and_its_variables_are_set(door: LocalDoor, agent: Agent) -> None:
    session = Session()
    embedded.handler(session, "")
    assert session.answer() == dict(ADMITTED.variables)
    question = agent.asked()
    assert (question.account_id, question.product) == (1001, Product.TERMINATION)
    assert (question.dialled, question.caller_number) == ("15145551234", "5145550199")
    assert question.caller_leg_uuid == LEG


def test_what_the_dialplan_says_goes_before_what_the_switch_knows(door: LocalDoor, agent: Agent) -> None:
    embedded.handler(
        Session(
            aniii="27",
            esl_ask_product="inbound",
            esl_ask_number="18005550188",
            esl_ask_did="18005550188",
            esl_ask_caller="12125550147",
            esl_ask_trunk="true",
        )
    )
    question = agent.asked()
    assert (question.dialled, question.did) == ("18005550188", "18005550188")
    assert (question.caller_number, question.oli, question.is_trunk) == ("12125550147", "27", True)


def test_admitted_is_the_first_to_be_taken_back_and_the_last_to_be_given(door: LocalDoor) -> None:
    """Whatever fails between, the leg isn't left with the answer to an earlier question."""
    session = Session(esl_admitted="true")
    embedded.handler(session)
    assert session.order[0] == session.order[-1] == "esl_admitted"


def test_bytes_of_a_phone_that_are_no_text_do_no_harm(door: LocalDoor, agent: Agent) -> None:
    session = Session(caller_id_number="caf\udce9", destination_number='1"}\n{"ask":"live"}\x00')
    embedded.handler(session)
    question = agent.asked()
    assert question.caller_number == "caf?"
    assert question.dialled == '1"}?{"ask":"live"}?'
    assert session.answer() == dict(ADMITTED.variables)


def test_a_port_and_a_secret_serve_as_well(open_door: OpenDoor, freeswitch: Freeswitch, agent: Agent) -> None:
    open_door("127.0.0.1:0", "open sesame")
    refused = Session()
    embedded.handler(refused)
    assert refused.variables["esl_admitted"] == "false"
    assert "has not the secret" in freeswitch.said[-1]
    freeswitch.settings["esl_door_secret"] = "open sesame"
    session = Session()
    embedded.handler(session)
    assert session.answer() == dict(ADMITTED.variables)


# Calls without an answer


def test_the_refusal_is_admissions_own() -> None:
    """Every variable of an answer, with the values of `no_decision`, in the same order."""
    refusal = REFUSALS[Reason.NO_DECISION]
    answer = answer_variables(Decision(admitted=False, rule="", refusal=refusal), LEG)
    assert list(embedded.NO_ANSWER.items()) == list((answer | {"esl_admission": ""}).items())


def test_without_a_daemon_calls_are_refused(freeswitch: Freeswitch, tmp_path: Path) -> None:
    freeswitch.settings["esl_door"] = str(tmp_path / "nobody")
    session = Session(esl_route_1="of an earlier question")
    embedded.handler(session)
    assert session.answer() == embedded.NO_ANSWER
    assert re.search(r"esl-agent: ConnectionError: no daemon at .*/nobody", freeswitch.said[-1])


@pytest.mark.parametrize("number", ["911", "1911", "+1911", "+911", "933", "988", "112"])
def test_without_a_daemon_emergency_calls_pass(freeswitch: Freeswitch, tmp_path: Path, number: str) -> None:
    freeswitch.settings["esl_door"] = str(tmp_path / "nobody")
    session = Session(destination_number=number)
    embedded.handler(session)
    assert session.answer() == embedded.EMERGENCY
    assert session.variables["esl_admitted"] == "true"
    assert not session.variables["esl_route_1"]


def test_emergency_numbers_are_those_of_numbering() -> None:
    kinds = (NumberClass.EMERGENCY, NumberClass.CRISIS)
    for dialled, (_, number_class) in short_codes("CA").items():
        assert embedded._is_emergency(dialled) == (number_class in kinds), dialled


def test_an_emergency_call_that_is_answered_has_the_daemons_answer(door: LocalDoor) -> None:
    session = Session(destination_number="911")
    embedded.handler(session)
    assert session.answer() == dict(ADMITTED.variables)


def test_an_agent_that_fails_refuses(door: LocalDoor, agent: Agent) -> None:
    agent.fails()
    session = Session()
    embedded.handler(session)
    assert session.answer() == embedded.NO_ANSWER


def test_the_daemon_is_not_waited_for_for_ever(
    door: LocalDoor, agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    has_given_up = agent.waits()
    monkeypatch.setattr(embedded, "DEADLINE_S", SOON_S)
    session = Session()
    embedded.handler(session)
    assert session.answer() == embedded.NO_ANSWER
    has_given_up.set()
    assert agent.undelivered.get(timeout=PATIENCE_S) == (agent.asked(), ADMITTED)


def test_the_daemon_gives_up_before_the_switch_does() -> None:
    assert LocalDoorConfig().limits.answer_timeout_s < embedded.DEADLINE_S


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"\n",
        b"null\n",
        b"[]\n",
        b"{}\n",
        b'{"variables": null}\n',
        b'{"variables": {"esl_admitted": true}}\n',
        b'{"variables": {"esl_admitted": "true"}}',
        b"[" * 100_000 + b"\n",
        b"\xff\xfe\n",
        b'{"error": "no"}\n',
        b"x" * (embedded.REPLY_BYTES_MAX + 1),
    ],
    ids=lambda reply: repr(reply[:40]),
)
def test_a_reply_that_is_none_refuses(freeswitch: Freeswitch, reply: bytes) -> None:
    def serve(sock: Any, _address: Any) -> None:
        sock.recv(10_000)
        sock.sendall(reply)
        sock.shutdown(gevent_socket.SHUT_WR)
        sock.recv(1)

    server = StreamServer(("127.0.0.1", 0), serve)
    server.start()
    freeswitch.settings["esl_door"] = f"127.0.0.1:{server.server_port}"
    session = Session()
    embedded.handler(session)
    assert session.answer() == embedded.NO_ANSWER
    server.stop(timeout=0)


@pytest.mark.parametrize("address", ["", "nonsense", "127.0.0.1:", ":", "[::1]:1", "127.0.0.1:99999", "x:y"])
def test_a_door_that_can_not_be_refuses(freeswitch: Freeswitch, address: str) -> None:
    freeswitch.settings["esl_door"] = address or "127.0.0.1:1"
    session = Session()
    embedded.handler(session)
    assert session.answer() == embedded.NO_ANSWER


def test_nothing_is_raised_into_the_switch_whatever_it_hands_over(door: LocalDoor) -> None:
    class Broken:
        def __getattr__(self, name: str) -> Any:
            raise SystemExit(name)

    embedded.handler(Broken())
    embedded.fsapi(None, Broken(), None, "status")
    assert embedded.xml_fetch(Broken()) == embedded.NOT_FOUND


# Reports


def report(args: str) -> str:
    stream = Stream()
    embedded.fsapi("na", stream, None, args)
    return stream.text


def test_reports_are_lines_and_tables(door: LocalDoor) -> None:
    assert report("status") == "switch: connected\ncalls: 2\n"
    assert report("account 1001") == "account: 1001\n"
    assert report("live") == "calls: 2\n  leg  seconds  to\n  a    12       -\n  b c  3        1\n"


def test_a_report_that_can_not_be_had_says_why(door: LocalDoor) -> None:
    assert report("account 1002") == "-ERR there is no account 1002\n"
    for args in ("", "account", "account 1 2", "reboot"):
        assert report(args) == "-USAGE: status | account N | live\n"
    door.stop()
    assert report("status").startswith("-ERR the daemon did not answer: no daemon at ")


# The directory


def fetch(user: str = "1001", domain: str = "sip.example.com", section: str = "directory") -> str:
    return embedded.xml_fetch(Headers(section=section, user=user, domain=domain), "")


def test_a_user_is_told_with_its_digest_and_who_pays(door: LocalDoor) -> None:
    document = ElementTree.fromstring(fetch())
    domain = document.find("./section[@name='directory']/domain[@name='sip.example.com']")
    assert domain is not None
    user = domain.find("./groups/group/users/user[@id='1001']")
    assert user is not None
    assert user.get("cacheable") == "true"
    params = {each.get("name"): each.get("value") for each in user.iterfind("./params/param")}
    variables = {each.get("name"): each.get("value") for each in user.iterfind("./variables/variable")}
    assert params["a1-hash"] == "0123456789abcdef" * 2
    assert "password" not in params
    assert variables == {
        "accountcode": "1001",
        "user_context": "esl_customer",
        "effective_caller_id_number": "15145550199",
        "effective_caller_id_name": 'Smith & Sons "Fresh" <é>',
        "esl_max_calls": "3",
        "language": "fr",
        "sip-force-contact": "NDLB-connectile-dysfunction",
        "intercept_unbridged_only": "true",
    }


def test_whoever_is_not_there_is_left_to_the_switchs_own_files(
    door: LocalDoor, freeswitch: Freeswitch
) -> None:
    assert fetch("1002") == fetch("\udcff") == embedded.NOT_FOUND
    assert fetch(section="configuration") == embedded.NOT_FOUND
    assert embedded.xml_fetch(Headers(section="directory", purpose="gateways")) == embedded.NOT_FOUND
    assert freeswitch.said == [], "all of that is everyday"
    door.stop()
    assert fetch() == embedded.NOT_FOUND
    assert "no daemon at" in freeswitch.said[-1]


# As the switch loads it


def test_it_can_be_loaded_again_while_a_call_is_in_it(
    door: LocalDoor, agent: Agent, freeswitch: Freeswitch
) -> None:
    """mod_python3 does that at every call (`eval_some_python`)."""

    def reload(question: Any) -> Any:
        importlib.reload(embedded)
        return ADMITTED

    agent.verdict = reload
    session = Session()
    embedded.handler(session)
    assert session.answer() == dict(ADMITTED.variables)


ALONE = """
    import sys
    before = set(sys.modules)
    sys.path.insert(0, sys.argv[1])
    sys.setrecursionlimit(240)  # as mod_python3.c does, for the switch's small stacks
    from esl_agent.switch import embedded

    class Session(dict):
        getVariable = dict.get
        setVariable = dict.__setitem__

    class Freeswitch:
        getGlobalVariable = {"esl_door": sys.argv[2]}.get
        consoleLog = print

    sys.modules["freeswitch"] = Freeswitch
    session = Session(uuid=sys.argv[3], esl_ask_product="termination", destination_number="15145551234")
    embedded.handler(session, "")
    loaded = sorted(set(sys.modules) - before - {"freeswitch"})
    import json
    print(json.dumps({"loaded": loaded, "session": session}))
"""


def test_alone_on_the_standard_library_it_asks_and_is_answered(door: LocalDoor, tmp_path: Path) -> None:
    """A Python without site-packages, environment or gevent, as the switch's own may be."""
    command = [sys.executable, "-I", "-S", "-c", textwrap.dedent(ALONE)]
    ran = subprocess.run(  # gevent's, so that the door can answer meanwhile
        [*command, str(ROOT), str(tmp_path / "door"), LEG],
        capture_output=True,
        timeout=PATIENCE_S,
        check=True,
        cwd=tmp_path,
    )
    told = json.loads(ran.stdout)
    assert told["session"]["esl_route_1"] == ADMITTED.variables["esl_route_1"]
    ours = {name for name in told["loaded"] if name.startswith("esl_agent")}
    assert ours == {"esl_agent", "esl_agent.switch", "esl_agent.switch.embedded"}
    foreign = {name.partition(".")[0] for name in told["loaded"]} - sys.stdlib_module_names
    assert foreign == {"esl_agent"}
    assert not {"threading", "asyncio", "multiprocessing", "subprocess"} & set(told["loaded"])


def test_one_file_is_all_of_it() -> None:
    source = Path(embedded.__file__).read_text(encoding="utf-8")
    assert not re.search(r"^\s*(?:from|import) (?:esl_agent|\.)", source, re.M)
