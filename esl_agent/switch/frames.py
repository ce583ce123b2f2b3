"""Event Socket framing without a socket: bytes in, frames out.

A frame is a block of `Name: value` lines ended by an empty line, then a body
of exactly `Content-Length` bytes (none without that header).  FreeSWITCH
writes them in mod_event_socket.c (`read_packet`, `api_exec`, `listener_run`,
`send_disconnect`); the same framing serves both doors, the connection that we
open and the one that the switch opens to us.

Whatever the peer sends, and however the network cuts it, a reader yields the
same frames and then either waits for more bytes or raises `FrameError`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from esl_agent.errors import EslAgentError

AUTH_REQUEST: Final = "auth/request"
COMMAND_REPLY: Final = "command/reply"
API_RESPONSE: Final = "api/response"
EVENT_JSON: Final = "text/event-json"
EVENT_PLAIN: Final = "text/event-plain"
DISCONNECT_NOTICE: Final = "text/disconnect-notice"
RUDE_REJECTION: Final = "text/rude-rejection"
LOG_DATA: Final = "log/data"

_END_OF_HEADERS: Final = b"\n\n"
_LENGTH: Final = re.compile("[0-9]{1,12}", re.ASCII)
#: The two lines before every event (mod_event_socket.c, `read_packet`), read in one go because
#: nearly every frame begins so; any other block goes the general way, to the same result.
_EVENT_HEADERS: Final = re.compile(rb"Content-Length: ([0-9]{1,12})\nContent-Type: (text/event-[a-z]+)\Z")


class FrameError(EslAgentError):
    """The bytes are not Event Socket's, or exceed a limit; nothing after them can be trusted."""


@dataclass(frozen=True, slots=True)
class FrameLimits:
    """How large a frame may be before its sender is taken for broken or hostile.

    Headers: the answer to `connect` holds every variable of a channel,
    URL-encoded, and a caller's own SIP headers are among them.  Body: the
    largest is `show channels as json`, about 1,100 bytes a channel.
    """

    header_bytes_max: int = 256 * 1024
    body_bytes_max: int = 128 * 1024 * 1024


class Frame(NamedTuple):
    """One message of the switch; header values are as sent (URL-encoded where the switch encodes)."""

    content_type: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def reply_text(self) -> str:
        """What a `command/reply` says: `+OK …` or `-ERR …`; "" in other frames."""
        return self.headers.get("Reply-Text", "")


class FrameReader:
    """Cuts a stream into frames.

    `feed` bytes as they come, then iterate: each iteration yields the frames
    that are whole.  After a FrameError the reader is spent: it raises the same
    error for ever, since the place of the next frame is lost.
    """

    def __init__(self, limits: FrameLimits | None = None) -> None:
        self._limits = limits or FrameLimits()
        self._buffer = bytearray()
        self._start = 0  # of the frame being read
        self._searched = 0  # no end of headers before this
        self._head: tuple[Mapping[str, str], int, int] | None = None  # headers, start and end of the body
        self._error: FrameError | None = None

    @property
    def is_between_frames(self) -> bool:
        """Whether nothing is half read, so that an end of the stream here cuts nothing off."""
        return self._start == len(self._buffer)

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Add what the network brought.  What was read before is let go of here, once per feed."""
        if self._start:
            self._let_go()
        self._buffer += data

    def __iter__(self) -> Iterator[Frame]:
        """Yield each frame that is whole; raise FrameError where the bytes can't be a frame."""
        if self._error is not None:
            raise self._error
        try:
            while (frame := self._next()) is not None:
                yield frame
        except FrameError as error:
            self._error = error
            raise

    def _next(self) -> Frame | None:
        if self._head is None:
            self._head = self._read_head()
            if self._head is None:
                return None
        headers, begin, end = self._head
        if len(self._buffer) < end:
            return None
        with memoryview(self._buffer) as view:
            body = bytes(view[begin:end])
        self._head = None
        self._start = self._searched = end
        return Frame(headers["Content-Type"], headers, body)

    def _read_head(self) -> tuple[Mapping[str, str], int, int] | None:
        """The headers and the body's place, once the empty line has come."""
        end = self._buffer.find(_END_OF_HEADERS, self._searched)
        if end < 0:
            # The last byte may be the first half of the empty line.
            self._searched = max(self._start, len(self._buffer) - 1)
        if max(end, self._searched) - self._start > self._limits.header_bytes_max:
            raise FrameError(f"a header block is over {self._limits.header_bytes_max} bytes")
        if end < 0:
            return None
        headers, length = _parse_head(bytes(self._buffer[self._start : end]))
        if length > self._limits.body_bytes_max:
            allowed = self._limits.body_bytes_max
            raise FrameError(f"a body of {length} bytes is announced; {allowed} are allowed")
        begin = end + len(_END_OF_HEADERS)
        return headers, begin, begin + length

    def _let_go(self) -> None:
        del self._buffer[: self._start]
        self._searched -= self._start
        if self._head is not None:
            headers, begin, end = self._head
            self._head = headers, begin - self._start, end - self._start
        self._start = 0


def _parse_head(block: bytes) -> tuple[Mapping[str, str], int]:
    event = _EVENT_HEADERS.match(block)
    if event is not None:
        length, kind = event[1].decode(), event[2].decode()
        return {"Content-Length": length, "Content-Type": kind}, int(length)
    headers = _parse_headers(block)
    if "Content-Type" not in headers:
        raise FrameError("a header block has no Content-Type")
    length = headers.get("Content-Length", "0")
    if not _LENGTH.fullmatch(length):
        raise FrameError(f"a Content-Length is no number: {length[:40]!r}")
    return headers, int(length)


def _parse_headers(block: bytes) -> dict[str, str]:
    """Each line's name and value.

    The switch repeats a few headers (`Hangup-Cause` in a hang-up event).  A name
    that comes again with another value is an error: which of two lengths, or
    of two replies, was meant could only be guessed.
    """
    headers: dict[str, str] = {}
    for line in block.decode("utf-8", "replace").split("\n"):
        name, colon, value = line.partition(": ")
        if not colon or not name:
            raise FrameError(f"a header line has no name and value: {line[:40]!r}")
        if headers.setdefault(name, value) != value:
            raise FrameError(f"a header comes twice, with two values: {name[:40]!r}")
    return headers
