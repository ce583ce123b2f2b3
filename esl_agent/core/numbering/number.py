"""What a dialled number turned out to be, or why it can't be called."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from esl_agent.errors import EslAgentError


class NumberClass(StrEnum):
    """What kind of destination a number is; plans, blocks and increments go by it."""

    EMERGENCY = "emergency"  # 911, the test line 933, and 112 as mobiles dial it
    CRISIS = "crisis"  # 988
    SERVICE = "service"  # the other N11 codes
    TOLL_FREE = "toll_free"  # the +1 codes in service: 800 833 844 855 866 877 888
    PREMIUM = "premium"
    SATELLITE = "satellite"  # also the international networks +882 and +883
    PERSONAL = "personal"  # belongs to a person or a machine, not to a place
    DOMESTIC = "domestic"  # the operator's home country
    US = "us"  # only where home is not the United States
    US_TERRITORY = "us_territory"  # PR, VI, GU, AS, MP
    MEXICO = "mexico"
    WORLD = "world"  # everything else, the Caribbean +1 countries included


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it was dialled and as it is rated.

    To read a normalised number again, parse "+" and its digits: without the
    sign ten digits of Norway are ten digits of home.
    """

    dialled: str
    digits: str  # E.164 without "+", or the short code ("911")
    country: str  # ISO 3166 alpha-2; "" where the number belongs to none
    number_class: NumberClass


class Reason(StrEnum):
    """Why a number can't be called; the words stand in logs and on refused CDRs."""

    EMPTY = "empty"
    NOT_A_NUMBER = "not_a_number"
    FEATURE_CODE = "feature_code"
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    NO_AREA = "no_area"
    NO_SUCH_AREA = "no_such_area"
    NO_SUCH_COUNTRY = "no_such_country"


class NumberError(EslAgentError):
    """Text that can't be called."""

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(text)
        self.reason = reason
