"""The daemon's log, shown as it is written."""

from __future__ import annotations

import re
import threading
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TextIO

from rich.console import Console
from rich.text import Text

POLL_S: Final = 0.05
#: Where the word stands in a line: after time and level.
WORD: Final = 2
DATE: Final = re.compile(r"\d{4}-\d\d-\d\dT(?=\d\d:)")
UUID: Final = re.compile(r"\b([0-9a-f]{8})(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")


class LiveLog:
    """Follows a file to the console inside a `with`; entered again, it goes on where it left off."""

    def __init__(self, path: Path, console: Console) -> None:
        self._path = path
        self._console = console
        self._offset = 0
        self._half = ""  # the beginning of a line whose end is not there yet
        self._words = Counter[str]()

    def count(self, word: str) -> int:
        """How many lines of this word have been shown."""
        return self._words[word]

    def __enter__(self) -> Self:
        self._closing = threading.Event()
        self._follower = threading.Thread(target=self._follow, daemon=True)
        self._follower.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._follower.join()

    def _follow(self) -> None:
        with self._path.open(encoding="utf-8", errors="replace") as file:
            file.seek(self._offset)
            while not self._closing.wait(POLL_S):
                self._show(file)
            self._show(file)
            self._offset = file.tell()

    def _show(self, file: TextIO) -> None:
        *lines, self._half = (self._half + file.read()).split("\n")
        for line in lines:
            text = Text.from_ansi(_short(line))
            self._console.print(text, soft_wrap=True)
            self._words.update(text.plain.split()[WORD : WORD + 1])


def _short(line: str) -> str:
    """Without the date, and with the first part of each leg's UUID alone; the file has it all."""
    return UUID.sub(r"\1", DATE.sub("", line, count=1))
