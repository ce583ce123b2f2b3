"""Reads the dial strings that `bridge` takes.

    {a=1}[origination_uuid=…,api_on_answer_x='sched_api +4 …']sofia/carrier/N@host|[…]sofia/…

`|` divides carriers that are tried one after the other, `,` those that ring at
once; `{}` holds variables of all legs, `[]` of one.  In both, values in single
quotes may hold commas, and a leading `^^:` makes `:` the divider
(switch_ivr_originate.c, switch_event.c `switch_event_create_brackets`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_CLOSING: Final = {"{": "}", "[": "]", "<": ">"}
_DIVIDERS: Final = ",|"
#: What counts in a dial string: something in quotes, a bracket, a divider.
_MARKS: Final = re.compile(r"'[^']*'?|[\[{<\]}>,|]")
_NESTING: Final = re.compile(r"['\[{<\]}>]")


@dataclass(frozen=True, slots=True)
class Target:
    """One leg to be made: its variables and where it goes."""

    variables: dict[str, str]
    profile: str  # the SIP profile, or the module's name where it is none
    address: str  # user@host:port
    number: str  # the user part
    error: str = ""  # a hangup cause that the endpoint gives at once


def parse_dial_string(text: str) -> list[list[Target]]:
    """The targets in groups: the groups are tried in order, the members of one ring at once."""
    common: dict[str, str] = {}
    text = text.strip()
    while text[:1] in ("{", "<"):
        inside, text = _take_brackets(text)
        common |= parse_variables(inside)
    groups = []
    for group in _split(text, "|"):
        targets = [_target(part, common) for part in _split(group, ",") if part.strip()]
        if targets:
            groups.append(targets)
    return groups


def parse_variables(text: str) -> dict[str, str]:
    """`a=1,b='x,y'` as a dict; a name without a value gets an empty one."""
    divider = ","
    if text.startswith("^^") and len(text) > 2:
        divider, text = text[2], text[3:]
    variables = {}
    for part in _split(text, divider):
        name, _, value = part.strip().partition("=")
        if name:
            variables[name.strip()] = _unquote(value.strip())
    return variables


def _target(text: str, common: dict[str, str]) -> Target:
    text = text.strip()
    variables = dict(common)
    while text.startswith("["):
        inside, text = _take_brackets(text)
        variables |= parse_variables(inside)
    parts = text.split("/")
    match parts:
        case ["sofia", "gateway", gateway, number]:
            return Target(
                variables, "carrier", f"{number}@127.0.0.1:5090", number, "" if gateway else "INVALID_GATEWAY"
            )
        case ["sofia", profile, address]:
            return Target(variables, profile, address, address.partition("@")[0])
        case ["user", user]:
            return Target(
                variables, "customer", f"{user.partition('@')[0]}@127.0.0.1:5071", user.partition("@")[0]
            )
        case ["error", cause]:
            return Target(variables, "error", text, "", cause)
        case _:
            return Target(variables, "none", text, "", "CHAN_NOT_IMPLEMENTED")


def _take_brackets(text: str) -> tuple[str, str]:
    """What the brackets at the start of `text` hold, and what follows them."""
    closing = _CLOSING[text[0]]
    for match in _MARKS.finditer(text):
        if match[0] == closing:
            return text[1 : match.start()], text[match.end() :].lstrip()
    return text[1:], ""


def _split(text: str, divider: str) -> list[str]:
    """`text` cut at every `divider` that stands in no brackets and no quotes."""
    if not _NESTING.search(text):
        return text.split(divider)
    parts, start, depth = [], 0, 0
    marks = _MARKS if divider in _DIVIDERS else re.compile(rf"{_MARKS.pattern}|{re.escape(divider)}")
    for match in marks.finditer(text):
        mark = match[0]
        if mark == divider:
            if depth <= 0:
                parts.append(text[start : match.start()])
                start = match.end()
        elif mark in _CLOSING:
            depth += 1
        elif mark in _CLOSING.values():
            depth -= 1
    parts.append(text[start:])
    return parts


def _unquote(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] == "'" else value
