"""Which CDRs count as calls, and as what."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

import pytest
from fixtures.traffic_oracle import S

from esl_agent.core.traffic.call import CALL_US_MAX, CARRIER_FAILURES, CdrFacts, TrafficCall, counted
from esl_agent.core.traffic.distinct import CAPACITY, CELLS, ESTIMATES, cell_of
from esl_agent.files import dialplan_dir

NOON = 1_772_366_400 * S


def facts(**changes: Any) -> CdrFacts:
    """An answered minute from one's own number to London."""
    values: dict[str, Any] = {
        "account_id": 1001,
        "leg_uuid": "leg",
        "product": "termination",
        "caller": "15145550123",
        "number": "442079460000",
        "number_class": "world",
        "country": "GB",
        "created_us": NOON,
        "answered_us": NOON + 4 * S,
        "ended_us": NOON + 64 * S,
        "recorded_us": NOON + 65 * S,
        "duration_us": 60 * S,
        "total": Decimal("0.0125"),
        "rate_per_minute": Decimal("0.012500"),
        "forwarded_from": None,
        "refused": None,
        "hangup_cause": "NORMAL_CLEARING",
    }
    return CdrFacts(**values | changes)


def call(**changes: Any) -> TrafficCall:
    one = counted(facts(**changes))
    assert one is not None
    return one


UNANSWERED: dict[str, Any] = {"answered_us": None, "duration_us": 0, "total": Decimal(0)}


def test_a_call_out_has_its_caller_id_for_its_number_and_counts_from_its_end() -> None:
    one = call()
    assert (one.did, one.number, one.is_outbound) == ("15145550123", "442079460000", True)
    assert (one.at_us, one.talk_us, one.spent, one.rate) == (NOON + 64 * S, 60 * S, 125, 12_500)


def test_a_call_in_has_the_did_that_was_called() -> None:
    one = call(product="inbound", caller="+14185550199", number="15145550100", number_class="domestic")
    assert (one.did, one.number, one.is_outbound) == ("15145550100", "14185550199", False)


def test_a_forwarded_call_goes_out_from_the_number_that_forwards() -> None:
    one = call(product="forwarding", forwarded_from="15145550100", caller="14185550199")
    assert (one.did, one.is_outbound) == ("15145550100", True)


@pytest.mark.parametrize(
    ("caller", "did"),
    [("+15145550123", "15145550123"), ("5145550123", "15145550123"), ("anonymous", ""), ("٣" * 11, ""),
     ("+4712345678", "4712345678"), ("1" * 16, ""), ("", "")],
)  # fmt: skip
def test_a_caller_id_is_read_as_the_number_that_it_is(caller: str, did: str) -> None:
    assert call(caller=caller).did == did


@pytest.mark.parametrize(
    "changes",
    [
        {"number_class": "emergency", "number": "911"},
        {"number_class": "crisis", "number": "988"},
        {"account_id": 0},
        {"ended_us": NOON + CALL_US_MAX + 1, "recorded_us": NOON + 2 * CALL_US_MAX},
        {**UNANSWERED, "hangup_cause": "NORMAL_TEMPORARY_FAILURE"},
    ],
    ids=["emergency", "crisis", "nobody's", "a channel that hung", "a carrier that failed"],
)
def test_what_does_not_count(changes: dict[str, Any]) -> None:
    assert counted(facts(**changes)) is None


def test_the_carriers_failures_are_those_that_the_dialplan_goes_on_after() -> None:
    settings = (dialplan_dir() / "config" / "vars.xml").read_text()
    causes = settings.partition("esl_failover_causes=")[2].partition('"')[0]
    assert {*causes.split(","), "LOSE_RACE"} == CARRIER_FAILURES


def test_a_refused_call_is_no_attempt_and_one_that_was_ended_is() -> None:
    assert call(**UNANSWERED, refused="no_funds").is_refused
    assert not call(refused="suspended").is_refused
    assert call(**UNANSWERED, refused="caller_id").did == ""  # whatever number a phone sent


def test_a_caller_who_hangs_up_before_an_answer_abandons() -> None:
    assert call(**UNANSWERED, hangup_cause="ORIGINATOR_CANCEL").is_abandoned
    assert not call(**UNANSWERED, hangup_cause="USER_BUSY").is_abandoned


def test_toll_free_are_calls_out_only() -> None:
    assert call(number_class="toll_free", number="18005550123").is_toll_free
    assert not call(number_class="toll_free", product="inbound").is_toll_free


def test_a_switch_whose_clock_is_fast_sends_no_call_from_the_future() -> None:
    assert call(ended_us=NOON + 90 * S, recorded_us=NOON + 60 * S).at_us == NOON + 60 * S


@pytest.mark.parametrize(
    ("numbers", "error"), [(10, 0.15), (50, 0.08), (500, 0.08), (3_000, 0.08), (12_000, 0.25)]
)
def test_different_numbers_are_estimated_as_well_as_is_said(numbers: int, error: float) -> None:
    randomly = Random(numbers)
    called = {f"1{randomly.randrange(2 * 10**9, 10**10)}" for _ in range(numbers)}
    estimate = ESTIMATES[len({cell_of(number) for number in called})]
    assert abs(estimate - len(called)) <= max(error * len(called), 1)
    assert len(ESTIMATES) == CELLS + 1
    assert CAPACITY > 16_000
