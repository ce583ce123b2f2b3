"""A door's other side: who may connect, how many at once, and for how long.

A peer is idle until it has asked something.  Beyond `idle_max` the oldest of
them that has been silent for a while is pushed out, so that a thousand can't
keep a call from being asked about; nor can they push it out before it had time
to speak.  One that has said something we haven't read yet is not silent: when
the agent is behind, it is the newcomers who are turned away, and those in the
queue are served.  Who waits for an answer is never pushed out.

A peer is dropped by shutting its socket down, which its own greenlet finds out
by reading: no greenlet is ever killed here, since one that waits for a database
connection would take that connection with it.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from math import inf
from time import monotonic
from typing import Any, Final

import gevent
from gevent.event import Event
from gevent.server import StreamServer
from gevent.socket import socket as GeventSocket

from esl_agent.switch.errors import DoorError, SwitchError
from esl_agent.switch.trouble import Complaints, TroubleKind

#: Connections that the system holds until they are accepted.
BACKLOG: Final = 1_024
#: Newcomers let in before whoever is in gets a turn, and peers dropped: a crowd must not hold up a call.
ACCEPTS_PER_TURN_MAX: Final = 10
DROPS_PER_TURN_MAX: Final = 10
#: How often those whose time is up are looked for.
SWEEP_EVERY_S: Final = 0.05
_NETWORKS_CACHED: Final = 64
_HOSTS_CACHED: Final = 256

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PeerLimits:
    """The limits of a door's patience.  `networks` don't hold for Unix sockets: file permissions do."""

    networks: tuple[str, ...] = ("127.0.0.0/8", "::1/128")
    idle_max: int = 500
    peers_max: int = 2_000
    silent_min_s: float = 0.5  # who has been in for less is not pushed out
    ask_timeout_s: float = 2.0  # from connecting to having asked
    answer_timeout_s: float = 5.0  # from having asked to having been told

    def __post_init__(self) -> None:
        for network in self.networks:
            try:
                ip_network(network)
            except ValueError as error:
                raise DoorError(f"{network!r} is no network: {error}") from None
        if not 1 <= self.idle_max <= self.peers_max:
            raise DoorError(f"idle_max is {self.idle_max}: give 1 to peers_max, {self.peers_max}")


DEFAULT_LIMITS: Final = PeerLimits()


class Peer:
    """One connection that was let in."""

    def __init__(self, peers: Peers, sock: GeventSocket, name: str) -> None:
        self.sock = sock
        self.name = name
        self.since_s = monotonic()
        self.due_s = self.since_s + peers.limits.ask_timeout_s
        self._is_dropped = False
        self._has_asked = False
        self._peers = peers

    def has_asked(self) -> None:
        """It is idle no more; from now on the time for its answer runs.

        Raises ConnectionError where it was dropped meanwhile: nothing is to be decided for it.
        """
        if self._is_dropped:
            raise ConnectionError(f"{self.name} was dropped")
        self._has_asked = True
        self._peers.idle.pop(self, None)
        self._peers.asking.add(self)
        self.due_s = monotonic() + self._peers.limits.answer_timeout_s

    def time_is_up(self) -> None:
        """Drop it; but if it has spoken, and it is we who have not read it, it gets as much time again."""
        if self._has_asked:
            self.drop(TroubleKind.LATE, f"{self.name}: not within {self._peers.limits.answer_timeout_s:g} s")
        elif self.is_silent:
            self.drop(TroubleKind.SILENT, f"{self.name}: not within {self._peers.limits.ask_timeout_s:g} s")
        else:
            self.due_s = monotonic() + self._peers.limits.ask_timeout_s

    def drop(self, kind: TroubleKind, detail: str) -> None:
        """End the connection; whoever reads from it finds its end."""
        self._is_dropped = True
        self.due_s = inf
        self._peers.idle.pop(self, None)
        self._peers.complaints.tell(kind, detail)
        self.hang_up()

    def hang_up(self) -> None:
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)

    @property
    def is_silent(self) -> bool:
        """Whether nothing of it waits to be read, an end least of all."""
        try:
            return not peek(self.sock)
        except OSError:
            return True

    def leave(self) -> None:
        """Its connection is over."""
        self._peers.forget(self)


class Peers:
    """All who are at a door now."""

    def __init__(self, limits: PeerLimits, complaints: Complaints) -> None:
        self.limits = limits
        self.complaints = complaints
        self.idle: dict[Peer, None] = {}  # the oldest first
        self.asking: set[Peer] = set()  # until the agent is done with them, even if they were dropped
        self._all: set[Peer] = set()  # those who were dropped while idle, too, until they have left
        self._nobody = Event()
        self._nobody.set()
        self._is_swept = False

    def __len__(self) -> int:
        return len(self.idle) + len(self.asking)

    def take(self, sock: GeventSocket, address: object) -> Peer | None:
        """Let a connection in; None where it isn't, and its socket is to be closed."""
        limits = self.limits
        host = str(address[0]) if isinstance(address, tuple) else ""
        if host and not is_allowed(host, limits.networks):
            self.complaints.tell(TroubleKind.STRANGER, f"{host} is in none of {', '.join(limits.networks)}")
            return None
        is_full = len(self) >= limits.peers_max
        if (is_full or len(self.idle) >= limits.idle_max) and not self._push_out() and is_full:
            self.complaints.tell(TroubleKind.FULL, f"{len(self)} are connected, and none can be sent away")
            return None
        return self._let_in(Peer(self, sock, host or "a local peer"))

    def _push_out(self) -> bool:
        """Drop the oldest silent peer; those before it have said something, and are idle no more."""
        young_s = monotonic() - self.limits.silent_min_s
        while self.idle:
            peer = next(iter(self.idle))
            if peer.since_s > young_s:
                return False
            if peer.is_silent:
                peer.drop(TroubleKind.PUSHED_OUT, f"{peer.name}: {len(self)} are connected")
                return True
            del self.idle[peer]
            self.asking.add(peer)
        return False

    def _let_in(self, peer: Peer) -> Peer:
        self._all.add(peer)
        self.idle[peer] = None
        self._nobody.clear()
        if not self._is_swept:
            self._is_swept = True
            gevent.spawn(self._sweep)
        return peer

    def _sweep(self) -> None:
        """Drop those whose time is up, as long as anybody is there; a few at a turn."""
        while self._all:
            gevent.sleep(SWEEP_EVERY_S)
            now_s = monotonic()
            late = [peer for peer in self._all if peer.due_s <= now_s]
            for count, peer in enumerate(late, 1):
                if peer in self._all and peer.due_s <= now_s:  # nothing came of it at the turns between
                    peer.time_is_up()
                if count % DROPS_PER_TURN_MAX == 0:
                    gevent.sleep(0)
        self._is_swept = False

    def forget(self, peer: Peer) -> None:
        self.idle.pop(peer, None)
        self.asking.discard(peer)
        self._all.discard(peer)
        if not self._all:
            self._nobody.set()

    def send_home(self, timeout_s: float) -> None:
        """Hang up on idle peers, give the others `timeout_s` for their answers, then hang up on them too."""
        for peer in tuple(self.idle):
            peer.hang_up()
        if not self._nobody.wait(timeout_s):
            for peer in tuple(self._all):
                peer.hang_up()


class PeerServer:
    """Listens on what `bind` makes, and runs `attend` for each peer in a greenlet of its own.

    `attend` may raise SwitchError or OSError where the peer is gone.
    """

    def __init__(
        self,
        bind: Callable[[], GeventSocket],
        peers: Peers,
        attend: Callable[[GeventSocket, Peer], None],
    ) -> None:
        self.peers = peers
        self._bind = bind
        self._attend = attend
        self._server: StreamServer | None = None

    @property
    def port(self) -> int:
        """The TCP port that it listens on; 0 for a Unix socket, or before `start`."""
        return int(self._server.server_port or 0) if self._server else 0

    def start(self) -> None:
        """Listen; raises DoorError where that can't be."""
        self._server = StreamServer(self._bind(), self._serve)
        self._server.max_accept = ACCEPTS_PER_TURN_MAX
        self._server.start()

    def stop(self, timeout_s: float) -> bool:
        """Take no more peers, and wait up to `timeout_s` for those who wait for their answers.

        False where it had not been started.
        """
        if self._server is None:
            return False
        self._server.close()
        self._server = None
        self.peers.send_home(timeout_s)
        return True

    def _serve(self, sock: GeventSocket, address: Any) -> None:
        peer = self.peers.take(sock, address)
        if peer is None:
            return
        try:
            self._attend(sock, peer)
        except (SwitchError, OSError):
            pass  # it is gone, or was dropped, which has been told
        except Exception:
            log.exception("a peer of a door was not attended to the end")
        finally:
            peer.leave()


def peek(sock: GeventSocket) -> bytes | None:
    """A byte that waits to be read, b"" if the end does, None if nothing does; without waiting for it."""
    sock.settimeout(0)
    try:
        return sock.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return None
    finally:
        sock.settimeout(None)


def listen_tcp(host: str, port: int) -> GeventSocket:
    """A socket that listens on an address given in figures; raises DoorError."""
    sock = GeventSocket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise DoorError(f"can't listen on {host} port {port}: {error.strerror or error}") from None
    return sock


@lru_cache(_NETWORKS_CACHED)
def _network(text: str) -> IPv4Network | IPv6Network:
    return ip_network(text)


@lru_cache(_HOSTS_CACHED)
def is_allowed(host: str, networks: tuple[str, ...]) -> bool:
    """Whether an address is in one of the networks; an IPv4 address in IPv6's clothes is an IPv4 address."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in _network(network) for network in networks)
