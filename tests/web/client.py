"""Somebody who speaks HTTP to the daemon, over real sockets."""

from __future__ import annotations

import json
import socket
from http.client import HTTPConnection
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

LOOPBACK: Final = "127.0.0.1"
PATIENCE_S: Final = 15.0
BASE: Final = "/api/v1"


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]  # by small letters
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """`token` is shown with every request; None: none."""

    def __init__(self, port: int, token: str | None = None) -> None:
        self.port = port
        self.token = token

    def get(self, path: str, headers: dict[str, str] | None = None, **query: object) -> Answer:
        asked = f"{BASE}{path}?{urlencode(query)}" if query else BASE + path
        return self.send("GET", asked, headers=headers)

    def post(
        self, path: str, body: object, key: str | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        more = {"Content-Type": "application/json"} | ({"Idempotency-Key": key} if key else {})
        return self.send("POST", BASE + path, json.dumps(body).encode(), more | (headers or {}))

    def send(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        given = dict(headers or {})
        if self.token is not None:
            given.setdefault("Authorization", f"Bearer {self.token}")
        connection = HTTPConnection(LOOPBACK, self.port, timeout=PATIENCE_S)
        try:
            connection.request(method, path, body, given)
            answer = connection.getresponse()
            return Answer(
                answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
            )
        finally:
            connection.close()

    def pages(self, path: str, rows: str, **query: object) -> list[Any]:
        """All rows of a list, page by page."""
        found: list[Any] = []
        cursor: dict[str, object] = {}
        while True:
            page = self.get(path, **query, **cursor).json
            found += page[rows]
            if page["next_cursor"] is None:
                return found
            cursor = {"cursor": page["next_cursor"]}


def raw(port: int, data: bytes) -> bytes:
    """What comes back for these bytes, until the end."""
    with socket.create_connection((LOOPBACK, port), PATIENCE_S) as sock:
        sock.sendall(data)
        return rest_of(sock)


def rest_of(sock: socket.socket) -> bytes:
    received = b""
    try:
        while data := sock.recv(65_536):
            received += data
    except ConnectionResetError:
        pass  # it hung up over what we had still to say
    return received
