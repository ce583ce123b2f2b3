"""greenswitch's protocol, with its reading, sending and waiting replaced.

What greenswitch 0.0.19 does                     What is done here
-----------------------------------------------  -----------------------------------------------
URL-decodes before it splits lines: a caller's   frames are cut first (frames.py); values are
name can forge headers                           decoded each on its own, or come as JSON
dies on JSON events and on bytes that are no     JSON is what is read; damage in a value stays
UTF-8, without a word                            there, and every end has a reason
spins where a read comes short                   reads what there is, waits for the rest
sends with `sock.send`, which may send a part    one greenlet sends whole messages, many at once
waits for an answer for ever                     every wait has a deadline
takes line breaks inside commands                takes only a checked `Command`
queues events and answers without bound          hands events on as they are read; commands that
                                                 wait are counted against a limit
catches every exception of a handler, exits too  catches `Exception`, and logs it

A switch answers messages in the order they were sent (mod_event_socket.c,
`listener_run`), so answers are matched by order alone: a command that nobody
waits for any more keeps its place until its answer has come.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final, cast

import gevent
from gevent.event import AsyncResult, Event
from greenswitch.esl import ESLProtocol

from esl_agent.switch.commands import Command
from esl_agent.switch.errors import (
    CommandTimeout,
    ConnectionLost,
    SwitchError,
    SwitchRefused,
    TooManyCommands,
)
from esl_agent.switch.events import DEFAULT_NAMES, EventError, decoder_of, peek_name
from esl_agent.switch.frames import (
    API_RESPONSE,
    AUTH_REQUEST,
    COMMAND_REPLY,
    DISCONNECT_NOTICE,
    LOG_DATA,
    RUDE_REJECTION,
    Frame,
    FrameError,
    FrameLimits,
    FrameReader,
)

#: The buffer of a connection that brings no bursts; there may be many of them.
BUFFER_BYTES: Final = 16 * 1024
#: Of a burst so much is read before timers and others get a turn.
BYTES_PER_TURN: Final = 128 * 1024
#: Commands that may wait for their answers on one connection.
IN_FLIGHT_MAX: Final = 10_000
#: How long `close` waits for the connection's greenlets.
CLOSE_TIMEOUT_S: Final = 2.0
NOTICE_CHARS_MAX: Final = 200
HANDLER_FAILED: Final = "a handler of what the switch sends failed"

log = logging.getLogger(__name__)


def never() -> bool:
    return False


class _Waiting:
    """A command that was sent, and whom to tell of its answer."""

    __slots__ = ("command", "sent_at", "tell")

    def __init__(self, command: Command, tell: Callable[[Frame | ConnectionLost], object]) -> None:
        self.command = command
        self.sent_at = time.monotonic()
        self.tell = tell


class SafeProtocol(ESLProtocol):  # type: ignore[misc]  # greenswitch has no types
    """What both doors share: a socket that is read and written, events handed on, commands answered.

    Handlers (`register_handle`, by event name, `*` for all others) are called
    with a SwitchEvent in the greenlet that reads: they must not wait.  Handlers
    of "log" get the Frame of a log line.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.names = DEFAULT_NAMES
        self.limits = FrameLimits()
        self.buffer_bytes = BUFFER_BYTES
        self.in_flight_max = IN_FLIGHT_MAX
        self._decoder = decoder_of(self.names)
        self.on_event_error: Callable[[EventError], None] = _log_event_error
        self.is_stale: Callable[[], bool] = never  # asked before each write
        self.heard_at = time.monotonic()  # when anything last came
        self._waiting: deque[_Waiting] = deque()
        self._unsent: list[bytes] = []
        self._something_to_send = Event()
        self.ended: AsyncResult[SwitchError] = AsyncResult()  # holds the reason, once there is one
        self._send_greenlet: gevent.Greenlet[..., None] | None = None

    # Sending

    def send(self, command: Command, deadline_s: float | None = None) -> Frame:
        """Send a message and wait for its answer.

        Raises CommandTimeout after `deadline_s`, ConnectionLost, or
        TooManyCommands when `in_flight_max` of them wait already.
        """
        answer = self.post(command)
        answer.wait(deadline_s)
        if not answer.ready():
            raise CommandTimeout(f"the switch did not answer {str(command)!r} in {deadline_s} s")
        return cast(Frame, answer.get())

    def post(self, command: Command) -> AsyncResult[Frame]:
        """As `send` without waiting: its answer will be put there."""
        answer: AsyncResult[Frame] = AsyncResult()

        def put(what: Frame | ConnectionLost) -> None:
            if isinstance(what, ConnectionLost):
                answer.set_exception(what)
            else:
                answer.set(what)

        self.tell_answer(command, put)
        return answer

    def tell_answer(self, command: Command, tell: Callable[[Frame | ConnectionLost], object]) -> None:
        """As `send` without waiting: `tell` is given the answer, or why none will come.

        It is called in the greenlet that reads, and must not wait.
        """
        # Nothing here waits, so the order of the answers is the order of the messages.
        if not self.connected:
            raise ConnectionLost(f"{str(command)!r} can't be sent: {self._reason()}")
        if len(self._waiting) >= self.in_flight_max:
            raise TooManyCommands(f"{len(self._waiting)} commands wait for the switch already")
        self._waiting.append(_Waiting(command, tell))
        self._unsent.append(command.wire)
        self._something_to_send.set()

    def _send_unsent(self) -> None:
        while self._something_to_send.wait() and self.connected:
            self._something_to_send.clear()
            self._flush()

    def _flush(self) -> None:
        """Write what is to be sent, in one go."""
        messages, self._unsent = b"".join(self._unsent), []
        if self.is_stale():
            return self.lose(ConnectionLost("what was to be sent is not to be, any more"))
        try:
            self.sock.sendall(messages)
        except OSError as error:
            self.lose(ConnectionLost(f"the switch can't be written to: {error}"))

    @property
    def unanswered_s(self) -> float:
        """For how long the oldest command has waited for its answer; 0 where none waits."""
        return time.monotonic() - self._waiting[0].sent_at if self._waiting else 0.0

    # Reading

    def receive_events(self) -> None:
        """Read until the connection ends; whatever ends it becomes its reason."""
        self._begin_reading()
        read = 0
        while count := self._read_some():
            read += count
            # What comes one by one is waited for, and others have their turn meanwhile.
            if read >= BYTES_PER_TURN:
                read = 0
                gevent.sleep(0)

    def _begin_reading(self) -> None:
        self._decoder = decoder_of(self.names)
        self._reader = FrameReader(self.limits, self.buffer_bytes, self._hand_on)

    def _read_some(self) -> int:
        """Wait for something to read, and take all that is whole of it; how much came, 0 at the end."""
        reader = self._reader
        try:
            count: int = self.sock.recv_into(reader.space())
            if count:
                self.heard_at = time.monotonic()
                reader.wrote(count)
                for frame in reader:
                    self.handle_event(frame)
                return count
            cut = "" if reader.is_between_frames else " in the middle of a message"
            self.lose(ConnectionLost(f"the switch closed the connection{cut}"))
        except FrameError as error:
            self.lose(ConnectionLost(f"the switch sent what is no Event Socket message: {error}"))
        except OSError as error:
            self.lose(ConnectionLost(f"the switch can't be read from: {error}"))
        return 0

    def handle_event(self, event: Frame) -> None:
        """Take a frame other than an event; raises FrameError for one that has no business here."""
        kind = event.content_type
        if kind in (COMMAND_REPLY, API_RESPONSE):
            if not self._waiting:
                raise FrameError("an answer to nothing that was asked")
            self._safe_exec_handler(self._waiting.popleft().tell, event)
        elif kind == LOG_DATA:
            for handler in self.event_handlers.get("log", ()):
                self._safe_exec_handler(handler, event)
        elif kind == AUTH_REQUEST:
            self._auth_request_event.set()
        elif kind == RUDE_REJECTION:
            self.lose(SwitchRefused(f"the switch's access list refuses us: {_said(event)}"))
        elif kind != DISCONNECT_NOTICE:
            raise FrameError(f"a message of the kind {kind[:40]!r}")
        elif event.headers.get("Content-Disposition") == "linger":
            self._lingering = True  # the leg has gone; what is left of its events still comes
        else:
            self.lose(ConnectionLost(f"the switch ended the connection: {_said(event)}"))

    def _hand_on(self, body: memoryview) -> None:
        name = peek_name(body)
        handlers = self.event_handlers.get(name) or self.event_handlers.get("*")
        if not handlers and name is not None:
            return
        try:
            event = self._decoder.decode(body, name)
        except EventError as error:
            self.on_event_error(error)
            return
        for handler in handlers or self.event_handlers.get(event.name, ()):
            try:  # as in _safe_exec_handler, without the price of the call
                handler(event)
            except Exception:
                log.exception(HANDLER_FAILED)

    def _safe_exec_handler(self, handler: Callable[[Any], object], event: Any) -> None:
        try:
            handler(event)
        except Exception:
            log.exception(HANDLER_FAILED)

    def process_events(self) -> None:
        """Nothing: events are handed on where they are read, and no queue can grow between."""

    # Beginning and end

    def start_event_handlers(self) -> None:
        """Start to read and to write; `sock` is connected."""
        self._receive_events_greenlet = gevent.spawn(self.receive_events)
        self._send_greenlet = gevent.spawn(self._send_unsent)

    def lose(self, reason: SwitchError) -> None:
        """End the connection; all who wait learn why.  The first reason stands."""
        self.connected = False
        if self.ended.ready():
            return
        self.ended.set(reason)
        sock = getattr(self, "sock", None)  # there is none before `connect`
        if sock is not None:
            sock.close()
        self._something_to_send.set()
        self._auth_request_event.set()
        while self._waiting:
            waiting = self._waiting.popleft()
            lost = f"no answer to {str(waiting.command)!r} will come: {reason}"
            self._safe_exec_handler(waiting.tell, ConnectionLost(lost))

    def wait_end(self, timeout_s: float | None = None) -> SwitchError | None:
        """Wait for the connection's end and tell its reason; None if it still stands after `timeout_s`."""
        reason: SwitchError | None = self.ended.wait(timeout_s)
        return reason

    def stop(self) -> None:
        """End the connection from our side, at once: the switch needs no farewell."""
        self.lose(ConnectionLost("closed by us"))
        mine = gevent.getcurrent()
        both = (self._receive_events_greenlet, self._send_greenlet)
        if others := [each for each in both if each and each is not mine]:
            gevent.joinall(others, CLOSE_TIMEOUT_S)

    close = stop

    def _reason(self) -> SwitchError | str:
        return self.wait_end(0) or "the connection isn't open"


def _said(frame: Frame) -> str:
    text = " ".join(frame.body.decode("utf-8", "replace").split())
    return repr(text[:NOTICE_CHARS_MAX])


def _log_event_error(error: EventError) -> None:
    log.error("%s", error)
