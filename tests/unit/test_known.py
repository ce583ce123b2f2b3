"""What is kept of a call beside its hold reads back as the same call (agent/calls/known.py)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fixtures.admission import CALLER_LEG, UUIDS, a_number
from fixtures.records import NOON_US, a_price

from esl_agent.agent.calls.known import TEXT_CHARACTERS_MAX, KnownError, newest, priced_of, recall, remember
from esl_agent.agent.pricing import Priced
from esl_agent.core.leg import Direction, Leg, Product

LONDON = a_number("442079460000")
LEG = Leg(
    UUIDS[1], Direction.OUTBOUND, NOON_US, 1001, Product.TERMINATION, LONDON.dialled, LONDON.dialled,
    "15145550100", CALLER_LEG, "beta", None, is_loopback=False,
)  # fmt: skip
PRICED = Priced(LEG, 1001, LONDON, a_price(), "CAD", rule="funds", tags=("payphone",))
LEGS = [(UUIDS[0], "alpha"), (UUIDS[1], "beta")]


def test_a_planned_leg_reads_back_with_its_carrier_at_the_price_it_was_admitted_with() -> None:
    known = recall(remember(PRICED, CALLER_LEG, LEGS, as_of_us=NOON_US + 5))
    assert (known.caller_leg_uuid, known.as_of_us, known.answered_us) == (CALLER_LEG, NOON_US + 5, None)
    assert [tuple(each.leg_uuid for each in known.legs)] == [UUIDS]
    assert priced_of(known, 1001, UUIDS[1]) == PRICED


def test_an_answer_is_kept() -> None:
    known = recall(remember(PRICED, CALLER_LEG, LEGS, as_of_us=NOON_US + 5, answered_us=NOON_US + 3))
    assert priced_of(known, 1001, UUIDS[0]).leg.answered_us == NOON_US + 3


def test_of_several_the_one_with_the_answer_counts_then_the_latest() -> None:
    def known(seconds: int, answered_us: int | None = None) -> str:
        return remember(PRICED, CALLER_LEG, LEGS, as_of_us=NOON_US + seconds, answered_us=answered_us)

    assert newest([known(5), None]).as_of_us == NOON_US + 5
    assert newest([known(9), known(5, NOON_US)]).as_of_us == NOON_US + 5
    assert newest([known(60, NOON_US), known(5, NOON_US)]).as_of_us == NOON_US + 60
    assert newest(["{}", known(5)]).as_of_us == NOON_US + 5


def test_of_a_leg_that_rang_the_legs_that_were_planned_after_it_are_still_to_come() -> None:
    planned = remember(PRICED, CALLER_LEG, LEGS, as_of_us=NOON_US)
    rang = remember(PRICED, CALLER_LEG, LEGS[:1], as_of_us=NOON_US + 5, is_up=True)
    known = newest([planned, rang])
    assert (known.is_up, known.as_of_us, len(known.legs)) == (True, NOON_US + 5, 2)
    answered = remember(PRICED, CALLER_LEG, LEGS[:1], as_of_us=NOON_US + 5, answered_us=NOON_US + 4)
    assert len(newest([planned, answered]).legs) == 1


@pytest.mark.parametrize("texts", [[], [None, None], ["{}", None]])
def test_of_none_that_can_be_read_nothing_is_known(texts: list[str | None]) -> None:
    with pytest.raises(KnownError):
        newest(texts)


def test_a_call_that_came_in_is_its_callers_own_leg() -> None:
    leg = replace(
        LEG, direction=Direction.INBOUND, product=Product.INBOUND, other_leg_uuid=None, carrier=None
    )
    priced = replace(PRICED, leg=leg)
    known = recall(remember(priced, leg.leg_uuid, [(leg.leg_uuid, None)], as_of_us=NOON_US))
    assert priced_of(known, 1001, leg.leg_uuid) == priced


@pytest.mark.parametrize("name", ["nul\0", "\ud800half", '"]}', "é" * 1_000])
def test_whatever_a_phone_sent_can_be_written_and_read(name: str) -> None:
    leg = replace(LEG, caller_number=name, priced_number=name, carrier=name)
    known = recall(remember(replace(PRICED, leg=leg), name, [(UUIDS[0], name)], as_of_us=NOON_US))
    assert len(known.caller) <= TEXT_CHARACTERS_MAX
    assert known.caller.startswith(name[0] if name.isprintable() else "nul" if "\0" in name else "?")


@pytest.mark.parametrize("text", ["", "null", "{}", "[]", '{"legs": []}', "[" * 100_000])
def test_what_is_no_such_text_is_told_so(text: str) -> None:
    with pytest.raises(KnownError):
        recall(text)
