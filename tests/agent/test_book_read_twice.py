"""The book is read again by several, as by a notice and by SIGHUP: what was read last is what holds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import gevent
import psycopg
from gevent.event import Event
from psycopg import IsolationLevel

from esl_agent.agent.book import Book
from esl_agent.config import Config, numbering_of
from esl_agent.store.numbers import OwnedNumber, add_number
from esl_agent.store.pool import Connection

NEW = "15145550177"
#: How long a second reading is given to overtake the first, which it must not.
OVERTAKE_S = 0.5


class SlowAtFirst:
    """Who comes first sees the books as they were when he came, and reads them once he `may`."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._comes = 0
        self.has_come = Event()
        self.may = Event()

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        self._comes += 1
        is_first = self._comes == 1
        with psycopg.connect(self._url) as conn:
            conn.isolation_level = IsolationLevel.REPEATABLE_READ
            conn.execute("SELECT count(*) FROM accounts")  # what is read from here on is of this moment
            if is_first:
                self.has_come.set()
                self.may.wait()
            yield conn


def test_an_older_reading_that_takes_longer_does_not_undo_a_newer_one(
    database_url: str, customers: None, conn: Connection
) -> None:
    database = SlowAtFirst(database_url)
    book = Book(numbering_of(Config()), database)
    older = gevent.spawn(book.refresh_numbers)
    database.has_come.wait()
    add_number(conn, OwnedNumber(NEW, 1001))
    newer = gevent.spawn(book.refresh_numbers)
    newer.join(OVERTAKE_S)
    database.may.set()
    gevent.joinall([older, newer], raise_error=True)
    assert book.owned(NEW) is not None
