"""What the daemon tells the HTTP server, and does for it; see esl_agent/web/ports.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from esl_agent.agent.book import Book
from esl_agent.agent.calls.desk import Desk
from esl_agent.agent.calls.switchboard import Switchboard
from esl_agent.agent.calls.timers import Timers
from esl_agent.agent.database import Database
from esl_agent.agent.duty.duty import Duty
from esl_agent.agent.inbox import Inbox
from esl_agent.agent.money.holder import Holder
from esl_agent.agent.money.settler import Settler
from esl_agent.agent.web.live import LiveCalls
from esl_agent.config import Config, switch_name_of
from esl_agent.noc.tally import Tally
from esl_agent.web.ports import Health, Ports


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Of the daemon: those that something is told of, or that do something."""

    config: Config
    desk: Desk
    book: Book
    holder: Holder
    settler: Settler
    database: Database
    switchboard: Switchboard
    timers: Timers
    inbox: Inbox
    duty: Duty
    tally: Tally
    now_us: Callable[[], int]  # by the switch's clock
    is_switch_up: Callable[[], bool]


def ports_of(parts: Parts, metrics: Callable[[str], tuple[bytes, str]]) -> Ports:
    return Ports(
        live=LiveCalls(parts.desk, parts.now_us),
        health=lambda: _health(parts),
        metrics=metrics,
        now_us=parts.now_us,
    )


def _health(parts: Parts) -> Health:
    return Health(
        switch=switch_name_of(parts.config),
        is_switch_up=parts.is_switch_up(),
        is_database_up=parts.database.is_up,
        is_twin=parts.config.twin.enabled,
        may_act=parts.duty.may_act(),
        live_calls=len(parts.desk.live),
        unsettled=len(parts.settler),
        journal_has_room=parts.settler.is_accepting,
    )
