"""A small Event Socket client that waits: for an API command's answer, or for an event.

It is a tool of the lab, not the daemon's client (switch/client.py): one
connection, one question at a time, no reconnecting.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from esl_agent.errors import EslAgentError
from esl_agent.switch.frames import (
    API_RESPONSE,
    AUTH_REQUEST,
    COMMAND_REPLY,
    EVENT_JSON,
    Frame,
    FrameReader,
)

READ_BYTES: Final = 65_536
ANSWER_S: Final = 10.0

Event = dict[str, Any]


class ConsoleError(EslAgentError):
    """The switch refused, or said nothing in time."""


class Console:
    """An authenticated connection for commands."""

    def __init__(self, host: str, port: int, password: str, deadline_s: float = ANSWER_S) -> None:
        self._frames = FrameReader()
        self._ready: list[Frame] = []
        try:
            self._socket = socket.create_connection((host, port), timeout=deadline_s)
        except OSError as error:
            raise ConsoleError(f"no Event Socket at {host}:{port}: {error.strerror or error}") from None
        try:
            self._expect(AUTH_REQUEST)
            self.command(f"auth {password}")
        except BaseException:
            self._socket.close()
            raise

    def command(self, line: str) -> str:
        """Send one command; the text of its reply.  Raises ConsoleError if it is an error."""
        self._send(line)
        reply = self._expect(COMMAND_REPLY).reply_text
        if reply.startswith("-ERR"):
            raise ConsoleError(f"the switch refused {line.split(' ')[0]}: {reply}")
        return reply

    def api(self, line: str) -> str:
        """The answer of an API command, as it is (`-ERR …` too)."""
        self._send(f"api {line}")
        return self._expect(API_RESPONSE).body.decode("utf-8", "replace")

    def next_event(self) -> Event | None:
        """The next JSON event; None once the connection is closed."""
        try:
            event: Event = json.loads(self._expect(EVENT_JSON).body)
        except (ConsoleError, OSError):
            return None
        return event

    def wait_for_ever(self) -> None:
        """Reads wait without a deadline from here on."""
        self._socket.settimeout(None)

    def close(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes a reader in another thread
        self._socket.close()

    def __enter__(self) -> Console:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _send(self, line: str) -> None:
        if "\n" in line or "\r" in line:
            raise ConsoleError("a command is one line")
        self._socket.sendall(f"{line}\n\n".encode())

    def _expect(self, content_type: str) -> Frame:
        """The next frame of `content_type`; others are passed over."""
        while True:
            while self._ready:
                frame = self._ready.pop(0)
                if frame.content_type == content_type:
                    return frame
            try:
                data = self._socket.recv(READ_BYTES)
            except TimeoutError:
                raise ConsoleError(f"the switch sent no {content_type} in time") from None
            if not data:
                raise ConsoleError(f"the switch closed the connection before a {content_type}")
            self._frames.feed(data)
            self._ready.extend(self._frames)


class EventTap:
    """Every event since it was opened, kept in order, to be waited for."""

    def __init__(self, console: Console, names: str = "ALL") -> None:
        self.events: list[Event] = []
        self._console = console
        self._news = threading.Condition()
        console.command(f"event json {names}")
        console.wait_for_ever()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait(self, matches: Callable[[Event], bool], what: str, deadline_s: float = ANSWER_S) -> Event:
        """The first event that matches, whether it came already or comes yet."""
        end = time.monotonic() + deadline_s
        seen = 0
        with self._news:
            while True:
                for event in self.events[seen:]:
                    if matches(event):
                        return event
                seen = len(self.events)
                left_s = end - time.monotonic()
                if left_s <= 0 or not self._news.wait(left_s):
                    raise ConsoleError(f"no event within {deadline_s:g} s: {what}")

    def close(self) -> None:
        self._console.close()
        self._reader.join(ANSWER_S)

    def __enter__(self) -> EventTap:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self) -> None:
        while (event := self._console.next_event()) is not None:
            with self._news:
                self.events.append(event)
                self._news.notify_all()
