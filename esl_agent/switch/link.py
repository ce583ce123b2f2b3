"""The agent's link to one switch: kept up for ever, and honest about what it may have missed."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import gevent
from gevent.event import Event

from esl_agent.switch.client import SwitchConnection
from esl_agent.switch.commands import Api, Command
from esl_agent.switch.errors import ConnectionLost, SwitchError
from esl_agent.switch.events import SwitchEvent
from esl_agent.switch.pair import ConnectionPair, LinkConfig
from esl_agent.switch.stream import Missed

__all__ = ["LinkChange", "LinkConfig", "LinkState", "SwitchLink"]

#: Beyond this the limit on the wait has long been reached; the power must not grow for ever.
DOUBLINGS_MAX: Final = 30

log = logging.getLogger(__name__)


class LinkState(StrEnum):
    CONNECTED = "connected"  # events flow from now on; what was before has to be asked for
    LOST = "lost"  # it is being tried again
    GAP = "gap"  # it stands, but events may be missing: ask again


@dataclass(frozen=True, slots=True)
class LinkChange:
    """What `on_state` is told."""

    state: LinkState
    reason: str = ""
    core_uuid: str = ""  # which run of the switch, where it is known
    is_restarted: bool = False  # it is another run than before: the legs of that one are gone
    retry_s: float = 0.0  # lost: how long until the next attempt


class SwitchLink:
    """`start` it, and it calls `on_event` and `on_state` until `stop`.

    Both are called in the link's own greenlets and must not wait: what takes
    time belongs into a queue of the caller's.  Events may come before the
    CONNECTED that tells of their connection.  LOST is told once, and again when
    an attempt fails for another reason.
    """

    def __init__(
        self,
        config: LinkConfig,
        on_event: Callable[[SwitchEvent], object],
        on_state: Callable[[LinkChange], object],
    ) -> None:
        self._config = config
        self._on_event = on_event
        self._on_state = on_state
        self._pair: ConnectionPair | None = None
        self._connected = Event()
        self._core_uuid = ""
        self._told = ""  # the last reason of a LOST, until it stands again
        self._greenlet: gevent.Greenlet[..., None] | None = None

    @property
    def is_connected(self) -> bool:
        return self._connected.is_set()

    def wait_connected(self, timeout_s: float | None = None) -> bool:
        """Wait until the link stands; False if it still doesn't after `timeout_s`."""
        return bool(self._connected.wait(timeout_s))

    def start(self) -> None:
        """Begin to connect, in the background."""
        self._greenlet = gevent.spawn(self._keep_up)

    def stop(self) -> None:
        """Close both connections and try no more; it says nothing of this to `on_state`."""
        if self._greenlet is not None:
            self._greenlet.kill()

    def command(self, command: Api, deadline_s: float | None = None) -> str:
        """Run a quick command and return what the switch says, `-ERR …` included.

        Raises ConnectionLost, CommandTimeout or TooManyCommands; after the first
        two the switch may have carried it out.
        """
        return self._standing().command(command, deadline_s or self._config.command_deadline_s)

    def order(self, command: Api, tell: Callable[[str | ConnectionLost], object]) -> None:
        """As `command` without waiting: `tell` is given what the switch says, or why that will not come.

        The connection ends where an answer is too long in coming.  Raises
        ConnectionLost or TooManyCommands; `tell` must not wait.
        """
        self._standing().order(command, tell)

    def background(self, command: Api, deadline_s: float | None = None) -> str:
        """As `command`, for one that takes the switch long: nothing waits behind it."""
        return self._standing().background(command, deadline_s or self._config.job_deadline_s)

    def post(self, command: Command) -> None:
        """Send a message whose answer nobody waits for; raises ConnectionLost or TooManyCommands."""
        self._standing().post(command)

    def request(self, command: Command, deadline_s: float) -> None:
        """Send a message and wait until it is done; raises a SwitchError."""
        self._standing().request(command, deadline_s)

    def _standing(self) -> SwitchConnection:
        if self._pair is None or not self.is_connected:
            raise ConnectionLost("there is no connection to the switch at the moment")
        return self._pair.commands

    def _keep_up(self) -> None:
        failures = 0
        while True:
            begun = time.monotonic()
            reason = self._stand()
            # A switch that lets us in and throws us out again at once must not make us spin.
            failures = 0 if time.monotonic() - begun > self._config.retry_max_s else failures + 1
            retry_s = self._retry_s(failures)
            if str(reason) != self._told:
                self._told = str(reason)
                self._tell(LinkChange(LinkState.LOST, self._told, self._core_uuid, retry_s=retry_s))
            gevent.sleep(retry_s)

    def _stand(self) -> SwitchError:
        """Connect, serve until it ends, and return why it did."""
        pair = ConnectionPair(self._config, self._on_event, self._gap)
        self._pair = pair
        try:
            pair.open(self._core_uuid)
            before = self._core_uuid
            self._note_core()
            self._told = ""
            self._connected.set()
            is_restarted = before not in ("", self._core_uuid)
            self._tell(LinkChange(LinkState.CONNECTED, "", self._core_uuid, is_restarted))
            return pair.watch()
        except SwitchError as error:
            return error
        finally:
            self._connected.clear()
            self._note_core()
            pair.close()

    def _gap(self, missed: Missed) -> None:
        self._note_core()
        self._tell(LinkChange(LinkState.GAP, missed.reason, self._core_uuid, missed.is_restarted))

    def _note_core(self) -> None:
        if self._pair is not None and self._pair.core_uuid:
            self._core_uuid = self._pair.core_uuid

    def _tell(self, change: LinkChange) -> None:
        try:
            self._on_state(change)
        except Exception:
            log.exception("the change of the link to %s was not taken", change.state)

    def _retry_s(self, failures: int) -> float:
        """Twice as long each time, up to the limit; less by chance, so that agents don't march in step."""
        doubled_s = self._config.retry_min_s * float(2 ** min(failures, DOUBLINGS_MAX))
        return min(self._config.retry_max_s, doubled_s) * (1 - secrets.randbelow(500) / 1000)
