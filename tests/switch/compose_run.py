"""compose.yaml played without Docker: each service is a process of this machine.

A container's file system is a folder, its volumes are links in it, its
address in 172.30.84.0/24 is the same one in 127.30.84.0/24, and ports of its
own loopback are free ports of ours.  Everything else is taken as the file has
it: commands, settings, paths, what depends on what, and health checks.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from esl_agent.lab.child import Child, wait_until
from esl_agent.lab.freeswitch import find_freeswitch
from esl_agent.lab.ports import free_port
from esl_agent.lab.sipp import find_sipp

ROOT: Final = Path(__file__).parents[2]
HEALTHY_S: Final = 60.0
DONE_S: Final = 60.0
#: What Dockerfile's targets run where a service names no entrypoint.
ENTRYPOINTS: Final = {"agent": ["esl-agent"], "sipp": ["sipp"]}
#: Ports on the loopback that the switch and the agent share.
LOOPBACK_PORTS: Final = ("8021", "8084", "8085")


def read_compose(environment: Mapping[str, str]) -> dict[str, Any]:
    """The file with its variables filled in, as `docker compose config` does."""
    text = (ROOT / "compose.yaml").read_text(encoding="utf-8")

    def fill(place: re.Match[str]) -> str:
        if place[0] == "$$":
            return "$"
        default = place["default"] if place["how"] == ":-" else ""
        value = environment.get(place["name"]) or default
        assert value, f"{place['name']} is not set"
        return value

    filled = re.sub(r"\$\$|\$\{(?P<name>\w+)(?P<how>:[-?])(?P<default>[^}]*)\}", fill, text)
    return dict(yaml.safe_load(filled))


class ComposeRun:
    """The services of the file, as processes; `database_url` stands for the service postgres."""

    def __init__(self, folder: Path, environment: Mapping[str, str], database_url: str) -> None:
        self.file = read_compose(environment)
        self.services: dict[str, dict[str, Any]] = self.file["services"]
        self._folder = folder
        self._database_url = database_url
        self._ports = {port: str(free_port()) for port in LOOPBACK_PORTS}
        self._running: dict[str, Child] = {}
        self._done: set[str] = {"postgres"}

    def up(self, name: str) -> str:
        """Start a service after those that it depends on; what it printed, if it is one that ends."""
        for other, wanted in self.services[name].get("depends_on", {}).items():
            if other not in self._done and other not in self._running:
                self.up(other)
            if wanted["condition"] == "service_healthy" and other != "postgres":
                self._wait_healthy(other)
            if wanted["condition"] == "service_completed_successfully":
                self._wait_done(other)
        log = self._folder / f"{name}.log"
        self._running[name] = Child(self._command(name), log, self._environment(name))
        return log.read_text() if self.services[name].get("restart") else self._wait_done(name)

    def start(self, name: str) -> None:
        """As `up`, without waiting for one that ends."""
        for other in self.services[name].get("depends_on", {}):
            if other not in self._done and other not in self._running:
                self.up(other)
            if self.services[other].get("healthcheck") and other != "postgres":
                self._wait_healthy(other)
        self._running[name] = Child(
            self._command(name), self._folder / f"{name}.log", self._environment(name)
        )

    def again(self, *names: str) -> None:
        """As `docker compose up` once more: what has ended will be started anew."""
        self._done -= set(names)

    def stop(self) -> None:
        for child in reversed(self._running.values()):
            child.stop()

    def log(self, name: str) -> str:
        return (self._folder / f"{name}.log").read_text(encoding="utf-8", errors="replace")

    def _wait_done(self, name: str) -> str:
        if name in self._running:
            code = self._running[name].wait(DONE_S)
            assert code == 0, f"{name} ended with {code}:\n{self.log(name)}"
            del self._running[name]
            self._done.add(name)
        return self.log(name)

    def _wait_healthy(self, name: str) -> None:
        kind, *test = self.services[name]["healthcheck"]["test"]
        command = self._there(name, ["sh", "-c", *test] if kind == "CMD-SHELL" else test)
        environment = os.environ | self._environment(name)

        def is_healthy() -> bool:
            assert self._running[name].exit_code is None, f"{name} ended:\n{self.log(name)}"
            return subprocess.run(command, env=environment, capture_output=True, check=False).returncode == 0

        wait_until(is_healthy, f"{name} is healthy", HEALTHY_S)

    def _command(self, name: str) -> list[str]:
        service = self.services[name]
        entrypoint = service.get("entrypoint") or ENTRYPOINTS[service["build"]["target"]]
        return self._there(name, [*entrypoint, *service.get("command", [])])

    def _environment(self, name: str) -> dict[str, str]:
        given = self.services[name].get("environment", {})
        settings = {key: self._translated(name, str(value)) for key, value in given.items()}
        if "ESL_AGENT_DATABASE_URL" in settings:
            settings["ESL_AGENT_DATABASE_URL"] = self._database_url
        programs = [Path(sys.executable).parent, find_freeswitch(os.environ).parent]
        settings["PATH"] = os.pathsep.join([*map(str, programs), os.environ["PATH"]])
        return settings

    def _there(self, name: str, words: Sequence[str]) -> list[str]:
        """A command in a container, as one of this machine."""
        programs = {
            "/usr/bin/freeswitch": str(find_freeswitch(os.environ)),
            "sipp": find_sipp(os.environ),
            "python": sys.executable,
        }
        return [programs.get(word) or self._translated(name, word) for word in words]

    def _translated(self, name: str, text: str) -> str:
        """Paths that the container has are in its folder here, addresses and ports are ours."""
        root = self._root(name)
        for target in sorted(self._mounts(name), key=len, reverse=True):
            text = re.sub(rf'(?<![\w./-]){re.escape(target)}(?=[/"\s]|$)', f"{root}{target}", text)
        for port, ours in self._ports.items():
            text = re.sub(rf"(?<!\d){port}(?!\d)", ours, text)
        return text.replace("172.30.84.", "127.30.84.")

    def _root(self, name: str) -> Path:
        """The container's file system; made when it is asked for first."""
        root = self._folder / "containers" / name
        if not root.exists():
            root.mkdir(parents=True)
            for target, source in sorted(self._mounts(name).items()):
                self._mount(name, root / target.lstrip("/"), source)
        return root

    def _mounts(self, name: str) -> dict[str, str]:
        """Where what is mounted: a volume's name, a file of the repository, or "" for memory."""
        service = self.services[name]
        mounts = {path.partition(":")[0]: "" for path in service.get("tmpfs", [])}
        for volume in service.get("volumes", []):
            source, target = volume.split(":")[:2]
            mounts[target] = source
        return mounts

    def _mount(self, name: str, place: Path, source: str) -> None:
        place.parent.mkdir(parents=True, exist_ok=True)
        if not source:
            place.mkdir()
        elif source.startswith("./"):
            shutil.copy(ROOT / source, place)
            place.write_text(self._translated(name, place.read_text(encoding="utf-8")), encoding="utf-8")
        else:
            assert source in self.file["volumes"], f"{source} is no volume"
            volume = self._folder / "volumes" / source
            volume.mkdir(parents=True, exist_ok=True)
            place.symlink_to(volume)
