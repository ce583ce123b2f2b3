"""The sample deck: a carrier's file that prices the world."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Final

import pytest

from esl_agent.core.deck_file import parse_deck
from esl_agent.core.leg import Product
from esl_agent.core.numbering import Numbering
from esl_agent.core.price import Price
from esl_agent.core.tariff import Deck, Plan, price_call

DECK_FILE: Final = Path(__file__).resolve().parents[2] / "demo" / "deck.csv"


@pytest.fixture(scope="module")
def deck() -> Deck:
    with DECK_FILE.open(encoding="utf-8", newline="") as file:
        parsed = parse_deck(file)
    assert parsed.errors == []
    assert len(parsed.rows) > 3_000
    return Deck("standard", 1, "CAD", [row.rate for row in parsed.rows])


def price(deck: Deck, dialled: str) -> Price:
    return price_call(Plan("standard", "standard"), deck, Numbering().parse(dialled), Product.TERMINATION)


@pytest.mark.parametrize(
    ("dialled", "destination", "rate", "increment"),
    [
        ("4165550182", "Canada - Ontario", "0.0052", (6, 6)),
        ("12125550147", "United States", "0.0100", (6, 6)),
        ("19075550147", "United States - Alaska", "0.0850", (6, 6)),
        ("17875550147", "Puerto Rico", "0.0120", (6, 6)),
        ("18765230123", "Jamaica", "0.0690", (6, 6)),
        ("+525512345678", "Mexico - Mexico City", "0.0200", (60, 60)),
        ("+5215512345678", "Mexico - Mexico City", "0.0200", (60, 60)),
        ("+442079460000", "United Kingdom", "0.0125", (6, 6)),
        ("+447700900123", "United Kingdom - Mobile", "0.0240", (6, 6)),
        ("+4970012345678", "Germany - Personal Numbers", "0.3900", (60, 1)),
        ("+33612345678", "France - Mobile", "0.0350", (1, 1)),
        ("+50934123456", "Haiti - Mobile", "0.3590", (30, 6)),
        ("+870773111632", "Inmarsat", "7.2000", (60, 1)),
    ],
)
def test_prices_what_callers_dial(
    deck: Deck, dialled: str, destination: str, rate: str, increment: tuple[int, int]
) -> None:
    priced = price(deck, dialled)

    assert priced.destination == destination
    assert priced.rate_per_minute == Decimal(rate)
    assert (priced.minimum_s, priced.step_s) == increment


def test_a_few_destinations_cost_a_fee_to_connect(deck: Deck) -> None:
    assert price(deck, "411").connection_fee == Decimal("1.75")
    assert price(deck, "+870773111632").connection_fee == Decimal("0.25")
    assert price(deck, "12125550147").connection_fee == 0
