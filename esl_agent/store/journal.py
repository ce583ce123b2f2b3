"""The journal: what has happened and is not yet in Postgres, on disk before anything else is done with it.

Theory of operation.  Records are appended to the newest of several segments,
and count as kept once the disk has them (fdatasync, one for many records).
When all of a segment is in Postgres it is deleted whole; how far that has come
within a segment is noted in the file `written`.  The note is not synced and may
be behind: what is replayed twice passes the same gate twice, and is settled once.

A start never appends to what it finds: it begins a segment of its own.  A line
that is broken, or has no end, is passed over, and its segment is kept under
another name.  Everything here blocks, and one thread at a time may call it.

The folder's files: `lock`, `written`, `segment-*.log`, `broken-*.log` (segments
with something unreadable in them) and `unwritable-*.jsonl` (what Postgres
refused, see store/unwritable.py).
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from esl_agent.errors import EslAgentError
from esl_agent.store.journal_records import BrokenRecord, Record, checked, checked_part, decode
from esl_agent.store.segments import (
    Position,
    SegmentWriter,
    count_lines,
    read_lines,
    segment_numbers,
    segment_path,
)

LOCK: Final = "lock"
WRITTEN: Final = "written"
#: Enough that it is not kept within a folder's own entry.
PROBE_BYTES: Final = 64 << 10
#: Who holds the lock, always as long as this.
PID_BYTES: Final = 12
#: The note's line is overwritten in place, always as long as this.
NOTE_BYTES: Final = 96
#: Of the largest size, so much is left for the ends of calls that are up: new ones come no more.
RESERVE_SHARE: Final = 0.1
#: A journal that was full takes calls again when it is this far below its limit, and above its floor.
REOPEN_SHARE: Final = 0.1
BEGINNING: Final = Position(0, 0)
MB: Final = 1 << 20


class JournalError(EslAgentError):
    """The folder can't be used, or holds as much as it may; the text says what to do."""


class JournalInUse(JournalError):
    """A daemon is at work in the folder."""


class JournalLimits(NamedTuple):
    """How large the folder may grow, how much the disk must have free, and when a segment is full; bytes."""

    size_max: int
    free_min: int
    segment: int


class Room(NamedTuple):
    """What the folder holds and the disk has free, in bytes, and what is wrong with that, or ""."""

    size: int
    free: int
    lacking: str  # "size" or "free"


class Readback(NamedTuple):
    """Records with where each ends, how far was read, and the segments where something was broken."""

    records: list[tuple[Record, Position]]
    reached: Position
    broken: list[tuple[str, str]]  # the name that the segment is kept under, if it is, and what is wrong


class Journal:
    """`open` it, `append`, tell `upkeep` how far things are `written`, and `close` it."""

    def __init__(self, folder: Path, limits: JournalLimits) -> None:
        self.folder = folder
        self._limits = limits
        self._lock = -1
        self._note = -1
        self._numbers: list[int] = []
        self._next = 1
        self._writer: SegmentWriter | None = None
        self._size = 0
        self._is_full = False
        self.begins = BEGINNING  # when it was opened, everything before was in Postgres
        self.ends = BEGINNING

    def open(self) -> int:
        """Take the folder for this process; returns how many records wait in it.  Raises JournalError."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = lock_folder(self.folder)
            self._note = os.open(self.folder / WRITTEN, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._numbers = segment_numbers(self.folder)
            noted = read_note(self.folder)
            self._next = max([noted.segment, *self._numbers]) + 1
            self.begins = first_unwritten(self._numbers, noted)
            if self._numbers:
                last = self._numbers[-1]
                self.ends = Position(last, segment_path(self.folder, last).stat().st_size)
            self._measure()
            return count_lines(self.folder, self._numbers, self.begins)
        except OSError as error:
            self._release()
            raise JournalError(unusable(self.folder, error)) from None

    def append(self, lines: Sequence[bytes]) -> list[Position]:
        """Return where each line ends, once all are on disk; raises OSError or JournalError: none is."""
        data = b"".join(lines)
        if self._size + len(data) > self._limits.size_max:
            raise JournalError(f"{self.folder} holds {self._size // MB} MB, as much as [journal] lets it")
        writer = self._writer or self._begin()
        offset = writer.bytes
        try:
            writer.append(data)
        except OSError:
            # Nobody knows what a disk that failed has kept: go on in another segment.
            self._abandon(writer)
            raise
        self._size += len(data)
        ends = [Position(writer.number, offset := offset + len(line)) for line in lines]
        self.ends = ends[-1]
        if writer.bytes >= self._limits.segment:
            writer.close()
            self._writer = None
        return ends

    def read(self, after: Position, until: Position, records_max: int) -> Readback:
        """The next records after a position, at most so many; raises OSError."""
        records: list[tuple[Record, Position]] = []
        broken = [
            ("", f"the segment {number} has gone")
            for number in self._numbers
            if after.segment <= number <= until.segment and not segment_path(self.folder, number).exists()
        ]
        for line in read_lines(self.folder, tuple(self._numbers), after, until):
            after = line.end
            try:
                records.append((decode(line.text), line.end))
            except BrokenRecord as error:
                broken += self._keep_broken(line.end.segment, str(error))
            if len(records) == records_max:
                break
        else:
            after = max(after, until)
        return Readback(records, after, broken)

    def upkeep(self, written: Position) -> Room:
        """Everything up to there is in Postgres: delete what can be, and see what room there is."""
        with suppress(OSError):  # a full disk is what deleting is for
            os.pwrite(self._note, note_of(written), 0)
        for number in [number for number in self._numbers if number < written.segment]:
            self._delete(number)
        self._measure()
        return self._room()

    def close(self, written: Position) -> None:
        """Leave the folder to others; where nothing waits, no segment stays."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        if written >= self.ends:
            written = Position(self._next, 0)
        with suppress(OSError):
            self.upkeep(written)
        self._release()

    def _begin(self) -> SegmentWriter:
        number, self._next = self._next, self._next + 1
        self._writer = SegmentWriter(self.folder, number)
        self._numbers.append(number)
        return self._writer

    def _abandon(self, writer: SegmentWriter) -> None:
        writer.discard()
        self._writer = None
        if not writer.bytes:
            self._numbers.remove(writer.number)

    def _keep_broken(self, number: int, problem: str) -> list[tuple[str, str]]:
        """Give the segment a second name, which stays when the first is deleted; [] where it has one."""
        name = f"broken-{number:012}.log"
        try:
            os.link(segment_path(self.folder, number), self.folder / name)
        except FileExistsError:
            return []
        except OSError as error:
            return [("", f"{problem}; its segment {number} can't be kept: {error.strerror}")]
        return [(name, problem)]

    def _delete(self, number: int) -> None:
        with suppress(FileNotFoundError):
            segment_path(self.folder, number).unlink()
        self._numbers.remove(number)

    def _measure(self) -> None:
        self._size = folder_bytes(self.folder)

    def _room(self) -> Room:
        free = free_bytes(self.folder)
        slack = REOPEN_SHARE if self._is_full else 0
        size_max = self._limits.size_max * (1 - RESERVE_SHARE) * (1 - slack)
        lacking = "size" if self._size > size_max else ""
        if free < self._limits.free_min * (1 + slack):
            lacking = "free"
        self._is_full = bool(lacking)
        return Room(self._size, free, lacking)

    def _release(self) -> None:
        for descriptor in (self._note, self._lock):
            if descriptor >= 0:
                os.close(descriptor)
        self._note = self._lock = -1


def lock_folder(folder: Path) -> int:
    """The descriptor that holds the folder while it is open; raises JournalInUse where another has it."""
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, PID_BYTES, 0).decode(errors="replace").strip()
        os.close(descriptor)
        raise JournalInUse(
            f"the journal in {folder} is in use by process {holder or 'unknown'}: "
            "each daemon needs a [journal] folder of its own"
        ) from None
    with suppress(OSError):  # on a full disk: what waits must be written all the same
        os.pwrite(descriptor, f"{os.getpid()}\n".rjust(PID_BYTES).encode(), 0)
    return descriptor


def probe(folder: Path) -> None:
    """Write something and take it away again; raises OSError where the disk does not let us."""
    path = folder / f"probe-{os.getpid()}"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        if os.write(descriptor, bytes(PROBE_BYTES)) < PROBE_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
        path.unlink()


def folder_bytes(folder: Path) -> int:
    """What its files hold; one that goes meanwhile counts for nothing."""
    size = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                size += entry.stat().st_size if entry.is_file() else 0
    return size


def free_bytes(folder: Path) -> int:
    """What the disk still has for an ordinary user."""
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


def unusable(folder: Path, error: OSError) -> str:
    return f"the journal can't be kept in {folder} ({error.strerror}): see [journal] folder"


def note_of(written: Position) -> bytes:
    return checked(msgspec.json.encode(written)).ljust(NOTE_BYTES, b" ")


def read_note(folder: Path) -> Position:
    """How far the records are in Postgres for sure; the beginning where nothing good is noted."""
    try:
        line = (folder / WRITTEN).read_bytes().rstrip(b" ")
        return msgspec.json.decode(checked_part(line), type=Position)
    except (OSError, BrokenRecord, msgspec.DecodeError):
        return BEGINNING


def first_unwritten(numbers: Sequence[int], noted: Position) -> Position:
    """Where a replay begins.  A segment before the noted one is one that was about to be deleted."""
    if not numbers or numbers[0] == noted.segment:
        return noted
    return Position(numbers[0], 0)
