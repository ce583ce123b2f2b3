"""Carriers: how each is sent a number, what may not be one, and in which order they are tried."""

from __future__ import annotations

from typing import Any

import pytest
from fixtures.admission import a_carrier, a_number

from esl_agent.core.admission.carriers import CARRIERS_TRIED_MAX, CarrierError, NumberFormat, choose

MONTREAL, LONDON = a_number("15145551234"), a_number("442079460000")


@pytest.mark.parametrize(
    ("number_format", "montreal", "london"),
    [
        (NumberFormat.E164, "15145551234", "442079460000"),
        (NumberFormat.PLUS, "+15145551234", "+442079460000"),
        (NumberFormat.NATIONAL, "5145551234", "011442079460000"),
        (NumberFormat.INTERNATIONAL, "15145551234", "011442079460000"),
    ],
)
def test_a_number_in_the_carriers_format(number_format: NumberFormat, montreal: str, london: str) -> None:
    carrier = a_carrier(number_format=number_format)
    assert carrier.dials(MONTREAL) == f"sofia/gateway/alpha/{montreal}"
    assert carrier.dials(LONDON) == f"sofia/gateway/alpha/{london}"


@pytest.mark.parametrize(
    ("number_format", "montreal", "london"),
    [
        (NumberFormat.E164, "15145551234", "442079460000"),
        (NumberFormat.PLUS, "+15145551234", "+442079460000"),
        (NumberFormat.NATIONAL, "5145551234", "442079460000"),
        (NumberFormat.INTERNATIONAL, "15145551234", "442079460000"),
    ],
)
def test_a_caller_id_is_written_as_a_number_but_not_dialled(
    number_format: NumberFormat, montreal: str, london: str
) -> None:
    carrier = a_carrier(number_format=number_format, prepend="1234#", strip_digits=2)
    assert (carrier.shows(MONTREAL.digits), carrier.shows(LONDON.digits)) == (montreal, london)


def test_digits_stripped_and_a_prefix_put_before() -> None:
    carrier = a_carrier(
        strip_digits=1, prepend="77*#", dial_template="sofia/carrier/{number}@sip.example.net:5060"
    )
    assert carrier.dials(MONTREAL) == "sofia/carrier/77*#5145551234@sip.example.net:5060"


@pytest.mark.parametrize("digits", ["911", "933", "988", "411"])
def test_short_codes_go_out_as_they_are(digits: str) -> None:
    carrier = a_carrier(number_format=NumberFormat.PLUS, strip_digits=1, prepend="77")
    assert carrier.sends(a_number(digits)) == digits


def test_a_number_stripped_to_nothing_is_an_error() -> None:
    with pytest.raises(CarrierError, match="strips 12 digits"):
        a_carrier(strip_digits=12).dials(LONDON)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"name": "al pha"}, "not a name"),
        ({"name": "alpha,x=1"}, "not a name"),
        ({"name": ""}, "not a name"),
        ({"dial_template": "sofia/gateway/alpha"}, "has to hold {number} once"),
        ({"dial_template": "sofia/gateway/{number}/{number}"}, "has to hold {number} once"),
        ({"dial_template": "sofia/gateway/alpha/{number}|sofia/gateway/beta/1900"}, "take apart"),
        ({"dial_template": "sofia/gateway/alpha/{number},user/1000"}, "take apart"),
        ({"dial_template": "sofia/gateway/alpha/{number}:_:sofia/x/1"}, "take apart"),
        ({"dial_template": "[a=b]sofia/gateway/alpha/{number}"}, "take apart"),
        ({"dial_template": "sofia/gateway/${gateway}/{number}"}, "take apart"),
        ({"dial_template": "sofia/gateway/alpha/{number}\n"}, "take apart"),
        ({"dial_template": "loopback/{number}/default"}, "no way to a carrier"),
        ({"dial_template": "user/{number}"}, "no way to a carrier"),
        ({"prepend": "1,2"}, "prepends"),
        ({"prepend": "٣"}, "prepends"),
        ({"strip_digits": -1}, "strips -1 digits"),
        ({"strip_digits": 16}, "strips 16 digits"),
        ({"weight": -1}, "weight of -1"),
        ({"weight": 1_001}, "weight of 1001"),
        ({"progress_timeout_s": 0}, "times out after 0 s"),
    ],
)
def test_what_is_no_carrier(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(CarrierError, match=problem):
        a_carrier(**changes)


class TestOrder:
    def names(self, seed: int, *carriers: Any, **options: Any) -> list[str]:
        return [carrier.name for carrier in choose(carriers, seed, **options)]

    def test_by_priority_whatever_the_weights(self) -> None:
        carriers = a_carrier("a", priority=3, weight=9), a_carrier("b"), a_carrier("c", priority=2)
        for seed in range(20):
            assert self.names(seed, *carriers) == ["b", "c", "a"]

    def test_within_a_priority_by_weight(self) -> None:
        """Every seed below the product of the draws' bases stands for one outcome."""
        carriers = a_carrier("heavy", weight=3), a_carrier("light", weight=1)
        first = [self.names(seed, *carriers)[0] for seed in range(12)]
        assert (first.count("heavy"), first.count("light")) == (9, 3)

    def test_those_without_a_share_come_after_those_with_one(self) -> None:
        carriers = a_carrier("spare", weight=0), a_carrier("other", weight=0), a_carrier("main", weight=1)
        orders = {tuple(self.names(seed, *carriers)) for seed in range(4)}
        assert orders == {("main", "spare", "other"), ("main", "other", "spare")}

    def test_a_full_one_is_left_out_unless_it_is_an_emergency(self) -> None:
        carriers = a_carrier("a", capacity=1, in_use=1), a_carrier("b", priority=2, capacity=2, in_use=1)
        assert self.names(0, *carriers) == ["b"]
        assert self.names(0, *carriers, even_full=True) == ["a", "b"]

    def test_not_more_than_a_caller_will_wait_for(self) -> None:
        carriers = [a_carrier(f"c{number}") for number in range(CARRIERS_TRIED_MAX + 5)]
        assert len(self.names(12345, *carriers)) == CARRIERS_TRIED_MAX
        assert len(self.names(12345, *carriers, most=2)) == 2
