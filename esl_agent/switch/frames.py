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
from types import MappingProxyType
from typing import Final

import msgspec

from esl_agent.errors import EslAgentError

AUTH_REQUEST: Final = "auth/request"
COMMAND_REPLY: Final = "command/reply"
API_RESPONSE: Final = "api/response"
EVENT_JSON: Final = "text/event-json"
EVENT_PLAIN: Final = "text/event-plain"
DISCONNECT_NOTICE: Final = "text/disconnect-notice"
RUDE_REJECTION: Final = "text/rude-rejection"
LOG_DATA: Final = "log/data"

#: The buffer of a reader; it grows for a larger frame and shrinks again after it.
BUFFER_BYTES: Final = 256 * 1024
SPACE_BYTES_MIN: Final = 64 * 1024
_END_OF_HEADERS: Final = b"\n\n"
_LENGTH: Final = re.compile("[0-9]{1,12}", re.ASCII)
#: The whole head of every event (mod_event_socket.c, `read_packet`), read in one go because nearly
#: every frame begins so; any other head goes the general way, to the same result.
_EVENT_HEAD: Final = re.compile(
    rb"Content-Length: ([0-9]{1,12})\nContent-Type: text/event-(json|plain|xml)\n\n"
)
_EVENT_TYPES: Final = {b"json": "text/event-json", b"plain": "text/event-plain", b"xml": "text/event-xml"}
_NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})


class FrameError(EslAgentError):
    """The bytes are not Event Socket's, or exceed a limit; nothing after them can be trusted."""


@dataclass(frozen=True, slots=True)
class FrameLimits:
    """How large a frame may be before its sender is taken for broken or hostile.

    Headers: the answer to `connect` holds every variable of a channel,
    URL-encoded, and a caller's own SIP headers are among them.  Body: the
    largest is `show channels as json`, about 1,100 bytes a channel.
    """

    header_bytes_max: int = 128 * 1024
    body_bytes_max: int = 128 * 1024 * 1024


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One message of the switch.

    `headers` are those besides Content-Type and Content-Length, with values as
    sent (URL-encoded where the switch encodes).
    """

    content_type: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def reply_text(self) -> str:
        """What a `command/reply` says: `+OK …` or `-ERR …`; "" in other frames."""
        return self.headers.get("Reply-Text", "")


class FrameReader:
    """Cuts a stream into frames.

    Give it bytes, by `feed` or by writing them into `space()` and telling
    `wrote`; then iterate: each iteration yields the frames that are whole.
    After a FrameError the reader is spent: it raises the same error for ever,
    since the place of the next frame is lost.
    """

    def __init__(self, limits: FrameLimits | None = None) -> None:
        self._limits = limits or FrameLimits()
        self._error: FrameError | None = None
        self._new_buffer(BUFFER_BYTES)
        self._start = self._end = 0  # of what is held, in the buffer
        self._searched = 0  # no end of headers before this
        self._needed = 0  # no frame is whole before the buffer is filled up to here

    @property
    def is_between_frames(self) -> bool:
        """Whether nothing is half read, so that an end of the stream here cuts nothing off."""
        return self._start == self._end

    def space(self, least: int = SPACE_BYTES_MIN) -> memoryview:
        """Where the network may write next: at least `least` bytes; good until the next call."""
        if len(self._buffer) - self._end < least:
            self._make_space(least)
        return self._view[self._end :]

    def wrote(self, count: int) -> None:
        """`count` bytes were written at the beginning of `space()`."""
        self._end += count

    def feed(self, data: bytes) -> None:
        """Add a copy of what the network brought."""
        self.space(len(data))[: len(data)] = data
        self.wrote(len(data))

    def __iter__(self) -> Iterator[Frame]:
        """Yield each frame that is whole; raise FrameError where the bytes can't be a frame."""
        if self._error is not None:
            raise self._error
        try:
            while self._end >= self._needed:
                event = _EVENT_HEAD.match(self._buffer, self._start, self._end)
                if event is not None:
                    content_type, headers = _EVENT_TYPES[event[2]], _NO_HEADERS
                    begin, length = event.end(), int(event[1])
                elif (begin := self._end_of_headers()) > 0:
                    content_type, headers, length = self._parse_headers_before(begin)
                else:
                    return
                end = self._needed = self._within_limits(begin, length)
                if end > self._end:
                    return
                self._start = self._searched = end
                yield Frame(content_type, headers, bytes(self._view[begin:end]))
        except FrameError as error:
            self._error = error
            raise

    def _end_of_headers(self) -> int:
        """Where the next body begins; 0 while the empty line before it has not come."""
        end = self._buffer.find(_END_OF_HEADERS, self._searched, self._end)
        if end >= 0:
            return end + len(_END_OF_HEADERS)
        # The last byte may be the first half of the empty line.
        self._searched = max(self._start, self._end - 1)
        self._within_limits(self._searched + len(_END_OF_HEADERS), 0)
        return 0

    def _within_limits(self, begin: int, length: int) -> int:
        """The end of a body of `length` bytes from `begin`, if neither it nor its headers are too long."""
        if begin - len(_END_OF_HEADERS) - self._start > self._limits.header_bytes_max:
            raise FrameError(f"a header block is over {self._limits.header_bytes_max} bytes")
        if length > self._limits.body_bytes_max:
            allowed = self._limits.body_bytes_max
            raise FrameError(f"a body of {length} bytes is announced; {allowed} are allowed")
        return begin + length

    def _parse_headers_before(self, begin: int) -> tuple[str, Mapping[str, str], int]:
        """The content type, the headers besides, and the length of the body."""
        self._within_limits(begin, 0)
        headers = _parse_headers(bytes(self._view[self._start : begin - len(_END_OF_HEADERS)]))
        content_type = headers.pop("Content-Type", "")
        if not content_type:
            raise FrameError("a header block has no Content-Type")
        length = headers.pop("Content-Length", "0")
        if not _LENGTH.fullmatch(length):
            raise FrameError(f"a Content-Length is no number: {length[:40]!r}")
        return content_type, headers, int(length)

    def _make_space(self, least: int) -> None:
        """Move what is held to the front, of a larger buffer if need be, of a small one when it can."""
        held = self._view[self._start : self._end]
        size = BUFFER_BYTES
        while size < len(held) + least:
            size *= 2
        if size != len(self._buffer):
            self._new_buffer(size)
        self._view[: len(held)] = held
        self._searched -= self._start
        self._needed = max(0, self._needed - self._start)
        self._start, self._end = 0, len(held)

    def _new_buffer(self, size: int) -> None:
        self._buffer = bytearray(size)
        self._view = memoryview(self._buffer)


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
