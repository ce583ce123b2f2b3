"""How much talk an amount buys."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from esl_agent.core import budget
from esl_agent.core.budget import SECONDS_FUNDED_MAX, cost_of, first_charge, seconds_funded
from esl_agent.core.money import ZERO
from esl_agent.core.price import Price

MEXICO = Price(
    deck="retail",
    deck_version=1,
    prefix="52",
    destination="Mexico",
    rate_per_minute=Decimal("0.020000"),
    minimum_s=60,
    step_s=60,
    connection_fee=ZERO,
    forwarding_rate_per_minute=Decimal(0),
    grace_ms=0,
    is_free=False,
)
CANADA = replace(MEXICO, rate_per_minute=Decimal("0.005200"), minimum_s=6, step_s=6)
UNEVEN = replace(CANADA, minimum_s=30, step_s=18)
COARSE = replace(CANADA, minimum_s=6, step_s=60)
FREE = replace(CANADA, rate_per_minute=Decimal(0), is_free=True)


def test_the_first_charge_is_everything_that_the_first_second_costs() -> None:
    assert first_charge(MEXICO) == Decimal("0.0200")
    dear = replace(MEXICO, connection_fee=Decimal("0.0100"), forwarding_rate_per_minute=Decimal("0.015"))
    assert first_charge(dear) == Decimal("0.0450")
    assert first_charge(COARSE) == cost_of(CANADA, 60)
    assert first_charge(FREE) == 0


def test_nothing_costs_nothing() -> None:
    assert cost_of(replace(MEXICO, connection_fee=Decimal("0.0100")), 0) == 0


@pytest.mark.parametrize(
    ("price", "rungs"),
    [
        (CANADA, [6, 12, 18, 24]),
        (MEXICO, [60, 120, 180, 240]),
        (UNEVEN, [30, 36, 54, 72]),
        (COARSE, [60, 120, 180, 240]),
        (replace(CANADA, minimum_s=0, step_s=1), [1, 2, 3, 4]),
    ],
)
def test_the_ladder_of_billed_seconds(price: Price, rungs: list[int]) -> None:
    climbed = [budget.first_billed_s(price)]
    while len(climbed) < len(rungs):
        climbed.append(budget.next_billed_s(price, climbed[-1]))
    assert climbed == rungs
    assert budget.next_billed_s(price, 0) == rungs[0]
    assert [budget.billed_at_least(price, rung) for rung in rungs] == rungs
    assert budget.billed_at_least(price, rungs[1] + 1) == rungs[2]


def test_talk_that_a_rung_covers() -> None:
    assert budget.talk_s(CANADA, 12) == 12
    assert budget.talk_s(UNEVEN, 30) == 18
    assert budget.talk_s(UNEVEN, 36) == 36


@pytest.mark.parametrize(
    ("price", "amount", "seconds"),
    [
        (MEXICO, "0.0199", 0),
        (MEXICO, "0.0200", 60),
        (MEXICO, "0.0399", 60),
        (MEXICO, "0.0400", 120),
        (MEXICO, "-1.0000", 0),
        (CANADA, "0.0010", 12),  # 0.00104 rounds to 0.0010
        (UNEVEN, "0.0026", 30),
        (UNEVEN, "0.0031", 36),
        (replace(MEXICO, connection_fee=Decimal("0.0100")), "0.0299", 0),
        (replace(MEXICO, connection_fee=Decimal("0.0100")), "0.0500", 120),
        (replace(MEXICO, rate_per_minute=Decimal(0), connection_fee=Decimal("0.0100")), "0.0100", 86_400),
        (MEXICO, "99999999999999.9999", 86_400),
        (replace(CANADA, step_s=7), "1000.0000", 86_394),
        (replace(CANADA, rate_per_minute=Decimal("0.000001")), "0.0000", 3_000 - 6),
        (FREE, "0.0000", SECONDS_FUNDED_MAX),
        (replace(FREE, is_free=False), "-1.0000", SECONDS_FUNDED_MAX),
    ],
)
def test_seconds_funded(price: Price, amount: str, seconds: int) -> None:
    assert seconds_funded(price, Decimal(amount)) == seconds


def test_money_is_held_only_for_what_can_cost() -> None:
    assert budget.is_metered(CANADA)
    assert budget.is_metered(replace(FREE, connection_fee=Decimal("0.0100"), is_free=False))
    assert not budget.is_metered(FREE)
    assert not budget.is_metered(replace(FREE, is_free=False))
