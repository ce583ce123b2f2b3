"""The override file: prefixes whose country or class the metadata doesn't know (see overrides.csv)."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

from esl_agent.core.numbering.number import NumberClass
from esl_agent.errors import EslAgentError

OVERRIDES_MAX: Final = 10_000

_COLUMNS: Final = ("prefix", "country", "class", "note")
_PREFIX: Final = re.compile(r"[1-9][0-9]{0,14}\Z")
_COUNTRY: Final = re.compile(r"([A-Z]{2})?\Z")
#: Short codes are told by the whole number, never by a prefix.
_CLASSES: Final = frozenset(NumberClass) - {NumberClass.EMERGENCY, NumberClass.CRISIS, NumberClass.SERVICE}


class OverrideError(EslAgentError):
    """The file can't be used; `problems` has a line for each thing to put right."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("the numbering overrides can't be used:\n" + "\n".join(f"  - {p}" for p in problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Override:
    """Where numbers with this prefix belong; a class of None follows from the country."""

    prefix: str
    country: str
    number_class: NumberClass | None


def parse_overrides(text: str) -> tuple[Override, ...]:
    """The overrides in the text of a file; raises OverrideError, which lists every bad line."""
    rows: list[Override] = []
    problems: list[str] = []
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if _says_something(line)]
    if not lines or lines[0][1].replace(" ", "") != ",".join(_COLUMNS):
        raise OverrideError([f"the first line has to be {','.join(_COLUMNS)}"])
    if len(lines) > OVERRIDES_MAX:
        raise OverrideError([f"more than {OVERRIDES_MAX} lines"])
    for number, line in lines[1:]:
        try:
            rows.append(_override(dict(zip(_COLUMNS, _cells(line), strict=False))))
        except ValueError as error:
            problems.append(f"line {number}: {error}")
    if problems:
        raise OverrideError(problems)
    return tuple(rows)


@cache
def shipped_overrides() -> tuple[Override, ...]:
    """Those of overrides.csv beside this module."""
    return parse_overrides(resources.files(__package__).joinpath("overrides.csv").read_text("utf-8"))


def _says_something(line: str) -> bool:
    return bool(line.strip()) and not line.startswith("#")


def _cells(line: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader([line]))]
    except csv.Error as error:
        raise ValueError(str(error)) from None


def _override(cells: Mapping[str, str]) -> Override:
    prefix, country, word = cells["prefix"], cells.get("country", ""), cells.get("class", "")
    if not _PREFIX.match(prefix):
        raise ValueError(f"prefix {prefix!r} isn't 1 to 15 digits from the country code on")
    if not _COUNTRY.match(country):
        raise ValueError(f"country {country!r} isn't two capital letters")
    if word and word not in _CLASSES:
        raise ValueError(f"class {word!r} is none of {', '.join(sorted(_CLASSES))}")
    if not country and not word:
        raise ValueError("give a country, a class or both")
    return Override(prefix, country, NumberClass(word) if word else None)
