"""A look at a journal's folder from outside, also while a daemon is at work in it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from esl_agent.core.money import ZERO
from esl_agent.store.journal import first_unwritten, folder_bytes, free_bytes, read_note
from esl_agent.store.journal_records import Answer, BrokenRecord, Settlement, decode
from esl_agent.store.segments import Position, read_lines, segment_numbers
from esl_agent.store.unwritable import unwritable_files


@dataclass(slots=True)
class Summary:
    """What waits, and what was set aside; sums are of what the calls cost."""

    folder: Path
    size_bytes: int
    free_bytes: int
    segments: int
    settlements: int = 0
    releases: int = 0
    answers: int = 0
    cost: Decimal = ZERO
    oldest_us: int | None = None  # the end of the earliest call that waits
    broken: int = 0  # lines
    unwritable: int = 0  # records
    unwritable_files: list[str] = field(default_factory=list)
    broken_files: list[str] = field(default_factory=list)


def look(folder: Path) -> Summary:
    """Raises OSError where the folder can't be read; a file that goes meanwhile counts for nothing."""
    numbers = segment_numbers(folder)
    found = Summary(folder, folder_bytes(folder), free_bytes(folder), len(numbers))
    _count_waiting(found, numbers)
    for path in unwritable_files(folder):
        with suppress(FileNotFoundError):
            found.unwritable += path.read_bytes().count(b"\n")
            found.unwritable_files.append(path.name)
    found.broken_files = sorted(path.name for path in folder.glob("broken-*.log"))
    return found


def _count_waiting(found: Summary, numbers: list[int]) -> None:
    if not numbers:
        return
    until = Position(numbers[-1] + 1, 0)
    for line in read_lines(found.folder, numbers, first_unwritten(numbers, read_note(found.folder)), until):
        try:
            record = decode(line.text)
        except BrokenRecord:
            found.broken += 1
            continue
        if isinstance(record, Settlement):
            found.settlements += 1
            found.cost += record.row.charge.total
            found.oldest_us = min(found.oldest_us or record.row.ended_us, record.row.ended_us)
        elif isinstance(record, Answer):
            found.answers += 1
        else:
            found.releases += 1
