"""Two daemons for one switch, and the HTTP servers of both."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Final, NamedTuple

import pytest
from fixtures.postgres import as_role
from fixtures.records import a_cdr

from esl_agent.agent.clock import wall_us
from esl_agent.agent.web import page
from esl_agent.lab.ports import free_port
from esl_agent.noc.minutes import MINUTE_US
from esl_agent.simulator.simulator import Simulator
from esl_agent.store.cdrs import insert_cdrs
from esl_agent.store.pool import Connection

from .client import PATIENCE_S, Client
from .conftest import Served
from .test_page_served import minute_told

#: Long enough that a busy machine is no frozen one.
LEASE_MS: Final = 10_000


class Pair(NamedTuple):
    active: Served
    standby: Served


@pytest.fixture
def pair(
    monkeypatch: pytest.MonkeyPatch,
    serve: Callable[..., Served],
    start_daemon: Callable[..., object],
    simulator: Simulator,
    database_url: str,
) -> Pair:
    monkeypatch.setattr(page, "LOOK_EVERY_S", 0.1)
    twins: dict[str, dict[str, object]] = {
        "twin": {"enabled": True, "lease_ms": LEASE_MS},
        "switch": {"port": simulator.port, "name": "montreal"},
    }
    active = serve(others=twins)
    active.journal.wait_for("TWIN_OPEN")
    port = free_port()
    daemon = start_daemon(
        simulator.port,
        database={"url": as_role(database_url, "esl_agent_daemon")},
        web={"port": port, "requests_per_second": 10_000},
        **twins,
    )
    active.journal.wait_for("WEB_OPEN", 2)
    clients = [Client(port, client.token) for client in active[4:]]
    standby = Served(daemon, simulator, active.journal, port, *clients)  # type: ignore[arg-type]
    assert standby.noc.get("/status").json["twin_state"] == "standby"
    return Pair(active, standby)


def test_a_call_that_the_twin_in_standby_was_to_end_is_ended_by_the_active_one(pair: Pair) -> None:
    """By the same request: what the other one answered is kept nowhere."""
    handle = pair.active.call()
    [call] = pair.active.noc.get("/live-calls").json["calls"]
    path, sent = f"/live-calls/{call['leg_uuid']}/kill", {"reason": "a loop"}
    refused = pair.standby.noc.post(path, sent, key="one")
    assert (refused.status, refused.json["to_do"]) == (409, "ask the one that is active")
    ended = pair.active.noc.post(path, sent, key="one")
    assert (ended.status, "idempotency-replayed" in ended.headers) == (202, False)
    assert handle.wait_ended(PATIENCE_S)


def test_a_twin_that_took_over_shows_what_was_before(pair: Pair, conn: Connection) -> None:
    """Its calls up are counted from then on, too: in standby it knows of none, which says nothing."""
    began_us = (wall_us() // MINUTE_US - 10) * MINUTE_US
    insert_cdrs(conn, [a_cdr(1001, "one", created_us=began_us, charged=Decimal("0.0125"))])
    assert list(pair.standby.daemon.parts.heard.minutes) == []
    pair.active.daemon.stop()
    pair.active.journal.wait_for("TWIN_OPEN", 2)
    assert minute_told(pair.standby, began_us)[1] == 1
