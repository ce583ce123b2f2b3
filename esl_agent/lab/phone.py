"""`python -m esl_agent.lab.phone`: a customer's phone that places a call by SIPp, to try an installation."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import click

from esl_agent.errors import EslAgentError
from esl_agent.lab.child import Child
from esl_agent.lab.ports import free_port, free_ports
from esl_agent.lab.scripts import script
from esl_agent.lab.sipp import CALL_S, MEDIA_PORTS, find_sipp


@click.command()
@click.option("--user", required=True, help="As it authenticates.")
@click.option("--password", required=True, envvar="PHONE_PASSWORD", help="Or PHONE_PASSWORD.")
@click.option("--domain", required=True, help="The SIP domain.")
@click.option("--talk-s", type=click.IntRange(1, 3_600), default=5, show_default=True)
@click.option("--address", default="127.0.0.1", show_default=True, help="From which address of this machine.")
@click.argument("number")
@click.argument("switch", metavar="HOST:PORT")
def phone(user: str, password: str, domain: str, talk_s: int, address: str, number: str, switch: str) -> None:
    """Call NUMBER through the switch at HOST:PORT, talk, and hang up."""
    places = {"user": user, "from_user": user, "display": "", "number": number, "domain": domain}
    text = script("call", **places, uri_params="", headers="", talk_ms=talk_s * 1_000)
    with tempfile.TemporaryDirectory() as folder:
        scenario = Path(folder, "call.xml")
        scenario.write_text(text, encoding="utf-8")
        command = [find_sipp(os.environ), "-sf", str(scenario), "-i", address, "-p", str(free_port())]
        command += ["-mp", str(free_ports(MEDIA_PORTS)), "-cp", str(free_port()), "-nostdin", "-m", "1"]
        command += ["-au", user, "-ap", password, switch]
        call = Child(command, Path(folder, "log"))
        code = call.wait(CALL_S + talk_s)
        if code != 0:
            raise EslAgentError(f"the call did not go through; SIPp says:\n{call.tail()}")
    click.echo(f"talked to {number} for {talk_s} s")


if __name__ == "__main__":
    try:
        phone()
    except EslAgentError as error:
        sys.exit(f"phone: {error}")
