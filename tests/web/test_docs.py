"""What docs/api.md has one type is typed here, and does what it says."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import gevent
import pytest

from .client import PATIENCE_S
from .conftest import Served

DOCS = Path(__file__).parents[2] / "docs" / "api.md"
#: An indented command, with the lines that it goes on in.
COMMANDS = re.findall(r"^    (curl (?:.*\\\n)*.*)$", DOCS.read_text(), re.MULTILINE)


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
def test_every_curl_of_the_docs_is_answered_as_it_should_be(served: Served) -> None:
    handle = served.call()
    [call] = served.admin.get("/live-calls").json["calls"]
    environment = os.environ | {"TOKEN": served.admin.token or "", "LEG": call["leg_uuid"]}
    assert len(COMMANDS) >= 15
    for command in COMMANDS:
        here = command.replace("127.0.0.1:8085", f"127.0.0.1:{served.port}")
        running = gevent.spawn(
            subprocess.run, ["bash", "-c", here], env=environment, capture_output=True, check=True
        )
        answer = json.loads(running.get(timeout=PATIENCE_S).stdout)
        assert "title" not in answer or "openapi" in answer, (command, answer)
    acts = [line["act"] for line in served.journal.of("API_ACTED")]
    assert acts == ["payment", "kill", "suspend"]
    assert handle.wait_ended(PATIENCE_S)
