"""CDRs as files: CSV for spreadsheets, JSON lines for programs."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from datetime import datetime
from typing import IO, Any, Final

import msgspec

from esl_agent.core.price import LineKind
from esl_agent.store.cdrs import COLUMNS, CdrRow, to_table

#: The charge lines are a column for each kind.
CSV_COLUMNS: Final = (*(column for column in COLUMNS if column != "lines"), *LineKind)
#: A cell that begins so is a formula to a spreadsheet, and a caller's name can be anything.
FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")


def write_csv(rows: Iterable[CdrRow], file: IO[str]) -> int:
    """Write rows with a header line; returns how many."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    count = 0
    for row in rows:
        values = to_table(row) | {line.kind: line.amount for line in row.charge.lines}
        writer.writerow([_cell(values.get(column)) for column in CSV_COLUMNS])
        count += 1
    return count


def write_json_lines(rows: Iterable[CdrRow], file: IO[str]) -> int:
    """Write an object a line, as `cdr list --json` has them; returns how many."""
    count = 0
    for row in rows:
        file.write(msgspec.json.encode(to_table(row)).decode() + "\n")
        count += 1
    return count


def _cell(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, tuple):
        return " ".join(value)
    if isinstance(value, str) and value.startswith(FORMULA_STARTS) and not value[1:].isdecimal():
        return "'" + value
    return value
