"""The door for FreeSWITCH's outbound socket: the switch connects for each call and waits for its answer.

    <action application="set" data="esl_admitted=false"/>
    <action application="set" data="socket_resume=true"/>
    <action application="socket" data="127.0.0.1:8084 async full"/>

What is exchanged (mod_event_socket.c, `socket_function`, `listener_run`): we
send `connect` at once and are told all of the channel; then `multiset` and
`exit` go out in one write, and the dialplan goes on with the variables set.
Where the connection ends without them, it goes on with nothing set.

The switch serialises a channel with its names unique (switch_event.c,
EF_UNIQ_HEADERS for CHANNEL_DATA), so a header that came twice with two values
was not the switch's: the reader refuses it.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast
from urllib.parse import unquote

from gevent.socket import socket as GeventSocket
from greenswitch.esl import OutboundSession

from esl_agent.core.admission.question import Question
from esl_agent.core.admission.variables import as_multiset
from esl_agent.switch import commands
from esl_agent.switch.commands import Command
from esl_agent.switch.door import Answer, Clerk, Decide, nobody_minds
from esl_agent.switch.embedded import ASKED_BY
from esl_agent.switch.errors import CommandRefused
from esl_agent.switch.frames import Frame, FrameLimits
from esl_agent.switch.peers import DEFAULT_LIMITS, Peer, PeerLimits, Peers, PeerServer, listen_tcp
from esl_agent.switch.protocol import SafeProtocol
from esl_agent.switch.trouble import Complaints, Trouble

DEFAULT_PORT: Final = 8084
#: No body comes but the switch's farewell.
BODY_BYTES_MAX: Final = 16 * 1024
#: Sent and not answered yet: `connect`, or `multiset` and `exit`.
IN_FLIGHT_MAX: Final = 4

#: The headers for what the switch itself knows of the leg (`embedded.KNOWN_BY`).
_KNOWN_BY: Final = {
    "leg": "Unique-ID",
    "number": "Caller-Destination-Number",
    "caller": "Caller-Caller-ID-Number",
    "oli": "Caller-ANI-II",
}
_ASKED_BY: Final = {field: f"variable_{name}" for field, name in ASKED_BY.items()}
_UNDEFINED: Final = "_undef_"  # how the switch writes an empty value


class CallSession(SafeProtocol, OutboundSession):  # type: ignore[misc]  # greenswitch has no types
    """The connection that the switch opened for one call: `connect`, then `answer_with`.

    Nothing comes on it that was not asked for, so whoever waits for an answer
    reads it: a call takes one greenlet, and no turns between several.
    """

    def __init__(self, address: object, sock: GeventSocket) -> None:
        super().__init__(address, sock)
        self.sock_file.close()  # it would keep the socket open; frames are read from the socket itself
        self.event_handlers.clear()  # greenswitch's own read an event's headers; no events are asked for
        self.limits = FrameLimits(body_bytes_max=BODY_BYTES_MAX)
        self.in_flight_max = IN_FLIGHT_MAX
        self._begin_reading()

    def start_event_handlers(self) -> None:
        """Nothing: greenswitch has this called where others begin to read in the background."""

    def send(self, command: Command, deadline_s: float | None = None) -> Frame:
        """Send a message, and those posted before it, and wait for its answer.

        Waits until the connection ends, which the door sees to; raises ConnectionLost.
        """
        answer = self.post(command)
        self._flush()
        while not answer.ready():
            self._read_some()
        return cast(Frame, answer.get())

    def connect(self) -> Mapping[str, str]:
        """Everything that the switch knows of the call, as headers with URL-encoded values."""
        self.session_data = self.send(commands.connect()).headers
        return self.session_data

    def answer_with(self, variables: Mapping[str, str]) -> None:
        """Set the variables and let the dialplan go on; raises ConnectionLost or CommandRefused.

        The answers are waited for: a socket closed before could reset the
        connection while the switch still reads.
        """
        setting = self.post(commands.execute("multiset", as_multiset(variables)))
        self.send(commands.leave())
        reply = cast(Frame, setting.get()).reply_text
        if not reply.startswith("+OK"):
            raise CommandRefused(f"the switch refused to set variables: {reply[:200]!r}")

    def call_command(self, app_name: str, app_args: str | None = None, *_: object, **__: object) -> Frame:
        """greenswitch's applications (`answer`, `hangup`, …), sent as checked commands and not waited out."""
        return self.send(commands.execute(app_name, app_args or ""))


@dataclass(frozen=True, slots=True)
class OutboundDoorConfig:
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    limits: PeerLimits = DEFAULT_LIMITS


class OutboundDoor:
    """`start` it; each call that the switch brings is put to `decide`, and answered.

    `decide` runs in a greenlet of the call's own and may wait; past
    `answer_timeout_s` the switch is let go without an answer, and
    `on_undelivered` gets what `decide` returns too late.
    """

    def __init__(
        self,
        config: OutboundDoorConfig,
        decide: Decide,
        now_us: Callable[[], int],
        on_trouble: Callable[[Trouble], object],
        on_undelivered: Callable[[Question, Answer], object] = nobody_minds,
    ) -> None:
        self.complaints = Complaints("outbound", on_trouble)
        self.clerk = Clerk(decide, now_us, self.complaints, on_undelivered)
        self.peers = Peers(config.limits, self.complaints)
        self._server = PeerServer(lambda: listen_tcp(config.host, config.port), self.peers, self._attend)

    @property
    def port(self) -> int:
        return self._server.port

    def start(self) -> None:
        """Raises DoorError where the port can't be had."""
        self._server.start()

    def stop(self, timeout_s: float = 0.0) -> None:
        """Take no more calls, and give those that wait `timeout_s` for their answers."""
        self._server.stop(timeout_s)

    def _attend(self, sock: GeventSocket, peer: Peer) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        session = CallSession(peer.name, sock)
        try:
            asked = asked_of(session.connect())
            peer.has_asked()
            self.clerk.attend(asked, lambda answer: session.answer_with(answer.variables))
        finally:
            session.close()


def asked_of(headers: Mapping[str, str]) -> dict[str, str]:
    """The texts of a question in a channel's headers, each URL-decoded on its own."""
    known = {field: _value(headers, name) for field, name in _KNOWN_BY.items()}
    said = {field: _value(headers, name) for field, name in _ASKED_BY.items()}
    return known | {field: text for field, text in said.items() if text}


def _value(headers: Mapping[str, Any], name: str) -> str:
    value = headers.get(name, _UNDEFINED)
    return "" if value == _UNDEFINED else unquote(value)
