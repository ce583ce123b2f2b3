"""Which country and class a prefix belongs to, built once from the numbering metadata and overrides.

A number of the +1 countries is placed by its area code alone: phonenumbers'
own answer takes every toll-free number for a US one and refuses real Caribbean
ones, and costs a hundred times as much for each call.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from esl_agent.core.numbering.metadata import area_codes, country_codes
from esl_agent.core.numbering.number import NumberClass
from esl_agent.core.numbering.overrides import Override, shipped_overrides
from esl_agent.core.prefix_map import PrefixMap

US_TERRITORIES: Final = frozenset({"AS", "GU", "MP", "PR", "VI"})

#: Exchanges of premium rate in every area code of these two countries; in Jamaica 976 is a plain one.
_PREMIUM_EXCHANGE: Final = "976"
_PREMIUM_EXCHANGE_COUNTRIES: Final = frozenset({"CA", "US"})


class Place(NamedTuple):
    """Where numbers with one prefix belong."""

    country: str
    number_class: NumberClass


def places(home_country: str, overrides: Iterable[Override]) -> PrefixMap[Place]:
    """The place of every prefix, seen from `home_country`; the shipped overrides are laid under the given."""
    table = {code: Place(country, class_of(country, home_country)) for code, country in country_codes()}
    # An area code that nobody has heard of is no place yet: never taken for the United States.
    table["1"] = Place("", NumberClass.WORLD)
    for area, country in area_codes().items():
        table["1" + area] = Place(country, class_of(country, home_country))
        if country in _PREMIUM_EXCHANGE_COUNTRIES:
            table["1" + area + _PREMIUM_EXCHANGE] = Place(country, NumberClass.PREMIUM)
    for override in (*shipped_overrides(), *overrides):
        number_class = override.number_class or class_of(override.country, home_country)
        table[override.prefix] = Place(override.country, number_class)
    return PrefixMap(table)


def class_of(country: str, home_country: str) -> NumberClass:
    """The class of an ordinary number of `country`.

    Where home is the United States there is no class `us`, and Canada is
    world: the clause that sets the two apart is a Canadian operator's.
    """
    if country == home_country:
        return NumberClass.DOMESTIC
    if country == "US":
        return NumberClass.US
    if country in US_TERRITORIES:
        return NumberClass.US_TERRITORY
    return NumberClass.MEXICO if country == "MX" else NumberClass.WORLD
