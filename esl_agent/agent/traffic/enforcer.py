"""Does what verdicts on traffic ask for: the account is restricted, calls end, the operator is told.

A verdict holds here from the moment it is given, whether Postgres answers or
not: the next call is refused.  Then it is written, for other daemons, for the
next start and for people; and told once, by whoever wrote it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, TypeVar

import gevent
import psycopg

from esl_agent.agent.batches import BatchQueue, QueueFullError
from esl_agent.agent.book import Book
from esl_agent.agent.calls.desk import Desk
from esl_agent.agent.database import OUTAGE, Connects
from esl_agent.agent.traffic.saying import fields_of_verdict, message_of, word_of
from esl_agent.agent.traffic.telling import Fields, HookTeller, WebhookTeller
from esl_agent.config import Config
from esl_agent.core.traffic.restriction import Key, Restriction, restriction_of
from esl_agent.core.traffic.verdict import Verdict
from esl_agent.noc.log import Log
from esl_agent.noc.webhook import Webhook
from esl_agent.store.accounts import AccountError
from esl_agent.store.restrictions import Kept, restrict

#: Verdicts that wait to be written: each is another rule, or another account.
VERDICTS_MAX: Final = 10_000
#: The pause before Postgres is tried again; it doubles up to the limit that is configured.
RETRY_MIN_S: Final = 0.1

Result = TypeVar("Result")


class Enforcer:
    """`enforce` returns at once; `parts` are to run, each in a greenlet of its own, and `stop` comes last."""

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
        verdicts_max: int = VERDICTS_MAX,
    ) -> None:
        self._book = book
        self._desk = desk
        self._database = database
        self._now_us = now_us
        self._may_act = may_act
        self._log = log
        self._retry_max_s = config.limits.retry_max_s
        self._masks_numbers = config.log.mask_numbers
        self._verdicts_max = verdicts_max
        self._queue = BatchQueue[Verdict](verdicts_max, 1)
        self._unwritten: dict[Key, bool] = {}  # and whether it was told
        traffic = config.traffic
        self._webhook = self._hook = None
        if traffic.webhook_url:
            webhook = Webhook(traffic.webhook_url, traffic.webhook_secret)
            self._webhook = WebhookTeller(webhook, log, give_up_s=traffic.webhook_give_up_s)
        if traffic.hook:
            self._hook = HookTeller(traffic.hook, log)

    @property
    def parts(self) -> Sequence[Callable[[], None]]:
        tellers = [each.run for each in (self._webhook, self._hook) if each is not None]
        return (lambda: self._queue.run(self._work), *tellers)

    def stop(self) -> None:
        """Say what the operator was not told."""
        if self._webhook is not None:
            self._webhook.give_up()

    def enforce(self, verdict: Verdict) -> None:
        """Restrict the account, unless it is so already; a twin that does not act does nothing."""
        new = restriction_of(verdict)
        if not self._may_act() or self._is_in_force(new):
            return
        try:
            self._queue.put(verdict)
        except QueueFullError:
            self._log("QUEUE_FULL", queue="traffic verdicts", limit=self._verdicts_max)
            return
        self._unwritten[new.key] = False
        self._book.spoken.add(new)
        self._desk.accounts_changed({new.account_id})

    def _is_in_force(self, new: Restriction) -> bool:
        known = self._book.restrictions(new.account_id, self._now_us())
        return new.key in self._unwritten or any(each.key == new.key for each in known)

    # With the database.

    def _work(self, batch: Sequence[Verdict]) -> None:
        for verdict in batch:
            new = restriction_of(verdict)
            try:
                self._write(verdict, new)
                self._again(partial(self._book.refresh_payers, [new.account_id]))
            except AccountError:
                pass  # it was removed; nobody calls for it
            except psycopg.Error as error:
                # What nobody could clear does not go on; but somebody has to know.
                self._log("DB_REFUSED", statement="restrictions", error=" ".join(str(error).split()))
                self._tell(verdict, new, stored="refused")
            self._unwritten.pop(new.key, None)
            self._book.spoken.drop(new)

    def _write(self, verdict: Verdict, new: Restriction) -> None:
        """Told when it is written, or when it is known that it can't be yet."""

        def write() -> Kept | None:
            with self._database.connection() as conn:
                return restrict(conn, new, verdict.figures, verdict.calls)

        if (kept := self._again(write, partial(self._tell, verdict, new, stored="no"))) is not None:
            self._tell(verdict, kept.restriction)

    def _again(self, work: Callable[[], Result], away: Callable[[], None] = lambda: None) -> Result:
        """What `work` comes to, however long Postgres is away; `away` is called whenever it is."""
        pause_s = RETRY_MIN_S
        while True:
            try:
                return work()
            except OUTAGE:
                away()
            gevent.sleep(pause_s)
            pause_s = min(pause_s * 2, self._retry_max_s)

    def _tell(self, verdict: Verdict, restriction: Restriction, stored: str | None = None) -> None:
        """Once: in the log, and to the operator's own programs."""
        if self._unwritten.get(restriction.key, True):
            return
        self._unwritten[restriction.key] = True
        fields: Fields = fields_of_verdict(verdict, restriction, stored)
        self._log(word_of(verdict.action), **fields)
        body = message_of(verdict, restriction, mask_numbers=self._masks_numbers)
        about = {name: fields[name] for name in ("restriction", "account", "action", "rule")}
        for teller in (self._webhook, self._hook):
            if teller is not None:
                teller.put(body, about)
