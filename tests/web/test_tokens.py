"""Tokens: shown once, kept as a hash, with a role, an end, and a last use."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import gevent
import pytest
from faults.proxy import Proxy
from fixtures.commands import Command

from esl_agent.store.pool import Connection
from esl_agent.store.tokens import TokenRole, add_token, list_tokens, revoke_token
from esl_agent.web import bearers
from esl_agent.web.endpoints import Endpoint
from esl_agent.web.gate import Access
from esl_agent.web.routes.description import ENDPOINTS

from .client import PATIENCE_S, Answer, Client
from .conftest import Served

DOCS = Path(__file__).parents[2] / "docs" / "api.md"


def ask(client: Client, endpoint: Endpoint[Any]) -> Answer:
    """Any request to that route: what it says of who asks is looked at, and not what becomes of it."""
    path = endpoint.path.format(account_id=1001, leg_uuid="no-such-leg", restriction=1)
    return client.post(path, {}) if endpoint.changes else client.get(path)


def test_a_token_is_made_listed_used_and_revoked(told: Command, served: Served, conn: Connection) -> None:
    secret = told("token", "add", "pager", "--role", "noc", "--by", "chief").strip()
    assert re.fullmatch(r"esl_[A-Za-z0-9_-]{43}", secret)
    client = Client(served.port, secret)
    assert client.get("/status").status == 200
    listed = {each["name"]: each for each in json.loads(told("token", "list", "--json"))}
    assert (listed["pager"]["role"], listed["pager"]["added_by"]) == ("noc", "chief")
    assert listed["pager"]["last_used_at"] is not None
    assert secret not in json.dumps(listed)
    assert "is revoked" in told("token", "revoke", "pager")
    wait_for(lambda: client.get("/status").status == 401)
    assert "pager" in told("token", "list")


def test_only_the_hash_of_a_secret_is_in_the_database(served: Served, conn: Connection) -> None:
    rows = conn.execute("SELECT api_tokens::text FROM api_tokens").fetchall()
    for client in (served.noc, served.office, served.admin):
        secret = client.token
        assert secret
        assert all(secret not in row[0] and secret.encode().hex() not in row[0] for row in rows)


def test_a_name_is_used_once_for_ever(refused: Command, conn: Connection) -> None:
    add_token(conn, "a", TokenRole.NOC, "me", None)
    revoke_token(conn, "a", "me")
    assert "take another name" in refused("token", "add", "a", "--role", "admin")
    assert "is no name" in refused("token", "add", "a b", "--role", "admin")
    assert "there is no token" in refused("token", "revoke", "b")
    assert [token.role for token in list_tokens(conn)] == [TokenRole.NOC]


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Bearer wrong", "Basic YTpi", "Bearer " + "x" * 5_000, "Bearer é", "é"],
)
def test_a_wrong_token_opens_nothing_not_even_what_is_open_without_one(served: Served, header: str) -> None:
    answer = served.anonymous.get("/status", headers={"Authorization": header.encode("latin-1")})  # type: ignore[dict-item]
    assert (answer.status, answer.json["where"]) == (401, "Authorization")
    assert "bearer" in answer.headers["www-authenticate"].lower()
    [refused] = served.journal.of("API_REFUSED")
    assert refused["reason"] == "unknown_token"


def test_a_token_ends_when_it_was_to_end(served: Served, conn: Connection) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=0.7)
    client = Client(served.port, add_token(conn, "guest", TokenRole.ADMIN, "me", soon))
    assert client.get("/status").status == 200
    wait_for(lambda: client.get("/status").status == 401)


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_each_role_may_what_the_table_says_and_nothing_else(served: Served, endpoint: Endpoint[Any]) -> None:
    for role, client in (
        (TokenRole.NOC, served.noc),
        (TokenRole.OFFICE, served.office),
        (TokenRole.ADMIN, served.admin),
    ):
        answer = ask(client, endpoint)
        may = role in endpoint.access.value
        assert (answer.status in (401, 403)) is not may, (role, answer)
    is_open = endpoint.access is Access.READ
    assert (ask(served.anonymous, endpoint).status == 401) is not is_open
    assert f"| `{endpoint.method} {endpoint.path}` | {table_cells(endpoint)} |" in DOCS.read_text()


def table_cells(endpoint: Endpoint[Any]) -> str:
    """The cells of a route's row in the docs: without a token, noc, office, admin."""
    reads = endpoint.access is Access.READ
    noc = "masked" if reads else "yes"
    of_role = {TokenRole.NOC: noc, TokenRole.OFFICE: "yes", TokenRole.ADMIN: "yes"}
    cells = [text if role in endpoint.access.value else "no" for role, text in of_role.items()]
    return " | ".join(["masked" if reads else "no", *cells])


def test_without_a_token_nothing_is_read_where_the_operator_says_so(serve: Callable[..., Served]) -> None:
    served = serve(read_without_token=False)
    assert served.anonymous.get("/live-calls").status == 401
    assert served.anonymous.get("/openapi.json").status == 401
    assert served.noc.get("/live-calls").status == 200


def test_a_token_that_was_good_reads_on_while_the_database_is_away(
    serve: Callable[..., Served], way: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = serve(way)
    served.call(number="911")  # which goes on whatever the database says
    assert served.noc.get("/live-calls").json["up"] == 1
    monkeypatch.setattr(bearers, "FRESH_S", 0.0)
    way.refuse()
    assert served.noc.get("/live-calls").json["up"] == 1
    away = served.noc.get("/accounts")
    assert (away.status, away.headers["retry-after"]) == (503, "5")
    assert served.noc.post("/live-calls/x/kill", {"reason": "x"}).status == 503
    assert Client(served.port, "esl_unknown").get("/live-calls").status == 503
    way.heal()
    wait_for(lambda: served.noc.get("/accounts").status == 200)


def wait_for(fact: Callable[[], bool]) -> None:
    with gevent.Timeout(PATIENCE_S, AssertionError("it did not come")):
        while not fact():
            gevent.sleep(0.05)
