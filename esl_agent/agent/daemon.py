"""The daemon as a whole: what runs, what feeds what, and how it stops.

switch link ──▶ events ──▶ desk ──▶ switchboard ──▶ switch
                            │  ▲
          timers ◀──────────┤  ├── holder ◀──▶ Postgres
                            └──┴─▶ settler ──▶ journal ──▶ Postgres
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
from esl_agent.agent.admission.admission import Admission
from esl_agent.agent.admission.cached import CachedFunds
from esl_agent.agent.admission.doors import Doors, books_of
from esl_agent.agent.book import Book
from esl_agent.agent.calls.desk import ENDED_LATELY_MAX, Desk
from esl_agent.agent.calls.sounds import Sounds
from esl_agent.agent.calls.switchboard import Switchboard
from esl_agent.agent.calls.timers import Timers
from esl_agent.agent.clock import SwitchClock, calendar, monotonic_us
from esl_agent.agent.database import OUTAGE, Database
from esl_agent.agent.duty.alone import Alone
from esl_agent.agent.duty.duty import Duty
from esl_agent.agent.duty.twins import Twins
from esl_agent.agent.files.cdr_folder import ThreadedCdrFolder
from esl_agent.agent.files.cdr_sweeper import CdrSweeper
from esl_agent.agent.inbox import Inbox
from esl_agent.agent.listener import Listener
from esl_agent.agent.money.holder import Holder
from esl_agent.agent.money.journal_place import journal_of
from esl_agent.agent.money.settler import Settler
from esl_agent.agent.news import News
from esl_agent.agent.phones.phone_watch import LOOK_EVERY_S, PhoneWatch
from esl_agent.agent.phones.phones import Phones
from esl_agent.agent.policies import (
    cached_policy_of,
    call_policy_of,
    link_config_of,
    operator_policy_of,
    when_off_of,
)
from esl_agent.agent.recording.recordings import LOOK_EVERY_S as RECORDINGS_EVERY_S
from esl_agent.agent.recording.recordings import Recordings
from esl_agent.agent.recovery.finds import Finds
from esl_agent.agent.recovery.leaving import leave
from esl_agent.agent.recovery.looks import Looks
from esl_agent.agent.recovery.recovery import Recovery
from esl_agent.agent.service_manager import ServiceManager, Watchdog
from esl_agent.agent.traffic.traffic import Traffic
from esl_agent.agent.web.ports import Parts
from esl_agent.agent.web.serving import Serving
from esl_agent.config import Config, numbering_of, switch_name_of, variable_names_of
from esl_agent.errors import EslAgentError
from esl_agent.noc.log import Log
from esl_agent.noc.tally import Tally
from esl_agent.store.cdrs import ensure_partitions
from esl_agent.store.open_holds import OpenHold, open_holds
from esl_agent.store.pool import open_pool
from esl_agent.switch.events import RegisterAttempt, SwitchEvent, TwinWord
from esl_agent.switch.link import LinkChange, LinkState, SwitchLink

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
        limits = config.limits
        tally = tally or Tally()
        self._config = config
        self._log = log
        self._stop = Event()
        self._has_taken_up = Event()  # the calls that are up are this daemon's to look after
        self._crashed: BaseException | None = None
        self._service = ServiceManager(os.environ)
        self._watchdog = Watchdog(self._service)
        self._policy = call_policy_of(config.budget)
        self._clock = SwitchClock(log)
        self._pool = open_pool(
            config.database.url,
            config.database.pool_max,
            connect_timeout_s=config.database.connect_timeout_s,
            statement_timeout_ms=config.database.statement_timeout_ms,
        )
        self._database = Database(self._pool, config.database.url, log)
        self._book = Book(numbering_of(config), self._database, toll_free_when_off=when_off_of(config))
        self._timers = Timers(
            self._clock.now_us, lambda leg_uuid, timer: self.desk.timer_rang(leg_uuid, timer)
        )
        self._duty: Duty = (
            Twins(config, log, lambda: self._link, self.stop)
            if config.twin.enabled
            else Alone(config, log, self.stop)
        )
        self._link = SwitchLink(
            link_config_of(config, self._duty.is_stale), self._take_event, self._link_changed
        )
        today = calendar(config.admission.time_zone)
        self._settler = Settler(
            self._database,
            journal_of(config.journal, os.environ),
            today,
            log,
            queue_max=limits.queue_max,
            batch_max=limits.batch_max,
            retry_max_s=limits.retry_max_s,
            switch=switch_name_of(config),
            freed=lambda account_ids: self.desk.money_freed(account_ids),
        )
        self._holder = Holder(
            self._database,
            today,
            log,
            queue_max=limits.queue_max,
            batch_max=limits.batch_max,
            switch=switch_name_of(config),
            may_act=self._duty.may_act,
        )
        now_us, may_act = self._clock.now_us, self._duty.may_act
        self._recordings = Recordings(
            config.recording, self._database, lambda: self._book.departments, log, now_us, may_act=may_act
        )
        self._switchboard = switchboard = Switchboard(
            self._link.order, log, may_act=may_act, switch_us=now_us
        )
        self.desk = Desk(
            policy=self._policy,
            book=self._book,
            now_us=now_us,
            timers=self._timers,
            ask_hold=self._holder.ask,
            settle=self._recordings.watching(self._settler.settle),
            release=self._settler.release,
            keep_answer=self._settler.answer,
            switchboard=switchboard,
            log=log,
            live_max=limits.live_calls_max,
            ends_barred=config.admission.suspended_calls == "end",
            sounds=Sounds(switchboard, config.budget.warn_sound, config.budget.end_announcement),
            may_act=may_act,
        )
        self._cdr_folder = ThreadedCdrFolder.of(config)
        self._cdr_sweeper = CdrSweeper(
            config.cdr_files,
            self._cdr_folder,
            book=self._book,
            desk=self.desk,
            database=self._database,
            unsettled=self._settler.__len__,
            log=log,
        )
        self._inbox = Inbox(
            self.desk,
            log,
            queue_max=limits.queue_max,
            batch_max=limits.batch_max,
            done=lambda event: tally.event_done(event.timestamp_us, self._clock.now_us()),
        )
        self._looks = Looks(self._link.command, self._link.background, variable_names_of(config))
        self._recovery = self._make_recovery()
        self._phones = Phones(self._link.command, log)
        self._phone_watch = PhoneWatch(config.phones, self._database, log, may_act=self._duty.may_act)
        self.traffic = Traffic(
            config,
            book=self._book,
            desk=self.desk,
            database=self._database,
            now_us=self._clock.now_us,
            may_act=self._duty.may_act,
            log=log,
        )
        self._news = News(self._book, self.desk, self._phones, self.traffic.news, self._clock.now_us)
        self._listener = Listener(
            config.database.listen_url or config.database.url,
            self._news.changed,
            log,
            retry_max_s=limits.retry_max_s,
        )
        self._doors = self._make_doors()
        parts = Parts(
            config=config,
            desk=self.desk,
            book=self._book,
            holder=self._holder,
            settler=self._settler,
            database=self._database,
            switchboard=switchboard,
            timers=self._timers,
            inbox=self._inbox,
            duty=self._duty,
            tally=tally,
            now_us=self._clock.now_us,
            is_switch_up=lambda: self._link.is_connected,
        )
        self._web = Serving(parts, log)

    def _make_doors(self) -> Doors:
        config, settler = self._config.admission, self._settler
        admission = Admission(
            book=self._book,
            desk=self.desk,
            policy=self._policy,
            operator=operator_policy_of(config),
            today=calendar(config.time_zone),
            hold=self._holder.ask,
            settle=settler.settle,
            release=settler.release,
            has_journal_room=lambda: settler.is_accepting,
            can_record=self._recordings.room.can_record,
            cached=CachedFunds(cached_policy_of(config)),
            deadline_s=config.deadline_ms / 1_000,
            now_us=self._clock.now_us,
            log=self._log,
        )
        books = books_of(self._book, self.desk, self._database, self._clock.now_us)
        now_us, may_act = self._clock.now_us, self._duty.may_act
        return Doors(config, admission, self.desk, books, now_us, self._log, self._looks.is_gone, may_act)

    def _make_recovery(self) -> Recovery:
        config = self._config.switch
        return Recovery(
            desk=self.desk,
            finds=Finds(self.desk, self._book, self._clock.now_us, self._log),
            looks=self._looks,
            folder=self._cdr_folder,
            read_holds=self._read_holds,
            do=self._inbox.put,
            now_us=monotonic_us,
            patience_s=config.gone_patience_s,
            audit_every_s=config.audit_every_s,
            log=self._log,
        )

    def _read_holds(self, older_than_s: float) -> list[OpenHold]:
        """The open ones; none while more legs wait to be settled than the desk remembers."""
        if len(self._settler) > ENDED_LATELY_MAX // 2:
            return []
        with self._database.connection() as conn:
            return open_holds(conn, switch_name_of(self._config), older_than_s)

    def run(self) -> None:
        """Serve until told to stop; raises DaemonCrashed where a part of it failed.

        Raises StoodDown where a twin has to start over, AlreadyActive where
        this one may not begin.
        """
        self._log("AGENT_STARTED", version=__version__, pid=os.getpid())
        watchdog = gevent.spawn(self._watchdog.run)
        self._service.status("waiting for the database")
        self._settler.open()
        self._web.start(self._stop)
        self._load_when_there()
        has_turn = self._duty.begin(self._stop)
        parts: Sequence[Callable[[], None]] = (
            self._timers.run,
            self._holder.run,
            self._settler.run,
            self._listener.run,
            self._duty.run,
            self._inbox.run,
            self._recovery.run,
            self._phone_watch.run,
            *self.traffic.parts,
            self._recordings.run,
            lambda: self._every(self._config.limits.account_cache_s, self._refresh),
            lambda: self._every(OVERDUE_EVERY_S, self.desk.give_up_overdue),
            lambda: self._every(PARTITIONS_EVERY_S, self._make_partitions),
            lambda: self._every(LOOK_EVERY_S, self._phone_watch.look),
            lambda: self._every(RECORDINGS_EVERY_S, self._recordings.look),
            self._sweep,
        )
        greenlets = [watchdog, *(gevent.spawn(part) for part in parts)]
        for greenlet in greenlets:
            greenlet.link_exception(self._part_crashed)
        self._watchdog.watch([self._inbox.put, self._timers.do])
        self._wait_replayed()
        if has_turn:
            self._take_up()
        else:
            self._service.ready("in standby: ready to take over")
        self._link.start()
        if self._duty.wait_turn(self._stop):
            if has_turn:
                self._doors.open()
            else:  # calls are looked after first
                self._take_up()
                self._begin_recovery(TAKEN_OVER, is_all=True)
                self._doors.open_in_time(self._stop)
            self._duty.opened()
            self._service.ready("its doors are open for calls")
            self._stop.wait()
        self._service.stopping("what is owed is being written")
        self._doors.close()
        self._web.close()
        self._duty.leave_if_lost()
        self._drain()
        self._duty.end()
        self._link.stop()
        gevent.joinall(greenlets, UPKEEP_END_S)  # one that is killed in the pool takes a connection with it
        gevent.killall(greenlets)
        self.traffic.stop()
        unsettled, unkept = len(self._settler), self._settler.unkept
        self._settler.close()
        self._pool.close()
        self._log("AGENT_STOPPED", unsettled=unsettled, unkept=unkept or None, live=len(self.desk.live))
        if self._crashed is not None:
            raise DaemonCrashed(f"a part of the daemon failed: {self._crashed!r}") from self._crashed

    def stop(self) -> None:
        self._stop.set()

    def reload(self) -> None:
        """Read decks, plans, numbers and rules of traffic again; calls that are up keep their price."""
        self._service.reloading()
        self.traffic.reload()
        try:
            self._book.load()
        except OUTAGE as error:
            self._log("CONFIG_REJECTED", error=" ".join(str(error).split()))
            self._service.ready("its last reload was rejected: see CONFIG_REJECTED in the log")
        else:
            gc.freeze()
            self._log("CONFIG_RELOADED", **self._book.sizes())
            self._service.ready("decks, plans and numbers were read again")

    # Events.

    def _take_event(self, event: SwitchEvent) -> None:
        """In the link's greenlet, which must go on reading: only a full queue holds it up."""
        self._clock.heard(event.timestamp_us)
        if isinstance(event, TwinWord):
            self._duty.heard(event)
        elif self._has_taken_up.is_set():
            self._recovery.heard(event.timestamp_us)
            if isinstance(event, RegisterAttempt):
                self._phone_watch.heard(event)
            elif event.name != "HEARTBEAT":
                self._recordings.heard(event)
                self._inbox.put(event)

    def _link_changed(self, change: LinkChange) -> None:
        where = f"{self._config.switch.host}:{self._config.switch.port}"
        self._duty.link_changed(is_up=change.state is not LinkState.LOST)
        if change.state is LinkState.CONNECTED:
            self._log("SWITCH_CONNECTED", switch=where, core=change.core_uuid)
            reason = RESTARTED if change.is_restarted else "connected"
            if change.is_restarted:
                self._log("SWITCH_GAP", switch=where, reason=reason)
            self._begin_recovery(reason, is_all=True)
            self._phones.switch_is_back()
        elif change.state is LinkState.LOST:
            self._log("SWITCH_LOST", switch=where, reason=change.reason, calls=len(self.desk.live))
            self._recovery.lost()
        else:
            self._log("SWITCH_GAP", switch=where, reason=change.reason)
            self._begin_recovery(change.reason, is_all=change.is_restarted)

    def _begin_recovery(self, reason: str, *, is_all: bool) -> None:
        if self._has_taken_up.is_set():
            self._recovery.begin(reason, is_all=is_all)

    # Start, upkeep and stop.

    def _load_when_there(self) -> None:
        """Wait for the database for as long as it takes, or until told to stop."""
        while not self._stop.is_set():
            try:
                self._make_partitions()
                self._book.load()
            except OUTAGE:
                self._stop.wait(START_RETRY_S)
            else:
                gc.freeze()  # or the collector would walk through every rate again and again
                gc.set_threshold(*GC_OBJECTS)
                return

    def _wait_replayed(self) -> None:
        """What an earlier run left in the journal is in the books before anybody asks about a call."""
        while not self._stop.is_set() and not self._settler.wait_empty(START_RETRY_S):
            pass

    def _take_up(self) -> None:
        """What is held for calls that are up is known before the first event of one is heard."""
        while not self._stop.is_set():
            try:
                self._recovery.await_again()
            except OUTAGE:
                self._stop.wait(START_RETRY_S)
            else:
                break
        self._has_taken_up.set()

    def _make_partitions(self) -> None:
        with self._database.connection() as conn:
            made = ensure_partitions(conn, datetime.now(UTC))
        if made:
            self._log("PARTITION_MADE", partitions=made)

    def _sweep(self) -> None:
        self._has_taken_up.wait()
        self._cdr_sweeper.run(self._stop)

    def _refresh(self) -> None:
        self._news.refresh()
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
        self._log("AGENT_DRAINING", live=len(self.desk.live), unsettled=len(self._settler))
        until_us = monotonic_us() + self._config.limits.drain_s * 1_000_000
        live = () if self._config.twin.enabled else self.desk.live
        while (live or len(self._inbox)) and monotonic_us() < until_us:
            gevent.sleep(PAUSE_S)
        leave(self.desk, self._holder, self._switchboard)
        self._settler.wait_empty(self._config.limits.drain_s)
        self._holder.wait_empty(self._config.limits.drain_s)
        self._recordings.wait_empty(self._config.limits.drain_s)

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
