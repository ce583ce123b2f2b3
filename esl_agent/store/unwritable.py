"""What Postgres refuses for itself is set aside in the journal's folder, in files of JSON lines.

Each line is a record as the journal writes it, without a checksum and with
`error`, what Postgres said: a person may mend the line and have it replayed.
A file is written whole and never appended to.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Final, NamedTuple

from esl_agent.store.journal_records import Record, from_json, to_json
from esl_agent.store.segments import sync_folder

PATTERN: Final = "unwritable-*.jsonl"

_numbers = count(1)


class Refused(NamedTuple):
    """A record, and what Postgres said of it."""

    record: Record
    error: str


def set_aside(folder: Path, refused: Sequence[Refused]) -> Path:
    """Return the file that they are in, once it is on disk; raises OSError."""
    path = folder / f"unwritable-{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}-{next(_numbers):04}.jsonl"
    rewrite(path, refused)
    return path


def unwritable_files(folder: Path) -> list[Path]:
    """The oldest first."""
    return sorted(folder.glob(PATTERN))


def read_refused(line: bytes) -> Refused:
    """Raises BrokenRecord."""
    record = from_json(line)
    return Refused(record, str(json.loads(line).get("error", "")))


def rewrite(path: Path, refused: Sequence[Refused]) -> None:
    """Put these in the file's place, or nothing where there are none; raises OSError."""
    if not refused:
        path.unlink(missing_ok=True)
        return
    unfinished = path.with_suffix(".part")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.writelines(_line(each) for each in refused)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    sync_folder(path.parent)


def _line(refused: Refused) -> bytes:
    body = to_json(refused.record)
    return body[:-1] + b',"error":' + json.dumps(refused.error).encode() + b"}\n"
