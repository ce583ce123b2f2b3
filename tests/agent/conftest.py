"""A whole daemon in the test's process: its database, its log as a list, and a scripted switch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import gevent
import pytest
from gevent.event import Event

from esl_agent.agent.daemon import Daemon
from esl_agent.config import Config, parse
from esl_agent.core.deck_file import parse_deck
from esl_agent.store.accounts import NewAccount, add_account, top_up
from esl_agent.store.decks import DeckImport, import_deck
from esl_agent.store.numbers import NumberKind, OwnedNumber, add_number
from esl_agent.store.pool import Connection

PATIENCE_S = 15.0

DECK = """\
prefix,destination,rate,increments
1,United States,0.0100,6/6
1514,Canada - Montreal,0.0052,6/6
44,United Kingdom,0.0125,6/6
52,Mexico,0.0200,60/60
""".splitlines()


class Journal:
    """A log that is kept, and can be waited on."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, object]]] = []
        self._more = Event()

    def __call__(self, word: str, /, **fields: object) -> None:
        self.lines.append((word, fields))
        self._more.set()

    def of(self, word: str) -> list[dict[str, object]]:
        return [fields for said, fields in self.lines if said == word]

    def wait_for(self, word: str, count: int = 1) -> list[dict[str, object]]:
        """Wait until the word was said so often."""
        with gevent.Timeout(PATIENCE_S, AssertionError(f"{word} was not said {count} times: {self.lines}")):
            while len(self.of(word)) < count:
                self._more.clear()
                self._more.wait()
        return self.of(word)


@pytest.fixture
def journal() -> Journal:
    return Journal()


@pytest.fixture
def customers(conn: Connection) -> None:
    """Accounts 1001 and 1002 with money and DIDs, and a deck to rate by."""
    for account_id in (1001, 1002):
        new = NewAccount(account_id=account_id, name="", plan="standard", by="test", terms_version="1")
        add_account(conn, new)
        top_up(conn, account_id, Decimal("10.0000"), "first")
    add_number(conn, OwnedNumber("15145550100", 1001))
    add_number(conn, OwnedNumber("18005550100", 1001, NumberKind.TOLL_FREE))
    add_number(conn, OwnedNumber("15145550199", 1002))
    rows = parse_deck(DECK).rows
    began = datetime(2020, 1, 1, tzinfo=UTC)
    import_deck(
        conn,
        DeckImport(
            deck="standard", rows=rows, effective_from=began, currency="CAD", source="test", by="test"
        ),
    )


@pytest.fixture
def start_daemon(
    database_url: str, customers: None, journal: Journal, tmp_path: Path
) -> Iterator[Callable[..., Daemon]]:
    """Starts a daemon for a switch on a port of this machine; it is stopped after the test.

    Each has a journal of its own, unless it is given one.
    """
    running: list[tuple[Daemon, gevent.Greenlet[..., None]]] = []

    def start(port: int, **sections: dict[str, object]) -> Daemon:
        kept = {"folder": str(tmp_path / f"journal {len(running)}")} | sections.pop("journal", {})
        daemon = Daemon(config_for(database_url, port, journal=kept, **sections), journal)
        running.append((daemon, gevent.spawn(daemon.run)))
        journal.wait_for("SWITCH_CONNECTED")
        return daemon

    yield start
    for daemon, greenlet in running:
        daemon.stop()
        greenlet.join(PATIENCE_S)


def config_for(database_url: str, port: int, **sections: dict[str, object]) -> Config:
    limits = {"drain_s": 1} | sections.pop("limits", {})
    admission = {"outbound_port": 0, "local_socket": ""} | sections.pop("admission", {})
    web = {"port": 0} | sections.pop("web", {})
    tables = {
        "database": {"url": database_url},
        "switch": {"port": port},
        "limits": limits,
        "admission": admission,
        "web": web,
        **sections,
    }
    return parse(tables, {}, source="the test")
