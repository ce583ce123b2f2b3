"""The log: one line for each fact, made to be tailed, grepped and paged on.

    2026-11-23T03:12:07.512Z INFO  CALL_RATED leg=… account=1001 total=0.0130

Values that hold anything a phone could have smuggled in (spaces, quotes,
control characters) are quoted and escaped, so that a line is always one line.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final, Protocol, TextIO

import structlog

from esl_agent.noc.words import WORDS
from esl_agent.noc.writer import LineWriter

LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}
COLORS: Final = {"debug": "\x1b[2m", "info": "\x1b[32m", "warning": "\x1b[33m", "error": "\x1b[1;31m"}
RESET: Final = "\x1b[0m"
#: Fields that hold a party's number, masked on request.
NUMBER_FIELDS: Final = frozenset({"to", "caller", "number", "forwarded_from"})
NUMBER_SHOWN_DIGITS: Final = 4
VALUE_MAX: Final = 200

#: ASCII without white space, quotes, = and \\; and the same of all characters there are.
_PLAIN_ASCII: Final = re.compile(r"[!#-&(-<>-\[\]-~]{1,200}")
_PLAIN_VALUE: Final = re.compile(r"[^\s\"'=\\]{1,200}")


class Log(Protocol):
    """Say a word of the catalogue with its fields; the catalogue knows how loud it is."""

    def __call__(self, word: str, /, **fields: object) -> None: ...


def open_log(
    *,
    style: str = "auto",
    level: str = "info",
    mask_numbers: bool = False,
    stream: TextIO | None = None,
    hear: Callable[[str, Mapping[str, Any]], None] = lambda word, fields: None,
) -> tuple[Log, Callable[[], None]]:
    """A log to `stream` (standard output), and what to call at the end to have all of it written.

    `hear` is told every word with its fields, also those that are too quiet to be written.
    """
    stream = stream or sys.stdout
    if style == "auto":
        style = "color" if stream.isatty() else "plain"
    writer = LineWriter(stream.fileno())
    render = {"json": _render_json, "color": _render_color, "plain": _render_plain}[style]
    processors: list[structlog.typing.Processor] = [_stamp]
    if mask_numbers:
        processors.append(_mask)
    logger = structlog.wrap_logger(
        None, wrapper_class=_word_logger(writer, LEVELS[level], hear), processors=[*processors, render]
    )
    return logger.say, writer.close


def take_library_warnings(log: Log) -> None:
    """Have what libraries warn of said as lines of our own log."""
    logging.getLogger().handlers = [_LibraryWarnings(log)]
    # The pool repeats each failed attempt, and each connection tells how it died; DB_DOWN has said it once.
    logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)
    logging.getLogger("psycopg").setLevel(logging.ERROR)


class _LibraryWarnings(logging.Handler):
    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._say = log

    def emit(self, record: logging.LogRecord) -> None:
        self._say("LIBRARY_WARNING", library=record.name, text=record.getMessage())


def _word_logger(
    writer: LineWriter, threshold: int, hear: Callable[[str, Mapping[str, Any]], None]
) -> type[structlog.BoundLoggerBase]:
    class WordLogger(structlog.BoundLoggerBase):
        def say(self, word: str, /, **fields: object) -> None:
            hear(word, fields)
            level = WORDS[word].level
            if LEVELS[level] < threshold:
                return
            args, _ = self._process_event(level, word, fields)
            writer.write(args[0])
            if dropped := writer.take_dropped():
                self.say("LOG_DROPPED", lines=dropped)

    return WordLogger


def _stamp(logger: object, level: str, fields: structlog.typing.EventDict) -> structlog.typing.EventDict:
    second, ms = divmod(time.time_ns() // 1_000_000, 1_000)
    fields["time"] = f"{_second(second)}.{ms:03d}Z"
    fields["level"] = level
    return fields


@lru_cache(maxsize=1)
def _second(epoch_s: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(epoch_s))


def _mask(logger: object, level: str, fields: structlog.typing.EventDict) -> structlog.typing.EventDict:
    for name in NUMBER_FIELDS & fields.keys():
        if fields[name] is not None:
            fields[name] = mask_number(str(fields[name]))
    return fields


def mask_number(text: str) -> str:
    """All but its last digits hidden."""
    return "x" * max(len(text) - NUMBER_SHOWN_DIGITS, 0) + text[-NUMBER_SHOWN_DIGITS:]


def _render_plain(logger: object, level: str, fields: structlog.typing.EventDict) -> str:
    time, word = fields.pop("time"), fields.pop("event")
    del fields["level"]
    return f"{time} {level.upper():<7} {word}{_pairs(fields)}\n"


def _render_color(logger: object, level: str, fields: structlog.typing.EventDict) -> str:
    time, word = fields.pop("time"), fields.pop("event")
    del fields["level"]
    color = COLORS[level]
    return f"\x1b[2m{time}{RESET} {color}{level.upper():<7} {word}{RESET}{_pairs(fields)}\n"


def _render_json(logger: object, level: str, fields: structlog.typing.EventDict) -> str:
    ordered = {name: fields.pop(name) for name in ("time", "level", "event")}
    return json.dumps({**ordered, **fields}, default=str, ensure_ascii=True) + "\n"


def _pairs(fields: Mapping[str, Any]) -> str:
    return "".join(f" {name}={_value(value)}" for name, value in fields.items() if value is not None)


def _value(value: object) -> str:
    text = str(value)
    if _PLAIN_ASCII.fullmatch(text):
        return text
    if text.isprintable() and _PLAIN_VALUE.fullmatch(text):
        return text
    if len(text) > VALUE_MAX:
        text = text[:VALUE_MAX] + "…"
    return json.dumps(text, ensure_ascii=not text.isprintable())
