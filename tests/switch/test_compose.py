"""compose.yaml: accepted by compose, and all of it played here, from the migrations to the CDRs."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from typing import Final

import pytest
from compose_run import ROOT, ComposeRun, read_compose

from esl_agent.lab.freeswitch import FOLDERS, NoFreeSwitch, find_freeswitch
from esl_agent.lab.sipp import NoSipp, find_sipp
from esl_agent.store.embedded import EmbeddedPostgres

SECRETS: Final = {
    "POSTGRES_PASSWORD": "a1", "EVENT_SOCKET_PASSWORD": "b2", "PHONE_PASSWORD": "c3",
}  # fmt: skip
CUSTOMERS: Final = ("garage", "clinic", "cafe")


def test_compose_accepts_it() -> None:
    docker, standalone = shutil.which("docker"), shutil.which("docker-compose")
    if (
        docker
        and subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode == 0
    ):
        command = [docker, "compose"]
    elif standalone:
        command = [standalone]
    else:
        pytest.skip("no docker compose here")
    config = [*command, "--file", str(ROOT / "compose.yaml"), "config", "--quiet"]
    subprocess.run(config, env=os.environ | SECRETS, check=True)
    without = subprocess.run(config, capture_output=True, text=True, check=False, cwd="/")
    assert without.returncode != 0  # no password is made up
    assert "see .env.example" in without.stderr


def test_every_variable_that_it_asks_for_is_in_the_example() -> None:
    named = {line.partition("=")[0].lstrip("#") for line in (ROOT / ".env.example").read_text().splitlines()
             if "=" in line}  # fmt: skip
    assert named == {*SECRETS, "FREESWITCH_IMAGE"}
    read_compose(SECRETS)  # which fails for one that is not set


def test_nothing_runs_as_root_or_listens_beyond_this_machine() -> None:
    for name, service in read_compose(SECRETS)["services"].items():
        for port in service.get("ports", []):
            assert str(port).startswith("127.0.0.1:"), f"{name}: {port}"
        if name != "postgres":  # whose image steps down by itself
            assert service.get("user") == "10001:10001" or service["build"]["target"] in ("agent", "sipp")
            assert service["cap_drop"] == ["ALL"]
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert dockerfile.count("\nUSER 10001:10001\n") == len(("sipp", "agent"))


def test_the_image_is_made_of_what_a_wheel_is_made_of() -> None:
    copied = {word for line in (ROOT / "Dockerfile").read_text().splitlines() if line.startswith("COPY ")
              for word in line.split()[1:-1]}  # fmt: skip
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied == kept
    assert all((ROOT / name).exists() for name in copied)
    folders = {line.split("=")[1].strip() for line in (ROOT / "setup.cfg").read_text().splitlines()
               if line.strip().startswith("esl_agent.") and "= " in line and "*" not in line}  # fmt: skip
    assert folders <= copied


def test_switch_and_agent_share_a_network_that_neither_owns() -> None:
    """Started again, the owner of a network leaves whoever shares it in one that is gone."""
    services = read_compose(SECRETS)["services"]
    modes = {name: service.get("network_mode") for name, service in services.items()}
    assert modes["agent"] == modes["freeswitch"] == "service:network"
    assert modes["network"] is None
    assert "depends_on" not in services["network"]


def test_the_switch_is_started_as_the_lab_starts_it() -> None:
    program, *options = read_compose(SECRETS)["services"]["freeswitch"]["entrypoint"]
    assert program == "/usr/bin/freeswitch"
    assert options[:6] == ["-nonat", "-nonatmap", "-nc", "-nf", "-np", "-nocal"]
    assert options[6::2] == [f"-{name}" for name in ("conf", *FOLDERS)]


@pytest.fixture(scope="module")
def composed(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComposeRun]:
    try:
        find_freeswitch(os.environ)
        find_sipp(os.environ)
    except (NoFreeSwitch, NoSipp) as missing:
        pytest.skip(str(missing))
    run = ComposeRun(tmp_path_factory.mktemp("compose"), SECRETS, postgres.ensure_database("compose"))
    yield run
    run.stop()


@pytest.mark.switch
def test_it_comes_up_makes_calls_and_shows_their_cdrs(composed: ComposeRun) -> None:
    for name in CUSTOMERS:
        composed.start(name)
    shown = composed.up("cdrs")
    assert shown.count(" 442079460000 ") == 5
    assert shown.count(" 525512345678 ") == 2
    [havana] = [line for line in shown.splitlines() if " 5352345678 " in line]
    assert "ALLOTTED_TIMEOUT" in havana
    assert "0.2100" in havana
    assert composed.log("agent").count(" CALL_RATED ") == 8
    assert set(composed.services) - {"postgres"} == {path.stem for path in composed._folder.glob("*.log")}


@pytest.mark.switch
def test_a_second_start_makes_the_calls_again(composed: ComposeRun) -> None:
    composed.again("books", "cdrs", *CUSTOMERS)
    composed.up("books")
    for name in CUSTOMERS:
        composed.start(name)
    shown = composed.up("cdrs")
    assert shown.count(" 442079460000 ") == 10
    cut = [line for line in shown.splitlines() if " 5352345678 " in line]
    assert ["0.2100" in line and "ALLOTTED_TIMEOUT" in line for line in cut] == [True, True]
