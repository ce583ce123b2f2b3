"""Types of arguments that several commands take; what is typed wrong is told before anything is done."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final

import click

from esl_agent.core import money
from esl_agent.store.accounts import ACCOUNT_ID_MAX

#: Names of plans and decks, and reasons and references that people give.
TEXT_CHARACTERS_MAX: Final = 200

DURATION_MAX_S: Final = 10 * 366 * 86_400
_DURATION: Final = re.compile(r"([0-9]{1,9})([smhd])", re.ASCII)
_UNIT_S: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


class AccountId(click.ParamType):  # type: ignore[type-arg]  # generic only in newer versions of click
    """An account's number, as accountcode in FreeSWITCH."""

    name = "account"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        text = str(value)
        if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= ACCOUNT_ID_MAX):
            self.fail(f"{text!r} isn't an account's number, 1 to {ACCOUNT_ID_MAX}", param, ctx)
        return int(text)


ACCOUNT_ID: Final = AccountId()


def amount(value: str | Decimal) -> Decimal:
    """An amount of money, zero or more."""
    try:
        return _not_negative(money.amount(value))
    except money.MoneyError as error:
        raise click.BadParameter(str(error)) from None


def rate(value: str | Decimal) -> Decimal:
    """A rate per minute, zero or more."""
    try:
        return _not_negative(money.rate(value))
    except money.MoneyError as error:
        raise click.BadParameter(str(error)) from None


def time(value: str | datetime) -> datetime:
    """2026-03-01, or 2026-03-01T12:30 with or without an offset; UTC where none is given."""
    try:
        read = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} isn't a time written 2026-03-01 or 2026-03-01T12:30") from None
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)


def day(value: str | date) -> date:
    """2026-03-01."""
    try:
        return value if isinstance(value, date) else date.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} isn't a day written 2026-03-01") from None


def duration(value: str | int) -> int:
    """45s, 30m, 2h or 7d, in seconds."""
    if isinstance(value, int):
        return value
    match = _DURATION.fullmatch(value)
    lasts_s = int(match[1]) * _UNIT_S[match[2]] if match else 0
    if not 0 < lasts_s <= DURATION_MAX_S:
        raise click.BadParameter(f"{value!r} isn't a time written 45s, 30m, 2h or 7d, of ten years at most")
    return lasts_s


def text(value: str) -> str:
    """A line of text that says something."""
    line = value.strip()
    if not line or len(line) > TEXT_CHARACTERS_MAX or not line.isprintable():
        raise click.BadParameter(f"1 to {TEXT_CHARACTERS_MAX} printable characters are wanted")
    return line


def currency(value: str) -> str:
    """A currency's three letters."""
    if not (len(value) == 3 and value.isascii() and value.isalpha() and value.isupper()):
        raise click.BadParameter(f"{value!r} isn't three capital letters like CAD")
    return value


def _not_negative(value: Decimal) -> Decimal:
    if value < 0:
        raise click.BadParameter(f"{value} is below zero")
    return value
