"""Values that requests bring, as they are described to programs, and what is made of them here."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from decimal import Decimal
from http import HTTPStatus
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from esl_agent.core import money
from esl_agent.store.accounts import ACCOUNT_ID_MAX
from esl_agent.store.cdrs import to_us
from esl_agent.web.problems import ProblemError

#: The rows of a page, if nothing is said of it, and at the most.
PAGE_ROWS: Final = 50
PAGE_ROWS_MAX: Final = 200

#: The year 9999.
TIME_MAX_US: Final = 253_370_764_800_000_000
TimeUs = Annotated[int, Meta(ge=0, le=TIME_MAX_US)]
PlaceId = Annotated[int, Meta(ge=0, le=2**63 - 1)]
NoNul = Annotated[str, Meta(max_length=256, pattern=r"^[^\u0000]*$")]

_CONTROLS: Final = r"\u0000-\u001f\u007f-\u009f\u2028\u2029"

AccountId = Annotated[int, Meta(ge=1, le=ACCOUNT_ID_MAX, description="The account's number.")]
LegUuid = Annotated[str, Meta(min_length=1, max_length=256, description="The UUID of the billed leg.")]
Amount = Annotated[
    str,
    Meta(
        pattern=r"^[0-9]{1,14}(\.[0-9]{1,4})?$",
        examples=["25.00"],
        description="An amount in the account's currency, as text: never a binary float.",
    ),
]
Text = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=200,
        pattern=rf"^[^\s{_CONTROLS}][^{_CONTROLS}]*$",
        description="A line of text that begins with something visible.",
    ),
]
Dialled = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=64,
        examples=["+442079460000"],
        description="A number as one would dial it.",
    ),
]
Digits = Annotated[
    str,
    Meta(
        pattern=r"^\+?[0-9]{3,15}$",
        examples=["15145550199"],
        description="A whole number in international digits, of the caller or the called.",
    ),
]
Cursor = Annotated[
    str,
    Meta(max_length=600, description="`next_cursor` of the page before; without one, the first page."),
]
Limit = Annotated[int, Meta(ge=1, le=PAGE_ROWS_MAX, description="The rows of a page, at the most.")]
#: RFC 3339: with its offset from UTC.
Moment = Annotated[datetime, Meta(tz=True)]
Word = Annotated[str, Meta(pattern=r"^[A-Za-z_]{1,64}$")]


def to_cursor(key: object) -> str:
    """The place of a row, to be given back for the rows beyond it; nobody else's to read."""
    return urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def from_cursor(cursor: str | None, kind: Any) -> Any:
    """The place that it stands for, of type `kind`; raises ProblemError for one that is none of ours."""
    if cursor is None:
        return None
    try:
        return msgspec.json.decode(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)), type=kind)
    except (ValueError, RecursionError):
        raise ProblemError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "this is no cursor of this list",
            where="cursor",
            to_do="take next_cursor of the page before, or begin without one",
        ) from None


def to_amount(text: str, where: str) -> Decimal:
    """Raises ProblemError for what is too much."""
    try:
        return money.amount(text)
    except money.MoneyError as error:
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, str(error), where=where) from None


def to_digits(number: str | None) -> str | None:
    return None if number is None else number.removeprefix("+")


def moment_us(time: datetime | None) -> int | None:
    """Microseconds since 1970, and not beyond what can be reckoned with."""
    return None if time is None else min(max(to_us(time), 0), TIME_MAX_US)
