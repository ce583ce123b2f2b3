"""The two connections of a link: one brings events, one takes commands.

Two, because a slow command stalls the events of its connection
(mod_event_socket.c: `api_exec` runs in the listener's thread).  They stand and
fall together: when either ends, both are made anew.

Alive means: the events' connection brought something within
`heartbeat_timeout_s` (the switch sends HEARTBEAT every 20 s), and the commands'
connection answers within `answer_timeout_s`, which a probe puts to the test.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import gevent

from esl_agent.switch import commands
from esl_agent.switch.client import (
    COMMAND_DEADLINE_S,
    CONNECT_TIMEOUT_S,
    JOB_DEADLINE_S,
    SwitchConnection,
)
from esl_agent.switch.errors import CommandRefused, ConnectionLost, SwitchError
from esl_agent.switch.events import (
    DEFAULT_NAMES,
    EVENT_NAMES,
    EventError,
    Heartbeat,
    SwitchEvent,
    VariableNames,
)
from esl_agent.switch.frames import Frame, FrameLimits
from esl_agent.switch.protocol import never
from esl_agent.switch.stream import JUMP_MAX, Missed, StreamWatch, lost_events_said

#: The largest event is a CHANNEL_HANGUP_COMPLETE of about 13 KB; a caller's own headers add to it.
EVENT_BYTES_MAX: Final = 8 * 1024 * 1024
#: What is read at once of a burst: large, so that it costs few system calls.
EVENTS_BUFFER_BYTES: Final = 256 * 1024
#: The watch looks at its clocks this often, and more often where a limit is shorter.
WATCH_EVERY_S: Final = 1.0
NOBODY: Final = "00000000-0000-0000-0000-000000000000"  # the probe asks whether this leg is up

_UUID: Final = re.compile("[0-9a-f-]{36}", re.ASCII)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LinkConfig:
    """Where the switch is, and the limits of our patience with it."""

    host: str = "127.0.0.1"
    port: int = 8021
    password: str = field(default="ClueCon", repr=False)
    names: VariableNames = DEFAULT_NAMES
    events: tuple[str, ...] = EVENT_NAMES  # HEARTBEAT comes whether named or not
    subclasses: tuple[str, ...] = ()  # of CUSTOM
    is_stale: Callable[[], bool] = never  # whether commands that wait to be sent must not be, any more
    connect_timeout_s: float = CONNECT_TIMEOUT_S
    command_deadline_s: float = COMMAND_DEADLINE_S
    job_deadline_s: float = JOB_DEADLINE_S
    heartbeat_timeout_s: float = 65.0  # three heartbeats and some
    probe_every_s: float = 20.0
    answer_timeout_s: float = 10.0
    retry_min_s: float = 0.1
    retry_max_s: float = 5.0
    sequence_jump_max: int = JUMP_MAX


class ConnectionPair:
    """`open` it, `watch` it until one of the two ends, `close` it; then make another."""

    def __init__(
        self,
        config: LinkConfig,
        on_event: Callable[[SwitchEvent], object],
        on_gap: Callable[[Missed], object],
    ) -> None:
        self._config = config
        self._on_event = on_event
        self._on_gap = on_gap
        self._stream = StreamWatch(config.sequence_jump_max)
        self.commands = self._connection()
        self._events = self._connection()

    @property
    def core_uuid(self) -> str:
        """Which run of the switch this is; "" while it isn't known."""
        return self._stream.core_uuid

    def open(self, last_core_uuid: str) -> None:
        """Connect both and subscribe; raises SwitchError.

        Where the switch doesn't say which core it is, it is taken for the last
        one until an event says otherwise.
        """
        self.commands.connect()
        self.commands.subscribe(["BACKGROUND_JOB"])
        said = self.commands.command(commands.global_getvar("core_uuid"), self._config.connect_timeout_s)
        self._stream.core_uuid = said if _UUID.fullmatch(said) else last_core_uuid
        self._open_events()

    def _open_events(self) -> None:
        events = self._events
        events.limits = FrameLimits(body_bytes_max=EVENT_BYTES_MAX)
        events.buffer_bytes = EVENTS_BUFFER_BYTES
        events.on_event_error = self._take_error
        names = sorted({*self._config.events, "HEARTBEAT"})
        for name in names:
            events.register_handle(name, self._take_heartbeat if name == "HEARTBEAT" else self._take)
        if self._config.subclasses:
            events.register_handle("CUSTOM", self._take)
        events.register_handle("log", self._take_log)
        events.connect()
        try:
            events.request(commands.log_critical(), self._config.connect_timeout_s)
        except CommandRefused as refused:
            log.warning("the switch will not say when it drops events: %s", refused)
        events.subscribe(names, self._config.subclasses)

    def _connection(self) -> SwitchConnection:
        config = self._config
        connection = SwitchConnection(config.host, config.port, config.password, config.connect_timeout_s)
        connection.names = config.names
        connection.is_stale = config.is_stale
        return connection

    def close(self) -> None:
        self._events.close()
        self.commands.close()

    # What the events' connection brings

    def _take(self, event: SwitchEvent) -> None:
        missed = self._stream.see(event.sequence, event.timestamp_us)
        if missed is not None:
            self._on_gap(missed)
        self._on_event(event)

    def _take_heartbeat(self, event: Heartbeat) -> None:
        missed = self._stream.see_core(event.core_uuid)
        if missed is not None:
            self._on_gap(missed)
        self._take(event)

    def _take_error(self, error: EventError) -> None:
        self._on_gap(Missed(str(error)))

    def _take_log(self, frame: Frame) -> None:
        lost = lost_events_said(frame.body.decode("utf-8", "replace"))
        if lost is not None:
            self._on_gap(Missed(f"the switch dropped events: {lost}"))

    # Liveness

    def watch(self) -> SwitchError:
        """Wait until one of the connections ends or falls silent, and tell why."""
        config = self._config
        every_s = min(WATCH_EVERY_S, config.heartbeat_timeout_s / 4, config.answer_timeout_s / 4)
        probed_at = time.monotonic()
        while True:
            gevent.wait([self.commands.ended, self._events.ended], timeout=every_s, count=1)
            end = self.commands.wait_end(0) or self._events.wait_end(0) or self._silence()
            if end is not None:
                return end
            if time.monotonic() - probed_at >= config.probe_every_s and not self.commands.unanswered_s:
                probed_at = time.monotonic()
                self.commands.post(commands.api(commands.uuid_exists(NOBODY)))

    def _silence(self) -> SwitchError | None:
        silent_s = time.monotonic() - self._events.heard_at
        if silent_s > self._config.heartbeat_timeout_s:
            return ConnectionLost(f"no event and no heartbeat came for {silent_s:.0f} s")
        unanswered_s = self.commands.unanswered_s
        if unanswered_s > self._config.answer_timeout_s:
            return ConnectionLost(f"a command has waited {unanswered_s:.0f} s for its answer")
        return None
