"""Whether this daemon may act on its switch's calls: what is asked of one that is alone, or of a twin."""

from __future__ import annotations

from typing import Final, Protocol

import gevent
import psycopg
from gevent.event import Event

from esl_agent.agent.database import OUTAGE
from esl_agent.config import Config
from esl_agent.errors import EslAgentError
from esl_agent.switch.commands import Api, Command
from esl_agent.switch.events import TwinWord

#: How long a connection for the lease may take to be made.
CONNECT_S: Final = 3.0
#: What the loss of that connection looks like, which is nobody else's to lose.
LOST: Final = (*OUTAGE, psycopg.Error, gevent.Timeout)


class AlreadyActive(EslAgentError):
    """Another daemon has this switch."""


class StoodDown(Exception):
    """A twin may act no more: the process is to start over."""


class Link(Protocol):
    """What a twin needs of the link to the switch; each raises a SwitchError."""

    def command(self, command: Api, deadline_s: float) -> str: ...
    def post(self, command: Command) -> None: ...
    def request(self, command: Command, deadline_s: float) -> None: ...


class Duty(Protocol):
    """Who may act, as the daemon sees it."""

    def begin(self, stop: Event) -> bool:
        """Whether this daemon's turn has come already."""
        ...

    def wait_turn(self, stop: Event) -> bool: ...
    def run(self) -> None: ...
    def may_act(self) -> bool: ...
    def is_stale(self) -> bool: ...
    def link_changed(self, *, is_up: bool) -> None: ...
    def heard(self, word: TwinWord) -> None: ...
    def opened(self) -> None: ...
    def leave_if_lost(self) -> None: ...
    def end(self) -> None: ...


def url_of(config: Config) -> str:
    """Past a pooler, in whose shared sessions no lock would hold."""
    return config.database.listen_url or config.database.url
