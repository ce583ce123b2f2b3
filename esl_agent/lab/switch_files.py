"""The configuration of a FreeSWITCH of the lab's, as files."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping
from importlib import resources
from pathlib import Path

from esl_agent.lab import network
from esl_agent.lab.network import Network


def write_switch_files(conf: Path, dialplan: Path, people: Network, without: Collection[str] = ()) -> None:
    """All of `conf` but its variables; `dialplan` is the folder as shipped, without some modules."""
    shutil.copytree(dialplan, conf / "dialplan", dirs_exist_ok=True)
    whole = resources.files("esl_agent.lab").joinpath("conf", "freeswitch.xml").read_text(encoding="utf-8")
    for module in without:
        whole = whole.replace(f'<load module="{module}"/>', "")
    files = {
        "freeswitch.xml": whole,
        "dialplan/esl_agent/carriers.xml": network.carriers_xml(people.carriers),
        "dialplan/esl_agent/devices.xml": network.devices_xml(people.dids),
        "directory/phones.xml": network.directory_xml(people.phones),
        "dialplan/config/carrier/carriers.xml": network.gateways_xml(people.carriers),
    }
    for name, text in files.items():
        path = conf / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def write_variables(conf: Path, variables: Mapping[str, str | int]) -> None:
    """What differs from dialplan/config/vars.xml, the Event Socket's password among it."""
    path = conf / "lab_vars.xml"
    path.touch(mode=0o600)
    path.write_text(network.variables_xml(variables), encoding="utf-8")
