"""The parts of the daemon, made and joined: what feeds what.  Nothing runs yet.

switch link ──▶ events ──▶ desk ──▶ switchboard ──▶ switch
                            │  ▲
          timers ◀──────────┤  ├── holder ◀──▶ Postgres
                            └──┴─▶ settler ──▶ journal ──▶ Postgres
"""

from __future__ import annotations

import os
from collections.abc import Callable

from esl_agent.agent.admission.admission import Admission
from esl_agent.agent.admission.cached import CachedFunds
from esl_agent.agent.admission.doors import Doors, books_of
from esl_agent.agent.book import Book
from esl_agent.agent.calls.desk import ENDED_LATELY_MAX, Desk
from esl_agent.agent.calls.sounds import Sounds
from esl_agent.agent.calls.switchboard import Switchboard
from esl_agent.agent.calls.timers import Timers
from esl_agent.agent.clock import SwitchClock, calendar, monotonic_us
from esl_agent.agent.database import Database
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
from esl_agent.agent.phones.phone_watch import PhoneWatch
from esl_agent.agent.phones.phones import Phones
from esl_agent.agent.policies import (
    cached_policy_of,
    call_policy_of,
    link_config_of,
    operator_policy_of,
    when_off_of,
)
from esl_agent.agent.pricing import Pricing
from esl_agent.agent.recording.recordings import Recordings
from esl_agent.agent.recovery.finds import Finds
from esl_agent.agent.recovery.looks import Looks
from esl_agent.agent.recovery.recovery import Recovery
from esl_agent.agent.traffic.traffic import Traffic
from esl_agent.agent.web.heard import Heard
from esl_agent.config import Config, numbering_of, switch_name_of, variable_names_of
from esl_agent.noc.log import Log
from esl_agent.noc.tally import Tally
from esl_agent.store.open_holds import OpenHold, open_holds
from esl_agent.store.pool import open_pool
from esl_agent.switch.events import SwitchEvent
from esl_agent.switch.link import LinkChange, SwitchLink


class Parts:
    """What the parts tell, they tell to the callables given: events, how the link does, and that it is over.

    Raises RuleFileError where the rules of traffic can't be read.
    """

    def __init__(
        self,
        config: Config,
        log: Log,
        tally: Tally,
        *,
        take_event: Callable[[SwitchEvent], None],
        link_changed: Callable[[LinkChange], None],
        stop: Callable[[], None],
    ) -> None:
        self.config = config
        self.tally = tally
        self.heard = Heard()
        self.log = self.heard.listen(log)
        self.clock = SwitchClock(self.log)
        self.now_us = self.clock.now_us
        self.today = calendar(config.admission.time_zone)
        self.pool = open_pool(
            config.database.url,
            config.database.pool_max,
            connect_timeout_s=config.database.connect_timeout_s,
            statement_timeout_ms=config.database.statement_timeout_ms,
        )
        self.database = Database(self.pool, config.database.url, self.log)
        self.book = Book(numbering_of(config), self.database, toll_free_when_off=when_off_of(config))
        self.pricing = Pricing(self.book)
        self.timers = Timers(self.now_us, lambda leg_uuid, timer: self.desk.timer_rang(leg_uuid, timer))
        self.duty: Duty = (
            Twins(config, self.log, lambda: self.link, stop)
            if config.twin.enabled
            else Alone(config, self.log, stop)
        )
        self.may_act = self.duty.may_act
        self.link = SwitchLink(link_config_of(config, self.duty.is_stale), take_event, link_changed)
        self._make_money()
        self._make_calls()
        self._make_recovery()
        self._make_watches()
        self.doors = self._make_doors()

    def is_switch_up(self) -> bool:
        return self.link.is_connected

    def _make_money(self) -> None:
        limits, switch = self.config.limits, switch_name_of(self.config)
        self.settler = Settler(
            self.database,
            journal_of(self.config.journal, os.environ),
            self.today,
            self.log,
            queue_max=limits.queue_max,
            batch_max=limits.batch_max,
            retry_max_s=limits.retry_max_s,
            switch=switch,
            freed=lambda account_ids: self.desk.money_freed(account_ids),
        )
        self.holder = Holder(
            self.database,
            self.today,
            self.log,
            queue_max=limits.queue_max,
            batch_max=limits.batch_max,
            switch=switch,
            may_act=self.may_act,
        )

    def _make_calls(self) -> None:
        config, log = self.config, self.log
        self.recordings = Recordings(
            config.recording,
            self.database,
            lambda: self.book.departments,
            log,
            self.now_us,
            may_act=self.may_act,
        )
        self.switchboard = Switchboard(self.link.order, log, may_act=self.may_act)
        self.desk = Desk(
            policy=call_policy_of(config.budget),
            pricing=self.pricing,
            now_us=self.now_us,
            timers=self.timers,
            ask_hold=self.holder.ask,
            settle=self.recordings.watching(self.settler.settle),
            release=self.settler.release,
            keep_answer=self.settler.answer,
            switchboard=self.switchboard,
            log=log,
            live_max=config.limits.live_calls_max,
            ends_barred=config.admission.suspended_calls == "end",
            sounds=Sounds(self.switchboard, config.budget.warn_sound, config.budget.end_announcement),
            may_act=self.may_act,
        )
        self.inbox = Inbox(
            self.desk,
            log,
            queue_max=config.limits.queue_max,
            batch_max=config.limits.batch_max,
            done=lambda event: self.tally.event_done(event.timestamp_us, self.now_us()),
        )

    def _make_recovery(self) -> None:
        config = self.config
        folder = ThreadedCdrFolder.of(config)
        self.cdr_sweeper = CdrSweeper(
            config.cdr_files,
            folder,
            pricing=self.pricing,
            desk=self.desk,
            database=self.database,
            unsettled=self.settler.__len__,
            log=self.log,
        )
        names = variable_names_of(config)
        self.looks = Looks(self.link.command, self.link.background, names, self.clock.heard)
        self.recovery = Recovery(
            desk=self.desk,
            finds=Finds(self.desk, self.pricing, self.now_us, self.log),
            looks=self.looks,
            folder=folder,
            read_holds=self._read_holds,
            do=self.inbox.put,
            now_us=monotonic_us,
            patience_s=config.switch.gone_patience_s,
            audit_every_s=config.switch.audit_every_s,
            log=self.log,
        )

    def _read_holds(self, older_than_s: float) -> list[OpenHold]:
        """The open ones; none while more legs wait to be settled than the desk remembers."""
        if len(self.settler) > ENDED_LATELY_MAX // 2:
            return []
        with self.database.connection() as conn:
            return open_holds(conn, switch_name_of(self.config), older_than_s)

    def _make_watches(self) -> None:
        config = self.config
        self.phones = Phones(self.link.command, self.log)
        self.phone_watch = PhoneWatch(config.phones, self.database, self.log, may_act=self.may_act)
        self.traffic = Traffic(
            config,
            book=self.book,
            desk=self.desk,
            database=self.database,
            now_us=self.now_us,
            may_act=self.may_act,
            log=self.log,
        )
        self.news = News(self.book, self.desk, self.phones, self.traffic.news, self.now_us)
        self.listener = Listener(
            config.database.listen_url or config.database.url,
            self.news.changed,
            self.log,
            retry_max_s=config.limits.retry_max_s,
        )

    def _make_doors(self) -> Doors:
        config, settler = self.config.admission, self.settler
        admission = Admission(
            book=self.book,
            desk=self.desk,
            policy=call_policy_of(self.config.budget),
            operator=operator_policy_of(config),
            today=self.today,
            hold=self.holder.ask,
            settle=settler.settle,
            release=settler.release,
            has_journal_room=lambda: settler.is_accepting,
            can_record=self.recordings.room.can_record,
            cached=CachedFunds(cached_policy_of(config)),
            deadline_s=config.deadline_ms / 1_000,
            now_us=self.now_us,
            log=self.log,
        )
        books = books_of(self.book, self.desk, self.database, self.now_us)
        is_gone = self.looks.is_gone
        return Doors(config, admission, self.desk, books, self.now_us, self.log, is_gone, self.may_act)
