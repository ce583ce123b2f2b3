"""The price of a call: deck, plan and class, and what is free whatever they say."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from esl_agent.core import tariff
from esl_agent.core.leg import Product
from esl_agent.core.numbering import Number, NumberClass, Numbering
from esl_agent.core.price import Increment, Price
from esl_agent.core.tariff import Deck, DeckHistory, NoRate, Plan, Rate, price_call

NUMBERING = Numbering("CA", "514")
PLAN = Plan("residential", deck="retail")
DECK = Deck(
    "retail",
    3,
    "CAD",
    [
        Rate("1", "North America", Decimal("0.010000")),
        Rate("1514", "Montreal", Decimal("0.005200")),
        Rate("1411", "Directory assistance", Decimal("1.250000"), 60, 60),
        Rate("1800", "Toll-free, resold", Decimal("0.020000")),
        Rate("41", "Switzerland", Decimal("0.030000")),
        Rate("44", "United Kingdom", Decimal("0.012500"), 30, 6, Decimal("0.0100")),
        Rate("52", "Mexico", Decimal("0.020000")),
        Rate("5255", "Mexico City", Decimal("0.018000"), step_s=30),
        Rate("911", "India, New Delhi", Decimal("0.050000")),
    ],
)


def price(dialled: str, plan: Plan = PLAN, product: Product = Product.TERMINATION) -> Price:
    return price_call(plan, DECK, NUMBERING.parse(dialled), product)


def test_the_longest_prefix_wins() -> None:
    assert price("+15148761234").destination == "Montreal"
    assert price("+14388761234").destination == "North America"
    assert price("+525512345678").prefix == "5255"
    assert price("+523312345678").prefix == "52"


def test_a_price_says_where_it_comes_from() -> None:
    assert price("+442079460000") == Price(
        deck="retail",
        deck_version=3,
        prefix="44",
        destination="United Kingdom",
        rate_per_minute=Decimal("0.0125"),
        minimum_s=30,
        step_s=6,
        connection_fee=Decimal("0.01"),
        forwarding_rate_per_minute=Decimal(0),
        grace_ms=0,
        is_free=False,
    )


@pytest.mark.parametrize(
    ("dialled", "increment"),
    [
        ("+523312345678", (60, 60)),  # the class default
        ("+5213312345678", (60, 60)),  # the same number in its old form
        ("+525512345678", (60, 30)),  # the row's own step over the class's
        ("+442079460000", (30, 6)),
        ("+15148761234", (6, 6)),
        ("+18765550100", (6, 6)),
    ],
)
def test_increments_come_from_the_row_then_the_class(dialled: str, increment: tuple[int, int]) -> None:
    found = price(dialled)
    assert (found.minimum_s, found.step_s) == increment


def test_a_plan_names_only_the_increments_that_differ() -> None:
    plan = replace(PLAN, increments={NumberClass.US: Increment(30, 30)})
    assert price("+12125550100", plan).step_s == 30
    assert price("+15148761234", plan).step_s == 6
    assert price("+523312345678", plan).step_s == 60


def test_no_prefix_is_no_price() -> None:
    with pytest.raises(NoRate, match=r"deck 'retail' version 3 has no rate for 33123456789 \(world, FR\)"):
        price("+33123456789")


@pytest.mark.parametrize("dialled", ["911", "933", "112", "988"])
@pytest.mark.parametrize("product", [Product.TERMINATION, Product.FORWARDING])
def test_emergency_and_crisis_calls_are_free_whatever_the_deck_says(dialled: str, product: Product) -> None:
    plan = replace(PLAN, free_toll_free=False)
    found = price(dialled, plan, product)
    assert found.is_free
    assert (found.rate_per_minute, found.connection_fee, found.forwarding_rate_per_minute) == (0, 0, 0)


def test_toll_free_is_free_under_the_option_and_rated_without() -> None:
    assert price("+18002345678").is_free
    rated = price("+18002345678", replace(PLAN, free_toll_free=False))
    assert (rated.is_free, rated.rate_per_minute) == (False, Decimal("0.02"))


def test_service_codes_are_found_as_1411_and_never_as_switzerland() -> None:
    assert price("411").destination == "Directory assistance"
    with pytest.raises(NoRate):
        price("611")


def test_only_a_forwarded_leg_of_a_plan_that_surcharges_it_bears_the_surcharge() -> None:
    forwarded = Product.FORWARDING
    assert price("+15148761234", product=forwarded).forwarding_rate_per_minute == Decimal("0.015")
    assert price("+15148761234").forwarding_rate_per_minute == 0
    free = replace(PLAN, forwarding_surcharge=False)
    assert price("+15148761234", free, forwarded).forwarding_rate_per_minute == 0
    dearer = replace(PLAN, forwarding_rate_per_minute=Decimal("0.02"))
    assert price("+15148761234", dearer, forwarded).forwarding_rate_per_minute == Decimal("0.02")


def test_a_call_forwarded_to_toll_free_pays_the_surcharge_alone() -> None:
    found = price("+18002345678", product=Product.FORWARDING)
    assert (found.rate_per_minute, found.forwarding_rate_per_minute) == (0, Decimal("0.015"))
    assert not found.is_free


def test_inbound_calls_cost_what_the_plan_says() -> None:
    assert price("+15145550123", product=Product.INBOUND).is_free
    rated = price("+15145550123", replace(PLAN, inbound_rate_per_minute=Decimal("0.0090")), Product.INBOUND)
    assert (rated.is_free, rated.rate_per_minute, rated.deck) == (False, Decimal("0.009"), "")


def test_a_rate_given_stands_in_for_the_decks() -> None:
    number = NUMBERING.parse("+442079460000")
    found = price_call(PLAN, DECK, number, Product.TERMINATION, rate_override=Decimal("0.5"))
    assert (found.rate_per_minute, found.prefix, found.minimum_s) == (Decimal("0.5"), "44", 30)
    alone = price_call(PLAN, None, number, Product.TERMINATION, rate_override=Decimal(0))
    assert (alone.rate_per_minute, alone.prefix, alone.minimum_s, alone.is_free) == (0, "", 6, False)


def test_grace_comes_from_the_plan() -> None:
    assert price("+15148761234", replace(PLAN, grace_ms=200)).grace_ms == 200


def test_plans_never_see_each_others_remembered_prices() -> None:
    for grace_ms in range(50):  # plans that die at once leave their ids to the next
        assert price("+15148761234", replace(PLAN, grace_ms=grace_ms)).grace_ms == grace_ms


def test_remembered_prices_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tariff, "PRICES_REMEMBERED_MAX", 3)
    deck = Deck("wide", 1, "CAD", [Rate(f"33{n}", f"area {n}", Decimal(n)) for n in range(1, 9)])
    for _ in range(2):
        for n in range(1, 9):
            number = Number("", f"33{n}0000000", "FR", NumberClass.WORLD)
            assert price_call(PLAN, deck, number, Product.TERMINATION).rate_per_minute == n
            assert sum(len(prices) for _, prices in deck._prices.values()) <= 3


def test_a_deck_changes_when_its_next_version_takes_effect() -> None:
    first, second, third = (Deck("retail", version, "CAD", []) for version in (1, 2, 3))
    history = DeckHistory([(2_000, third), (1_000, first), (2_000, second)])
    assert history.at(999) is None
    assert history.at(1_000) is first
    assert history.at(1_999) is first
    assert history.at(2_000) is third
    assert [history.next_change_us(now_us) for now_us in (0, 1_000, 2_000)] == [1_000, 2_000, None]
