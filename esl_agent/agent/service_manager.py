"""What the daemon tells the service manager (systemd): that it is ready, that it lives, that it stops.

The protocol is sd_notify's: a datagram of `NAME=value` lines to the UNIX
socket that NOTIFY_SOCKET names.  Where none is named nobody is told.  The
variables stay as they are, for a twin that starts over tells the same.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final

import gevent

#: Have a part do something in its own turn.
Ask = Callable[[Callable[[], None]], None]

#: Signs of life within the time after which the service manager kills (WatchdogSec=).
SIGNS_PER_PERIOD: Final = 4
MICROSECONDS: Final = 1_000_000


class ServiceManager:
    """Tells; never waits for it, and never fails where it does not listen."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        # "@" stands for the zero byte of Linux's abstract names.
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        period_us = environment.get("WATCHDOG_USEC", "")
        #: After how long without a sign of life it kills; None where it does not.
        self.period_s = int(period_us) / MICROSECONDS if period_us.isdecimal() and int(period_us) else None

    def ready(self, status: str) -> None:
        """After a start or a reload; `status` is what `systemctl status` shows."""
        self._tell("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1_000}")

    def stopping(self, status: str) -> None:
        self._tell("STOPPING=1", f"STATUS={status}")

    def status(self, status: str) -> None:
        self._tell(f"STATUS={status}")

    def alive(self) -> None:
        self._tell("WATCHDOG=1")

    def _tell(self, *lines: str) -> None:
        if not self._address:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            sender.sendto("\n".join(lines).encode(), self._address)


class Watchdog:
    """Tells the service manager that the daemon lives, as long as the parts that matter prove it.

    Its greenlet runs on the same hub as they do, so a hub that hangs is not
    vouched for; and each part is asked for a sign in its own turn, so one that
    hangs alone isn't either.  The database and the disk are no parts: while
    they are away the daemon has to live on.
    """

    def __init__(self, manager: ServiceManager) -> None:
        self._manager = manager
        self._asks: Sequence[Ask] = ()
        self._owing = 0

    def watch(self, asks: Sequence[Ask]) -> None:
        """From now on these parts have to give signs; before, that the hub turns is enough."""
        self._asks = asks

    def run(self) -> None:
        """For ever; returns at once where no service manager waits for signs."""
        if self._manager.period_s is None:
            return
        while True:
            if not self._owing:
                self._manager.alive()
                self._ask()
            gevent.sleep(self._manager.period_s / SIGNS_PER_PERIOD)

    def _ask(self) -> None:
        asks = self._asks
        self._owing = len(asks)
        for ask in asks:
            ask(self._sign)

    def _sign(self) -> None:
        self._owing -= 1
