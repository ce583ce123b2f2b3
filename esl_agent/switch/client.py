"""A connection that we open to the switch: mod_event_socket's inbound mode."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Callable, Iterable
from typing import Final, cast

from gevent import socket as gevent_socket
from gevent.event import AsyncResult
from greenswitch.esl import InboundESL

from esl_agent.switch import commands
from esl_agent.switch.commands import Api, Command
from esl_agent.switch.errors import (
    CommandRefused,
    CommandTimeout,
    ConnectionLost,
    PasswordRefused,
    SwitchError,
    SwitchUnreachable,
    TooManyCommands,
)
from esl_agent.switch.events import BackgroundJob
from esl_agent.switch.frames import Frame
from esl_agent.switch.protocol import SafeProtocol

CONNECT_TIMEOUT_S: Final = 5.0
COMMAND_DEADLINE_S: Final = 5.0
#: For an answer that takes the switch long, such as the list of all channels.
JOB_DEADLINE_S: Final = 30.0
JOBS_MAX: Final = 1_000
_ACCEPTED: Final = "+OK"


class SwitchConnection(SafeProtocol, InboundESL):  # type: ignore[misc]  # greenswitch has no types
    """One authenticated connection to a switch.

    `connect`, then `register_handle` and `subscribe` for events, `command` and
    `background` for the API.  It is never reused: after its end, make another.
    """

    def __init__(
        self, host: str, port: int, password: str, connect_timeout_s: float = CONNECT_TIMEOUT_S
    ) -> None:
        super().__init__(host, port, password, connect_timeout_s)
        self._jobs: dict[str, AsyncResult[str]] = {}
        self.register_handle("BACKGROUND_JOB", self._take_job)

    def connect(self) -> None:
        """Open the connection and give the password, all within the connect timeout each.

        Raises SwitchUnreachable, SwitchRefused, PasswordRefused or ConnectionLost.
        """
        self.sock = self._open()
        self.connected = True
        self.start_event_handlers()
        try:
            if not self._auth_request_event.wait(self.timeout):
                raise SwitchUnreachable(f"{self._where()} says nothing: is it an Event Socket?")
            end = self.wait_end(0)
            if end is not None:
                raise end
            self.authenticate()
        except BaseException:
            self.stop()
            raise

    def _open(self) -> socket.socket:
        try:
            sock = gevent_socket.create_connection((self.host, self.port), self.timeout)
        except OSError as error:
            raise SwitchUnreachable(
                f"no switch answers at {self._where()} ({error}):"
                " is FreeSWITCH up, and mod_event_socket loaded?"
            ) from None
        sock.settimeout(None)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return sock

    def authenticate(self) -> None:
        """Give the password; raises PasswordRefused."""
        answer = self.send(commands.auth(self.password), self.timeout)
        if answer.reply_text != "+OK accepted":
            raise PasswordRefused(
                f"{self._where()} refuses the password: it stands in event_socket.conf.xml on the switch"
            )

    def subscribe(self, names: Iterable[str], subclasses: Iterable[str] = ()) -> None:
        """Have events of these names, and subclasses of CUSTOM, sent from now on; raises CommandRefused."""
        self.request(commands.subscribe(names, subclasses), COMMAND_DEADLINE_S)

    def request(self, command: Command, deadline_s: float) -> Frame:
        """As `send`, but raises CommandRefused where the answer isn't +OK."""
        answer = self.send(command, deadline_s)
        if not answer.reply_text.startswith(_ACCEPTED):
            raise CommandRefused(f"the switch refused {str(command)!r}: {answer.reply_text[:200]!r}")
        return answer

    def command(self, command: Api, deadline_s: float = COMMAND_DEADLINE_S) -> str:
        """Run it now and return what it says, `-ERR …` included.

        For commands that are quick: all others on this connection wait behind it.
        """
        return _said(self.send(commands.api(command), deadline_s))

    def order(self, command: Api, tell: Callable[[str | ConnectionLost], object]) -> None:
        """As `command` without waiting: `tell` is given what it says, or why that will never be known.

        `tell` must not wait.
        """

        def hear(answer: Frame | ConnectionLost) -> None:
            tell(_said(answer) if isinstance(answer, Frame) else answer)

        self.tell_answer(commands.api(command), hear)

    def background(self, command: Api, deadline_s: float = JOB_DEADLINE_S) -> str:
        """As `command`, in a thread of the switch's own; BACKGROUND_JOB must be subscribed to here."""
        if len(self._jobs) >= JOBS_MAX:
            raise TooManyCommands(f"{len(self._jobs)} background jobs run on the switch already")
        job = str(uuid.uuid4())
        result = self._jobs[job] = AsyncResult()
        try:
            self.request(commands.background(command, job), deadline_s)
            result.wait(deadline_s)
            if not result.ready():
                raise CommandTimeout(f"the switch did not finish {str(command)!r} in {deadline_s} s")
            return cast(str, result.get()).rstrip()
        finally:
            del self._jobs[job]

    def _take_job(self, event: BackgroundJob) -> None:
        result = self._jobs.get(event.job_uuid)  # other clients' jobs are told to everybody
        if result is not None:
            result.set(event.body)

    def lose(self, reason: SwitchError) -> None:
        """As in the protocol; those who wait for a job learn it too."""
        super().lose(reason)
        for result in self._jobs.values():
            result.set_exception(ConnectionLost(f"the job's answer will not come: {reason}"))

    def _where(self) -> str:
        return f"{self.host}:{self.port}"


def _said(answer: Frame) -> str:
    """What a command says; a user with few rights is told so by a reply, which has no body."""
    return answer.body.decode("utf-8", "replace").rstrip() or answer.reply_text
