"""The ways that the stage breaks, and what holds where one breaks without a word."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import gevent
import psycopg
import pytest
from gevent import socket
from gevent.server import StreamServer

from esl_agent.lab.ports import LOOPBACK
from esl_agent.store.embedded import PORT, EmbeddedPostgres
from esl_agent.store.pool import open_pool

from .proxy import BACK, Proxy, to_path, to_port

PATIENCE_S = 10.0
#: How soon what is not to come would have come.
SOON_S = 0.2


@pytest.fixture
def faults() -> list[str]:
    return []


@pytest.fixture
def way(faults: list[str]) -> Iterator[Proxy]:
    """To somebody who sends back what is sent to him."""

    def send_back(sock: socket.socket, address: object) -> None:
        while data := sock.recv(1_000):
            sock.sendall(data)

    far = StreamServer((LOOPBACK, 0), send_back)
    far.start()
    proxy = Proxy("way", to_port(int(far.address[1])), faults.append)
    yield proxy
    proxy.close()
    far.stop()


@pytest.fixture
def near(way: Proxy) -> Iterator[socket.socket]:
    with socket.create_connection((LOOPBACK, way.port), PATIENCE_S) as sock:
        yield sock


def says(sock: Any, data: bytes) -> bytes:
    sock.sendall(data)
    answer: bytes = sock.recv(1_000)
    return answer


def test_a_way_that_is_cut_or_refused(way: Proxy, near: socket.socket, faults: list[str]) -> None:
    assert says(near, b"whole") == b"whole"
    way.cut()
    with pytest.raises(ConnectionResetError):
        near.recv(1)
    way.refuse()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((LOOPBACK, way.port), PATIENCE_S)
    way.heal()
    with socket.create_connection((LOOPBACK, way.port), PATIENCE_S) as again:
        assert says(again, b"healed") == b"healed"
    assert faults == ["way: cut", "way: refused"]


def test_what_is_stalled_comes_later(way: Proxy, near: socket.socket) -> None:
    assert says(near, b"before") == b"before"
    way.stall(BACK)
    near.sendall(b"held up")
    near.settimeout(SOON_S)
    with pytest.raises(TimeoutError):
        near.recv(1_000)
    way.heal()
    near.settimeout(PATIENCE_S)
    assert near.recv(1_000) == b"held up"


def test_a_far_side_that_is_gone_is_told_only_when_it_is_back(way: Proxy, near: socket.socket) -> None:
    assert says(near, b"before") == b"before"
    way.half_open()
    near.sendall(b"nobody takes it")
    near.settimeout(SOON_S)
    with pytest.raises(TimeoutError):
        near.recv(1_000)
    near.settimeout(PATIENCE_S)
    way.heal()
    with gevent.Timeout(PATIENCE_S):
        assert not _received(near)


def test_a_way_that_breaks_off(way: Proxy, near: socket.socket) -> None:
    way.truncate(8)
    near.sendall(b"six in")
    assert _received(near) in (b"", b"si")  # of eight bytes six went there, and two came back


def test_a_server_that_is_gone_without_a_word_is_given_up(postgres: EmbeddedPostgres) -> None:
    conninfo = psycopg.conninfo.conninfo_to_dict(postgres.url("postgres"))
    proxy = Proxy("way", to_path(f"{conninfo['host']}/.s.PGSQL.{PORT}"), lambda fault: None)
    pool = open_pool(f"postgresql://postgres@{LOOPBACK}:{proxy.port}/postgres?sslmode=disable", 2)
    try:
        with pool.connection() as conn, socket.socket(fileno=os.dup(conn.fileno())) as sock:
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) <= 30
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) <= 30_000
    finally:
        pool.close()
        proxy.close()


def _received(sock: socket.socket) -> bytes:
    """Everything, until the connection ends."""
    received = b""
    try:
        while data := sock.recv(1_000):
            received += data
    except ConnectionResetError:
        pass
    return received
