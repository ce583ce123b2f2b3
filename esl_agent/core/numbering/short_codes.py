"""Short codes and every way they are dialled; an emergency call has to be known in all of them."""

from __future__ import annotations

from esl_agent.core.numbering.metadata import NORTH_AMERICA, emergency_codes
from esl_agent.core.numbering.number import NumberClass
from esl_agent.core.numbering.places import US_TERRITORIES

#: Where 988 reaches the suicide crisis line (in Canada: CRTC 2022-234).
_CRISIS_COUNTRIES = US_TERRITORIES | {"CA", "US"}


def short_codes(home_country: str) -> dict[str, tuple[str, NumberClass]]:
    """What is dialled to the code and class it means: bare, after "+", and after "+1" or "1"."""
    is_north_american = home_country in NORTH_AMERICA
    codes = dict.fromkeys(emergency_codes(home_country), NumberClass.EMERGENCY)
    if is_north_american:
        codes |= {f"{digit}11": NumberClass.SERVICE for digit in range(2, 9)}
        codes |= {"911": NumberClass.EMERGENCY, "933": NumberClass.EMERGENCY}
    if home_country in _CRISIS_COUNTRIES:
        codes["988"] = NumberClass.CRISIS
    prefixes = ("", "+", "+1", "1") if is_north_american else ("", "+")
    return {
        prefix + code: (code, number_class) for code, number_class in codes.items() for prefix in prefixes
    }
