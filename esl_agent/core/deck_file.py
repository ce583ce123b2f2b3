"""A rate deck as carriers send it: CSV turned into rates, with every bad line told.

Nothing is guessed where a wrong guess would cost money: a prefix is digits, a
date is YYYY-MM-DD, a rate has at most 6 decimals.  What is harmless is taken:
a byte order mark, `,` `;` tab or `|` between the cells, a decimal comma where
the comma isn't the delimiter, a currency sign, columns nobody asked for.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final, NamedTuple, TypeVar

from esl_agent.core import money
from esl_agent.core.tariff import INCREMENT_S_MAX, PREFIX_DIGITS_MAX, Rate

#: Bad lines told in full; beyond it they are only counted.
ERRORS_TOLD_MAX: Final = 50
#: Rows read from one file.
ROWS_MAX: Final = 2_000_000
DESTINATION_CHARACTERS_MAX: Final = 200
#: A number, a prefix or a date that takes more than this is none.
_CELL_CHARACTERS_MAX: Final = 40
#: Different texts remembered per column, for decks repeat the same few rates and destinations.
_MEMO_MAX: Final = 100_000

_DELIMITERS: Final = ",;\t|"
_CURRENCY_SIGNS: Final = "$€£"
_CURRENCY_CODE: Final = re.compile(r" (cad|usd|eur|gbp)$")

#: Each field and the header names it goes by, the most telling first.  Compared in lower case,
#: every run of other characters as one space, without a currency at the end: "Rate/Min (CAD)" is "rate min".
_HEADER_NAMES: Final = {
    "prefix": "prefix, dial prefix, dial code, dialcode, dialing code, dialling code, code",
    "destination": "destination, destination name, description, name, country",
    "rate": "rate per minute, rate per min, rate min, price per minute, price per min, price min, "
    "cost per minute, rate, price, cost",
    "minimum": "minimum, minimum s, minimum seconds, minimum duration, min, initial, initial increment, "
    "initial interval, first increment, interval 1",
    "step": "step, step s, step seconds, increment, increments, increment s, billing increment, "
    "billing increments, billing, sub, subsequent, subsequent increment, next increment, interval n",
    "connection fee": "connection fee, connect fee, connection charge, setup fee, setup",
    "effective date": "effective date, effective from, effective, valid from, start date",
}
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}\Z", re.ASCII)
_REQUIRED: Final = ("prefix", "rate")


@dataclass(frozen=True, slots=True)
class DeckRow:
    """One rate, and the day it takes effect where the file says so."""

    rate: Rate
    effective_date: date | None


class DeckError(NamedTuple):
    """What is wrong with one line; a file's first line is number 1."""

    line_number: int
    text: str


@dataclass(frozen=True, slots=True)
class ParsedDeck:
    """The good rows, and the bad lines: the first ones told, all of them counted."""

    rows: list[DeckRow]
    errors: list[DeckError]
    error_count: int

    def rates_on(self, day: date) -> list[Rate]:
        """The rates in effect on `day`: those without a date, under the dated ones that have begun."""
        begun = [row for row in self.rows if row.effective_date is None or row.effective_date <= day]
        begun.sort(key=lambda row: row.effective_date or date.min)
        return list({row.rate.prefix: row.rate for row in begun}.values())


class _BadLine(Exception):
    """A line that can't be taken; its text becomes a DeckError."""


def parse_deck(lines: Iterable[str], *, error_limit: int = ERRORS_TOLD_MAX) -> ParsedDeck:
    """Read a whole deck from its lines, header first.  Never raises for what a file holds.

    A prefix may stand once, or once for each effective date.
    """
    iterator = iter(lines)
    header_number, header = _first_line(iterator)
    delimiter = max(_DELIMITERS, key=header.count)
    rows: list[DeckRow] = []
    errors = _Errors(error_limit)
    line_of: dict[object, int] = {}
    reader = csv.reader(iterator, delimiter=delimiter, strict=True)
    try:
        parser = _RowParser(_cells(header, delimiter), decimal_comma=delimiter != ",")
        for cells in reader:
            number = header_number + reader.line_num
            try:
                row = parser.row(cells)
            except _BadLine as bad:
                errors.add(number, str(bad))
                continue
            if row is None:
                continue
            prefix = row.rate.prefix
            first = line_of.setdefault((prefix, row.effective_date) if row.effective_date else prefix, number)
            if first != number:
                errors.add(number, f"prefix {prefix} stands on line {first} already")
            rows.append(row)
            if len(rows) > ROWS_MAX:
                raise _BadLine(f"more than {ROWS_MAX} rows: split the file")
    except (csv.Error, _BadLine) as bad:
        errors.add(header_number + reader.line_num, str(bad))
    return ParsedDeck(rows, errors.told, errors.count)


class _Errors:
    def __init__(self, limit: int) -> None:
        self.told: list[DeckError] = []
        self.count = 0
        self._limit = limit

    def add(self, line_number: int, text: str) -> None:
        self.count += 1
        if len(self.told) < self._limit:
            self.told.append(DeckError(line_number, text))


class _RowParser:
    """Turns the cells of one line into a row, by the columns that the header names."""

    def __init__(self, header: Sequence[str], *, decimal_comma: bool) -> None:
        columns = _columns(header)
        self._width = len(header)
        # A column that isn't there reads the empty cell that `row` adds at the end.
        self._prefix = columns["prefix"]
        self._destination = columns.get("destination", -1)
        self._rate = columns["rate"]
        self._minimum = columns.get("minimum", -1)
        self._step = columns.get("step", -1)
        self._connection_fee = columns.get("connection fee", -1)
        self._effective_date = columns.get("effective date", -1)
        self._destinations = _Memo(_destination)
        self._rates = _Memo(lambda text: _money(money.rate, text, decimal_comma))
        self._minimums = _Memo(_minimum)
        self._steps = _Memo(_step)
        self._connection_fees = _Memo(lambda text: _money(money.amount, text or "0", decimal_comma))
        self._dates = _Memo(_date)

    def row(self, cells: list[str]) -> DeckRow | None:
        """The row, or None for a blank line; raises _BadLine."""
        if len(cells) != self._width or not _is_prefix(cells[self._prefix]):
            if not any(map(str.strip, cells)):
                return None
            if len(cells) != self._width:
                # Also how a decimal comma shows where commas divide the cells.
                raise _BadLine(f"{len(cells)} cells, where the header has {self._width}")
            cells[self._prefix] = _prefix(cells[self._prefix])
        cells.append("")
        minimum_s = self._minimums[cells[self._minimum]]
        first_s, step_s = self._steps[cells[self._step]]
        if first_s is not None:
            if minimum_s not in (None, first_s):
                raise _BadLine(f"minimum is {minimum_s} in one column and {first_s} in another")
            minimum_s = first_s
        rate = Rate(
            cells[self._prefix],
            self._destinations[cells[self._destination]],
            self._rates[cells[self._rate]],
            minimum_s,
            step_s,
            self._connection_fees[cells[self._connection_fee]],
        )
        return DeckRow(rate, self._dates[cells[self._effective_date]])


_Value = TypeVar("_Value")


class _Memo(dict[str, _Value]):
    """What each text of a column means, worked out once."""

    def __init__(self, meaning: Callable[[str], _Value]) -> None:
        self._meaning = meaning

    def __missing__(self, text: str) -> _Value:
        if len(self) >= _MEMO_MAX:
            self.clear()
        value = self[text] = self._meaning(text.strip())
        return value


def _first_line(lines: Iterator[str]) -> tuple[int, str]:
    """The number and text of the first line that isn't blank; (1, "") where there is none."""
    for number, line in enumerate(lines, 1):
        text = line.removeprefix("\ufeff") if number == 1 else line
        if text.strip():
            return number, text
    return 1, ""


def _cells(line: str, delimiter: str) -> list[str]:
    return next(csv.reader([line], delimiter=delimiter, strict=True), [])


def _columns(header: Sequence[str]) -> dict[str, int]:
    """Where each field stands; raises _BadLine where a needed one is missing or said twice."""
    names = [_CURRENCY_CODE.sub("", re.sub(r"[^a-z0-9]+", " ", cell.lower()).strip()) for cell in header]
    columns: dict[str, int] = {}
    for field, known in _HEADER_NAMES.items():
        name = next((name for name in known.split(", ") if name in names), None)
        if name is None:
            continue
        if names.count(name) > 1:
            raise _BadLine(f"two columns are called {name!r}")
        columns[field] = names.index(name)
    for field in _REQUIRED:
        if field not in columns:
            raise _BadLine(f"the header names no {field} column; it may be called: {_HEADER_NAMES[field]}")
    return columns


def _is_prefix(text: str) -> bool:
    return text.isdecimal() and text.isascii() and text[0] != "0" and len(text) <= PREFIX_DIGITS_MAX


def _prefix(text: str) -> str:
    digits = text.strip().removeprefix("+").replace(" ", "")
    if not digits:
        raise _BadLine("the prefix is empty")
    if digits[0] == "0":
        raise _BadLine(f"prefix {_shown(text)} begins with 0: write it from the country code on")
    if not _is_prefix(digits):
        raise _BadLine(f"prefix {_shown(text)} isn't 1 to {PREFIX_DIGITS_MAX} digits")
    return digits


def _destination(text: str) -> str:
    if len(text) > DESTINATION_CHARACTERS_MAX:
        raise _BadLine(f"destination {_shown(text)} is over {DESTINATION_CHARACTERS_MAX} characters")
    if not text.replace("\xa0", " ").isprintable():
        raise _BadLine(f"destination {_shown(text)} holds control characters")
    return text


def _money(exact: Callable[[str], Decimal], text: str, decimal_comma: bool) -> Decimal:
    plain = text.strip(_CURRENCY_SIGNS + " \xa0")
    if decimal_comma and plain.count(",") == 1 and "." not in plain:
        plain = plain.replace(",", ".")
    if len(plain) > _CELL_CHARACTERS_MAX:
        raise _BadLine(f"{_shown(text)} is too long for an amount")
    try:
        value = exact(plain)
    except money.MoneyError as error:
        raise _BadLine(str(error)) from None
    if value < 0:
        raise _BadLine(f"{_shown(text)} is below zero")
    return value


def _minimum(text: str) -> int | None:
    return _seconds(text, "minimum", 0) if text else None


def _step(text: str) -> tuple[int | None, int | None]:
    """Minimum and step of "60/60", or the step alone of "60"."""
    first, slash, rest = text.partition("/")
    if slash:
        return _seconds(first.strip(), "minimum", 0), _seconds(rest.strip(), "step", 1)
    return None, _seconds(text, "step", 1) if text else None


def _seconds(text: str, what: str, least: int) -> int:
    if text.isdecimal() and text.isascii() and len(text) <= len(str(INCREMENT_S_MAX)):
        seconds = int(text)
        if least <= seconds <= INCREMENT_S_MAX:
            return seconds
    raise _BadLine(f"{what} {_shown(text)} isn't whole seconds from {least} to {INCREMENT_S_MAX}")


def _date(text: str) -> date | None:
    if not text:
        return None
    if _DATE.match(text) is not None:
        try:
            return date.fromisoformat(text)
        except ValueError:
            pass  # the 31st of a month that has 30
    raise _BadLine(f"effective date {_shown(text)} isn't a day written YYYY-MM-DD")


def _shown(text: str) -> str:
    """`text` as an error shows it: quoted, never longer than a cell should be."""
    return repr(text if len(text) <= _CELL_CHARACTERS_MAX else text[:_CELL_CHARACTERS_MAX] + "…")
