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
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NoReturn

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
BUFFER_BYTES: Final = 64 * 1024
_END_OF_HEADERS: Final = b"\n\n"
_LENGTH: Final = re.compile("[0-9]{1,12}", re.ASCII)
#: The whole head of every event (mod_event_socket.c, `read_packet`), read in one go because nearly
#: every frame begins so; any other head goes the general way, to the same result.
_EVENT_HEAD: Final = re.compile(rb"Content-Length: ([0-9]{1,12})\nContent-Type: text/event-json\n\n")
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

    With `take_event`, JSON events are not yielded: it is called with the body of
    each, in its turn.  The body is a view of the buffer, good during the call.
    """

    def __init__(
        self,
        limits: FrameLimits | None = None,
        buffer_bytes: int = BUFFER_BYTES,
        take_event: Callable[[memoryview], object] | None = None,
    ) -> None:
        self._limits = limits or FrameLimits()
        self._head_bytes_max = self._limits.header_bytes_max + len(_END_OF_HEADERS)
        self._buffer_bytes = buffer_bytes
        self._take_event = take_event
        self._error: FrameError | None = None
        self._new_buffer(buffer_bytes)
        self._start = self._end = 0  # of what is held, in the buffer
        self._searched = 0  # no end of headers before this
        self._needed = 0  # no frame is whole before the buffer is filled up to here

    @property
    def is_between_frames(self) -> bool:
        """Whether nothing is half read, so that an end of the stream here cuts nothing off."""
        return self._start == self._end

    def space(self) -> memoryview:
        """Where the network may write next; good until the next call."""
        least = self._buffer_bytes // 4
        if self._start == self._end or len(self._buffer) - self._end < least:
            self._make_space(least)
        return self._view[self._end :]

    def wrote(self, count: int) -> None:
        """`count` bytes were written at the beginning of `space()`."""
        self._end += count

    def feed(self, data: bytes) -> None:
        """Add a copy of what the network brought."""
        if len(self._buffer) - self._end < len(data):
            self._make_space(len(data))
        self._view[self._end : self._end + len(data)] = data
        self.wrote(len(data))

    def __iter__(self) -> Iterator[Frame]:
        """Yield each frame that is whole; raise FrameError where the bytes can't be a frame."""
        if self._error is not None:
            raise self._error
        take_event, head_bytes_max = self._take_event, self._head_bytes_max
        body_bytes_max = self._limits.body_bytes_max
        try:
            while self._end >= self._needed:
                start = self._start
                event = _EVENT_HEAD.match(self._buffer, start, self._end)
                if event is not None:
                    content_type, headers = EVENT_JSON, _NO_HEADERS
                    begin, length = event.end(), int(event[1])
                elif (begin := self._end_of_headers()) > 0:
                    content_type, headers, length = self._parse_headers_before(begin)
                else:
                    return
                if begin - start > head_bytes_max or length > body_bytes_max:
                    self._refuse(length)
                end = self._needed = begin + length
                if end > self._end:
                    return
                self._start = self._searched = end
                if take_event is not None and content_type == EVENT_JSON:
                    take_event(self._view[begin:end])
                else:
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
        if self._searched + len(_END_OF_HEADERS) - self._start > self._head_bytes_max:
            self._refuse(0)
        return 0

    def _parse_headers_before(self, begin: int) -> tuple[str, Mapping[str, str], int]:
        """The content type, the headers besides, and the length of the body."""
        headers = _parse_headers(bytes(self._view[self._start : begin - len(_END_OF_HEADERS)]))
        content_type = headers.pop("Content-Type", "")
        if not content_type:
            raise FrameError("a header block has no Content-Type")
        length = headers.pop("Content-Length", "0")
        if not _LENGTH.fullmatch(length):
            raise FrameError(f"a Content-Length is no number: {length[:40]!r}")
        return content_type, headers, int(length)

    def _refuse(self, length: int) -> NoReturn:
        limits = self._limits
        if length > limits.body_bytes_max:
            raise FrameError(f"a body of {length} bytes is announced; {limits.body_bytes_max} are allowed")
        raise FrameError(f"a header block is over {limits.header_bytes_max} bytes")

    def _make_space(self, least: int) -> None:
        """Move what is held to the front, of a larger buffer if need be, of a small one when it can."""
        held = self._view[self._start : self._end]
        size = self._buffer_bytes
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
