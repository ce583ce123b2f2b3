"""The daemon as a whole: in which order its parts begin, what they are told, and how it stops.

agent/parts.py says which there are, and what feeds what.
"""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

import gevent
from gevent.event import Event

from esl_agent import __version__
from esl_agent.agent.clock import monotonic_us
from esl_agent.agent.database import OUTAGE
from esl_agent.agent.parts import Parts
from esl_agent.agent.phones.phone_watch import LOOK_EVERY_S
from esl_agent.agent.recording.recordings import LOOK_EVERY_S as RECORDINGS_EVERY_S
from esl_agent.agent.recovery.leaving import leave
from esl_agent.agent.service_manager import ServiceManager, Watchdog
from esl_agent.agent.web.serving import Serving
from esl_agent.config import Config
from esl_agent.errors import EslAgentError
from esl_agent.noc.log import Log
from esl_agent.noc.tally import Tally
from esl_agent.store.cdrs import ensure_partitions
from esl_agent.switch.events import RegisterAttempt, SwitchEvent, TwinWord
from esl_agent.switch.link import LinkChange, LinkState

#: New objects after which dead rings of them are looked for: a call makes hundreds of objects, and no rings.
GC_OBJECTS: Final = (20_000, 20, 50)
#: How often partitions are made ahead.
PARTITIONS_EVERY_S: Final = 3_600
#: How often admitted legs that never came are looked for.
OVERDUE_EVERY_S: Final = 30
#: How often the start tries a database that is away.
START_RETRY_S: Final = 1.0
#: How long upkeep that is under way may take to end.
UPKEEP_END_S: Final = 0.2
#: How often a drain is looked at again.
PAUSE_S: Final = 0.05
#: What recovery is told where the switch's calls are gone, and where another daemon looked after them.
RESTARTED: Final = "the switch was restarted"
TAKEN_OVER: Final = "taken over"


class DaemonCrashed(EslAgentError):
    """A part of the daemon that must not end has ended."""


class Daemon:
    """`run` it; it returns when a signal has stopped it and what was owed is written."""

    def __init__(self, config: Config, log: Log, tally: Tally | None = None) -> None:
        self._config = config
        self._stop = Event()
        self._has_taken_up = Event()  # the calls that are up are this daemon's to look after
        self._crashed: BaseException | None = None
        self._service = ServiceManager(os.environ)
        self._watchdog = Watchdog(self._service)
        self.parts = Parts(
            config,
            log,
            tally or Tally(),
            take_event=self._take_event,
            link_changed=self._link_changed,
            stop=self.stop,
        )
        self._log = self.parts.log
        self.desk = self.parts.desk
        self._web = Serving(self.parts, self._log)

    def run(self) -> None:
        """Serve until told to stop; raises DaemonCrashed where a part of it failed.

        Raises StoodDown where a twin has to start over, AlreadyActive where
        this one may not begin.
        """
        self._log("AGENT_STARTED", version=__version__, pid=os.getpid())
        watchdog = gevent.spawn(self._watchdog.run)
        self._service.status("waiting for the database")
        self.parts.settler.open()
        self._web.start(self._stop)
        self._load_when_there()
        has_turn = self.parts.duty.begin(self._stop)
        loops: Sequence[Callable[[], None]] = (
            self.parts.timers.run,
            self.parts.holder.run,
            self.parts.settler.run,
            self.parts.listener.run,
            self.parts.duty.run,
            self.parts.inbox.run,
            self.parts.recovery.run,
            self.parts.phone_watch.run,
            *self.parts.traffic.parts,
            self.parts.recordings.run,
            lambda: self._every(self._config.limits.account_cache_s, self._refresh),
            lambda: self._every(OVERDUE_EVERY_S, self.desk.give_up_overdue),
            lambda: self._every(PARTITIONS_EVERY_S, self._make_partitions),
            lambda: self._every(LOOK_EVERY_S, self.parts.phone_watch.look),
            lambda: self._every(RECORDINGS_EVERY_S, self.parts.recordings.look),
            self._sweep,
        )
        greenlets = [watchdog, *(gevent.spawn(loop) for loop in loops)]
        for greenlet in greenlets:
            greenlet.link_exception(self._part_crashed)
        self._watchdog.watch([self.parts.inbox.put, self.parts.timers.do])
        self._wait_replayed()
        if has_turn:
            self._take_up()
        else:
            self._service.ready("in standby: ready to take over")
        self.parts.link.start()
        if self.parts.duty.wait_turn(self._stop):
            if has_turn:
                self.parts.doors.open()
            else:  # calls are looked after first
                self._take_up()
                self._begin_recovery(TAKEN_OVER, is_all=True)
                self.parts.doors.open_in_time(self._stop)
            self.parts.duty.opened()
            self._service.ready("its doors are open for calls")
            self._stop.wait()
        self._service.stopping("what is owed is being written")
        self.parts.doors.close()
        self._web.close()
        self.parts.duty.leave_if_lost()
        self._drain()
        self.parts.duty.end()
        self.parts.link.stop()
        gevent.joinall(greenlets, UPKEEP_END_S)  # one that is killed in the pool takes a connection with it
        gevent.killall(greenlets)
        self.parts.traffic.stop()
        unsettled, unkept = len(self.parts.settler), self.parts.settler.unkept
        self.parts.settler.close()
        self.parts.pool.close()
        self._log("AGENT_STOPPED", unsettled=unsettled, unkept=unkept or None, live=len(self.desk.live))
        if self._crashed is not None:
            raise DaemonCrashed(f"a part of the daemon failed: {self._crashed!r}") from self._crashed

    def stop(self) -> None:
        self._stop.set()

    def reload(self) -> None:
        """Read decks, plans, numbers and rules of traffic again; calls that are up keep their price."""
        self._service.reloading()
        self.parts.traffic.reload()
        try:
            self.parts.book.load()
        except OUTAGE as error:
            self._log("CONFIG_REJECTED", error=" ".join(str(error).split()))
            self._service.ready("its last reload was rejected: see CONFIG_REJECTED in the log")
        else:
            gc.freeze()
            self._log("CONFIG_RELOADED", **self.parts.book.sizes())
            self._service.ready("decks, plans and numbers were read again")

    # Events.

    def _take_event(self, event: SwitchEvent) -> None:
        """In the link's greenlet, which must go on reading: only a full queue holds it up."""
        self.parts.clock.heard(event.timestamp_us)
        if isinstance(event, TwinWord):
            self.parts.duty.heard(event)
        elif self._has_taken_up.is_set():
            self.parts.recovery.heard(event.timestamp_us)
            if isinstance(event, RegisterAttempt):
                self.parts.phone_watch.heard(event)
            elif event.name != "HEARTBEAT":
                self.parts.recordings.heard(event)
                self.parts.inbox.put(event)

    def _link_changed(self, change: LinkChange) -> None:
        where = f"{self._config.switch.host}:{self._config.switch.port}"
        self.parts.duty.link_changed(is_up=change.state is not LinkState.LOST)
        if change.state is LinkState.CONNECTED:
            self._log("SWITCH_CONNECTED", switch=where, core=change.core_uuid)
            reason = RESTARTED if change.is_restarted else "connected"
            if change.is_restarted:
                self._log("SWITCH_GAP", switch=where, reason=reason)
            self._begin_recovery(reason, is_all=True)
            self.parts.phones.switch_is_back()
        elif change.state is LinkState.LOST:
            self._log("SWITCH_LOST", switch=where, reason=change.reason, calls=len(self.desk.live))
            self.parts.recovery.lost()
        else:
            self._log("SWITCH_GAP", switch=where, reason=change.reason)
            self._begin_recovery(change.reason, is_all=change.is_restarted)

    def _begin_recovery(self, reason: str, *, is_all: bool) -> None:
        if self._has_taken_up.is_set():
            self.parts.recovery.begin(reason, is_all=is_all)

    # Start, upkeep and stop.

    def _load_when_there(self) -> None:
        """Wait for the database for as long as it takes, or until told to stop."""
        while not self._stop.is_set():
            try:
                self._make_partitions()
                self.parts.book.load()
            except OUTAGE:
                self._stop.wait(START_RETRY_S)
            else:
                gc.freeze()  # or the collector would walk through every rate again and again
                gc.set_threshold(*GC_OBJECTS)
                return

    def _wait_replayed(self) -> None:
        """What an earlier run left in the journal is in the books before anybody asks about a call."""
        while not self._stop.is_set() and not self.parts.settler.wait_empty(START_RETRY_S):
            pass

    def _take_up(self) -> None:
        """What is held for calls that are up is known before the first event of one is heard."""
        while not self._stop.is_set():
            try:
                self.parts.recovery.await_again()
            except OUTAGE:
                self._stop.wait(START_RETRY_S)
            else:
                break
        self._has_taken_up.set()

    def _make_partitions(self) -> None:
        with self.parts.database.connection() as conn:
            made = ensure_partitions(conn, datetime.now(UTC))
        if made:
            self._log("PARTITION_MADE", partitions=made)

    def _sweep(self) -> None:
        self._has_taken_up.wait()
        self.parts.cdr_sweeper.run(self._stop)

    def _refresh(self) -> None:
        self.parts.news.refresh()
        self.desk.price_again()

    def _every(self, period_s: float, work: Callable[[], None]) -> None:
        while not self._stop.wait(period_s):
            # DB_DOWN says it, and the next turn comes.
            with suppress(*OUTAGE):
                work()

    def _drain(self) -> None:
        """Let calls that are up end if they do so soon, then write what is owed; no call is cut by this.

        Those of a twin are the other's at once.
        """
        self._log("AGENT_DRAINING", live=len(self.desk.live), unsettled=len(self.parts.settler))
        until_us = monotonic_us() + self._config.limits.drain_s * 1_000_000
        live = () if self._config.twin.enabled else self.desk.live
        while (live or len(self.parts.inbox)) and monotonic_us() < until_us:
            gevent.sleep(PAUSE_S)
        leave(self.desk, self.parts.holder, self.parts.switchboard)
        self.parts.settler.wait_empty(self._config.limits.drain_s)
        self.parts.holder.wait_empty(self._config.limits.drain_s)
        self.parts.recordings.wait_empty(self._config.limits.drain_s)

    def watch_signals(self) -> None:
        """Reload on SIGHUP, stop on SIGTERM and SIGINT; told to stop twice, end at once."""
        gevent.signal_handler(signal.SIGHUP, lambda: gevent.spawn(self.reload))
        for number in (signal.SIGTERM, signal.SIGINT):
            gevent.signal_handler(number, self._told_to_stop)

    def _told_to_stop(self) -> None:
        if self._stop.is_set():
            os._exit(1)  # told twice: now
        self._stop.set()

    def _part_crashed(self, greenlet: gevent.Greenlet[..., None]) -> None:
        self._crashed = greenlet.exception
        self._log("AGENT_CRASHED", error=repr(greenlet.exception))
        self._stop.set()
