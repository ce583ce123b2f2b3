"""One connection to the Event Socket, without the socket: bytes in, bytes out.

src/mod/event_handlers/mod_event_socket/mod_event_socket.c.  What is to be sent
waits in a queue with a limit; a client that lets it run full loses events and,
after so many in a row, the connection.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import msgspec

from esl_agent.simulator import commands
from esl_agent.simulator.events import Event
from esl_agent.simulator.formats import JSON, PLAIN, Format, array_text
from esl_agent.simulator.wire import Command, CommandReader, CommandTooLong

if TYPE_CHECKING:
    from esl_agent.simulator.call import Call
    from esl_agent.simulator.core import Core
    from esl_agent.simulator.faults import Faults

AUTH_REQUEST: Final = b"Content-Type: auth/request\n\n"
GOODBYE: Final = "Disconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n"
SHUT_DOWN: Final = "The system is being shut down.\n"
LOST_EVENTS: Final = "killed listener because of lost events\n"

CRITICAL: Final = 2
#: How much is handed to the socket at once.
_TAKE_BYTES_MAX: Final = 256 * 1024


class Listener:
    """A client; `call` is the one it controls, where the switch made the connection."""

    def __init__(self, core: Core, faults: Faults, call: Call | None = None) -> None:
        self.core = core
        self.faults = faults
        self.call = call
        self.is_authed = call is not None
        self.is_async = self.is_full = self.is_connected = False
        self.format: Format = PLAIN
        self.listens = False
        self.events: set[str] = set()
        self.subclasses: set[str] = set()
        self.filters: list[tuple[str, str]] = []
        self.log_level: int | None = None  # up to which level (0 console, 7 debug) it hears the log
        self.my_leg: str | None = None  # only this leg's events, after `myevents`
        self.linger_s: int | None = None  # None: the connection ends with the call; -1: never
        self.resumes = False
        self.leaving = False  # a command ends the connection, after its reply
        self.closing = False
        self.missed = 0
        self.when_output: Callable[[], None] = lambda: None
        self._reader = CommandReader()
        self._out: deque[bytes] = deque()

    # Bytes

    def receive(self, data: bytes) -> None:
        """Take what the client sent and do what it says."""
        try:
            for command in self._reader.feed(data):
                if self.faults.takes_command():
                    continue
                if self.faults.command_delay_us:
                    self.core.after(self.faults.command_delay_us, self._handle, command)
                else:
                    self._handle(command)
        except CommandTooLong:
            self.close(GOODBYE)

    def _handle(self, command: Command) -> None:
        if self.closing:
            return
        # What the command brings about is told after its reply, as the switch's listener does it.
        place = len(self._out)
        for tell in self.core.when_told:
            tell(self, command)
        reply = commands.run(self, command)
        if reply and not self.faults.takes_reply():
            self._out.insert(place, reply)
            self.when_output()
        if self.leaving and not self.closing:
            self.close(GOODBYE)

    def take(self) -> bytes:
        """The next bytes for the socket, b"" if there are none."""
        taken, size = [], 0
        while self._out and size < _TAKE_BYTES_MAX:
            taken.append(self._out.popleft())
            size += len(taken[-1])
        return b"".join(taken)

    @property
    def waiting(self) -> int:
        """How many frames wait to be sent."""
        return len(self._out)

    def push(self, frame: bytes) -> None:
        """Send an event's frame, if there is room."""
        if self.closing:
            return
        room = self.core.config.event_queue_max
        if len(self._out) >= room:
            self.missed += 1
            self.core.events_lost += 1
            if self.missed > self.core.config.missed_max:
                self.close(LOST_EVENTS)
            return
        if self.missed:
            # The one place where the switch says that it dropped events: its log, once there is room.
            lost = f"Lost [{self.missed}] events! Event Queue size: [{len(self._out)}/{room}]"
            self.core.log(CRITICAL, "mod_event_socket.c", "event_handler", 389, lost)
            self.missed = 0
        self.core.events_sent += 1
        self._out.append(frame)
        self.when_output()

    def say(self, data: bytes) -> None:
        """Send something that is no event."""
        self._out.append(data)
        self.when_output()

    # The end

    def close(self, message: str) -> None:
        """Say goodbye, and close once that is sent."""
        text = "Content-Type: text/disconnect-notice\n"
        if self.call is not None:
            text += f"Controlled-Session-UUID: {self.call.caller.uuid}\nContent-Disposition: disconnect\n"
        self.say(f"{text}Content-Length: {len(message)}\n\n{message}".encode())
        self.closing = True
        self.gone()

    def break_off(self) -> None:
        """Close without a word, once everything before is sent."""
        self.closing = True
        self.gone()
        self.when_output()

    def gone(self) -> None:
        """The connection is over, whoever ended it."""
        self.closing = True
        if self in self.core.listeners:
            self.core.listeners.remove(self)
        call, self.my_leg = self.call, None
        if call is not None and call.controller is self:
            call.socket_closed(resume=self.resumes or call.variable("socket_resume") == "true")

    def forget(self) -> None:
        """What waits is not sent any more."""
        self._out.clear()

    def leg_is_down(self) -> None:
        """The leg that this client controls has ended."""
        if self.call is None or self.closing:
            return
        if self.linger_s is None:
            self.close(GOODBYE)
            return
        leg = self.call.caller
        self.say(
            "Content-Type: text/disconnect-notice\n"
            f"Controlled-Session-UUID: {leg.uuid}\n"
            "Content-Disposition: linger\n"
            f"Channel-Name: {leg.channel_name}\n"
            f"Linger-Time: {self.linger_s}\n"
            "Content-Length: 0\n\n".encode()
        )
        if self.linger_s >= 0:
            self.core.after(self.linger_s * 1_000_000, self._linger_over)

    def _linger_over(self) -> None:
        if not self.closing:
            self.close(GOODBYE)

    # Events

    @property
    def hears_calls(self) -> bool:
        """Whether it asked to be told of calls."""
        return any(name.startswith("CHANNEL_") for name in self.events)

    def wants(self, name: str, leg_uuid: str) -> bool:
        """Whether an event of that name, about that leg, is to be delivered, filters aside."""
        return self.listens and name in self.events and (self.my_leg is None or leg_uuid == self.my_leg)

    def deliver(self, event: Event) -> None:
        """Send an event that is wanted, unless its subclass is not, or a filter is against it."""
        if event.subclass and not self._wants_subclass(event.subclass):
            return
        if not self.filters or self._passes(event):
            self.faults.send(self, event.name, event.frame(self.format))

    def _wants_subclass(self, subclass: str) -> bool:
        return "ALL" in self.events or subclass in self.subclasses

    def hear_log(self, level: int, file: str, function: str, line: int, data: str) -> None:
        """Send a line of the switch's log, if the client listens to such."""
        if self.log_level is None or level > self.log_level or self.closing:
            return
        self.say(
            f"Content-Type: log/data\nContent-Length: {len(data.encode())}\nLog-Level: {level}\n"
            f"Text-Channel: 0\nLog-File: {file}\nLog-Func: {function}\nLog-Line: {line}\n"
            f"User-Data: \n\n{data}".encode()
        )

    def _passes(self, event: Event) -> bool:
        """As `event_handler` does it: one positive match is enough, one negative match is too much."""
        headers = _headers(event)
        send = False
        for name, value in self.filters:
            header = headers.get(name.lower())
            if header is None:
                continue
            signs = value[: len(value) - len(value.lstrip("+- "))]
            positive = signs.rstrip(" ")[-1:] != "-"
            if send and positive:
                continue
            if _matches(header, value[len(signs) :], is_pattern=value.startswith("/")):
                send = positive
                if not positive:
                    break
        return send


def _headers(event: Event) -> dict[str, str]:
    values = msgspec.json.decode(event.body(JSON))
    return {
        name.lower(): value if isinstance(value, str) else array_text(value) for name, value in values.items()
    }


def _matches(header: str, value: str, *, is_pattern: bool) -> bool:
    if not is_pattern:
        return header.lower() == value.lower()
    try:
        return re.search(value.strip("/"), header) is not None
    except re.error:
        return False
