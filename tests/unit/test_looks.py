"""What the switch says of its legs, by what a real one said while calls were up (agent/recovery/looks.py)."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import unquote

import pytest

from esl_agent.agent.recovery.looks import Found, Looks
from esl_agent.core.leg import Direction
from esl_agent.core.recovery import Look
from esl_agent.switch.commands import Api
from esl_agent.switch.errors import ConnectionLost
from esl_agent.switch.events import EventError, VariableNames

TRACE = Path(__file__).parents[1] / "traces" / "forwarded_did"
CALLER, CARRIER = "334f4db6-d353-469d-90bb-41436a2b85c0", "f7072568-ca1f-4ebc-9243-7e3e0cf03433"
#: The recording's own variable names (traces/README.md).
NAMES = VariableNames(account="billed_account", product="billed_product", carrier="carrier")


def dump(direction: str, leg_uuid: str, **changes: str) -> str:
    """The recorded dump as `uuid_dump … json` gives it."""
    lines = (TRACE / f"uuid_dump.{direction}.{leg_uuid[:8]}.txt").read_text().splitlines()
    pairs = (line.partition(": ") for line in lines if ": " in line)
    values = {name: unquote(value) for name, _, value in pairs}
    return json.dumps(values | {name.replace("_", "-"): value for name, value in changes.items()})


def looks(answer: str) -> Looks:
    """At a switch that answers every command so."""
    return Looks(lambda api: answer, lambda api: answer, NAMES)


def test_the_list_names_both_legs_of_a_call() -> None:
    assert looks((TRACE / "show_channels.json").read_text()).listed() == {CALLER, CARRIER}
    with pytest.raises(EventError):
        looks("-ERR no reply").listed()


def test_a_leg_that_is_up_is_told_with_its_payer_and_its_real_answer() -> None:
    found = looks(dump("outbound", CARRIER)).at(CARRIER)
    assert (found.look, found.leg is not None) == (Look.UP, True)
    assert found.leg
    assert (found.leg.direction, found.leg.account_id, found.leg.product) == (
        Direction.OUTBOUND,
        1002,
        "forwarding",
    )
    assert found.leg.answered_us
    assert found.leg.created_us < found.leg.answered_us


def test_the_switchs_time_is_heard_with_it() -> None:
    stamps: list[int] = []
    answer = dump("outbound", CARRIER, Event_Date_Timestamp="1795400000123456")
    Looks(lambda api: answer, lambda api: answer, NAMES, stamps.append).at(CARRIER)
    assert stamps == [1_795_400_000_123_456]


@pytest.mark.parametrize(
    "changes",
    [{"Channel_State": "CS_REPORTING"}, {"Channel_State": "CS_DESTROY"}, {"Channel_Call_State": "HANGUP"}],
)
def test_a_leg_that_is_being_taken_down_is_neither_up_nor_gone(changes: dict[str, str]) -> None:
    assert looks(dump("outbound", CARRIER, **changes)).at(CARRIER) == Found(Look.ENDING)


def test_a_leg_that_is_gone_is_said_to_be() -> None:
    assert looks("-ERR No such channel!\n").at(CARRIER) == Found(Look.GONE)
    assert looks("false").exists(CALLER) is Look.GONE
    assert looks("true").exists(CALLER) is Look.UP


@pytest.mark.parametrize("answer", ["", "-ERR no reply", "+OK", "{}", "[]", dump("inbound", CALLER)])
def test_anything_else_says_nothing_of_it(answer: str) -> None:
    assert looks(answer).at(CARRIER) == Found(Look.SILENT)
    assert looks(answer).exists(CARRIER) is Look.SILENT


def test_no_answer_and_a_name_that_can_not_be_asked_for_say_nothing_either() -> None:
    def lost(api: Api) -> str:
        raise ConnectionLost("gone")

    for broken, leg_uuid in (
        (Looks(lost, lost), CARRIER),
        (looks("false"), "x hupall"),
        (looks("false"), ""),
    ):
        assert broken.at(leg_uuid).look is Look.SILENT
        assert broken.exists(leg_uuid) is Look.SILENT
