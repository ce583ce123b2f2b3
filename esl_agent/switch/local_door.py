"""The daemon's side of `embedded.py`: a socket on this machine, a question and its answer as lines of JSON.

    {"ask": "call", "call": {"leg": …, "account": …, …}}     {"variables": {"esl_admitted": "true", …}}
    {"ask": "status"}, {"ask": "live"}                       {"report": {…}}
    {"ask": "account", "account": "1001"}                    {"report": {…}}
    {"ask": "user", "user": "1001", "domain": "example.com"} {"user": {…}}, or null where there is none
    anything that can't be answered                          {"error": "why"}

One request a connection.  On a path, the file's permissions say who may ask.  On
a port anybody on this machine may, so a secret can be asked for; without one a
port answers for calls, as the outbound socket does, and tells nothing of
accounts, of the calls that are up, or of users, whose digests are as good as
passwords.
"""

from __future__ import annotations

import hmac
import os
import shutil
import socket
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec
from gevent.socket import socket as GeventSocket

from esl_agent.core.admission.question import Question
from esl_agent.errors import EslAgentError
from esl_agent.switch.directory import SipUser
from esl_agent.switch.door import Answer, Clerk, Decide, account_of, nobody_minds
from esl_agent.switch.embedded import DEADLINE_S, DEFAULT_DOOR
from esl_agent.switch.errors import DoorError, QuestionError
from esl_agent.switch.peers import BACKLOG, Peer, PeerLimits, Peers, PeerServer, is_allowed, listen_tcp, peek
from esl_agent.switch.trouble import Complaints, Trouble, TroubleKind

REQUEST_BYTES_MAX: Final = 16 * 1024
#: The agent gives up before the switch does, so that what it did for nothing is undone.
ANSWER_TIMEOUT_S: Final = DEADLINE_S - 0.5
LOOPBACK: Final = ("127.0.0.0/8", "::1/128")
#: Linux's room for a path (unix(7), sun_path).
PATH_BYTES_MAX: Final = 107
OWNER_AND_GROUP: Final = 0o660
FOLDER_OF_OWNER_AND_GROUP: Final = 0o750

LOCAL_LIMITS: Final = PeerLimits(LOOPBACK, answer_timeout_s=ANSWER_TIMEOUT_S)

#: Plain values, and lists of mappings of plain values, under the names that a person reads.
Report = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LocalDoorConfig:
    """`address` is a path that begins with a slash, or an address of loopback and a port."""

    address: str = DEFAULT_DOOR
    secret: str = field(default="", repr=False)
    group: str = ""  # the group that may use the path: the one that FreeSWITCH runs as
    mode: int = OWNER_AND_GROUP
    limits: PeerLimits = LOCAL_LIMITS

    @property
    def is_path(self) -> bool:
        return self.address.startswith("/")


@dataclass(frozen=True, slots=True)
class Books:
    """What is told besides answers.  Each may wait, and may raise EslAgentError, whose text is passed on."""

    status: Callable[[], Report]
    live: Callable[[], Report]
    account: Callable[[int], Report | None]
    user: Callable[[str, str], SipUser | None]  # by user and domain


class _Request(msgspec.Struct, frozen=True):
    ask: str
    secret: str = ""
    call: dict[str, str] = {}
    account: str = ""
    user: str = ""
    domain: str = ""


class LocalDoor:
    """`start` it; see OutboundDoor, which is the same for the switch's outbound socket."""

    def __init__(
        self,
        config: LocalDoorConfig,
        decide: Decide,
        books: Books,
        now_us: Callable[[], int],
        on_trouble: Callable[[Trouble], object],
        on_undelivered: Callable[[Question, Answer], object] = nobody_minds,
    ) -> None:
        self.complaints = Complaints("local", on_trouble)
        self.clerk = Clerk(decide, now_us, self.complaints, on_undelivered)
        self.peers = Peers(config.limits, self.complaints)
        self._config = config
        self._books = books
        self._server = PeerServer(lambda: listen(config), self.peers, self._attend)

    @property
    def port(self) -> int:
        return self._server.port

    def start(self) -> None:
        """Raises DoorError where the address can't be had."""
        self._server.start()

    def stop(self, timeout_s: float = 0.0) -> None:
        """Take no more requests, and give those that wait `timeout_s` for their answers."""
        is_ours = self._server.stop(timeout_s)
        if is_ours and self._config.is_path:
            Path(self._config.address).unlink(missing_ok=True)

    def _attend(self, sock: GeventSocket, peer: Peer) -> None:
        line = _read_line(sock)
        peer.has_asked()
        try:
            request = self._checked(line)
            if request.ask == "call":
                self.clerk.attend(request.call, lambda answer: _deliver(sock, answer))
                return
            reply = self._looked_up(request)
        except QuestionError as error:
            self.complaints.tell(TroubleKind.BAD_REQUEST, str(error))
            reply = {"error": str(error)}
        except EslAgentError as error:
            reply = {"error": str(error)}
        except Exception as error:  # noqa: BLE001  the agent's own fault must not end the door
            self.complaints.tell(TroubleKind.NO_DECISION, f"{type(error).__name__}: {error}")
            reply = {"error": "the agent failed; its log says over what"}
        _send(sock, reply)

    def _checked(self, line: bytes) -> _Request:
        try:
            request = msgspec.json.decode(line, type=_Request)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise QuestionError(f"a request can't be read: {error}") from None
        secret = self._config.secret
        if secret and not hmac.compare_digest(request.secret.encode(), secret.encode()):
            raise QuestionError("a request has not the secret: is esl_door_secret set in the switch?")
        return request

    def _looked_up(self, request: _Request) -> dict[str, Any]:
        if request.ask == "status":
            return {"report": self._books.status()}
        if not self._config.is_path and not self._config.secret:
            raise QuestionError("that is told on a path, or with a secret, and this door has neither")
        if request.ask == "live":
            return {"report": self._books.live()}
        if request.ask == "account":
            account_id = account_of(request.account)
            account = self._books.account(account_id) if account_id else None
            return (
                {"report": account} if account else {"error": f"there is no account {request.account[:20]}"}
            )
        if request.ask == "user":
            return {"user": self._user(request.user, request.domain)}
        raise QuestionError(f"{request.ask[:40]!r} can't be asked")

    def _user(self, name: str, domain: str) -> dict[str, Any] | None:
        user = self._books.user(name, domain)
        # Exactly the one that was asked for: a look-up that folds case must not make two users of one.
        return user.entry() if user and (user.user, user.domain) == (name, domain) else None


def _read_line(sock: GeventSocket) -> bytes:
    """The request, up to its line end; raises ConnectionError where none came."""
    line = b""
    while not line.endswith(b"\n"):
        data = sock.recv(REQUEST_BYTES_MAX)
        line += data
        if not data or len(line) > REQUEST_BYTES_MAX:
            raise ConnectionError("no request came, or too long a one")
    return line


def _deliver(sock: GeventSocket, answer: Answer) -> None:
    """As `_send`; raises ConnectionError where the switch has given up: sending alone would not tell."""
    if peek(sock) == b"":
        raise ConnectionError("the switch waited no longer")
    _send(sock, {"variables": dict(answer.variables)})


def _send(sock: GeventSocket, reply: Mapping[str, Any]) -> None:
    sock.sendall(msgspec.json.encode(reply) + b"\n")


def listen(config: LocalDoorConfig) -> GeventSocket:
    """The socket of the door; raises DoorError."""
    if config.is_path:
        return _listen_path(Path(config.address), config.mode, config.group)
    host, _, port = config.address.rpartition(":")
    host = host.strip("[]")
    if not is_allowed(host, LOOPBACK) or not port.isdigit():
        raise DoorError(f"{config.address!r} is neither a path nor an address of this machine with a port")
    return listen_tcp(host, int(port))


def _listen_path(path: Path, mode: int, group: str) -> GeventSocket:
    if len(os.fsencode(path)) > PATH_BYTES_MAX:
        raise DoorError(f"{path} is over {PATH_BYTES_MAX} bytes long, which no socket's name can be")
    sock = GeventSocket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _make_folder(path.parent, group)
        _clear_away(path)
        sock.bind(str(path))
        # Before it listens nobody can connect, so nobody comes in by wider permissions.
        path.chmod(mode)
        if group:
            shutil.chown(path, group=group)
        sock.listen(BACKLOG)
    except (OSError, LookupError) as error:
        sock.close()
        raise DoorError(
            f"can't listen on {path}: {error}: is {path.parent} the daemon's own, as RuntimeDirectory= of"
            " systemd makes it? [admission] local_socket names another place"
        ) from None
    except DoorError:
        sock.close()
        raise
    return sock


def _make_folder(folder: Path, group: str) -> None:
    """Where it is missing, as in /run after a start of the machine; the folder above it has to be there."""
    with suppress(FileExistsError):
        folder.mkdir(FOLDER_OF_OWNER_AND_GROUP)
        if group:
            shutil.chown(folder, group=group)


def _clear_away(path: Path) -> None:
    """Remove the socket of an agent that is gone; raises DoorError where it isn't one, or isn't gone."""
    try:
        is_socket = stat.S_ISSOCK(path.lstat().st_mode)
    except FileNotFoundError:
        return
    if not is_socket:
        raise DoorError(f"{path} is something else than a socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
        else:
            raise DoorError(f"another agent listens on {path}")
