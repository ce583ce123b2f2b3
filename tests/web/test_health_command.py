"""`esl-agent health`: alive or not, for a container's health check."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer

from click.testing import CliRunner, Result
from faults.proxy import Proxy

from esl_agent.cli.main import cli
from esl_agent.lab.ports import LOOPBACK, free_port

from .conftest import Served


def health(port: int, *options: str, host: str = LOOPBACK) -> Result:
    environment = {"ESL_AGENT_WEB_PORT": str(port), "ESL_AGENT_WEB_HOST": host}
    return CliRunner().invoke(cli, ["health", *options], env=environment)


def test_a_daemon_that_is_well_is_alive_and_ready(served: Served) -> None:
    served.journal.wait_for("SWITCH_CONNECTED")
    asked = health(served.port, "--ready", "--json")
    assert asked.exit_code == 0, asked.output
    assert json.loads(asked.output) == {
        "ready": True, "duty": "active", "switch": "up", "database": "up", "journal": "has room",
    }  # fmt: skip
    assert health(served.port, host="0.0.0.0").exit_code == 0


def test_one_whose_database_is_away_is_alive_and_not_ready(serve: Callable[..., Served], way: Proxy) -> None:
    served = serve(way)
    way.refuse()
    served.journal.wait_for("DB_DOWN")
    assert health(served.port).exit_code == 0
    asked = health(served.port, "--ready")
    assert (asked.exit_code, "database" in asked.output and "down" in asked.output) == (1, True)


def test_none_that_answers_is_not_alive() -> None:
    asked = health(free_port())
    assert (asked.exit_code, "no daemon answers at 127.0.0.1" in str(asked.exception)) == (1, True)
    asked = health(0)
    assert (asked.exit_code, str(asked.exception)) == (1, "the daemon serves no HTTP: [web] port is 0")


def test_somebody_elses_server_is_no_daemon() -> None:
    class Stranger(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"status": "fine"}')

        def log_message(self, *_: object) -> None: ...

    with HTTPServer((LOOPBACK, 0), Stranger) as server:
        serving = threading.Thread(target=server.handle_request)
        serving.start()
        asked = health(server.server_port)
        serving.join()
    assert (asked.exit_code, str(asked.exception)) == (
        1, f"what answers at 127.0.0.1:{server.server_port} is no esl-agent",
    )  # fmt: skip
