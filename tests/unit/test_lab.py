"""The lab's parts that need no switch: scenarios, ports, and what it says when something is missing."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import resources
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

from esl_agent.errors import EslAgentError
from esl_agent.lab import network
from esl_agent.lab.freeswitch import NoFreeSwitch, find_freeswitch
from esl_agent.lab.network import Carrier, Did, Phone
from esl_agent.lab.ports import BLOCK_PORTS, free_port, free_ports, is_free
from esl_agent.lab.scripts import script
from esl_agent.lab.sipp import NoSipp, find_sipp

SCENARIOS = sorted(
    Path(file.name).stem
    for file in resources.files("esl_agent.lab").joinpath("scenarios").iterdir()
    if file.name.endswith(".xml")
)


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_filled_in_is_xml_with_nothing_left_to_fill(name: str) -> None:
    values: dict[str, object] = {}
    while True:
        try:
            text = script(name, digits="*1", **values)
        except EslAgentError as error:
            values |= dict.fromkeys(re.findall(r"wants (.*) as well", str(error))[0].split(", "), "1")
        else:
            break

    assert Xml.fromstring(text).tag == "scenario"
    assert "{{" not in text


def test_digits_are_dialled_in_requests_that_count_up() -> None:
    text = script(
        "dial_on",
        digits="*12#",
        talk_ms=1,
        **dict.fromkeys(("user", "from_user", "number", "domain", "display", "uri_params", "headers"), ""),
    )

    assert re.findall(r"Signal=(.)", text) == ["*", "1", "2", "#"]
    assert re.findall(r"CSeq: (\d+) INFO", text) == ["3", "4", "5", "6"]


def test_a_place_without_a_value_is_told() -> None:
    with pytest.raises(EslAgentError, match="scenario answer wants ring_ms as well"):
        script("answer")


def test_no_port_is_given_twice() -> None:
    row = free_ports(4)
    others = {free_port() for _ in range(50)}

    assert len(others) == 50
    assert others.isdisjoint(range(row, row + 4))
    assert is_free(row)


def test_a_switch_that_is_named_and_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(NoFreeSwitch, match=r"no FreeSWITCH here .*nowhere/freeswitch.*FREESWITCH_BIN"):
        find_freeswitch({"FREESWITCH_BIN": str(tmp_path / "nowhere" / "freeswitch")})


def test_the_switch_on_the_path_is_found(tmp_path: Path) -> None:
    program = tmp_path / "freeswitch"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)

    assert find_freeswitch({"PATH": str(tmp_path)}) == program


def test_sipp_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(NoSipp, match="no sipp on PATH"):
        find_sipp({"PATH": str(tmp_path)})


def test_what_people_are_called_can_not_break_the_configuration() -> None:
    odd = '"><x a="&'
    phone = Phone(odd, "secret", odd, odd)

    assert [user.get("id") for user in Xml.fromstring(network.directory_xml([phone])).iter("user")] == [odd]
    for text in (network.carriers_xml([Carrier(odd, 1)]), network.devices_xml([Did("1", "1001", odd)])):
        Xml.fromstring(text)


def test_the_directory_holds_no_password_in_clear() -> None:
    text = network.directory_xml([Phone("1001", "the secret", "1001", "15145550100")])

    assert "the secret" not in text
    assert "a1-hash" in text


def test_ports_are_nobody_elses_in_other_processes_neither() -> None:
    ours = {free_port() for _ in range(5)}
    code = "from esl_agent.lab.ports import free_port\nprint(*(free_port() for _ in range(200)))"
    theirs = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout
    assert ours.isdisjoint(map(int, theirs.split()))
    assert {port // BLOCK_PORTS for port in ours}.isdisjoint(
        port // BLOCK_PORTS for port in map(int, theirs.split())
    )
