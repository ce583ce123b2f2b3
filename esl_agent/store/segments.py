"""The journal's segments: files of lines, numbered in the order in which they were begun.

A segment is only ever appended to, by one writer, and deleted as a whole.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

#: Longer than any line that was ever written: what one event of the switch can hold, escaped.
LINE_BYTES_MAX: Final = 64 << 20

_NAME: Final = re.compile(r"segment-(\d{12})\.log", re.ASCII)
_COUNT_BYTES: Final = 1 << 20


class Position(NamedTuple):
    """How far: a segment's number, and a byte in it."""

    segment: int
    offset: int


class Line(NamedTuple):
    """A line as it stands there, its end included if it has one, and where it ends."""

    end: Position
    text: bytes


def segment_path(folder: Path, number: int) -> Path:
    return folder / f"segment-{number:012}.log"


def segment_numbers(folder: Path) -> list[int]:
    """Of the segments that are there, the oldest first."""
    return sorted(int(match[1]) for name in os.listdir(folder) if (match := _NAME.fullmatch(name)))


def read_lines(folder: Path, numbers: Sequence[int], after: Position, until: Position) -> Iterator[Line]:
    """The lines between two positions, in order, of those segments of these numbers that are there."""
    for number in numbers:
        if not after.segment <= number <= until.segment:
            continue
        with suppress(FileNotFoundError), segment_path(folder, number).open("rb") as file:
            offset = file.seek(after.offset) if number == after.segment else 0
            while Position(number, offset) < until and (text := file.readline(LINE_BYTES_MAX)):
                offset += len(text)
                yield Line(Position(number, offset), text)


def count_lines(folder: Path, numbers: Sequence[int], after: Position) -> int:
    """How many lines stand after a position; one that has no end counts for none."""
    count = 0
    for number in numbers:
        with segment_path(folder, number).open("rb") as file:
            file.seek(after.offset if number == after.segment else 0)
            while chunk := file.read(_COUNT_BYTES):
                count += chunk.count(b"\n")
    return count


class SegmentWriter:
    """Appends to a segment of its own; nobody but the owner may read it."""

    def __init__(self, folder: Path, number: int) -> None:
        self.number = number
        self.bytes = 0
        self.path = segment_path(folder, number)
        self._descriptor = os.open(
            self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600
        )
        try:
            sync_folder(folder)
        except OSError:
            self.discard()
            raise

    def append(self, data: bytes) -> None:
        """Return when it is on the disk; raises OSError, and then none of it is there, as far as can be."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
            os.fdatasync(self._descriptor)
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._descriptor, self.bytes)
            raise
        self.bytes += len(data)

    def close(self) -> None:
        os.close(self._descriptor)

    def discard(self) -> None:
        """Close it, and delete it where nothing is in it."""
        self.close()
        if not self.bytes:
            with suppress(OSError):
                self.path.unlink()


def sync_folder(folder: Path) -> None:
    """After this, files that were made in the folder are found there, whatever happens."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
