"""A Postgres of the stage's own, that can be stopped, killed, made read-only and frozen."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import psycopg

from esl_agent.core.admission.carriers import Carrier
from esl_agent.core.admission.route_file import Route
from esl_agent.core.deck_file import parse_deck
from esl_agent.lab.child import wait_until
from esl_agent.lab.ports import LOOPBACK
from esl_agent.store.accounts import NewAccount, add_account, top_up
from esl_agent.store.carriers import put_carrier
from esl_agent.store.decks import DeckImport, import_deck
from esl_agent.store.embedded import PORT, EmbeddedPostgres, EmbeddedPostgresError
from esl_agent.store.migrations import migrate
from esl_agent.store.numbers import OwnedNumber, add_number
from esl_agent.store.pool import Connection, connected
from esl_agent.store.routes import put_routes

TEMPLATE: Final = "furnished"
START_S: Final = 30.0
#: Dear enough that money ends within seconds.
DECK: Final = """\
prefix,destination,rate,increments
1,United States,0.3000,6/6
1514,Canada - Montreal,0.0052,6/6
33,France,0.0110,6/6
44,United Kingdom,0.6000,6/6
52,Mexico,0.0200,60/60
""".splitlines()
TOLL_FREE: Final = "18005550199"
DESTINATIONS: Final = (
    "15145550147",
    "12125550147",
    "33144556677",
    "442079460000",
    "525512345678",
    TOLL_FREE,
)
LONDON: Final = "442079460000"  # six seconds for 0.0600

#: Accounts whose money never ends, and some whose does after some seconds of London.
RICH: Final = tuple(range(1001, 1011))
POOR: Final = tuple(range(2001, 2006))
RICH_BALANCE: Final = Decimal(10_000)
POOR_BALANCE: Final = Decimal("0.0600")
DID: Final = "15145550199"
DID_OWNER: Final = RICH[0]


def caller_of(account_id: int) -> str:
    """The number that an account calls from."""
    return f"1514556{account_id:04}"


#: What Postgres says when it can't write, said by whatever writes of a call.
FULL_TABLES: Final = ("reservations", "ledger", "cdrs")
FULL_FUNCTION: Final = """
    CREATE OR REPLACE FUNCTION disk_is_full() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$
"""


class Cluster:
    """One server; each scenario has a database of its own on it, the newest is the one in play."""

    def __init__(self, folder: Path) -> None:
        self.note: Callable[[str], None] = lambda fault: None
        # It syncs its commits: what is killed must have on disk what it said was there.
        self._server = EmbeddedPostgres(folder)
        self._numbers = count(1)
        self._in_play = ""
        self._server.start()
        with connected(self._server.ensure_database(TEMPLATE)) as conn:
            _furnish(conn)

    def new_database(self) -> str:
        """The name of a database with customers, carriers and a deck."""
        name = f"scenario_{next(self._numbers)}"
        self._server.ensure_database(name, template=TEMPLATE)
        self._in_play = name
        return name

    def drop_database(self, name: str) -> None:
        with connected(self.url("postgres")) as conn:
            conn.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        self._in_play = ""

    def remove(self) -> None:
        self.heal()
        self._server.remove()

    def url(self, database: str) -> str:
        """To the server itself, past every proxy."""
        return self._server.url(database)

    @property
    def socket_path(self) -> str:
        """Of the Unix socket that it listens on."""
        host = unquote(urlsplit(self.url("postgres")).query.removeprefix("host="))
        return f"{host}/.s.PGSQL.{PORT}"

    # Faults

    def stop(self) -> None:
        """Shut down as an operator does: everybody is told."""
        self.note("postgres: stopped")
        self._server.stop()

    def kill(self) -> None:
        """The server dies at once, and what it had not written to its log is gone."""
        self.note("postgres: killed")
        pid = self._pid
        if pid is not None:
            os.kill(pid, signal.SIGKILL)

    def start(self) -> None:
        """Bring it up, as often as it takes: after a kill its last processes may be in the way."""

        def is_up() -> bool:
            try:
                self._server.start()
            except EmbeddedPostgresError:
                return False
            return self._server.running()

        wait_until(is_up, "Postgres is up", START_S)

    def read_only(self, is_on: bool = True) -> None:
        """As a standby that is not promoted yet."""
        if is_on:
            self.note("postgres: read-only")
        with psycopg.connect(self.url("postgres"), autocommit=True) as conn:
            conn.execute(f"ALTER SYSTEM SET default_transaction_read_only = {'on' if is_on else 'off'}")
            conn.execute("SELECT pg_reload_conf()")

    def freeze(self) -> None:
        """Every process of it stops where it is."""
        self.note("postgres: frozen")
        self._signal_all(signal.SIGSTOP)

    def fill_disk(self) -> None:
        """It answers, and can't write: a stand-in, for a real disk that is full takes others with it."""
        self.note("postgres: disk full")
        with connected(self.url(self._in_play)) as conn:
            conn.execute(FULL_FUNCTION)
            for table in FULL_TABLES:
                when = f"BEFORE INSERT OR UPDATE ON {table}"
                conn.execute(f"CREATE TRIGGER disk_is_full {when} EXECUTE FUNCTION disk_is_full()")

    def empty_disk(self) -> None:
        with connected(self.url(self._in_play)) as conn:
            conn.execute("DROP FUNCTION IF EXISTS disk_is_full CASCADE")

    def thaw(self) -> None:
        self._signal_all(signal.SIGCONT)

    def heal(self) -> None:
        self.thaw()
        self.start()
        self.read_only(False)
        if self._in_play:
            self.empty_disk()

    @property
    def _pid(self) -> int | None:
        """Of the first of its processes, None where it has been shut down."""
        try:
            lines = (self._server.folder / "postgres" / "data" / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return None
        return int(lines[0])

    def _signal_all(self, number: signal.Signals) -> None:
        pid = self._pid
        if pid is None:
            return
        for each in (pid, *_children_of(pid)):
            with suppress(ProcessLookupError):
                os.kill(each, number)


def _children_of(parent: int) -> list[int]:
    children = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == parent:
                children.append(int(stat.parent.name))
    return children


def _furnish(conn: Connection) -> None:
    """Customers, their numbers, two carriers for everything, and a deck."""
    migrate(conn)
    for account_id in RICH + POOR:
        new = NewAccount(account_id=account_id, name="", plan="standard", by="stage", terms_version="1")
        add_account(conn, new)
        top_up(conn, account_id, RICH_BALANCE if account_id in RICH else POOR_BALANCE, "first")
        add_number(conn, OwnedNumber(caller_of(account_id), account_id))
    add_number(conn, OwnedNumber(DID, DID_OWNER))
    for name, port in (("a", 5090), ("b", 5091)):
        put_carrier(conn, Carrier(name=name, dial_template=f"sofia/carrier/{{number}}@{LOOPBACK}:{port}"))
    put_routes(conn, [Route("", "a", 1), Route("", "b", 2)])
    rows = parse_deck(DECK).rows
    began = datetime(2020, 1, 1, tzinfo=UTC)
    import_deck(
        conn,
        DeckImport(
            deck="standard", rows=rows, effective_from=began, currency="CAD", source="stage", by="stage"
        ),
    )
