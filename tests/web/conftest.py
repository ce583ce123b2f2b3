"""A whole daemon that serves HTTP, on a simulated switch, under the database roles it is to have."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import psycopg
import pytest
from agent.conftest import Journal, customers, journal, start_daemon
from faults.proxy import Proxy, to_path
from fixtures.postgres import as_role

from esl_agent.agent.daemon import Daemon
from esl_agent.lab.ports import LOOPBACK, free_port
from esl_agent.simulator.config import SimulatorConfig
from esl_agent.simulator.plan import CallPlan
from esl_agent.simulator.simulator import CallHandle, Simulator
from esl_agent.store.embedded import PORT
from esl_agent.store.pool import Connection
from esl_agent.store.tokens import TokenRole, add_token

from .client import Client

__all__ = ["Journal", "customers", "journal", "start_daemon"]

UK = "442079460000"
CALLER = "15145550100"


class Served(NamedTuple):
    """What is up, and who may ask it."""

    daemon: Daemon
    simulator: Simulator
    journal: Journal
    port: int
    anonymous: Client
    noc: Client
    office: Client
    admin: Client

    def call(self, **plan: object) -> CallHandle:
        """One that is up and is metered."""
        answered = len(self.journal.of("CALL_ANSWERED"))
        defaults = {"number": UK, "caller": CALLER, "ring_ms": 10, "talk_ms": 60_000}
        handle = self.simulator.place_call(CallPlan(**defaults | plan))  # type: ignore[arg-type]
        self.journal.wait_for("CALL_ANSWERED", answered + 1)
        return handle


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    simulator = Simulator(SimulatorConfig(port=0)).start()
    yield simulator
    simulator.stop()


@pytest.fixture
def serve(
    start_daemon: Callable[..., Daemon],
    simulator: Simulator,
    conn: Connection,
    database_url: str,
    journal: Journal,
) -> Callable[..., Served]:
    """Starts a daemon with these [web] settings, and others; where a way is given, on that to Postgres."""

    def start(
        way: Proxy | None = None, others: dict[str, dict[str, object]] | None = None, **web: object
    ) -> Served:
        port = free_port()
        settings = {
            "port": port,
            "database_url": as_role(database_url, "esl_agent_office"),
            "requests_per_second": 10_000,
        }
        daemon = start_daemon(
            simulator.port,
            database={"url": as_role(on(way, database_url) if way else database_url, "esl_agent_daemon")},
            web=settings | web,
            **others or {},
        )
        journal.wait_for("WEB_OPEN")
        by_role = {role: Client(port, add_token(conn, role, role, "the test", None)) for role in TokenRole}
        return Served(
            daemon,
            simulator,
            journal,
            port,
            Client(port),
            by_role[TokenRole.NOC],
            by_role[TokenRole.OFFICE],
            by_role[TokenRole.ADMIN],
        )

    return start


@pytest.fixture
def way(database_url: str) -> Iterator[Proxy]:
    """To the test's Postgres; it can be broken."""
    host = psycopg.conninfo.conninfo_to_dict(database_url)["host"]
    proxy = Proxy("postgres", to_path(f"{host}/.s.PGSQL.{PORT}"), lambda fault: None)
    yield proxy
    proxy.close()


def on(way: Proxy, url: str) -> str:
    """The same database on that way."""
    name = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
    return f"postgresql://postgres@{LOOPBACK}:{way.port}/{name}?sslmode=disable&gssencmode=disable"


@pytest.fixture
def served(serve: Callable[..., Served]) -> Served:
    return serve()
