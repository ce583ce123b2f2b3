"""Traffic as a part of the daemon: what watches it, what is done about it, and who is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from esl_agent.agent.book import Book
from esl_agent.agent.calls.desk import Desk
from esl_agent.agent.database import Connects
from esl_agent.agent.traffic.enforcer import Enforcer
from esl_agent.agent.traffic.news import RestrictionNews
from esl_agent.agent.traffic.watch import TrafficWatch
from esl_agent.config import Config
from esl_agent.noc.log import Log


class Traffic:
    """`parts` are to run, each in a greenlet of its own; `stop` comes when they have ended."""

    def __init__(
        self,
        config: Config,
        *,
        book: Book,
        desk: Desk,
        database: Connects,
        now_us: Callable[[], int],
        may_act: Callable[[], bool],
        log: Log,
    ) -> None:
        """Raises RuleFileError."""
        self.enforcer = Enforcer(
            config, book=book, desk=desk, database=database, now_us=now_us, may_act=may_act, log=log
        )
        self.news = RestrictionNews(database, log, may_act)
        self._watch = TrafficWatch(
            config.traffic, database, log, enforce=self.enforcer.enforce, may_act=may_act
        )

    @property
    def parts(self) -> Sequence[Callable[[], None]]:
        return (*self.enforcer.parts, self._watch.run)

    def reload(self) -> None:
        """Read the rules again."""
        self._watch.reload()

    def stop(self) -> None:
        self.enforcer.stop()
