"""The live page's side of the daemon: the tables that it shows, and what keeps them fresh."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final

import gevent

from esl_agent import __version__
from esl_agent.agent.clock import calendar
from esl_agent.agent.parts import Parts
from esl_agent.agent.web.balances import Balances
from esl_agent.agent.web.page_rows import alert_row, balance_row, call_row, minute_row, refusal_row
from esl_agent.agent.web.ports import health_of
from esl_agent.core.call_state import Call
from esl_agent.core.money import amount
from esl_agent.noc.log import Log
from esl_agent.noc.minutes import MINUTE_US, MINUTES_MAX, Minute
from esl_agent.store.minutes import CountedMinute, count_minutes
from esl_agent.web.live.feed import Feed
from esl_agent.web.live.rows import CallRow, StateRow
from esl_agent.web.live.tables import Table
from esl_agent.web.ports import Books, DatabaseAwayError, DatabaseRefusedError, Health, TooSlowError

#: How often it is noted how many calls are up, and looked whether this daemon's turn has come.
LOOK_EVERY_S: Final = 5.0
#: How soon what was before is asked for again where the database was away or slow, less and less often.
FILL_RETRY_S: Final = 5.0
FILL_RETRY_MAX_S: Final = 300.0


class Page:
    """`run` it, and serve its `feed`."""

    def __init__(self, parts: Parts, log: Log) -> None:
        self._parts = parts
        self._heard = parts.heard
        self._desk = parts.desk
        self._low_balance = amount(parts.config.web.low_balance)
        self._balances = Balances(parts.book, self._low_balance)
        self._today = calendar(parts.config.admission.time_zone)
        self.feed = Feed(self._tables(), parts.now_us, log)

    def run(self, books: Books) -> None:
        """For ever; `books` is asked for what was before this daemon's turn."""
        loops = [gevent.spawn(loop) for loop in (self.feed.run, self._look, lambda: self._fill(books))]
        try:
            for ended in gevent.iwait(loops):
                ended.get()  # raises what ended it
        finally:
            gevent.killall(loops)

    def _look(self) -> None:
        """A twin in standby knows of no calls: that it has none is no news of the switch."""
        while True:
            if self._parts.may_act():
                self._heard.minutes.look(len(self._desk.live))
            gevent.sleep(LOOK_EVERY_S)

    def _fill(self, books: Books) -> None:
        """Until its turn a twin hears nothing: what the other one had is in the CDRs by then."""
        while not self._parts.may_act():
            gevent.sleep(LOOK_EVERY_S)
        retry_s = FILL_RETRY_S
        while not self._is_filled(books):
            gevent.sleep(retry_s)
            retry_s = min(retry_s * 2, FILL_RETRY_MAX_S)

    def _is_filled(self, books: Books) -> bool:
        """The plot goes without, while the database is away or slow, or refuses, which the log has said."""
        until_us = self._heard.now_us() // MINUTE_US * MINUTE_US
        since_us = until_us - MINUTES_MAX * MINUTE_US
        try:
            counted = books.work(lambda conn: list(count_minutes(conn, since_us, until_us)))
        except (DatabaseAwayError, TooSlowError, DatabaseRefusedError):
            return False
        self._heard.minutes.fill(minutes_of(counted))
        return True

    # What the tables are made of.

    def _tables(self) -> tuple[Table, ...]:
        heard = self._heard
        return (
            Table("state", lambda: {0: health_of(self._parts)}, lambda _, health: self._state_row(health)),
            Table("alerts", lambda: {each.key: each for each in heard.alerts.alerts()},
                  lambda _, alert: alert_row(alert)),
            Table("refusals", lambda: {each.number: each for each in heard.alerts.refused()},
                  lambda _, refused: refusal_row(refused)),
            Table("balances", self._balances.near_end,
                  lambda _, payer: balance_row(payer, self._today())),
            Table("minutes", lambda: {each.begins_us: minute_row(each) for each in heard.minutes},
                  lambda _, row: row),
            Table("calls", self._calls, self._call_row),
        )  # fmt: skip

    def _calls(self) -> Mapping[str, Call]:
        """A call's state is another object after each step that changed it."""
        return {leg_uuid: live.call for leg_uuid, live in self._desk.live.items()}

    def _call_row(self, leg_uuid: str, call: Call) -> CallRow | None:
        live = self._desk.live.get(leg_uuid)
        return call_row(live) if live is not None else None

    def _state_row(self, health: Health) -> StateRow:
        return StateRow(
            version=__version__,
            switch=health.switch,
            is_switch_up=health.is_switch_up,
            is_database_up=health.is_database_up,
            is_twin=health.is_twin,
            may_act=health.may_act,
            live_calls=health.live_calls,
            unsettled=health.unsettled,
            journal_has_room=health.journal_has_room,
            low_balance=str(self._low_balance),
        )


def minutes_of(counted: Iterable[CountedMinute]) -> list[Minute]:
    """Those that the CDRs tell of, each once."""
    minutes: dict[int, Minute] = {}
    for each in counted:
        minute = minutes.setdefault(each.begins_us, Minute(each.begins_us))
        if each.refused is not None:
            minute.refused[each.refused] += each.calls
            continue
        minute.admitted += each.calls
        minute.answered += each.answered
        minute.cut += each.cut
        minute.ended += each.calls
        minute.spend[each.currency] = minute.spend.get(each.currency, Decimal(0)) + each.charged
    return list(minutes.values())
