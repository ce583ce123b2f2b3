"""Dial strings as customers send them, read the same way for a quote, a call and a CDR."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from esl_agent.core.numbering.dial_plan import dial_plan
from esl_agent.core.numbering.number import Number, NumberError, Reason
from esl_agent.core.numbering.overrides import Override
from esl_agent.core.numbering.places import places
from esl_agent.core.numbering.short_codes import short_codes

#: A SIP address longer than this is no telephone number.
DIALLED_CHARACTERS_MAX: Final = 256
#: E.164: country code and number together.
E164_DIGITS_MAX: Final = 15
#: The shortest numbers in use, country code included (Niue, Saint Helena).
E164_DIGITS_MIN: Final = 7

_SHOWN_CHARACTERS_MAX: Final = 40
_SCHEME: Final = re.compile(r"(?:sips?|tel):(?://)?", re.IGNORECASE)
_SEPARATORS: Final = str.maketrans("", "", "()-. \t")
#: Hide or show the caller's number: a matter of the phone, not of where the call goes.
_CALLER_ID_CODES: Final = ("*67", "*82")


class Numbering:
    """Reads dialled numbers as a customer of one operator means them.

    `home_country` is an ISO 3166 code, `home_area` the area code that seven
    digits belong to ("" for none); `overrides` are the operator's own, laid
    over those that come with the package.  Raises EslAgentError where home
    is no country or no area.
    """

    def __init__(
        self, home_country: str = "CA", home_area: str = "514", overrides: Iterable[Override] = ()
    ) -> None:
        self._home_country = home_country
        self._dial_plan = dial_plan(home_country, home_area)
        self._short_codes = short_codes(home_country)
        self._place_of = places(home_country, overrides).find

    def parse(self, dialled: str) -> Number:
        """What `dialled` is; raises NumberError and nothing else, whatever the text."""
        if len(dialled) > DIALLED_CHARACTERS_MAX:
            raise NumberError(
                Reason.TOO_LONG, f"{_shown(dialled)} is over {DIALLED_CHARACTERS_MAX} characters"
            )
        text = dialled if _is_digits(dialled.removeprefix("+")) else _without_trimmings(dialled)
        short = self._short_codes.get(text)
        if short is not None:
            code, number_class = short
            return Number(dialled, code, self._home_country, number_class)
        return self._international(dialled, text[1:] if text[0] == "+" else self._dial_plan.e164(text))

    def _international(self, dialled: str, digits: str) -> Number:
        """The number of whole E.164 digits."""
        if len(digits) == 13 and digits.startswith("521"):
            # Mexico's mobiles lost their 1 in 2019 and are dialled with it still; one number, one prefix.
            digits = "52" + digits[3:]
        place = self._place_of(digits)
        if place is None:
            raise NumberError(Reason.NO_SUCH_COUNTRY, f"{_shown(dialled)} begins with no country code in use")
        if digits[0] == "1":
            _check_north_american(dialled, digits)
        elif not E164_DIGITS_MIN <= len(digits) <= E164_DIGITS_MAX:
            raise _wrong_length(dialled, digits, f"{E164_DIGITS_MIN} to {E164_DIGITS_MAX}", E164_DIGITS_MIN)
        return Number(dialled, digits, place.country, place.number_class)


def _without_trimmings(dialled: str) -> str:
    """Digits with or without "+": no scheme, host, parameters, separators or caller-ID code."""
    text = _SCHEME.sub("", dialled.strip().strip("<>"), count=1)
    text = text.partition("@")[0].partition(";")[0].replace("%2B", "+").translate(_SEPARATORS)
    if text.startswith(_CALLER_ID_CODES):
        text = text[3:]
    text = text.removesuffix("#")
    if not text:
        raise NumberError(Reason.EMPTY, "no number was dialled")
    if _is_digits(text.removeprefix("+")):
        return text
    if text[0] in "*#":
        raise NumberError(Reason.FEATURE_CODE, f"{_shown(dialled)} is a feature code, not a number")
    raise NumberError(Reason.NOT_A_NUMBER, f"{_shown(dialled)} isn't a telephone number")


def _check_north_american(dialled: str, digits: str) -> None:
    if len(digits) != 11:
        raise _wrong_length(dialled, digits, "11", 11)
    if digits[1] in "01":
        raise NumberError(
            Reason.NO_SUCH_AREA, f"{_shown(dialled)}: area codes begin with 2 to 9, not {digits[1]}"
        )


def _wrong_length(dialled: str, digits: str, right: str, least: int) -> NumberError:
    reason = Reason.TOO_SHORT if len(digits) < least else Reason.TOO_LONG
    return NumberError(
        reason, f"{_shown(dialled)} has {len(digits)} digits with its country code, where {right} are right"
    )


def _is_digits(text: str) -> bool:
    return text.isdecimal() and text.isascii()


def _shown(dialled: str) -> str:
    return repr(dialled if len(dialled) <= _SHOWN_CHARACTERS_MAX else dialled[:_SHOWN_CHARACTERS_MAX] + "…")
