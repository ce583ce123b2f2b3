"""What may stand in a dial string or a channel variable, checked piece by piece.

FreeSWITCH takes a dial string apart by `[ ] { } < > , | = ' \\ ^^` and `:_:`,
and everything once more by `${}` (switch_ivr_originate.c, `switch_ivr_originate`
and `switch_event_create_brackets`; switch_utils.c, `switch_separate_string`;
switch_channel.c, `switch_channel_expand_variables_check`).  Quotes protect
nothing: each level of splitting takes them off.  So no piece is ever quoted or
escaped; a piece that holds anything but what its kind may hold is refused.
"""

from __future__ import annotations

import re
from typing import Final

from esl_agent.errors import EslAgentError

_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_DIGITS: Final = re.compile(r"[0-9]{1,15}", re.ASCII)
_SENT_NUMBER: Final = re.compile(r"[0-9+*#]{1,32}", re.ASCII)
_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,62}[A-Za-z0-9])?", re.ASCII)


class TokenError(EslAgentError):
    """A piece that could mean something else to the switch; the message names it."""


def uuid(text: str) -> str:
    """A UUID in small letters, as we make them."""
    return _checked(_UUID, text, "a UUID")


def digits(text: str) -> str:
    """A number from the country code on, or a short code; 15 digits at most (E.164)."""
    return _checked(_DIGITS, text, "a number")


def sent_number(text: str) -> str:
    """A number as a carrier wants it: digits, with `+`, `*` and `#` of its prefix."""
    return _checked(_SENT_NUMBER, text, "a number to send to a carrier")


def name(text: str) -> str:
    """A name that the operator gave, as of a carrier."""
    return _checked(_NAME, text, "a name of letters, digits, dots, dashes and underscores")


def _checked(pattern: re.Pattern[str], text: str, what: str) -> str:
    if not pattern.fullmatch(text):
        raise TokenError(f"{text[:40]!r} is not {what}")
    return text
