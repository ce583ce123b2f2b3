"""The files that make a service of it, systemd's units and logrotate's rule, as the tools read them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

from esl_agent.agent.money.journal_place import OF_THE_SERVICE
from esl_agent.config import Config

ETC = Path(__file__).parents[2] / "etc"
UNITS = sorted((ETC / "systemd").glob("*.service"))
#: "OK" for systemd-analyze; most of what is left is that it has to talk to networks and other users.
EXPOSURE_MAX = 1.6


def analyze(*arguments: str) -> str:
    """What systemd-analyze says, where it is installed."""
    program = shutil.which("systemd-analyze") or pytest.skip("no systemd-analyze here")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def runnable(unit: Path, folder: Path) -> Path:
    """The unit with a program that is there, under a path without spaces."""
    program = folder / "esl-agent"
    program.symlink_to(sys.executable)
    text = unit.read_text().replace("/opt/esl-agent/bin/esl-agent", str(program))
    copy = folder / unit.name
    copy.write_text(text)
    return copy


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_finds_nothing_wrong_with_a_unit(unit: Path, tmp_path: Path) -> None:
    said = analyze("verify", "--man=no", str(runnable(unit, tmp_path)))
    assert [line for line in said.splitlines() if "esl-agent" in line] == []


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_rates_the_exposure_of_a_unit_as_good(unit: Path) -> None:
    said = analyze("security", "--offline=true", str(unit))
    found = re.search(r"Overall exposure level for \S+: ([\d.]+) (\w+)", said)
    assert found, said
    assert float(found[1]) <= EXPOSURE_MAX
    assert found[2] == "OK"


def test_the_unit_of_several_daemons_is_that_of_one_with_names_of_their_own() -> None:
    single, several = (
        (ETC / "systemd" / name).read_text() for name in ("esl-agent.service", "esl-agent@.service")
    )
    for own, shared in {
        "/etc/esl-agent/%i.toml": "/etc/esl-agent/esl-agent.toml",
        "Description=esl-agent %i:": "Description=esl-agent:",
        "esl-agent/%i": "esl-agent",
    }.items():
        several = several.replace(own, shared)
    assert settings(several) == settings(single)


def settings(unit: str) -> list[str]:
    return [line for line in unit.splitlines() if line and not line.startswith("#")]


def test_the_unit_gives_the_daemon_the_folders_that_it_uses_by_default() -> None:
    unit = settings((ETC / "systemd" / "esl-agent.service").read_text())
    assert Config().admission.local_socket == "/run/esl-agent/door"
    assert "RuntimeDirectory=esl-agent" in unit
    assert "StateDirectory=esl-agent" in unit  # [journal] folder is made in it
    assert str(OF_THE_SERVICE) == "/var/lib/esl-agent/journal"  # where commands from a shell look for it


def test_the_daemon_may_clear_away_what_the_switch_writes_where_it_writes_it_by_default() -> None:
    unit = settings((ETC / "systemd" / "esl-agent.service").read_text())
    assert "ReadWritePaths=-/var/log/freeswitch/json_cdr -/var/lib/freeswitch/recordings" in unit


def test_a_command_runs_as_the_service_does(tmp_path: Path) -> None:
    """What it asks of systemd-run, which is stood in for by one that shows it."""
    (tmp_path / "systemd-run").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    (tmp_path / "systemd-run").chmod(0o755)
    command = ["sh", str(ETC / "systemd" / "as-esl-agent"), "account", "show", "1 001"]
    asked = subprocess.run(command, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, text=True,
                           check=True).stdout.splitlines()  # fmt: skip
    unit = settings((ETC / "systemd" / "esl-agent.service").read_text())
    wanted = [option.replace("--uid=", "User=").replace("--gid=", "Group=").removeprefix("--property=")
              for option in asked if option.startswith(("--uid", "--gid", "--property"))]  # fmt: skip
    assert len(wanted) == 5
    assert set(wanted) <= set(unit)
    [start] = [line.removeprefix("ExecStart=").split()[0] for line in unit if line.startswith("ExecStart=")]
    assert asked[-4:] == [start, "account", "show", "1 001"]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_the_unit_lets_the_daemon_tell_of_its_files_cpu_and_start(unit: Path, tmp_path: Path) -> None:
    """With ProcSubset=pid there is no /proc/stat, and without that the collector tells of nothing at all."""
    (tmp_path / "self").symlink_to("/proc/self")
    of_a_subset = CollectorRegistry()
    ProcessCollector(proc=str(tmp_path), registry=of_a_subset)
    assert generate_latest(of_a_subset) == b""
    assert not [line for line in settings(unit.read_text()) if line.startswith("ProcSubset=")]


def test_the_unit_lets_a_stop_take_as_long_as_the_daemon_may() -> None:
    unit = (ETC / "systemd" / "esl-agent.service").read_text()
    found = re.search(r"^TimeoutStopSec=(\d+)$", unit, re.M)
    assert found
    assert int(found[1]) > 3 * Config().limits.drain_s


def test_logrotate_rotates_a_log_that_goes_on_being_written(tmp_path: Path) -> None:
    program = shutil.which("logrotate", path="/usr/sbin:/usr/bin:/sbin") or pytest.skip("no logrotate here")
    folder = tmp_path / "log"
    folder.mkdir(mode=0o755)
    rule = (ETC / "logrotate.d" / "esl-agent").read_text().replace("/var/log/esl-agent", str(folder))
    file = tmp_path / "rule"
    file.write_text(rule)
    file.chmod(0o644)
    with (folder / "esl-agent.log").open("a") as output:
        print("before", file=output, flush=True)
        subprocess.run([program, "--force", "--state", str(tmp_path / "state"), str(file)], check=True)
        print("after", file=output, flush=True)
    assert (folder / "esl-agent.log").read_text() == "after\n"
    assert (folder / "esl-agent.log.1").read_text() == "before\n"
