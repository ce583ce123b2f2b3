"""How a daemon tells those who restart it, or send calls to it, how it is."""

from __future__ import annotations

import json
from collections.abc import Callable

from psycopg import sql

from esl_agent.lab.child import wait_until
from esl_agent.store.embedded import EmbeddedPostgres
from esl_agent.store.pool import Connection, connected

from .conftest import PATIENCE_S
from .served import Served, serve

__all__ = ["serve"]

READY = {"ready": True, "duty": "active", "switch": "up", "database": "up", "journal": "has room"}
#: More than any disk of a test has.
FREE_MIN_MB = "1000000"
HANG_UP = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name LIKE 'esl-agent%%' AND datname = %s
"""


def test_a_daemon_that_can_take_calls_is_ready(serve: Callable[..., Served]) -> None:
    served = serve()
    assert json.loads(served.wait_for("/readyz", 200)) == READY
    assert served.get("/healthz") == (200, '{"alive":true}')


def test_a_load_balancer_may_ask_by_head(serve: Callable[..., Served]) -> None:
    served = serve()
    served.wait_for("/readyz", 200)
    assert [served.get(path, "HEAD") for path in ("/readyz", "/healthz")] == [(200, ""), (200, "")]
    served.simulator.stop()
    served.wait_for("/readyz", 503)
    assert served.get("/readyz", "HEAD") == (503, "")


def test_without_its_switch_it_is_alive_and_not_ready(serve: Callable[..., Served]) -> None:
    served = serve()
    served.wait_for("/readyz", 200)
    served.simulator.stop()
    assert json.loads(served.wait_for("/readyz", 503)) == READY | {"ready": False, "switch": "down"}
    assert served.is_alive()
    assert served.scrape().value("esl_agent_switch_up") == 0


def test_without_postgres_it_is_alive_and_not_ready(
    serve: Callable[..., Served], conn: Connection, postgres: EmbeddedPostgres
) -> None:
    served = serve()
    served.wait_for("/readyz", 200)
    with connected(postgres.url("postgres")) as elsewhere:
        name = sql.Identifier(conn.info.dbname)
        elsewhere.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(name))
        elsewhere.execute(HANG_UP, [conn.info.dbname])
        assert json.loads(served.wait_for("/readyz", 503)) == READY | {"ready": False, "database": "down"}
        assert served.is_alive()
        scrape = served.scrape()
        assert scrape.value("esl_agent_database_up") == 0
        assert scrape.value("esl_agent_database_outages_total") >= 1
        elsewhere.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(name))
        assert json.loads(served.wait_for("/readyz", 200)) == READY


def test_without_room_in_the_journal_it_is_alive_and_not_ready(serve: Callable[..., Served]) -> None:
    served = serve(ESL_AGENT_JOURNAL_FREE_MIN_MB=FREE_MIN_MB)
    wait_until(lambda: "full" in served.get("/readyz")[1], "the journal is full", PATIENCE_S)
    assert served.get("/readyz")[0] == 503
    assert served.is_alive()
    scrape = served.scrape()
    assert scrape.value("esl_agent_journal_accepting") == 0
    assert scrape.value("esl_agent_journal_free_bytes") < scrape.value("esl_agent_journal_free_min_bytes")
