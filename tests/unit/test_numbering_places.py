"""The table of prefixes, held against phonenumbers; and the override file."""

from __future__ import annotations

import random
from collections import Counter

import phonenumbers
import pytest
from phonenumbers import PhoneMetadata, PhoneNumberType

from esl_agent.core.numbering import NumberClass, Numbering, OverrideError, parse_overrides
from esl_agent.core.numbering.metadata import area_codes
from esl_agent.core.numbering.overrides import OVERRIDES_MAX, shipped_overrides
from esl_agent.core.numbering.places import US_TERRITORIES

HEADER = "prefix,country,class,note\n"
SAMPLES_PER_PREFIX = 300


def test_every_area_code_is_placed_once() -> None:
    codes = area_codes()
    assert len(codes) > 430
    countries = Counter(codes.values())
    assert countries["US"] > 350
    assert countries["CA"] > 50
    assert countries.keys() >= US_TERRITORIES
    assert len(countries) == 25


def test_valid_numbers_are_placed_where_phonenumbers_places_them() -> None:
    numbering = Numbering("CA", "514")
    for region in phonenumbers.SUPPORTED_REGIONS:
        metadata = PhoneMetadata.metadata_for_region(region)
        example = metadata.fixed_line.example_number if metadata and metadata.fixed_line else None
        if not example or metadata is None:
            continue
        country = numbering.parse(f"+{metadata.country_code}{example}").country
        # Saint Barthélemy and Saint Martin share Guadeloupe's numbers to the last digit.
        assert country == {"BL": "GP", "MF": "GP"}.get(region, region)


def test_a_shipped_code_hides_no_area_code() -> None:
    shipped = {override.prefix for override in shipped_overrides()}
    assert not shipped & {"1" + area for area in area_codes()}


def premium_overrides() -> list[str]:
    return [
        override.prefix
        for override in shipped_overrides()
        if override.number_class is NumberClass.PREMIUM and override.country
    ]


@pytest.mark.parametrize("prefix", premium_overrides())
def test_a_premium_prefix_holds_premium_numbers_and_no_others(prefix: str) -> None:
    override = next(override for override in shipped_overrides() if override.prefix == prefix)
    metadata = PhoneMetadata.metadata_for_region(override.country)
    assert metadata is not None
    assert metadata.general_desc is not None
    national = prefix.removeprefix(str(metadata.country_code))
    randomly = random.Random(prefix)
    kinds: Counter[int] = Counter()
    for _ in range(SAMPLES_PER_PREFIX):
        length = randomly.choice([n for n in metadata.general_desc.possible_length if n > len(national)])
        rest = "".join(randomly.choices("0123456789", k=length - len(national)))
        number = phonenumbers.PhoneNumber(metadata.country_code, int(national + rest))
        kinds[phonenumbers.number_type(number)] += 1
    kinds.pop(PhoneNumberType.UNKNOWN, None)
    assert set(kinds) == {PhoneNumberType.PREMIUM_RATE}


def test_an_operators_override_is_laid_over_the_table() -> None:
    overrides = parse_overrides(
        "# ours\n\n" + HEADER + "1238,CA,,a new area code\n18,,premium,\n1514,CA,personal,\n90,TR,premium,\n"
    )
    numbering = Numbering("CA", "514", overrides)
    assert numbering.parse("+12382345678").number_class is NumberClass.DOMESTIC
    assert numbering.parse("+15148761234").number_class is NumberClass.PERSONAL
    assert numbering.parse("+18222345678").number_class is NumberClass.PREMIUM
    assert numbering.parse("+18002345678").number_class is NumberClass.TOLL_FREE
    assert numbering.parse("+902121234567").number_class is NumberClass.PREMIUM


def test_every_bad_line_is_told() -> None:
    with pytest.raises(OverrideError) as caught:
        parse_overrides(
            HEADER + "0044,GB,,\n44,England,,\n44,GB,cheap,\n44,,,\n44,GB,emergency,\n45,DK,,fine\n"
        )
    assert [problem.split(":")[0] for problem in caught.value.problems] == [f"line {n}" for n in range(2, 7)]


@pytest.mark.parametrize("text", ["", "prefix;country\n", HEADER + "44,GB,,\n" * (OVERRIDES_MAX + 1)])
def test_a_file_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(OverrideError):
        parse_overrides(text)
