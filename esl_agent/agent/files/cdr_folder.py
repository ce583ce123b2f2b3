"""The folder of the switch's CDR files.

```
json_cdr/                the switch writes here (log-dir of json_cdr.conf.xml)
    a_<uuid>.cdr.json    a leg that no other leg made
    <uuid>.cdr.json      a leg that another one made
    done/                files of legs that are settled, where they are kept
    broken/              files that tell of no leg
```

A link in the folder is never followed, and nothing outside of it is touched.
"""

from __future__ import annotations

import errno
import heapq
import os
import stat
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple, Self

from gevent.threadpool import ThreadPool

from esl_agent.config import Config, variable_names_of
from esl_agent.core.leg import LegEnd
from esl_agent.switch.cdr_file import CdrFileError, file_names, leg_uuid_of, read_cdr_file
from esl_agent.switch.events import DEFAULT_NAMES, VariableNames

DONE: Final = "done"
BROKEN: Final = "broken"
#: A file this much younger than now was dated by another clock: it is settled, and never taken for broken.
FUTURE_S: Final = 60.0

#: A file that can't be read for so long after it was last written to is no file in the making.
BROKEN_AFTER_S: Final = 300.0


class Waiting(NamedTuple):
    """A file, and how long ago it was last written to; in the order of that, the oldest first."""

    age_s: float
    name: str


class CdrFolder:
    """The files in `folder`; without a folder there are none.  Raises OSError where it can't be used."""

    def __init__(self, folder: Path | None, names: VariableNames = DEFAULT_NAMES) -> None:
        self.folder = folder
        self.names = names

    @classmethod
    def of(cls, config: Config) -> Self:
        """The one that is configured."""
        folder = config.cdr_files.folder
        return cls(Path(folder) if folder else None, variable_names_of(config))

    def find(self, leg_uuid: str) -> LegEnd | None:
        """How the leg ended by its file; None where there is no file of it, or not yet a whole one."""
        if self.folder is None:
            return None
        for name in file_names(leg_uuid):
            for place in (self.folder, self.folder / DONE):
                try:
                    return read_cdr_file(place / name, self.names)
                except CdrFileError:
                    continue
        return None

    def tells_of(self, leg_uuid: str) -> bool:
        """Whether there is a file of the leg, whatever is in it: then the leg was there."""
        if self.folder is None:
            return False
        places = (self.folder, self.folder / DONE, self.folder / BROKEN)
        return any(os.path.lexists(place / name) for name in file_names(leg_uuid) for place in places)

    def waiting(
        self, now_s: float, settle_after_s: float, limit: int, passed_over: Collection[str] = ()
    ) -> list[Waiting]:
        """The `limit` oldest files that were not written to for so long, without those `passed_over`."""
        files = (each for each in self.files(now_s) if each.name not in passed_over)
        return heapq.nlargest(limit, (each for each in files if each.age_s >= settle_after_s))

    def files(self, now_s: float, place: str = ".") -> Iterator[Waiting]:
        """Everything that is named as a CDR file, in no order; `place` may be DONE or BROKEN."""
        with os.scandir(self._path(place)) as entries:
            for entry in entries:
                if leg_uuid_of(entry.name) is None:
                    continue
                try:
                    state = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                if stat.S_ISDIR(state.st_mode):
                    continue
                age_s = now_s - state.st_mtime
                yield Waiting(age_s if age_s > -FUTURE_S else BROKEN_AFTER_S - 1, entry.name)

    def read(self, name: str, place: str = ".") -> LegEnd | CdrFileError | None:
        """What the file tells; None where it has gone meanwhile."""
        path = self._path(place) / name
        try:
            return read_cdr_file(path, self.names)
        except CdrFileError as error:
            return error if os.path.lexists(path) else None

    def remove(self, names: Sequence[str]) -> None:
        for name in names:
            self._path(name).unlink(missing_ok=True)

    def move(self, names: Sequence[str], into: str) -> None:
        """`into` is DONE or BROKEN; it is made if need be."""
        target = self._path(into)
        target.mkdir(exist_ok=True)
        if target.is_symlink():
            raise NotADirectoryError(errno.ENOTDIR, "it is a link, which is not followed", str(target))
        for name in names:
            try:
                self._path(name).replace(target / name)
            except FileNotFoundError:
                continue

    def _path(self, name: str) -> Path:
        if self.folder is None:
            raise FileNotFoundError("no folder is set")
        return self.folder / name


class ThreadedCdrFolder(CdrFolder):
    """The same for the daemon, which must not wait for a disk that hangs: `thread` is where to use it."""

    def __init__(self, folder: Path | None, names: VariableNames = DEFAULT_NAMES) -> None:
        super().__init__(folder, names)
        self.thread = ThreadPool(1)

    def find(self, leg_uuid: str) -> LegEnd | None:
        found: LegEnd | None = self.thread.apply(super().find, (leg_uuid,))
        return found

    def tells_of(self, leg_uuid: str) -> bool:
        return bool(self.thread.apply(super().tells_of, (leg_uuid,)))
