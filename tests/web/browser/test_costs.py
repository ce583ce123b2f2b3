"""What a browser counts of a call that is up is what the core would bill, to the ten-thousandth."""

from __future__ import annotations

from decimal import Decimal
from random import Random

import pytest

from esl_agent.core.price import Price
from esl_agent.core.rating import rate_leg
from web.conftest import Served

from .conftest import Look

pytestmark = pytest.mark.browser

CASES = 20_000
COUNT = """async (cases) => {
    const { amountOf, rateOf, costOf } = await import("/page/js/money.js");
    return cases.map(([rate, forwarding, flat, minimumS, stepS, graceMs, talkedUs]) => costOf({
        rate: rateOf(rate), forwardingRate: rateOf(forwarding), flat: amountOf(flat),
        minimumS, stepS, graceMs, answeredUs: 0,
    }, talkedUs));
}"""


def a_case(random: Random) -> tuple[Price, int]:
    """A price as decks have them, or as far out as the ledger holds; and some talk, often just at a step."""
    rate_max = random.choice([100_000, 1_000_000, 100_000_000, 999_999_999_999])
    step_s = random.choice([1, 6, 18, 30, 60])
    price = Price(
        deck="d",
        deck_version=1,
        prefix="1",
        destination="",
        rate_per_minute=Decimal(random.randrange(rate_max)).scaleb(-6),
        minimum_s=random.choice([0, 1, 6, 30, 60]),
        step_s=step_s,
        connection_fee=Decimal(random.choice([0, 0, random.randrange(50_000)])).scaleb(-4),
        forwarding_rate_per_minute=Decimal(random.choice([0, 15_000, random.randrange(1_000_000)])).scaleb(
            -6
        ),
        grace_ms=random.choice([0, 0, 200, 5_000]),
        is_free=False,
        payphone_surcharge=Decimal(random.choice([0, 6_000])).scaleb(-4),
    )
    near_us = random.randrange(86_400 // step_s) * step_s * 1_000_000
    talked_us = near_us + random.choice([-1, 0, 1, random.randrange(60_000_000)]) + price.grace_ms * 1_000
    return price, max(talked_us, 0)


def test_costs_are_those_of_the_core(look: Look, served: Served) -> None:
    random = Random(20261130)
    cases = [a_case(random) for _ in range(CASES)]
    told = [
        [
            *map(str, (price.rate_per_minute, price.forwarding_rate_per_minute)),
            str(price.connection_fee + price.payphone_surcharge),
            *(price.minimum_s, price.step_s, price.grace_ms, talked_us),
        ]
        for price, talked_us in cases
    ]
    counted = look(served).evaluate(COUNT, told)
    wrong = [
        (price, talked_us, total, count)
        for (price, talked_us), count in zip(cases, counted, strict=True)
        if (total := int(rate_leg(price, talked_us).total * 10_000)) != count
    ]
    assert wrong == []
