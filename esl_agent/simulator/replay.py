"""Plays a recorded trace to whoever subscribes: the very bytes that a real switch sent.

A trace is a folder with `events.json.esl` (or the same gzipped) and, where the
call was recorded twice, `events.plain.esl`; or one such file.
"""

from __future__ import annotations

import gzip
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from esl_agent.simulator.config import SimulatorError
from esl_agent.switch.frames import FrameError, FrameReader

if TYPE_CHECKING:
    from esl_agent.simulator.core import Core
    from esl_agent.simulator.listener import Listener

#: The largest trace that is taken into memory, unpacked.
TRACE_BYTES_MAX: Final = 1024 * 1024 * 1024

_NAME: Final = re.compile(rb'(?:"Event-Name":"|^Event-Name: )(\w+)', re.MULTILINE)
_STAMP: Final = re.compile(rb'(?:"Event-Date-Timestamp":"|^Event-Date-Timestamp: )(\d+)', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Recorded:
    """One event of a trace."""

    name: str
    stamp_us: int
    frame: bytes


class Trace:
    """The events of a trace, by format."""

    def __init__(self, path: Path) -> None:
        self.events: dict[str, list[Recorded]] = {}
        for file in _files(path):
            self.events["plain" if "plain" in file.name else "json"] = _read(file)
        if not self.events:
            raise SimulatorError(f"{path}: no trace there (events.json.esl, events.plain.esl)")

    def play(self, core: Core, listener: Listener, speed: float) -> None:
        """Send the listener what it asked for: all at once if `speed` is 0, else so many times as fast."""
        events = self.events.get(listener.format.name, [])
        for event in events:
            if not listener.wants(event.name, ""):
                continue
            if speed <= 0:
                listener.push(event.frame)
            else:
                delay_us = int((event.stamp_us - events[0].stamp_us) / speed)
                core.world.at(core.now_us + max(0, delay_us), listener.push, event.frame)


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    names = ("events.json.esl", "events.json.esl.gz", "events.plain.esl")
    return [path / name for name in names if (path / name).is_file()]


def _read(file: Path) -> list[Recorded]:
    try:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as opened:
            data = opened.read(TRACE_BYTES_MAX)
    except OSError as error:
        raise SimulatorError(f"{file}: can't be read ({error})") from None
    events = []
    start = 0
    reader = FrameReader()
    reader.feed(data)
    try:
        for frame in reader:
            end = data.index(b"\n\n", start) + 2 + len(frame.body)
            events.append(_recorded(data[start:end], frame.body))
            start = end
    except FrameError as error:
        raise SimulatorError(f"{file}: not the bytes of an Event Socket ({error})") from None
    if start != len(data):
        raise SimulatorError(f"{file}: breaks off in the middle of an event")
    return events


def _recorded(frame: bytes, body: bytes) -> Recorded:
    name, stamp = _NAME.search(body), _STAMP.search(body)
    return Recorded(name[1].decode() if name else "", int(stamp[1]) if stamp else 0, frame)
