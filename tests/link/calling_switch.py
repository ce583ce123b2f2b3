"""FreeSWITCH's end of an outbound socket, for one call: what it told of real calls, and its answers.

`recorded/` holds the bytes of FreeSWITCH 1.10.12 on loopback, as its `socket`
application sent them: a customer's phone with hostile headers, a payphone that
calls a toll-free number, and what comes after `multiset` and `exit`.  The held
values of the host are changed.
"""

import _socket
from contextlib import suppress
from pathlib import Path
from socket import SHUT_WR

from fixtures.scripted_switch import PATIENCE_S
from gevent import socket as gevent_socket

RECORDED = Path(__file__).parent / "recorded"
PHONE_CALLS = (RECORDED / "phone_calls.esl").read_bytes()
PAYPHONE_CALLS = (RECORDED / "payphone_calls.esl").read_bytes()
VARIABLES_SET = (RECORDED / "variables_set.esl").read_bytes()


class CallingSwitch:
    """Connects as the `socket` application does; `call` is what it tells of its channel.

    A quick one is connected, by the system, before any other greenlet has run.
    """

    def __init__(self, port: int, call: bytes = PHONE_CALLS, *, is_quick: bool = False) -> None:
        if is_quick:
            connected = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
            connected.connect(("127.0.0.1", port))
            self.sock = gevent_socket.socket(fileno=connected.detach())
            self.sock.settimeout(PATIENCE_S)
        else:
            self.sock = gevent_socket.create_connection(("127.0.0.1", port), PATIENCE_S)
        self._call = call
        self._input = self.sock.makefile("rb")

    def __enter__(self) -> "CallingSwitch":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._input.close()
        self.sock.close()

    def read(self) -> list[str] | None:
        """The lines of the next message; None at the end of the connection, however it ends."""
        lines: list[str] = []
        with suppress(ConnectionError):
            while line := self._input.readline():
                if line == b"\n":
                    return lines
                lines.append(line.decode().rstrip("\n"))
        return None

    def tell(self) -> None:
        """Wait for `connect`, and answer it."""
        assert self.read() == ["connect"]
        self.sock.sendall(self._call)

    def told(self) -> dict[str, str] | None:
        """Tell of the call, and return what is set on its leg; None where the connection ends before."""
        self.tell()
        return self.answer()

    def answer(self) -> dict[str, str] | None:
        """What is set on the leg, after `tell`.  All is read before any of it is answered."""
        message = self.read()
        if message is None:
            return None
        assert message[:3] == ["sendmsg", "call-command: execute", "execute-app-name: multiset"]
        assert self.read() == ["exit"]
        self.sock.sendall(VARIABLES_SET)
        argument = message[3].removeprefix("execute-app-arg: ^^")
        return dict(pair.split("=", 1) for pair in argument[1:].split(argument[0]))

    def send(self, data: bytes) -> None:
        """Send, though the other side may be gone."""
        with suppress(OSError):
            self.sock.sendall(data)

    def finish_sending(self) -> None:
        with suppress(OSError):
            self.sock.shutdown(SHUT_WR)
