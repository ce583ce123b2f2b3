"""Who is on the lab's network, and the FreeSWITCH configuration that says so."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree as Xml

from esl_agent.lab.ports import LOOPBACK

DOMAIN: Final = "lab.test"


@dataclass(frozen=True, slots=True)
class Phone:
    """A customer's phone: it authenticates as `user`, and `account` pays.  `port` is where it takes calls."""

    user: str
    password: str
    account: str
    caller_id: str
    port: int = 0


@dataclass(frozen=True, slots=True)
class Carrier:
    name: str
    port: int
    host: str = LOOPBACK


@dataclass(frozen=True, slots=True)
class Did:
    """A number of the operator's.

    The switch's files say only which `device` rings; whose the number is, and
    where it is forwarded, is for whoever writes the database: `forward_when` is
    always, busy, no_answer or never.
    """

    number: str
    owner: str
    device: str = ""
    forward_to: str = ""
    forward_when: str = "never"


@dataclass(frozen=True, slots=True)
class Network:
    """Carriers stand in the order in which emergency calls try them."""

    phones: Sequence[Phone]
    carriers: Sequence[Carrier]
    dids: Sequence[Did] = ()


def variables_xml(settings: Mapping[str, str | int]) -> str:
    """Preprocessor variables, to be included after the ones that are shipped."""
    root = Xml.Element("include")
    for name, value in settings.items():
        Xml.SubElement(root, "X-PRE-PROCESS", {"cmd": "set", "data": f"{name}={value}"})
    return _written(root)


def carriers_xml(carriers: Sequence[Carrier]) -> str:
    """As an operator would edit dialplan/esl_agent/carriers.xml."""
    root = Xml.Element("include")
    condition = _condition(
        Xml.SubElement(root, "extension", {"name": "carriers"}), "destination_number", "carriers"
    )
    leg = "${{esl_leg}}[esl_carrier={0},leg_progress_timeout=4]sofia/gateway/{0}/${{esl_dial}}"
    for carrier in carriers:
        Xml.SubElement(condition, "action", {"application": "bridge", "data": leg.format(carrier.name)})
    return _written(root)


def gateways_xml(carriers: Sequence[Carrier]) -> str:
    root = Xml.Element("include")
    for carrier in carriers:
        gateway = Xml.SubElement(root, "gateway", {"name": carrier.name})
        _params(
            gateway,
            {
                "proxy": f"{carrier.host}:{carrier.port}",
                "register": "false",
                "caller-id-in-from": "true",
                "context": "esl_inbound",
            },
        )
    return _written(root)


def directory_xml(phones: Sequence[Phone]) -> str:
    root = Xml.Element("include")
    domain = Xml.SubElement(root, "domain", {"name": DOMAIN})
    everybody = Xml.SubElement(domain, "variables")
    Xml.SubElement(everybody, "variable", {"name": "intercept_unbridged_only", "value": "true"})
    users = Xml.SubElement(
        Xml.SubElement(Xml.SubElement(domain, "groups"), "group", {"name": "customers"}), "users"
    )
    for phone in phones:
        user = Xml.SubElement(users, "user", {"id": phone.user})
        _params(
            Xml.SubElement(user, "params"),
            {
                "a1-hash": hashlib.md5(  # noqa: S324  what SIP's digest is made of
                    f"{phone.user}:{DOMAIN}:{phone.password}".encode()
                ).hexdigest(),
                "dial-string": f"sofia/$${{esl_customer_profile}}/{phone.user}@{LOOPBACK}:{phone.port}",
            },
        )
        variables = Xml.SubElement(user, "variables")
        for name, value in {
            "accountcode": phone.account,
            "user_context": "esl_customer",
            "effective_caller_id_number": phone.caller_id,
        }.items():
            Xml.SubElement(variables, "variable", {"name": name, "value": value})
    return _written(root)


def devices_xml(dids: Sequence[Did]) -> str:
    """As an operator would edit dialplan/esl_agent/devices.xml."""
    root = Xml.Element("include")
    for did in dids:
        name = {"name": f"device of {did.number}", "continue": "true"}
        condition = _condition(Xml.SubElement(root, "extension", name), "${esl_number}", rf"\+{did.number}")
        action = {"application": "set", "data": f"esl_device={did.device}", "inline": "true"}
        Xml.SubElement(condition, "action", action)
    return _written(root)


def _condition(extension: Xml.Element, field: str, text: str) -> Xml.Element:
    return Xml.SubElement(extension, "condition", {"field": field, "expression": f"^{text}$"})


def _params(parent: Xml.Element, values: Mapping[str, str]) -> None:
    for name, value in values.items():
        Xml.SubElement(parent, "param", {"name": name, "value": value})


def _written(root: Xml.Element) -> str:
    # The switch's preprocessor reads line by line.
    Xml.indent(root)
    return Xml.tostring(root, encoding="unicode") + "\n"
