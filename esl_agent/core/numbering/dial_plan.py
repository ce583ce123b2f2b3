"""How a country writes numbers without "+": what is dialled at home, turned into E.164 digits."""

from __future__ import annotations

import re
from typing import Final, Protocol

from esl_agent.core.numbering.metadata import NORTH_AMERICA, Dialling, dialling
from esl_agent.core.numbering.number import NumberError, Reason
from esl_agent.errors import EslAgentError

_AREA_CODE: Final = re.compile(r"([2-9][0-9][0-9])?\Z")


class DialPlan(Protocol):
    def e164(self, digits: str) -> str:
        """E.164 digits of what was dialled without "+"; raises NumberError."""


def dial_plan(home_country: str, home_area: str) -> DialPlan:
    """The way numbers are dialled at home; raises EslAgentError where that is no country or no area."""
    if home_country not in NORTH_AMERICA:
        return NationalPrefix(dialling(home_country))
    if not _AREA_CODE.match(home_area):
        raise EslAgentError(f"home area {home_area!r} is no area code: give three digits, like 514, or none")
    return NorthAmerican(home_area)


class NorthAmerican:
    """011 or 00 and a country code; 1 and ten digits; ten digits; seven digits in the home area.

    310-XXXX is dialled in any area of Canada and belongs to each of them, so
    it is seven digits like the others.  Eleven digits and more that don't
    begin with 1 can only be a whole number with its "+" left out.
    """

    def __init__(self, home_area: str) -> None:
        self._home_area = home_area

    def e164(self, digits: str) -> str:
        if digits.startswith("011"):
            return digits[3:]
        if digits.startswith("00"):
            return digits[2:]
        if digits.startswith("0"):
            raise NumberError(Reason.NOT_A_NUMBER, f"{digits}: operator calls aren't offered")
        if len(digits) == 10:
            return "1" + digits
        if len(digits) == 7:
            return "1" + self._local(digits)
        if len(digits) < 10:
            raise NumberError(Reason.TOO_SHORT, f"{digits} has {len(digits)} digits: dial 10, or 011 abroad")
        return digits

    def _local(self, digits: str) -> str:
        if not self._home_area:
            raise NumberError(Reason.NO_AREA, f"{digits} lacks an area code, and no home area is set")
        if digits[0] in "01":
            raise NumberError(Reason.NOT_A_NUMBER, f"{digits}: local numbers begin with 2 to 9")
        return self._home_area + digits


class NationalPrefix:
    """The rest of the world: an international prefix, a national prefix (mostly 0), or neither.

    Without either, digits are a national number where the country dials no
    national prefix (Spain, Denmark), else a whole number with its "+" left out.
    """

    def __init__(self, home: Dialling) -> None:
        self._home = home
        self._international = re.compile(f"00|{home.international_prefix}")

    def e164(self, digits: str) -> str:
        international = self._international.match(digits)
        if international:
            return digits[international.end() :]
        home = self._home
        if home.national_prefix:
            if digits.startswith(home.national_prefix):
                return home.country_code + digits.removeprefix(home.national_prefix)
        elif len(digits) in home.national_lengths:
            return home.country_code + digits
        return digits
