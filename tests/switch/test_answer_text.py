"""The answer to an admission on a real FreeSWITCH: read as we mean it, and as the tests' model reads it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Sequence

import pytest
from conftest import Calls
from fixtures import switch_text
from fixtures.admission import LONDON, OWNED, a_carrier, a_question, some_facts

from esl_agent.core.admission.carriers import Carrier
from esl_agent.core.admission.decide import decide
from esl_agent.core.admission.dial import PlannedLeg, dial_strings
from esl_agent.core.admission.variables import ROUTES, answer_variables, as_multiset
from esl_agent.lab.console import Event
from esl_agent.lab.freeswitch import PrivateSwitch
from esl_agent.switch.client import SwitchConnection
from esl_agent.switch.commands import Command

pytestmark = pytest.mark.switch

CARRIERS = [a_carrier("alpha", progress_timeout_s=8), a_carrier("beta")]
CUT_AFTER_S = 3

Execute = Callable[[str, str], None]

ADMITTED = decide(a_question(), some_facts())
REFUSED = decide(a_question(), some_facts(customer=None))


@pytest.fixture
def leg_uuid(calls: Calls) -> str:
    """A caller's leg that waits."""
    leg = str(uuid.uuid4())
    answer = calls.command(f"originate {{origination_uuid={leg}}}loopback/app=park &park()")
    assert answer.startswith("+OK"), answer
    return leg


@pytest.fixture
def execute(switch: PrivateSwitch, calls: Calls, leg_uuid: str) -> Iterator[Execute]:
    """Have the leg execute an application, as the outbound socket does."""
    connection = SwitchConnection(switch.host, switch.event_port, switch.password)
    connection.connect()

    def run(application: str, argument: str) -> None:
        headers = {"call-command": "execute", "execute-app-name": application, "execute-app-arg": argument}
        connection.request(Command(f"sendmsg {leg_uuid}", tuple(headers.items())), deadline_s=5)

    yield run
    connection.stop()


def variables_of(calls: Calls, leg_uuid: str) -> dict[str, str]:
    dump = json.loads(calls.command(f"uuid_dump {leg_uuid} json"))
    return {
        name.removeprefix("variable_"): value for name, value in dump.items() if name.startswith("variable_")
    }


def created(calls: Calls, leg_uuid: str) -> Event:
    return calls.event("CHANNEL_CREATE", "outbound", lambda event: event["Unique-ID"] == leg_uuid)


def executed(calls: Calls, leg_uuid: str, argument: str) -> None:
    calls.event(
        "CHANNEL_EXECUTE_COMPLETE",
        "outbound",
        lambda event: event["Unique-ID"] == leg_uuid and event.get("Application-Data") == argument,
    )


def legs_by(carriers: Sequence[Carrier]) -> list[PlannedLeg]:
    return [PlannedLeg(str(uuid.uuid4()), carrier) for carrier in carriers]


def test_the_variables_stand_on_the_callers_leg(calls: Calls, leg_uuid: str, execute: Execute) -> None:
    dialling = dial_strings(ADMITTED, legs_by(CARRIERS), CUT_AFTER_S)
    answer = answer_variables(ADMITTED, str(uuid.uuid4()), dialling)
    execute("multiset", as_multiset(answer))
    executed(calls, leg_uuid, as_multiset(answer))

    left = variables_of(calls, leg_uuid)
    assert {name: left.get(name, "") for name in answer} == answer


def test_a_refusal_leaves_nothing_of_an_admission(calls: Calls, leg_uuid: str, execute: Execute) -> None:
    dialling = dial_strings(ADMITTED, legs_by(CARRIERS), CUT_AFTER_S)
    refused = as_multiset(answer_variables(REFUSED, str(uuid.uuid4())))
    execute("multiset", as_multiset(answer_variables(ADMITTED, str(uuid.uuid4()), dialling)))
    execute("multiset", refused)
    executed(calls, leg_uuid, refused)

    left = variables_of(calls, leg_uuid)
    assert (left["esl_admitted"], left["esl_reason"]) == ("false", "unknown_account")
    assert not {*ROUTES, "esl_account"} & left.keys()


def test_each_carrier_is_tried_with_a_leg_as_planned(calls: Calls, leg_uuid: str, execute: Execute) -> None:
    """The first is out of order; the second answers, and the switch by itself ends the call."""
    calls.alpha("refuse", status="503 Service Unavailable")
    beta = calls.beta("answer", ring_ms=50)
    legs = legs_by(CARRIERS)
    dialling = dial_strings(ADMITTED, legs, CUT_AFTER_S)
    execute("multiset", as_multiset(answer_variables(ADMITTED, str(uuid.uuid4()), dialling)))
    execute("export", "nolocal:absolute_codec_string=PCMU")  # a loopback leg would offer what it has
    execute("set", "continue_on_fail=true")
    for route in ROUTES:
        execute("bridge", f"${{{route}}}")

    for leg, text in zip(legs, dialling, strict=True):
        [[meant]] = switch_text.dial_string(text)
        made = created(calls, leg.leg_uuid)
        for name, value in meant.variables.items():
            assert made[f"variable_{name}"] == value
        assert made["Caller-Caller-ID-Number"] == OWNED
    end = calls.event(
        "CHANNEL_HANGUP_COMPLETE", "outbound", lambda event: event["Unique-ID"] == legs[1].leg_uuid
    )
    assert end["Hangup-Cause"] == "ALLOTTED_TIMEOUT"
    assert (CUT_AFTER_S - 1) * 1_000_000 < int(end["variable_billusec"]) < (CUT_AFTER_S + 1) * 1_000_000
    assert beta.invites()[0].startswith(f"INVITE sip:{LONDON}@")


@pytest.mark.parametrize(
    "value",
    ["'a,b'", "a'b", "a b ", "x=y=z", "it's~b='c'", "^^;a", '"a,b"', "a(b)"],
)
def test_the_model_takes_a_text_apart_as_the_switch_does(
    calls: Calls, leg_uuid: str, execute: Execute, value: str
) -> None:
    """Were the model wrong, the property that nothing breaks out would mean nothing."""
    made_uuid = str(uuid.uuid4())
    text = f"[origination_uuid={made_uuid},lab_one={value},lab_two=2]sofia/gateway/alpha/1"
    calls.alpha("refuse", status="486 Busy Here")
    execute("set", "app_disable_expand_variables=true")
    execute("bridge", text)
    made = created(calls, made_uuid)
    [[meant, *_], *_] = switch_text.dial_string(text)

    heard = {name: made.get(f"variable_{name}") for name in ("lab_one", "lab_two")}
    assert heard == {name: meant.variables.get(name) for name in heard}
