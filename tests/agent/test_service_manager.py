"""What systemd is told: ready, reloading, stopping; and alive, only while the parts that matter prove it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
import gevent.event
import pytest

from esl_agent.agent.calls.timers import Timers
from esl_agent.agent.clock import monotonic_us
from esl_agent.agent.service_manager import ServiceManager, Watchdog

from .conftest import PATIENCE_S

#: So short that a test sees many signs, or that none comes.
PERIOD_US = 200_000


class Systemd:
    """The end that listens."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)

    def next(self, patience_s: float = PATIENCE_S) -> list[str]:
        """The lines of the next datagram; raises TimeoutError."""
        self._socket.settimeout(patience_s)
        return self._socket.recv(4_096).decode().splitlines()

    def drain(self) -> None:
        self._socket.setblocking(False)
        try:
            while True:
                self._socket.recv(4_096)
        except BlockingIOError:
            pass

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def address(tmp_path: Path) -> str:
    return str(tmp_path / "notify")


@pytest.fixture
def systemd(address: str) -> Iterator[Systemd]:
    listening = Systemd(address)
    yield listening
    listening.close()


@pytest.fixture
def watchdog(address: str) -> Iterator[Watchdog]:
    manager = ServiceManager({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": str(PERIOD_US)})
    watchdog = Watchdog(manager)
    greenlet = gevent.spawn(watchdog.run)
    yield watchdog
    greenlet.kill()


def test_each_thing_is_told_in_a_datagram_with_what_systemctl_status_shows(
    address: str, systemd: Systemd
) -> None:
    manager = ServiceManager({"NOTIFY_SOCKET": address})
    manager.ready("its doors are open for calls")
    assert systemd.next() == ["READY=1", "STATUS=its doors are open for calls"]
    manager.reloading()
    reloading, since = systemd.next()
    assert reloading == "RELOADING=1"
    assert since.removeprefix("MONOTONIC_USEC=").isdecimal()
    manager.stopping("soon")
    assert systemd.next() == ["STOPPING=1", "STATUS=soon"]


def test_an_abstract_address_is_told_too() -> None:
    name = "esl-agent-test-of-sd-notify"
    listening = Systemd(f"\0{name}")
    ServiceManager({"NOTIFY_SOCKET": f"@{name}"}).alive()
    assert listening.next() == ["WATCHDOG=1"]
    listening.close()


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": "/nowhere/notify"}])
def test_where_nobody_listens_nothing_happens(environment: dict[str, str]) -> None:
    ServiceManager(environment).ready("anyway")


@pytest.mark.parametrize("period", ["", "0", "often"])
def test_where_no_signs_are_waited_for_none_are_given(period: str) -> None:
    manager = ServiceManager({"WATCHDOG_USEC": period})
    assert manager.period_s is None
    Watchdog(manager).run()  # returns


def test_signs_of_life_go_on_while_the_parts_give_theirs(systemd: Systemd, watchdog: Watchdog) -> None:
    watchdog.watch([lambda sign: sign(), lambda sign: gevent.spawn(sign)])
    assert [systemd.next() for _ in range(5)] == [["WATCHDOG=1"]] * 5


def test_a_part_that_hangs_is_not_vouched_for_until_it_goes_on(systemd: Systemd, watchdog: Watchdog) -> None:
    signs: list[Callable[[], None]] = []
    watchdog.watch([lambda sign: sign(), signs.append])
    gevent.sleep(PERIOD_US / 1_000_000)
    systemd.drain()
    with pytest.raises(TimeoutError):
        systemd.next(4 * PERIOD_US / 1_000_000)
    assert len(signs) == 1  # asked once, not again and again
    signs[0]()
    assert systemd.next() == ["WATCHDOG=1"]


def test_the_timers_give_their_sign_in_the_greenlet_that_rings() -> None:
    timers = Timers(monotonic_us, lambda owner, timer: None)
    greenlet = gevent.spawn(timers.run)
    signed = gevent.event.Event()
    timers.do(signed.set)
    assert signed.wait(PATIENCE_S)
    greenlet.kill()
    signed.clear()
    timers.do(signed.set)
    assert not signed.wait(0.1)
