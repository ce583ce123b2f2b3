"""The list of legs that are up, as a real switch gave it and as it may be broken."""

from pathlib import Path

import pytest

from esl_agent.core.leg import Direction
from esl_agent.switch.channels import Channel, decode_channels
from esl_agent.switch.events import EventError

TRACES = Path(__file__).parents[1] / "traces"


def test_both_legs_of_a_forwarded_call_are_listed() -> None:
    assert decode_channels((TRACES / "forwarded_did" / "show_channels.json").read_text()) == (
        Channel(
            leg_uuid="334f4db6-d353-469d-90bb-41436a2b85c0",
            direction=Direction.INBOUND,
            name="sofia/carrier/14165550111@127.0.0.1:5070",
            state="CS_EXECUTE",
            call_state="ACTIVE",
        ),
        Channel(
            leg_uuid="f7072568-ca1f-4ebc-9243-7e3e0cf03433",
            direction=Direction.OUTBOUND,
            name="sofia/carrier/12125550147@127.0.0.1:5090",
            state="CS_EXCHANGE_MEDIA",
            call_state="ACTIVE",
        ),
    )


def test_a_switch_without_calls_lists_none() -> None:
    assert decode_channels('{"row_count": 0}\n') == ()


@pytest.mark.parametrize(
    "answer",
    [
        "-ERR SQL Error [database is locked]\n",
        "",
        "[]",
        '{"row_count":2,"rows":[{"uuid":"a","direction":"inbound"}]}',
        '{"row_count":1,"rows":[{"uuid":"a","direction":"sideways"}]}',
        '{"row_count":1,"rows":[{"direction":"inbound"}]}',
    ],
)
def test_a_list_that_is_broken_is_refused_not_taken_for_short(answer: str) -> None:
    with pytest.raises(EventError):
        decode_channels(answer)
