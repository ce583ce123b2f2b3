"""Billed seconds, charge lines, and what a hold covers of them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from esl_agent.core.money import ZERO
from esl_agent.core.price import Charge, ChargeLine, LineKind, Price
from esl_agent.core.rating import US_PER_S, billed_seconds, charge_for, collect, rate_leg

LONDON = Price(
    deck="retail",
    deck_version=1,
    prefix="44",
    destination="United Kingdom",
    rate_per_minute=Decimal("0.012500"),
    minimum_s=6,
    step_s=6,
    connection_fee=ZERO,
    forwarding_rate_per_minute=Decimal(0),
    grace_ms=0,
    is_free=False,
)
FORWARDED = replace(LONDON, forwarding_rate_per_minute=Decimal("0.015"), connection_fee=Decimal("0.0100"))


@pytest.mark.parametrize(
    ("duration_us", "minimum_s", "step_s", "billed_s"),
    [
        (0, 6, 6, 6),
        (1, 6, 6, 6),
        (6 * US_PER_S, 6, 6, 6),
        (6 * US_PER_S + 1, 6, 6, 12),
        (7 * US_PER_S, 60, 60, 60),
        (60 * US_PER_S + 1, 60, 60, 120),
        (7 * US_PER_S, 30, 6, 30),
        (31 * US_PER_S, 30, 6, 36),
        (18 * US_PER_S, 30, 18, 30),
        (19 * US_PER_S, 30, 18, 36),
        (1, 0, 1, 1),
        (0, 0, 1, 0),
        (-20_000, 6, 6, 6),
    ],
)
def test_billed_seconds(duration_us: int, minimum_s: int, step_s: int, billed_s: int) -> None:
    assert billed_seconds(duration_us, minimum_s, step_s) == billed_s


@pytest.mark.parametrize(
    ("duration_us", "billed_s"),
    [(6_200_000, 6), (6_200_001, 12), (12_200_000, 12), (100_000, 6)],
)
def test_grace_forgives_that_much_past_a_step(duration_us: int, billed_s: int) -> None:
    assert billed_seconds(duration_us, 6, 6, grace_ms=200) == billed_s
    assert rate_leg(replace(LONDON, grace_ms=200), duration_us).billed_seconds == billed_s


def test_a_leg_that_nobody_answered_has_lines_of_zero() -> None:
    charge = rate_leg(FORWARDED, None)
    assert charge.billed_seconds == 0
    assert [(line.kind, line.amount) for line in charge.lines] == [("usage", 0), ("forwarding", 0)]
    assert charge.total == 0


def test_each_line_is_rounded_half_up_on_its_own() -> None:
    charge = rate_leg(FORWARDED, 61 * US_PER_S)
    assert charge.billed_seconds == 66
    assert charge.lines == (
        ChargeLine(LineKind.USAGE, Decimal("0.0125"), Decimal("0.0138")),  # 0.01375
        ChargeLine(LineKind.CONNECTION, Decimal(0), Decimal("0.0100")),
        ChargeLine(LineKind.FORWARDING, Decimal("0.015"), Decimal("0.0165")),
    )
    assert str(charge.total) == "0.0403"


def test_a_payphones_surcharge_is_a_line_of_its_own_and_due_on_answer() -> None:
    from_a_payphone = replace(LONDON, payphone_surcharge=Decimal("0.2500"), connection_fee=Decimal("0.0100"))
    charge = rate_leg(from_a_payphone, 60 * US_PER_S)
    assert charge.lines == (
        ChargeLine(LineKind.USAGE, Decimal("0.0125"), Decimal("0.0125")),
        ChargeLine(LineKind.CONNECTION, Decimal(0), Decimal("0.0100")),
        ChargeLine(LineKind.PAYPHONE, Decimal(0), Decimal("0.2500")),
    )
    assert rate_leg(from_a_payphone, None).total == 0


def test_a_cdr_of_nothing_says_so() -> None:
    free = replace(LONDON, rate_per_minute=Decimal(0), is_free=True)
    charge = rate_leg(free, 600 * US_PER_S)
    assert (charge.billed_seconds, str(charge.total)) == (600, "0.0000")
    assert [line.kind for line in charge.lines] == [LineKind.USAGE]


@pytest.mark.parametrize(
    ("held", "collected", "uncollected"),
    [
        ("1.0000", ["0.0138", "0.0100", "0.0165"], "0.0000"),
        ("0.0403", ["0.0138", "0.0100", "0.0165"], "0.0000"),
        ("0.0402", ["0.0138", "0.0100", "0.0164"], "0.0001"),
        ("0.0200", ["0.0138", "0.0062", "0.0000"], "0.0203"),
        ("0.0000", ["0.0000", "0.0000", "0.0000"], "0.0403"),
        ("-1.0000", ["0.0000", "0.0000", "0.0000"], "0.0403"),
    ],
)
def test_no_more_is_taken_than_was_held(held: str, collected: list[str], uncollected: str) -> None:
    charge = rate_leg(FORWARDED, 61 * US_PER_S)
    lines, left_over = collect(charge, Decimal(held))
    assert [str(line.amount) for line in lines] == collected
    assert str(left_over) == uncollected
    assert [line.kind for line in lines] == [line.kind for line in charge.lines]


def test_collecting_nothing() -> None:
    assert collect(Charge(0, ()), ZERO) == ((), ZERO)
    assert collect(charge_for(LONDON, 0), ZERO)[1] == 0
