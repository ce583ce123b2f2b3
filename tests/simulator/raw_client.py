"""The least that talks to an Event Socket: a TCP socket and a frame reader."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from typing import Any

from gevent import socket

from esl_agent.switch.frames import Frame, FrameReader

#: No test waits longer than this for bytes that ought to come.
PATIENCE_S = 20.0


#: Every client that was made; the fixture `no_client_stays` closes them.
CLIENTS: list[RawClient] = []


class Closed(Exception):
    """The other side closed the connection."""


class RawClient:
    """Sends text, reads frames; `received` is every byte that came."""

    def __init__(self, port: int) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
        self.received = bytearray()
        self._reader = FrameReader()
        self._frames: deque[Frame] = deque()
        CLIENTS.append(self)

    def send(self, text: str) -> None:
        self.sock.sendall(text.encode())

    def frame(self) -> Frame:
        """The next frame; raises Closed where there comes none."""
        while not self._frames:
            try:
                data = self.sock.recv(65_536)
            except ConnectionResetError:
                data = b""
            if not data:
                raise Closed
            self.received += data
            self._reader.feed(data)
            self._frames.extend(self._reader)
        return self._frames.popleft()

    def ask(self, command: str) -> str:
        """Send a command; what is replied, or printed."""
        self.send(command + "\n\n")
        while True:
            frame = self.frame()
            if frame.content_type == "command/reply":
                return frame.reply_text
            if frame.content_type == "api/response":
                return frame.body.decode()

    def event(self, name: str = "") -> dict[str, Any]:
        """The next event (of that name, if one is given), from JSON."""
        while True:
            frame = self.frame()
            if frame.content_type == "text/event-json":
                event: dict[str, Any] = json.loads(frame.body)
                if name in ("", event["Event-Name"]):
                    return event

    def events(self, number: int) -> list[dict[str, Any]]:
        return [self.event() for _ in range(number)]

    def rest(self) -> Iterator[Frame]:
        """Every frame till the connection is closed."""
        while True:
            try:
                yield self.frame()
            except Closed:
                return

    def close(self) -> None:
        self.sock.close()


def log_in(port: int, password: str = "ClueCon") -> RawClient:
    client = RawClient(port)
    assert client.frame().content_type == "auth/request"
    assert client.ask(f"auth {password}") == "+OK accepted"
    return client
