"""The files of recordings, in the folder that the switch writes them to, as this machine sees it.

A file is named as the leg that was recorded: a UUID and `.wav`.  Nothing that is
named otherwise is touched, no link is followed, and nothing outside of the folder is.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final, NamedTuple

NAME: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.wav", re.ASCII)
MB: Final = 1 << 20


class Measure(NamedTuple):
    """How large a file is, the hash of what is in it, when it was last written to, and how long it plays."""

    bytes: int
    sha256: str  # in hexadecimal
    modified_us: int  # microseconds since 1970
    duration_ms: int | None  # None where its head doesn't tell: the switch ended before it


def name_of(path: str) -> str | None:
    """The file's name in the folder, out of the path that the switch has it by; None if none of ours."""
    name = path.rpartition("/")[2]
    return name if NAME.fullmatch(name) else None


def leg_of(name: str) -> str:
    """The leg that was recorded in a file of that name."""
    return name.removesuffix(".wav")


class RecordingFiles:
    """All of it blocks on the disk, and raises OSError where that can't be used."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def trouble(self, free_min_mb: int) -> str | None:
        """Why nothing can be recorded, as far as can be told before; None where nothing speaks against it.

        A folder that is not there yet is made by the switch, with its first recording.
        """
        there = next(path for path in (self.folder, *self.folder.parents) if path.exists())
        if not there.is_dir():
            return f"{there} is no folder"
        figures = os.statvfs(there)
        if figures.f_flag & os.ST_RDONLY:
            return f"{there} is read-only here; a service of systemd's may write where ReadWritePaths= says"
        if not os.access(there, os.W_OK | os.X_OK):
            return f"{there} may not be written"
        free_mb = figures.f_bavail * figures.f_frsize // MB
        return f"{free_mb} MB are free on its disk" if free_mb < free_min_mb else None

    def names(self) -> Iterator[str]:
        """Every recording there is, in no order."""
        with os.scandir(self.folder) as entries:
            for entry in entries:
                if NAME.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                    yield entry.name

    def measure(self, name: str) -> Measure | None:
        """None where there is no such file."""
        try:
            descriptor = os.open(self._path(name), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        with os.fdopen(descriptor, "rb") as file:
            state = os.fstat(descriptor)
            if not stat.S_ISREG(state.st_mode):
                return None
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            return Measure(state.st_size, digest, state.st_mtime_ns // 1_000, _duration_ms(file))

    def remove(self, name: str) -> None:
        """A file that has gone already is as good as removed."""
        self._path(name).unlink(missing_ok=True)

    def sync(self) -> None:
        """What was removed stays removed, whatever becomes of the machine."""
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _path(self, name: str) -> Path:
        if not NAME.fullmatch(name):
            raise FileNotFoundError(f"{name[:60]!r} is no recording's name")
        return self.folder / name


def _duration_ms(file: IO[bytes]) -> int | None:
    try:
        with wave.open(file, "rb") as sound:
            return sound.getnframes() * 1_000 // sound.getframerate() or None
    except (wave.Error, EOFError, ZeroDivisionError):
        return None
