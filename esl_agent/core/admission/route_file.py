"""Routes: which carriers take calls to which numbers; one, or a whole CSV file of them.

A file's header names the columns: prefix and carrier, and priority and weight
where they aren't all 1.  A bad line is told by its number; all are.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from esl_agent.core.admission import tokens
from esl_agent.core.admission.carriers import WEIGHT_MAX
from esl_agent.errors import EslAgentError

PRIORITY_MAX: Final = 1_000
ROWS_MAX: Final = 200_000
#: Bad lines told in full; beyond it they are only counted.
ERRORS_TOLD_MAX: Final = 50
#: How people write the prefix of every number, which is empty.
ANY: Final = "any"

_COLUMNS: Final = ("prefix", "carrier", "priority", "weight")
_DELIMITERS: Final = ",;\t"
_CELL_CHARACTERS_MAX: Final = 64


class RouteError(EslAgentError):
    """A route that can't be, or a file with such routes; the message names every bad line."""


@dataclass(frozen=True, slots=True)
class Route:
    """One carrier for the numbers that begin with `prefix`; "" is every number's beginning.

    Lower priorities are tried first, and those of one priority by the share
    that their weight is.  Raises RouteError where a part of it can't be.
    """

    prefix: str
    carrier: str
    priority: int = 1
    weight: int = 1

    def __post_init__(self) -> None:
        try:
            tokens.name(self.carrier)
            if self.prefix:
                tokens.digits(self.prefix)
        except tokens.TokenError as error:
            raise RouteError(str(error)) from None
        if not 0 <= self.priority <= PRIORITY_MAX:
            raise RouteError(f"a priority of {self.priority}: give 0 to {PRIORITY_MAX}")
        if not 0 <= self.weight <= WEIGHT_MAX:
            raise RouteError(f"a weight of {self.weight}: give 0 to {WEIGHT_MAX}")


def read_prefix(text: str) -> str:
    """A prefix as people write it: digits with or without "+", or `any`."""
    plain = text.strip()
    if not plain:
        raise RouteError(f"the prefix is empty: every number is written {ANY}")
    return "" if plain.lower() == ANY else plain.removeprefix("+")


def parse_routes(lines: Iterable[str]) -> list[Route]:
    """The routes of a whole file; raises RouteError where a line is bad, or nothing is there."""
    text = iter(lines)
    header = next(text, "").removeprefix("\ufeff")
    reader = csv.reader(text, delimiter=max(_DELIMITERS, key=header.count), strict=True)
    columns = [name.strip().lower() for name in next(csv.reader([header], reader.dialect), [])]
    _check_columns(columns)
    routes: dict[tuple[str, str], Route] = {}
    bad: list[str] = []
    try:
        for cells in reader:
            try:
                route = _route(columns, cells)
                if route and routes.setdefault((route.prefix, route.carrier), route) is not route:
                    raise RouteError(f"{route.prefix or ANY} by {route.carrier} stands on a line before")
            except RouteError as error:
                bad.append(f"line {reader.line_num + 1}: {error}")
            if len(routes) > ROWS_MAX:
                raise RouteError(f"more than {ROWS_MAX} routes")
    except csv.Error as error:
        bad.append(f"line {reader.line_num + 1}: {error}")
    if bad:
        raise RouteError(_told(bad))
    if not routes:
        raise RouteError("there are no routes in it")
    return list(routes.values())


def _check_columns(columns: Sequence[str]) -> None:
    for name in columns:
        if name not in _COLUMNS or columns.count(name) > 1:
            raise RouteError(
                f"line 1: column {name[:_CELL_CHARACTERS_MAX]!r}; the columns are {', '.join(_COLUMNS)}"
            )
    for name in ("prefix", "carrier"):
        if name not in columns:
            raise RouteError(f"line 1: the header names no column {name}")


def _route(columns: Sequence[str], cells: Sequence[str]) -> Route | None:
    """The route on a line; None for a blank one."""
    if not any(cell.strip() for cell in cells):
        return None
    if len(cells) != len(columns):
        raise RouteError(f"{len(cells)} cells, where the header has {len(columns)}")
    values = dict(zip(columns, map(str.strip, cells), strict=True))
    return Route(
        read_prefix(values["prefix"]),
        values["carrier"],
        _count(values.get("priority"), "priority"),
        _count(values.get("weight"), "weight"),
    )


def _count(text: str | None, what: str) -> int:
    if not text:
        return 1
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(PRIORITY_MAX))):
        raise RouteError(f"{what} {text[:_CELL_CHARACTERS_MAX]!r} isn't a small whole number")
    return int(text)


def _told(bad: Sequence[str]) -> str:
    lines = list(bad[:ERRORS_TOLD_MAX])
    if len(bad) > ERRORS_TOLD_MAX:
        lines.append(f"and {len(bad) - ERRORS_TOLD_MAX} more")
    return "\n".join(lines)
