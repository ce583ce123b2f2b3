"""`esl-agent health`: whether the daemon of this machine is alive, for who restarts it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

import click

from esl_agent import config as configuration
from esl_agent.cli import exit_codes
from esl_agent.cli.database import config_option
from esl_agent.cli.output import as_json_option, print_facts, print_json
from esl_agent.config import WebConfig
from esl_agent.errors import EslAgentError

ANSWER_S: Final = 5.0
ANSWER_BYTES_MAX: Final = 10_000


class NotAliveError(EslAgentError):
    """No daemon answers."""


@click.command()
@click.option("--ready", "needs_ready", is_flag=True, help="It has to be ready for calls, too.")
@config_option
@as_json_option
def health(needs_ready: bool, path: Path | None, as_json: bool) -> None:
    """Ask the daemon of this machine whether it is alive, over HTTP ([web] host and port).

    A twin in standby is alive as well, and ready to take over. With --ready it fails
    while the switch or Postgres is down, or the journal has no room: no reason to
    restart the daemon, which goes on with the calls that are up.
    """
    web = configuration.load(path, os.environ).web
    if not web.port:
        raise NotAliveError("the daemon serves no HTTP: [web] port is 0")
    report = ask_health(web)
    if as_json:
        print_json(report)
    else:
        print_facts(tuple(report.items()))
    if needs_ready and not report["ready"]:
        raise SystemExit(exit_codes.FAILED)


def ask_health(web: WebConfig) -> Mapping[str, Any]:
    """What /readyz says (docs/metrics.md); raises NotAliveError."""
    host = _from_here(web.host)
    connection = HTTPConnection(host, web.port, timeout=ANSWER_S)
    try:
        connection.request("GET", "/readyz")
        report = json.loads(connection.getresponse().read(ANSWER_BYTES_MAX))
    except (OSError, ValueError, HTTPException) as error:
        raise NotAliveError(f"no daemon answers at {host}:{web.port}: {error or 'it hung up'}") from None
    finally:
        connection.close()
    if not isinstance(report, dict) or "ready" not in report:
        raise NotAliveError(f"what answers at {host}:{web.port} is no esl-agent")
    return report


def _from_here(host: str) -> str:
    """Where a server that listens on `host` is asked: one that listens everywhere, on loopback."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if not address.is_unspecified:
        return host
    return "127.0.0.1" if address.version == 4 else "::1"
