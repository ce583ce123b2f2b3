"""Ratings per second on one core: find the prefix, price, charge - on a deck of 200,000 prefixes.

Run it with `python -m tests.benchmarks.rating`; `--profile` says where the time
goes.  Numbers are parsed beforehand, and their parsing is measured by itself:
a call's number is parsed once, when it is admitted.
"""

from __future__ import annotations

import cProfile
import random
import sys
from collections.abc import Callable, Sequence
from decimal import Decimal
from time import perf_counter
from typing import Final

from esl_agent.core.leg import Product
from esl_agent.core.numbering import Number, Numbering
from esl_agent.core.numbering.metadata import area_codes, country_codes
from esl_agent.core.rating import US_PER_S, rate_leg
from esl_agent.core.tariff import Deck, Plan, Rate, price_call

PREFIXES: Final = 200_000
CALLS: Final = 300_000
ROUNDS: Final = 5

#: Where a Quebec reseller's customers call, in calls of a hundred; the rest goes abroad.
HOME_AREAS: Final = ("514", "438", "450", "579", "418", "581", "819", "873")
SHARE_HOME: Final = 55
SHARE_NORTH_AMERICA: Final = 30
SHARE_TOLL_FREE: Final = 4

Call = tuple[Number, Product, int | None]


def measure() -> dict[str, float]:
    """The figures, best of a few rounds, for the table of results."""
    randomly = random.Random(20260101)
    deck = Deck("bench", 1, "CAD", _rates(randomly))
    numbering = Numbering("CA", "514")
    dialled = [_number(randomly, deck) for _ in range(CALLS)]
    calls = [(numbering.parse(text), *_talk(randomly)) for text in dialled]
    plan = Plan("bench", "bench")
    return {
        "deck_prefixes": len(deck),
        "numbers_parsed_per_s": _best(lambda: _parse_all(numbering, dialled)),
        "ratings_per_s": _best(lambda: _rate_all(plan, deck, calls)),
    }


def _rate_all(plan: Plan, deck: Deck, calls: Sequence[Call]) -> None:
    for number, product, duration_us in calls:
        rate_leg(price_call(plan, deck, number, product), duration_us)


def _parse_all(numbering: Numbering, dialled: Sequence[str]) -> None:
    for text in dialled:
        numbering.parse(text)


def _best(work: Callable[[], None]) -> float:
    """Calls a second in the fastest round: what the machine can do when nobody disturbs it."""
    fastest_s = float("inf")
    for _ in range(ROUNDS):
        started = perf_counter()
        work()
        fastest_s = min(fastest_s, perf_counter() - started)
    return round(CALLS / fastest_s)


def _rates(randomly: random.Random) -> list[Rate]:
    """A deck of a wholesale carrier's shape: three in four prefixes are exchanges of North America."""
    areas, countries = list(area_codes()), [code for code, _ in country_codes() if code != "1"]
    prefixes = {"1" + area for area in areas} | set(countries)
    while len(prefixes) < PREFIXES * 3 // 4:
        prefixes.add(f"1{randomly.choice(areas)}{randomly.randrange(200, 1000)}")
    while len(prefixes) < PREFIXES:
        digits = randomly.choice((1, 2, 3, 4, 5, 5, 6))
        prefixes.add(f"{randomly.choice(countries)}{randomly.randrange(10**digits):0{digits}}")
    rates = [Decimal(randomly.randrange(1, 400_000)) / 1_000_000 for _ in range(3_000)]
    return [Rate(prefix, "", randomly.choice(rates)) for prefix in sorted(prefixes)]


def _number(randomly: random.Random, deck: Deck) -> str:
    share = randomly.randrange(100)
    if share < SHARE_HOME:
        return f"+1{randomly.choice(HOME_AREAS)}{randomly.randrange(2_000_000, 10_000_000)}"
    if share < SHARE_HOME + SHARE_NORTH_AMERICA:
        return f"+1{randomly.choice(list(area_codes()))}{randomly.randrange(2_000_000, 10_000_000)}"
    if share < SHARE_HOME + SHARE_NORTH_AMERICA + SHARE_TOLL_FREE:
        return f"+1800{randomly.randrange(2_000_000, 10_000_000)}"
    return (
        f"+{randomly.choice(('44', '33', '52', '91', '86', '509', '32'))}{randomly.randrange(10**8, 10**9)}"
    )


def _talk(randomly: random.Random) -> tuple[Product, int | None]:
    """Six in ten calls are answered, for three minutes on average; one in ten is forwarded."""
    product = Product.FORWARDING if randomly.random() < 0.1 else Product.TERMINATION
    answered = randomly.random() < 0.6
    return product, int(randomly.expovariate(1 / 180) * US_PER_S) if answered else None


if __name__ == "__main__":
    if "--profile" in sys.argv:
        cProfile.run("measure()", sort="tottime")
    for name, value in measure().items():
        print(f"{name:24} {value:>12,.0f}")
