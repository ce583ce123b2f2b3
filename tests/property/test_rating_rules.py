"""Rules of rating and budget that hold for every price and every call."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from esl_agent.core import budget
from esl_agent.core.money import AMOUNT_QUANTUM, ZERO
from esl_agent.core.price import Price
from esl_agent.core.rating import US_PER_S, charge_for, collect, rate_leg

#: Half of all rates are tiny, for rounding is where the rules could break.
micros = st.one_of(st.integers(0, 500), st.integers(0, 5_000_000))
rates = micros.map(lambda number: Decimal(number) / 1_000_000)
amounts = st.one_of(st.integers(-10, 300), st.integers(0, 10_000_000)).map(
    lambda number: number * AMOUNT_QUANTUM
)
durations_us = st.integers(0, 7_200 * US_PER_S)
prices = st.builds(
    Price,
    deck=st.just("retail"),
    deck_version=st.just(1),
    prefix=st.just("44"),
    destination=st.just(""),
    rate_per_minute=rates,
    minimum_s=st.integers(0, 120),
    step_s=st.integers(1, 120),
    connection_fee=st.sampled_from([ZERO, Decimal("0.0001"), Decimal("0.0500")]),
    forwarding_rate_per_minute=st.sampled_from([Decimal(0), Decimal("0.015")]),
    grace_ms=st.integers(0, 1_000),
    is_free=st.just(False),
    payphone_surcharge=st.sampled_from([ZERO, Decimal("0.2500")]),
)


@given(prices, durations_us, durations_us)
def test_longer_talk_never_costs_less(price: Price, one_us: int, other_us: int) -> None:
    shorter, longer = (rate_leg(price, duration_us) for duration_us in sorted((one_us, other_us)))
    assert shorter.billed_seconds <= longer.billed_seconds
    assert shorter.total <= longer.total


@given(prices, durations_us)
def test_billed_seconds_cover_the_talk_and_no_step_more(price: Price, duration_us: int) -> None:
    billed_s = rate_leg(price, duration_us).billed_seconds
    assert billed_s >= price.minimum_s
    covered_us = billed_s * US_PER_S + price.grace_ms * 1_000
    assert covered_us >= duration_us
    assert billed_s == price.minimum_s or (billed_s - price.step_s) * US_PER_S < duration_us
    assert billed_s == price.minimum_s or billed_s % price.step_s == 0


@given(prices, st.none() | durations_us)
def test_the_total_is_the_sum_of_the_lines(price: Price, duration_us: int | None) -> None:
    charge = rate_leg(price, duration_us)
    assert charge.total == sum(line.amount for line in charge.lines)
    assert all(line.amount == line.amount.quantize(AMOUNT_QUANTUM) >= 0 for line in charge.lines)
    assert len({line.kind for line in charge.lines}) == len(charge.lines)


@given(rates, st.integers(0, 86_400))
def test_a_line_is_the_exact_product_rounded_half_up(rate: Decimal, billed_s: int) -> None:
    micros_per_minute = int(rate * 1_000_000)
    in_whole_numbers = (micros_per_minute * billed_s + 3_000) // 6_000  # ten-thousandths of the unit
    price = Price("", 0, "", "", rate, 6, 6, ZERO, Decimal(0), 0, is_free=False)
    assert charge_for(price, billed_s).total == in_whole_numbers * AMOUNT_QUANTUM


@given(prices, st.integers(0, 10_000))
def test_cost_is_the_charges_total(price: Price, billed_s: int) -> None:
    assert budget.cost_of(price, billed_s) == charge_for(price, billed_s).total


@given(prices, amounts)
def test_seconds_funded_are_the_most_that_the_amount_pays(price: Price, amount: Decimal) -> None:
    funded_s = budget.seconds_funded(price, amount)
    if not budget.is_metered(price):
        assert funded_s == budget.SECONDS_FUNDED_MAX
        return
    if funded_s:
        assert budget.billed_at_least(price, funded_s) == funded_s, "no leg is ever billed this"
        assert budget.cost_of(price, funded_s) <= amount
    next_s = budget.next_billed_s(price, funded_s)
    assert next_s > budget.SECONDS_FUNDED_MAX or budget.cost_of(price, next_s) > amount


@given(prices, amounts, st.integers(0, 86_400 * US_PER_S))
def test_talk_within_what_is_funded_never_costs_more(price: Price, amount: Decimal, talk_us: int) -> None:
    """What the cut-offs rely on: a call cut at its paid end is paid for."""
    funded_s = budget.seconds_funded(price, amount)
    if funded_s and budget.is_metered(price):
        paid_us = budget.talk_s(price, funded_s) * US_PER_S + price.grace_ms * 1_000
        assert rate_leg(price, min(talk_us, paid_us)).total <= amount


@given(prices, durations_us, amounts)
def test_collected_never_exceeds_what_is_held(price: Price, duration_us: int, held: Decimal) -> None:
    charge = rate_leg(price, duration_us)
    lines, uncollected = collect(charge, held)
    collected = sum((line.amount for line in lines), ZERO)
    assert collected <= max(held, ZERO)
    assert collected + uncollected == charge.total
    assert uncollected == max(charge.total - max(held, ZERO), ZERO)
    assert all(0 <= cut.amount <= line.amount for cut, line in zip(lines, charge.lines, strict=True))
