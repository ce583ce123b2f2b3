"""A private FreeSWITCH: found, configured in a folder of its own, started, and stopped by its process id."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Final

from esl_agent.errors import EslAgentError
from esl_agent.lab import network
from esl_agent.lab.child import Child, wait_until
from esl_agent.lab.console import Console, ConsoleError
from esl_agent.lab.network import Network
from esl_agent.lab.ports import LOOPBACK, free_port, free_row
from esl_agent.lab.switch_files import write_switch_files, write_variables

BINARY_VARIABLE: Final = "FREESWITCH_BIN"
PREFIXES: Final = ("/usr", "/usr/local/freeswitch", "/opt/freeswitch")
FOLDERS: Final = ("log", "db", "run", "temp", "scripts", "storage", "cache", "sounds", "recordings")
RTP_PORTS: Final = 840
READY_S: Final = 30.0
STOP_S: Final = 20.0


class NoFreeSwitch(EslAgentError):
    """There is no FreeSWITCH on this machine."""


def find_freeswitch(environment: Mapping[str, str]) -> Path:
    """The program: as FREESWITCH_BIN names it, on PATH, or under one of the usual prefixes."""
    if named := environment.get(BINARY_VARIABLE):
        candidates = [Path(named)]
    else:
        candidates = [Path(prefix, "bin", "freeswitch") for prefix in PREFIXES]
        if on_path := shutil.which("freeswitch", path=environment.get("PATH")):
            candidates.insert(0, Path(on_path))
    for candidate in candidates:
        if os.access(candidate, os.X_OK) and candidate.is_file():
            return candidate
    looked = ", ".join(map(str, candidates))
    raise NoFreeSwitch(f"no FreeSWITCH here (looked at {looked}): install it, or set {BINARY_VARIABLE}")


class PrivateSwitch:
    """A FreeSWITCH with the dialplan as shipped and `people` on its network.

    `with PrivateSwitch(...) as switch:` yields it ready for calls; at the end
    it is stopped.  It asks admission on `admission_port`, and on `door` where
    `esl_ask_by` is "python".  Everything it writes is under `folder`.  `settings` are
    changes to dialplan/config/vars.xml.
    """

    def __init__(
        self,
        binary: Path,
        dialplan: Path,
        folder: Path,
        people: Network,
        settings: Mapping[str, str | int] = MappingProxyType({}),
    ) -> None:
        self.host: Final = LOOPBACK
        self.event_port: Final = free_port()
        self.customer_port: Final = free_port()
        self.carrier_port: Final = free_port()
        self.admission_port: Final = free_port()
        self.door: Final = folder / "door"
        self.password: Final = secrets.token_hex(16)
        self.folder = folder
        self.people = people
        self._binary = binary
        self._dialplan = dialplan
        self._settings = settings
        self._rtp_first = free_row(RTP_PORTS)
        self._child: Child | None = None

    @property
    def log(self) -> Path:
        """The switch's own log, at level debug."""
        return self.folder / "log" / "freeswitch.log"

    @property
    def cdr_folder(self) -> Path:
        """Where mod_json_cdr writes a file for each leg."""
        return self.folder / "log" / "json_cdr"

    def console(self) -> Console:
        """A new connection to its Event Socket."""
        return Console(self.host, self.event_port, self.password)

    def start(self) -> None:
        """Return when it takes calls."""
        self._write_configuration()
        self._child = Child(self._command(), self.folder / "console.log", self._python_path())
        try:
            wait_until(self._is_ready, "FreeSWITCH is ready", READY_S)
        except EslAgentError as error:
            said = self._child.tail()
            self.stop()
            raise EslAgentError(f"{error}; it said:\n{said}") from None

    @contextmanager
    def changed(self, **settings: str | int) -> Iterator[None]:
        """It runs with other settings of the dialplan, and then again with those it had."""
        before = self._settings
        self._set({**before, **settings})
        try:
            yield
        finally:
            self._set(before)

    def stop(self) -> None:
        if self._child is not None:
            self._child.stop(grace_s=STOP_S)
            self._child = None

    def __enter__(self) -> PrivateSwitch:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _set(self, settings: Mapping[str, str | int]) -> None:
        self._settings = settings
        self._write_variables()
        with self.console() as console:
            console.api("reloadxml")

    def _is_ready(self) -> bool:
        if self._child is None or self._child.exit_code is not None:
            raise EslAgentError("FreeSWITCH ended while it started")
        try:
            with self.console() as console:
                return console.api("sofia status").count("RUNNING") >= len(("customer", "carrier"))
        except ConsoleError:
            return False

    def _command(self) -> list[str]:
        command = [str(self._binary), "-nonat", "-nonatmap", "-nc", "-nf", "-np", "-nocal"]
        for name in ("conf", *FOLDERS):
            command += [f"-{name}", str(self.folder / name)]
        return command

    def _python_path(self) -> dict[str, str]:
        """For mod_python3, which is told by the environment alone where modules are."""
        inside = self._binary.resolve().parent.parent / "lib" / "python3"
        ours = str(resources.files("esl_agent").joinpath(".."))  # for esl_agent.switch.embedded
        paths = [str(self.folder / "scripts"), str(inside), ours, os.environ.get("PYTHONPATH", "")]
        return {"PYTHONPATH": os.pathsep.join(path for path in paths if path)}

    def _write_configuration(self) -> None:
        conf = self.folder / "conf"
        for name in FOLDERS:
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self.cdr_folder.mkdir(exist_ok=True)
        write_switch_files(conf, self._dialplan, self.people)
        self._write_variables()

    def _write_variables(self) -> None:
        write_variables(self.folder / "conf", self._variables())

    def _variables(self) -> dict[str, str | int]:
        return {
            "esl_sip_ip": self.host,
            "esl_domain": network.DOMAIN,
            "esl_customer_port": self.customer_port,
            "esl_carrier_port": self.carrier_port,
            "esl_event_port": self.event_port,
            "esl_event_password": self.password,
            "esl_admission_address": f"{self.host}:{self.admission_port}",
            "esl_door": str(self.door),
            "lab_rtp_first": self._rtp_first,
            "lab_rtp_last": self._rtp_first + RTP_PORTS - 1,
            **self._settings,
        }
