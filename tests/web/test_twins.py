"""Two daemons for one switch, and the HTTP servers of both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import pytest
from fixtures.postgres import as_role

from esl_agent.lab.ports import free_port
from esl_agent.simulator.simulator import Simulator

from .client import PATIENCE_S, Client
from .conftest import Served

#: Long enough that a busy machine is no frozen one.
LEASE_MS: Final = 10_000


class Pair(NamedTuple):
    active: Served
    standby: Served


@pytest.fixture
def pair(
    serve: Callable[..., Served],
    start_daemon: Callable[..., object],
    simulator: Simulator,
    database_url: str,
) -> Pair:
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
