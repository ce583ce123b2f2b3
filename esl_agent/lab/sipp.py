"""SIPp as the people at the ends of calls: phones that call, and carriers and devices that are called.

What a run was told on the wire is kept in a file, so that a test can look at it.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from esl_agent.errors import EslAgentError
from esl_agent.lab.child import Child, wait_until
from esl_agent.lab.network import DOMAIN, Phone
from esl_agent.lab.ports import LOOPBACK, free_port, free_ports, is_free
from esl_agent.lab.scripts import script

READY_S: Final = 5.0
CALL_S: Final = 30.0
STOP_S: Final = 1.0
#: Audio and video, RTP and RTCP.
MEDIA_PORTS: Final = 4
#: SIPp's exit code for "all calls went as the scenario says".
ALL_WENT_WELL: Final = 0

_MESSAGE: Final = re.compile(r"^UDP message received \[\d+\] bytes :\n\n(.*?)(?=^-{20,}|\Z)", re.M | re.S)
_CALL_ID: Final = re.compile(r"^Call-ID: (.*)$", re.M | re.I)


class NoSipp(EslAgentError):
    """There is no SIPp on this machine."""


class CallFailed(EslAgentError):
    """A call did not go as its scenario says."""


def find_sipp(environment: Mapping[str, str]) -> str:
    """The program, from PATH."""
    found = shutil.which("sipp", path=environment.get("PATH"))
    if found is None:
        raise NoSipp("no sipp on PATH: install SIPp 3.6 or later (package sip-tester)")
    return found


class SippRun:
    """One SIPp process on `port` of `address`, which is one of loopback's."""

    def __init__(
        self, binary: str, folder: Path, name: str, text: str, address: str, port: int, *options: str
    ) -> None:
        self.name = name
        self.port = port
        self._messages = folder / f"{name}.messages"
        file = folder / f"{name}.xml"
        file.write_text(text, encoding="utf-8")
        command = [binary, "-sf", str(file), "-i", address, "-p", str(port), "-nostdin"]
        command += ["-mp", str(free_ports(MEDIA_PORTS)), "-cp", str(free_port())]
        command += ["-trace_msg", "-message_file", str(self._messages)]
        self._child = Child([*command, *options], folder / f"{name}.log")

    def wait_until_listening(self) -> None:
        wait_until(lambda: not is_free(self.port), f"{self.name} listens on {self.port}", READY_S)

    def finish(self, deadline_s: float = CALL_S) -> None:
        """Wait for its calls to end; raise CallFailed if one did not go as the scenario says."""
        code = self._child.wait(deadline_s)
        if code != ALL_WENT_WELL:
            heard = "\n".join(self.heard())
            raise CallFailed(f"{self.name}: SIPp ended with {code}; it heard:\n{heard}")

    def stop(self) -> None:
        self._child.stop(grace_s=STOP_S)

    def heard(self) -> list[str]:
        """Each message received so far, in order."""
        if not self._messages.exists():
            return []
        text = self._messages.read_text(encoding="utf-8", errors="replace").replace("\r\n", "\n")
        return _MESSAGE.findall(text)

    def invites(self) -> list[str]:
        """The first INVITE of each call received."""
        calls: dict[str, str] = {}
        for message in self.heard():
            call_id = _CALL_ID.search(message)
            if message.startswith("INVITE ") and call_id:
                calls.setdefault(call_id[1], message)
        return list(calls.values())


class Sipp:
    """Starts SIPp processes in `folder`, and ends those that are left."""

    def __init__(self, binary: str, folder: Path) -> None:
        self._binary = binary
        self._folder = folder
        self._runs: list[SippRun] = []

    def answer(self, port: int, name: str, **values: Any) -> SippRun:
        """Take calls on `port` as scenario `name` says, until stopped."""
        run = self._start(name, LOOPBACK, port, script(name, **{"headers": ""} | values))
        run.wait_until_listening()
        return run

    def call(
        self,
        phone: Phone,
        number: str,
        switch_port: int,
        name: str = "call",
        *,
        headers: Sequence[str] = (),
        call_id: str = "%u-%p@%s",
        at_once: int = 1,
        a_second: int | None = None,
        address: str = LOOPBACK,
        **values: Any,
    ) -> SippRun:
        """Calls, `at_once` of them, from `phone` at `address` to `number` as scenario `name` says.

        `a_second` says how fast they follow each other, if not all at once; `[call_number]` in
        `number` counts them.  `headers` stand beside the usual ones in each INVITE.
        """
        places: dict[str, Any] = {
            "user": phone.user,
            "from_user": phone.user,
            "display": "",
            "number": number,
            "domain": DOMAIN,
            "uri_params": "",
            "headers": "".join(f"\n{line}" for line in headers),
        }
        number_of, rate = str(at_once), str(a_second or at_once)
        load = ("-m", number_of, "-r", rate, "-l", number_of, "-cid_str", call_id)
        options = (*load, "-au", phone.user, "-ap", phone.password)
        text = script(name, **places | values)
        return self._start(name, address, free_port(), text, f"{LOOPBACK}:{switch_port}", *options)

    def stop_all(self) -> None:
        while self._runs:
            self._runs.pop().stop()

    def _start(self, name: str, address: str, port: int, text: str, *options: str) -> SippRun:
        unique = f"{name}-{port}-{len(self._runs)}"
        run = SippRun(self._binary, self._folder, unique, text, address, port, *options)
        self._runs.append(run)
        return run
