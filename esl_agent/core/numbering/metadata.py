"""The facts taken from phonenumbers' metadata; the rest of the package knows only these."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Final, NamedTuple

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, SUPPORTED_REGIONS, PhoneMetadata
from phonenumbers.phonemetadata import PhoneNumberDesc

from esl_agent.errors import EslAgentError

#: The countries behind country code 1.
NORTH_AMERICA: Final = frozenset(COUNTRY_CODE_TO_REGION_CODE[1])

#: The metadata's word for codes that are no country's.
_NO_REGION: Final = "001"
#: Seven digits that are a number in every area code, to try patterns with.
_LOCAL_NUMBER: Final = "2345678"
_EMERGENCY_DIGITS_MAX: Final = 4


class Dialling(NamedTuple):
    """How a country dials without "+"."""

    country_code: str
    international_prefix: str  # a regular expression
    national_prefix: str  # "" where there is none
    national_lengths: frozenset[int]


def dialling(country: str) -> Dialling:
    """How `country`, an ISO code, dials; raises EslAgentError where there is no such country."""
    metadata = _metadata(country)
    lengths = metadata.general_desc.possible_length if metadata.general_desc else ()
    return Dialling(
        country_code=str(metadata.country_code),
        international_prefix=metadata.international_prefix or "00",
        national_prefix=metadata.national_prefix or "",
        national_lengths=frozenset(lengths),
    )


def country_codes() -> Iterator[tuple[str, str]]:
    """Each country code and its main country; "" for codes that are no country's."""
    for code, regions in COUNTRY_CODE_TO_REGION_CODE.items():
        yield str(code), "" if regions[0] == _NO_REGION else regions[0]


@cache
def area_codes() -> dict[str, str]:
    """Each geographic area code of country code 1, and its country."""
    codes = {}
    for region in sorted(NORTH_AMERICA):
        metadata = _metadata(region)
        leading = re.compile(metadata.leading_digits) if metadata.leading_digits else None
        numbers = _pattern(metadata.fixed_line)
        for area in map(str, range(200, 1000)):
            if leading.fullmatch(area) if leading else numbers.fullmatch(area + _LOCAL_NUMBER):
                codes[area] = region
    return codes


def emergency_codes(country: str) -> Iterator[str]:
    """What reaches help in a country: 112 and 911 in Canada, 112 and 999 in Britain."""
    metadata = PhoneMetadata.short_metadata_for_region(country)
    pattern = _pattern(metadata.emergency if metadata else None)
    for digits in range(2, _EMERGENCY_DIGITS_MAX + 1):
        for code in range(10**digits):
            text = f"{code:0{digits}}"
            if pattern.fullmatch(text):
                yield text


def _metadata(region: str) -> PhoneMetadata:
    metadata = PhoneMetadata.metadata_for_region(region) if region in SUPPORTED_REGIONS else None
    if metadata is None:
        raise EslAgentError(f"country {region!r} is none: give two capital letters, like CA")
    return metadata


def _pattern(desc: PhoneNumberDesc | None) -> re.Pattern[str]:
    """The pattern of a kind of numbers; one that matches nothing where there are none."""
    return re.compile((desc.national_number_pattern if desc else None) or r"(?!)")
