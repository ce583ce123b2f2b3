"""A real Event Socket peer on loopback that behaves as FreeSWITCH does, or as badly as a test wants.

It knows the few commands that a link needs; anything else, and any misbehaviour,
a test scripts with `answers`.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from socket import SHUT_RDWR

from gevent.event import Event
from gevent.queue import Queue
from gevent.server import StreamServer
from gevent.socket import socket

PATIENCE_S = 10.0  # how long a test waits for a fact before it fails


class Peer:
    """One connection as the switch sees it."""

    def __init__(self, sock: socket) -> None:
        self.sock = sock
        self.subscribed: set[str] = set()
        self.received: list[str] = []  # each message's first line
        self.is_gone = Event()
        self._input = sock.makefile("rb")

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def reply(self, text: str) -> None:
        self.send(f"Content-Type: command/reply\nReply-Text: {text}\n\n".encode())

    def answer(self, text: str) -> None:
        body = text.encode()
        self.send(b"Content-Type: api/response\nContent-Length: %d\n\n%b" % (len(body), body))

    def event(self, name: str, **headers: str) -> None:
        self.send(event_bytes(name, **headers))

    def log_line(self, text: str) -> None:
        body = text.encode()
        self.send(
            b"Content-Type: log/data\nContent-Length: %d\nLog-Level: 2\nUser-Data: \n\n%b" % (len(body), body)
        )

    def hang_up(self) -> None:
        """End the connection; what was sent before still arrives."""
        with suppress(OSError):
            self.sock.shutdown(SHUT_RDWR)

    def close(self) -> None:
        self._input.close()
        self.sock.close()
        self.is_gone.set()

    def read(self) -> list[str] | None:
        """The lines of the next message; None at the end."""
        lines: list[str] = []
        while line := self._input.readline():
            if line == b"\n":
                return lines
            lines.append(line.decode().rstrip("\n"))
        return None


def event_bytes(name: str, **headers: str) -> bytes:
    """An event as the switch frames it: `Core_UUID="x"` is the header `Core-UUID`, `_body` the body."""
    values = {"Event-Name": name}
    for key, value in headers.items():
        values[key if key == "_body" else key.replace("_", "-")] = value
    body = json.dumps(values, separators=(",", ":")).encode()
    return b"Content-Length: %d\nContent-Type: text/event-json\n\n%b" % (len(body), body)


#: What a peer does with a message: its lines are given.
Answer = Callable[[Peer, list[str]], None]


class ScriptedSwitch:
    """`start` it; `answers` by the beginning of a message go before what it knows itself."""

    def __init__(self, password: str = "ClueCon") -> None:
        self.password = password
        self.core_uuid = "7fa905c0-5d18-4999-a2a6-e526aff1df62"
        self.answers: dict[str, Answer] = {}
        self.greet: Callable[[Peer], None] = lambda peer: peer.send(b"Content-Type: auth/request\n\n")
        self.peers: Queue[Peer] = Queue()  # each is put here when it has subscribed to something
        self.visits = 0
        self._server = StreamServer(("127.0.0.1", 0), self._serve)

    @property
    def port(self) -> int:
        return int(self._server.server_port or 0)

    def start(self) -> None:
        self._server.start()

    def stop(self) -> None:
        self._server.stop(timeout=0)

    def next_peer(self, subscribed_to: str) -> Peer:
        """The next connection that has subscribed to this event."""
        while True:
            peer = self.peers.get(timeout=PATIENCE_S)
            if subscribed_to in peer.subscribed:
                return peer

    def _serve(self, sock: socket, _address: object) -> None:
        peer = Peer(sock)
        self.visits += 1
        try:
            self.greet(peer)
            while (lines := peer.read()) is not None:
                peer.received.append(lines[0])
                self._answer(peer, lines)
        except OSError:
            pass  # the other side is gone, or a script closed the socket
        finally:
            peer.close()

    def _answer(self, peer: Peer, lines: list[str]) -> None:
        line = lines[0]
        scripted = next((each for begin, each in self.answers.items() if line.startswith(begin)), None)
        if scripted is not None:
            scripted(peer, lines)
        elif line.startswith("auth "):
            peer.reply("+OK accepted" if line == f"auth {self.password}" else "-ERR invalid")
        elif line.startswith("event json "):
            peer.subscribed.update(line.split()[2:])
            peer.reply("+OK event listener enabled json")
            self.peers.put(peer)
        elif line.startswith("log "):
            peer.reply("+OK log level crit [2]")
        elif line == "api global_getvar core_uuid":
            peer.answer(self.core_uuid)
        elif line.startswith("api uuid_exists "):
            peer.answer("false")
        elif line.startswith("api "):
            peer.answer(f"+OK {line.removeprefix('api ')}\n")
        elif line.startswith("bgapi "):
            job = lines[1].removeprefix("Job-UUID: ")
            peer.send(
                f"Content-Type: command/reply\nReply-Text: +OK Job-UUID: {job}\nJob-UUID: {job}\n\n".encode()
            )
            peer.event("BACKGROUND_JOB", Job_UUID=job, _body=f"+OK {line.removeprefix('bgapi ')}\n")
        else:
            peer.reply("-ERR command not found")
