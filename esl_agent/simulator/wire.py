"""What a client says to the switch, cut into commands: bytes in, commands out, no socket.

A command is a line, then `Name: value` lines, then an empty line, then a body
where a Content-Length says so (mod_event_socket.c, `read_packet`).  Line ends
may be LF or CRLF; empty lines before a command are skipped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from esl_agent.errors import EslAgentError

HEADER_BYTES_MAX: Final = 1024 * 1024
BODY_BYTES_MAX: Final = 16 * 1024 * 1024

_END: Final = re.compile(rb"\n\r*\n")
_LINE_END: Final = re.compile(r"[\r\n]+")
_LENGTH: Final = re.compile(r"\s*[+-]?\d+", re.ASCII)


class CommandTooLong(EslAgentError):
    """A client sent more without an end than the switch takes; the connection is closed."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command; header names are in lower case, but in `lines`, which has them as they came."""

    line: str
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    lines: tuple[tuple[str, str], ...] = field(default=(), compare=False)


class CommandReader:
    """Gathers bytes as they come and gives the commands that are whole."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._seen = 0  # up to here there is no end of headers
        self._waiting: Command | None = None  # its body is still to come
        self._body_bytes = 0

    def feed(self, data: bytes) -> Iterator[Command]:
        """Take bytes and yield the commands they complete; raises CommandTooLong."""
        self._buffer += data
        while (command := self._next()) is not None:
            yield command

    def _next(self) -> Command | None:
        if self._waiting is None and not self._read_headers():
            return None
        command = self._waiting
        if command is None or len(self._buffer) < self._body_bytes:
            return None
        body = bytes(self._buffer[: self._body_bytes])
        del self._buffer[: self._body_bytes]
        self._waiting = None
        text = body.decode("utf-8", "surrogateescape")
        return Command(command.line, command.headers, text, command.lines)

    def _read_headers(self) -> bool:
        start = len(self._buffer) - len(self._buffer.lstrip(b"\r\n"))
        del self._buffer[:start]
        match = _END.search(self._buffer, max(0, self._seen - start - 2))
        self._seen = len(self._buffer)
        if match is None or match.end() > HEADER_BYTES_MAX:
            if self._seen > HEADER_BYTES_MAX:
                raise CommandTooLong(f"a command of more than {HEADER_BYTES_MAX} bytes")
            return False
        text = self._buffer[: match.start()].decode("utf-8", "surrogateescape")
        del self._buffer[: match.end()]
        self._seen = 0
        line, *rest = _LINE_END.split(text.strip("\r\n"))
        parts = (header.partition(":") for header in rest)
        lines = tuple((name, value.lstrip(" ")) for name, colon, value in parts if colon)
        headers = {name.lower(): value for name, value in lines}
        self._body_bytes = _content_length(headers.get("content-length", "0"))
        self._waiting = Command(line, headers, lines=lines)
        return True


def _content_length(text: str) -> int:
    match = _LENGTH.match(text)
    length = int(match[0]) if match else 0
    if not 0 <= length <= BODY_BYTES_MAX:
        raise CommandTooLong(f"Content-Length {text!r} is not between 0 and {BODY_BYTES_MAX}")
    return length
