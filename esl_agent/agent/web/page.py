"""The live page's side of the daemon: what it hears of the log, and the tables that it shows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import date
from decimal import Decimal
from typing import Final

import gevent

from esl_agent import __version__
from esl_agent.agent.book import Book
from esl_agent.agent.calls.desk import Desk
from esl_agent.agent.clock import wall_us
from esl_agent.agent.web.balances import Balances
from esl_agent.agent.web.page_rows import alert_row, balance_row, call_row, minute_row, refusal_row
from esl_agent.core.call_state import Call
from esl_agent.noc.alerts import Alerts
from esl_agent.noc.log import Log
from esl_agent.noc.minutes import MINUTE_US, MINUTES_MAX, Minute, Minutes
from esl_agent.noc.overheard import overheard
from esl_agent.store.minutes import CountedMinute, count_minutes
from esl_agent.web.live.feed import Feed
from esl_agent.web.live.rows import CallRow, StateRow
from esl_agent.web.live.tables import Table
from esl_agent.web.ports import Books, DatabaseAwayError, Health, TooSlowError

#: How often it is noted how many calls are up, and looked for balances near the end.
LOOK_EVERY_S: Final = 5.0


class Heard:
    """What the log has told so far; `listen` before anything is said."""

    def __init__(self, now_us: Callable[[], int] = wall_us) -> None:
        self.now_us = now_us
        self.alerts = Alerts(now_us)
        self.minutes = Minutes(now_us)

    def listen(self, log: Log) -> Log:
        return overheard(log, self.alerts.hear, self.minutes.hear)


class Page:
    """`run` it, and serve its `feed`."""

    def __init__(
        self, heard: Heard, desk: Desk, book: Book, health: Callable[[], Health], now_us: Callable[[], int],
        today: Callable[[], date], low_balance: Decimal, log: Log,
    ) -> None:  # fmt: skip
        self._heard = heard
        self._desk = desk
        self._balances = Balances(book, low_balance)
        self._health = health
        self._today = today
        self._low_balance = str(low_balance)
        self.feed = Feed(self._tables(), now_us, log)

    def run(self, books: Books) -> None:
        """For ever; `books` is asked once for what was before the start."""
        loops = [gevent.spawn(self.feed.run), gevent.spawn(self._look), gevent.spawn(self._fill, books)]
        try:
            gevent.joinall(loops, raise_error=True)
        finally:
            gevent.killall(loops)

    def _look(self) -> None:
        while True:
            self._heard.minutes.look(len(self._desk.live))
            if self.feed.viewers:
                self._balances.look()
            gevent.sleep(LOOK_EVERY_S)

    def _fill(self, books: Books) -> None:
        """The plot goes without, where the database is away or slow."""
        until_us = self._heard.now_us() // MINUTE_US * MINUTE_US
        since_us = until_us - MINUTES_MAX * MINUTE_US
        with suppress(DatabaseAwayError, TooSlowError):
            counted = books.work(lambda conn: list(count_minutes(conn, since_us, until_us)))
            self._heard.minutes.fill(minutes_of(counted))

    # What the tables are made of.

    def _tables(self) -> tuple[Table, ...]:
        heard = self._heard
        return (
            Table("state", lambda: {0: self._health()}, lambda _, health: self._state_row(health)),
            Table("alerts", lambda: {each.key: each for each in heard.alerts.alerts()},
                  lambda _, alert: alert_row(alert)),
            Table("refusals", lambda: {each.number: each for each in heard.alerts.refused()},
                  lambda _, refused: refusal_row(refused)),
            Table("balances", lambda: self._balances.near_end,
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
            low_balance=self._low_balance,
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
