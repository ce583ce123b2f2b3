"""What the daemon tells the HTTP server, and does for it; see esl_agent/web/ports.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from esl_agent.agent.book import Book
from esl_agent.agent.calls.desk import Desk
from esl_agent.agent.database import Database
from esl_agent.agent.duty.duty import Duty
from esl_agent.agent.money.settler import Settler
from esl_agent.agent.web.heard import Heard
from esl_agent.agent.web.live import LiveCalls
from esl_agent.config import Config, switch_name_of
from esl_agent.web.live.feed import Feed
from esl_agent.web.ports import Health, Ports


@dataclass(frozen=True, slots=True)
class Parts:
    """Of the daemon: those that something is told of, or that do something."""

    config: Config
    desk: Desk
    book: Book
    settler: Settler
    database: Database
    duty: Duty
    now_us: Callable[[], int]
    is_switch_up: Callable[[], bool]
    heard: Heard


def ports_of(parts: Parts, feed: Feed) -> Ports:
    return Ports(
        live=LiveCalls(parts.desk, parts.now_us),
        health=lambda: health_of(parts),
        now_us=parts.now_us,
        feed=feed,
    )


def health_of(parts: Parts) -> Health:
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
