"""Rate decks, plans, and the price of a call: longest prefix, effective dates, class defaults."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from esl_agent.core.leg import Product
from esl_agent.core.money import ZERO
from esl_agent.core.numbering.number import Number, NumberClass
from esl_agent.core.prefix_map import PrefixMap
from esl_agent.core.price import Increment, Price
from esl_agent.errors import EslAgentError

#: E.164 has at most 15 digits; a longer prefix could never match.
PREFIX_DIGITS_MAX: Final = 15
#: The longest minimum or step a rate may have; an hour is already a day pass, not an increment.
INCREMENT_S_MAX: Final = 3_600
#: Prices a deck remembers before it starts afresh (about 400 bytes each).
PRICES_REMEMBERED_MAX: Final = 50_000

#: Terms 3: Mexico a minute at a time, everywhere else 6/6.
DEFAULT_INCREMENT: Final = Increment(6, 6)
DEFAULT_INCREMENTS: Final[Mapping[NumberClass, Increment]] = MappingProxyType(
    {NumberClass.MEXICO: Increment(60, 60)}
)
#: Terms 4: call forwarding, per minute.
DEFAULT_FORWARDING_RATE: Final = Decimal("0.015000")

#: Terms 13: these are never metered, whatever a deck or a plan says.
NEVER_CHARGED: Final = frozenset({NumberClass.EMERGENCY, NumberClass.CRISIS})

_ZERO_RATE: Final = Decimal("0.000000")

# Named here for the hot path: to name a member of an enum costs 0.1 µs in Python 3.11.
_INBOUND: Final = Product.INBOUND
_SERVICE: Final = NumberClass.SERVICE
_TOLL_FREE: Final = NumberClass.TOLL_FREE


class NoRate(EslAgentError):
    """No prefix of the deck matches: the call has no price, so it can't be sold."""


@dataclass(frozen=True, slots=True)
class Rate:
    """One row of a deck.  `minimum_s` and `step_s` are None where the class default holds.

    Rows come through `deck_file` or the database, which both hold the limits:
    prefix of 1 to 15 digits, nothing negative, a step of at least one second.
    """

    prefix: str
    destination: str
    rate_per_minute: Decimal
    minimum_s: int | None = None
    step_s: int | None = None
    connection_fee: Decimal = ZERO


class Deck(PrefixMap[Rate]):
    """One immutable version of a rate deck; `find(digits)` gives the rate of the longest prefix."""

    def __init__(self, name: str, version: int, currency: str, rates: Iterable[Rate]) -> None:
        super().__init__({rate.prefix: rate for rate in rates})
        self.name = name
        self.version = version
        self.currency = currency
        self._prices: dict[tuple[int, NumberClass, Product], tuple[Plan, dict[str, Price]]] = {}
        self._prices_remembered = 0

    def price(self, plan: Plan, rate: Rate, number_class: NumberClass, product: Product) -> Price:
        """What `rate`, one of this deck's own, comes to under `plan`; remembered, for calls repeat prefixes.

        A plan is known by its identity, which is cheap; the entry holds the
        plan, so that its id can't come to mean another while the entry lives.
        """
        key = (id(plan), number_class, product)
        remembered = self._prices.get(key)
        if remembered is not None:
            price = remembered[1].get(rate.prefix)
            if price is not None:
                return price
        price = _price_of_rate(plan, rate, number_class, product, self)
        self._remember(key, plan, price)
        return price

    def _remember(self, key: tuple[int, NumberClass, Product], plan: Plan, price: Price) -> None:
        if self._prices_remembered >= PRICES_REMEMBERED_MAX:
            self._prices.clear()
            self._prices_remembered = 0
        self._prices.setdefault(key, (plan, {}))[1][price.prefix] = price
        self._prices_remembered += 1


class DeckHistory:
    """The versions of one deck with the time (microseconds since 1970) each takes effect."""

    def __init__(self, versions: Iterable[tuple[int, Deck]]) -> None:
        self._versions = sorted(versions, key=lambda entry: (entry[0], entry[1].version))
        self._effective_from_us = [effective_from_us for effective_from_us, _ in self._versions]

    def at(self, now_us: int) -> Deck | None:
        """The version in effect: the latest start, then the highest version; None before the first."""
        index = bisect_right(self._effective_from_us, now_us)
        return self._versions[index - 1][1] if index else None

    def decks(self) -> tuple[Deck, ...]:
        """Every version, in the order in which they take effect."""
        return tuple(deck for _, deck in self._versions)

    def next_change_us(self, now_us: int) -> int | None:
        """When the deck changes next after `now_us`, or None."""
        index = bisect_right(self._effective_from_us, now_us)
        return self._effective_from_us[index] if index < len(self._versions) else None


@dataclass(frozen=True, slots=True)
class Plan:
    """What an account pays: a deck's name and the terms around it.

    `increments` need name only the classes that differ from Mexico 60/60 and 6/6 elsewhere.
    """

    name: str
    deck: str
    increments: Mapping[NumberClass, Increment] = field(default_factory=lambda: DEFAULT_INCREMENTS)
    forwarding_surcharge: bool = True
    forwarding_rate_per_minute: Decimal = DEFAULT_FORWARDING_RATE
    free_toll_free: bool = True
    inbound_rate_per_minute: Decimal = _ZERO_RATE
    grace_ms: int = 0

    def increment(self, number_class: NumberClass) -> Increment:
        """How talk to this class is counted where the rate itself doesn't say."""
        default = DEFAULT_INCREMENTS.get(number_class, DEFAULT_INCREMENT)
        return self.increments.get(number_class, default)


def price_call(
    plan: Plan,
    deck: Deck | None,
    number: Number,
    product: Product,
    *,
    rate_override: Decimal | None = None,
) -> Price:
    """What a call to `number` costs under `plan`; raises NoRate where no prefix matches.

    Emergency and crisis calls are free whatever a deck says, and so is
    toll-free under the option (terms 5, 13).  `rate_override` stands in for
    the deck's rate per minute, and for the whole row where there is none.
    """
    number_class = number.number_class
    if product is _INBOUND:
        return _flat_price(plan, number, product, plan.inbound_rate_per_minute)
    if number_class in NEVER_CHARGED or (number_class is _TOLL_FREE and plan.free_toll_free):
        return _flat_price(plan, number, product, _ZERO_RATE)
    rate = _find(deck, number) if deck is not None else None
    if rate_override is not None:
        row = rate or Rate("", "", rate_override)
        changed = Rate(
            row.prefix, row.destination, rate_override, row.minimum_s, row.step_s, row.connection_fee
        )
        return _price_of_rate(plan, changed, number_class, product, deck)
    if deck is None or rate is None:
        raise NoRate(
            f"{_where(plan, deck)} has no rate for {number.digits} ({number.number_class}"
            f"{', ' + number.country if number.country else ''}): add its prefix, or block the destination"
        )
    return deck.price(plan, rate, number_class, product)


def _where(plan: Plan, deck: Deck | None) -> str:
    if deck is None:
        return f"plan {plan.name!r}"
    return f"deck {deck.name!r} version {deck.version}" if deck.version else f"deck {deck.name!r}"


def _find(deck: Deck, number: Number) -> Rate | None:
    """N11 codes stand in a deck as 1411, and match nothing shorter: a bare 411 would be Swiss."""
    if number.number_class is _SERVICE:
        return deck.find_exact("1" + number.digits)
    return deck.find(number.digits)


def _price_of_rate(
    plan: Plan, rate: Rate, number_class: NumberClass, product: Product, deck: Deck | None
) -> Price:
    default = plan.increment(number_class)
    return Price(
        deck=deck.name if deck is not None else "",
        deck_version=deck.version if deck is not None else 0,
        prefix=rate.prefix,
        destination=rate.destination,
        rate_per_minute=rate.rate_per_minute,
        minimum_s=default.minimum_s if rate.minimum_s is None else rate.minimum_s,
        step_s=default.step_s if rate.step_s is None else rate.step_s,
        connection_fee=rate.connection_fee,
        forwarding_rate_per_minute=_forwarding_rate(plan, number_class, product),
        grace_ms=plan.grace_ms,
        is_free=False,
    )


def _flat_price(plan: Plan, number: Number, product: Product, rate_per_minute: Decimal) -> Price:
    """A price from no deck: free classes, and calls to a customer's own DID."""
    increment = plan.increment(number.number_class)
    forwarding_rate = _forwarding_rate(plan, number.number_class, product)
    return Price(
        deck="",
        deck_version=0,
        prefix="",
        destination=number.number_class.replace("_", " "),
        rate_per_minute=rate_per_minute,
        minimum_s=increment.minimum_s,
        step_s=increment.step_s,
        connection_fee=ZERO,
        forwarding_rate_per_minute=forwarding_rate,
        grace_ms=plan.grace_ms,
        is_free=not rate_per_minute and not forwarding_rate,
    )


def _forwarding_rate(plan: Plan, number_class: NumberClass, product: Product) -> Decimal:
    """Terms 4: only where the call really is forwarded, and never on an emergency or crisis call.

    A forwarded toll-free call has a free destination and a surcharge all the same.
    """
    if product is not Product.FORWARDING or not plan.forwarding_surcharge or number_class in NEVER_CHARGED:
        return _ZERO_RATE
    return plan.forwarding_rate_per_minute
