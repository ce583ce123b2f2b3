"""The OpenAPI document says what the API does: held to it by schemathesis, against the running daemon."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import gevent
import pytest
from fixtures.commands import Command

from esl_agent.web.endpoints import BASE, PATH_FIELD
from esl_agent.web.routes.description import ENDPOINTS, description_json

from .client import Client
from .conftest import Served

DOCS = Path(__file__).parents[2] / "docs" / "api.md"
#: One that every check is asked of, and a search for what a document leaves open (a cursor is any text
#: that a page gave, and which parts of a question belong together is said in words).
SETTINGS = """\
[checks.positive_data_acceptance]
expected-statuses = ["2xx", 401, 403, 404, 409, 422]
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 409, 413, 414, 415, 422]
[parameters]
"path.leg_uuid" = "{leg_uuid}"
"path.account_id" = 1001
"""


def test_it_is_served_and_written_as_it_is(served: Served, told: Command, tmp_path: Path) -> None:
    answer = served.anonymous.get("/openapi.json")
    assert answer.json["openapi"].startswith("3.1")
    told("files", "openapi", tmp_path)
    assert json.loads((tmp_path / "openapi.json").read_text()) == answer.json


def test_each_route_is_in_it_with_what_it_may_be_asked() -> None:
    paths = json.loads(description_json())["paths"]
    assert {(path, method) for path, methods in paths.items() for method in methods} == {
        (BASE + endpoint.path, endpoint.method.lower()) for endpoint in ENDPOINTS
    }
    for endpoint in ENDPOINTS:
        operation = paths[BASE + endpoint.path][endpoint.method.lower()]
        named = {parameter["name"] for parameter in operation["parameters"]}
        assert set(PATH_FIELD.findall(endpoint.path)) <= named
        assert all(role in operation["description"] for role in endpoint.access.value)
        assert operation["summary"]


@pytest.mark.parametrize("client", ["admin", "noc", "anonymous"])
def test_no_request_meets_a_fault_or_an_answer_that_is_not_described(
    served: Served, client: str, tmp_path: Path
) -> None:
    """With a call up that may be asked of, and that nobody may end."""
    served.call(number="911")
    asker: Client = getattr(served, client)
    [call] = served.admin.get("/live-calls").json["calls"]
    settings = tmp_path / "schemathesis.toml"
    settings.write_text(SETTINGS.format(leg_uuid=call["leg_uuid"]))
    shown = ["--header", f"Authorization: Bearer {asker.token}"] if asker.token else []
    program = Path(sys.executable).with_name("schemathesis")
    arguments = [
        program, "--config-file", settings, "run", f"http://127.0.0.1:{served.port}{BASE}/openapi.json",
        *shown, "--checks=all", "--max-examples=10", "--seed=1", "--generation-database=none", "--no-color",
    ]  # fmt: skip
    # In a greenlet's wait: the daemon that is asked is in this process.
    asking = gevent.spawn(
        subprocess.run, arguments, capture_output=True, text=True, cwd=tmp_path, env=os.environ, check=False
    )
    done = asking.get(timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(rf"Tested: {len(ENDPOINTS)}\b", done.stdout), done.stdout
    assert served.journal.of("WEB_FAILED") == []
    assert served.journal.of("DB_REFUSED") == []
