"""Admission from inside FreeSWITCH: a module for mod_python3, which asks the daemon beside the switch.

    <action application="python" data="esl_agent.switch.embedded"/>      in the dialplan
    fs_cli> python esl_agent.switch.embedded status | account N | live
    xml-handler-script = esl_agent.switch.embedded                        in python.conf.xml

It runs in the switch's own threads, on the system's Python without the agent's
packages: one file, on the standard library alone.  What mod_python3.c brings
with it:

- The module is loaded anew at every call, while other threads are in its
  functions.  So it keeps no state, and catches no exception of its own: the
  class would be another one by then.  Loading takes 0.1 ms, and 1 ms more where
  there is no compiled file (`python3 -m compileall` with the switch's Python).
- What is raised ends in the switch's log, but a result of `xml_fetch` that is
  no text, or not UTF-8, ends the switch.

Global variables of the switch, all optional: `esl_door` (a path, or address and
port on loopback) and `esl_door_secret`.
"""

from __future__ import annotations

import json
import socket
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    T = TypeVar("T")

#: What a question holds, and the variable by which the dialplan says it.  Both doors read these.
#: They are set on the caller's leg just before it asks, and unset where they have no value: a leg that
#: asks again must not say what it said before.
#:   account   who pays: the account's number, as the directory has it for whoever authenticated.
#:             Left empty for a call from outside, which the DID's owner pays for.
#:   product   `termination`, `inbound` or `forwarding`.
#:   number    where the call is to go; `destination_number` where it is left empty (inside
#:             `execute_extension` that is the name of the extension).
#:   caller    the caller ID as it came; `caller_id_number` where it is left empty.
#:   did       the number of ours that was called, of products `inbound` and `forwarding`.
#:   trunk     `true` where a carrier brought the call.
#:   oli       what kind of telephone calls; `aniii` where it is left empty.  Heeded of trunks only.
ASKED_BY = {
    "account": "esl_ask_account",
    "product": "esl_ask_product",
    "number": "esl_ask_number",
    "caller": "esl_ask_caller",
    "did": "esl_ask_did",
    "trunk": "esl_ask_trunk",
    "oli": "esl_ask_oli",
}
#: What the switch itself knows of the leg, and where it keeps it.
KNOWN_BY = {
    "leg": "uuid",
    "number": "destination_number",
    "caller": "caller_id_number",
    "oli": "aniii",
}

#: What is set where no answer came: every variable of an answer, so that none is left of an earlier one.
#: (The outbound socket can't do as much: before `socket` the dialplan sets `esl_admitted` to false itself.)
NO_ANSWER = {
    "esl_admission": "",
    "esl_reason": "no_decision",
    "esl_sip_code": "503",
    "esl_hangup_cause": "NORMAL_TEMPORARY_FAILURE",
    "esl_announcement": "try_later",
    "esl_tags": "",
    "esl_route_1": "",
    "esl_route_2": "",
    "esl_route_3": "",
    "esl_route_4": "",
    "esl_forward_to": "",
    "esl_forward_when": "",
    "esl_record": "",
    "esl_record_tell": "",
    "esl_record_account": "",
    "esl_admitted": "false",
}
#: What is set instead for an emergency call: admitted, without a route, so by the dialplan's own
#: carriers.  The dialplan sends such calls out before it asks anybody; this is for one that doesn't.
EMERGENCY = dict(
    NO_ANSWER,
    esl_reason="",
    esl_sip_code="",
    esl_hangup_cause="",
    esl_announcement="",
    esl_tags="emergency",
    esl_admitted="true",
)
EMERGENCY_CODES = ("911", "933", "988", "112")
EMERGENCY_PREFIXES = ("", "+", "1", "+1")

#: "There is no such user": the switch goes on to look in its own files.
NOT_FOUND = (
    '<document type="freeswitch/xml"><section name="result"><result status="not found"/></section></document>'
)
USAGE = "-USAGE: status | account N | live\n"

DEFAULT_DOOR = "/run/esl-agent/door"
#: The whole of asking, connecting included; the daemon gives up a little earlier.
DEADLINE_S = 3.0
REPLY_BYTES_MAX = 1024 * 1024
_RECEIVE_BYTES = 64 * 1024


# What mod_python3 calls


def handler(session: Any, args: str = "") -> None:
    """The application: set the variables of the answer on the leg, or those of a refusal."""
    _safely(lambda: session.setVariable("esl_admitted", "false"), None)
    question: dict[str, str] = _safely(lambda: _question(session), {})
    without_answer = EMERGENCY if _is_emergency(question.get("number", "")) else NO_ANSWER
    variables = _safely(lambda: _answer(question), without_answer)
    _safely(lambda: _set(session, variables), None)


def fsapi(session: Any, stream: Any, env: Any, args: str = "") -> None:
    """The API command: write what the daemon reports."""
    _safely(lambda: stream.write(_report(args)), None)


def xml_fetch(params: Any, args: str = "") -> str:
    """The directory: a user as XML, or NOT_FOUND."""
    return _safely(lambda: _user(params), NOT_FOUND)


def _safely(work: Callable[[], T], otherwise: T) -> T:
    """What `work` returns; `otherwise` if it fails, whatever in: nothing may be raised into the switch."""
    try:
        return work()
    except BaseException as error:  # noqa: BLE001
        with suppress(BaseException):
            _log(f"{type(error).__name__}: {error}")
        return otherwise


# The daemon


def _ask(request: dict[str, Any]) -> dict[str, Any]:
    return ask(_setting("esl_door") or DEFAULT_DOOR, request, _setting("esl_door_secret"))


def ask(address: str, request: dict[str, Any], secret: str = "") -> dict[str, Any]:
    """The daemon's reply to a request, each a line of JSON; LookupError says why it has none.

    Raises OSError and ValueError too, where there is no daemon, or no sense in what it says.
    """
    if secret:
        request = dict(request, secret=secret)
    until = time.monotonic() + DEADLINE_S
    with _door(address, until) as door:
        door.settimeout(_left(until))
        door.sendall(json.dumps(request).encode() + b"\n")
        reply = json.loads(_line(door, until))
    if not isinstance(reply, dict):
        raise ValueError("the reply is no object")
    if "error" in reply:
        raise LookupError(str(reply["error"]))
    return reply


def _door(address: str, until: float) -> socket.socket:
    target: str | tuple[str, int] = address
    family = socket.AF_UNIX
    if not address.startswith("/"):
        host, _, port = address.rpartition(":")
        target = (host.strip("[]"), int(port))
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
    door = socket.socket(family, socket.SOCK_STREAM)
    try:
        door.settimeout(_left(until))
        door.connect(target)
    except (OSError, OverflowError) as error:  # the latter for a port beyond all ports
        door.close()
        raise ConnectionError(f"no daemon at {address}: {error}") from None
    return door


def _line(door: socket.socket, until: float) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        door.settimeout(_left(until))
        data = door.recv(_RECEIVE_BYTES)
        if not data:
            raise ConnectionError("the daemon gave no answer")
        line += data
        if len(line) > REPLY_BYTES_MAX:
            raise ValueError(f"the reply is over {REPLY_BYTES_MAX} bytes")
    return line


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError(f"the daemon did not answer within {DEADLINE_S} s")
    return left


# The switch


def _question(session: Any) -> dict[str, str]:
    fields = dict.fromkeys((*KNOWN_BY, *ASKED_BY), "")
    for names in (KNOWN_BY, ASKED_BY):
        for field, name in names.items():
            fields[field] = _sendable(session.getVariable(name) or "") or fields[field]
    return fields


def _sendable(text: str) -> str:
    """Without the bytes that were no UTF-8, which SWIG makes lone surrogates of."""
    return text.encode("utf-8", "replace").decode()


def _is_emergency(number: str) -> bool:
    return any(number == prefix + code for prefix in EMERGENCY_PREFIXES for code in EMERGENCY_CODES)


def _answer(question: dict[str, str]) -> dict[str, str]:
    variables = _ask({"ask": "call", "call": question})["variables"]
    if not isinstance(variables, dict) or not all(isinstance(value, str) for value in variables.values()):
        raise ValueError("the answer's variables are no texts")
    return variables


def _set(session: Any, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        session.setVariable(name, value)


def _setting(name: str) -> str:
    switch = sys.modules.get("freeswitch")  # mod_python3 imports it before it calls us
    return switch.getGlobalVariable(name) or "" if switch else ""


def _log(text: str) -> None:
    """A line in the switch's log; the daemon tells its own side in its own."""
    switch = sys.modules.get("freeswitch")
    if switch:
        switch.consoleLog("warning", f"esl-agent: {_sendable(text)}\n")


# Texts


def _report(args: str) -> str:
    words = args.split()
    if words in (["status"], ["live"]):
        request = {"ask": words[0]}
    elif len(words) == len(("account", "N")) and words[0] == "account":
        request = {"ask": "account", "account": words[1]}
    else:
        return USAGE
    try:
        return _lines(_ask(request)["report"])
    except LookupError as error:
        return f"-ERR {error.args[0]}\n"
    except (OSError, ValueError) as error:
        return f"-ERR the daemon did not answer: {error}\n"


def _lines(report: dict[str, Any]) -> str:
    """A line for each thing; a list of things of one kind as a table."""
    text = ""
    for name, value in report.items():
        if isinstance(value, list):
            text += f"{name}: {len(value)}\n{_table(value)}"
        else:
            text += f"{name}: {_shown(value)}\n"
    return _sendable(text)


def _table(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return ""
    names = list(rows[0])
    cells = [names, *([_shown(row.get(name)) for name in names] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in cells)
    return "".join(f"  {line}\n" for line in lines)


def _shown(value: Any) -> str:
    return "-" if value is None else " ".join(str(value).split())


def _user(params: Any) -> str:
    user, domain = params.getHeader("user"), params.getHeader("domain")
    if params.getHeader("section") != "directory" or not user or not domain:
        return NOT_FOUND
    found = _ask({"ask": "user", "user": _sendable(user), "domain": _sendable(domain)})["user"]
    return _sendable(_directory(found)) if found else NOT_FOUND


def _directory(user: dict[str, Any]) -> str:
    """The XML that mod_sofia reads a user out of (switch_xml.c, `switch_xml_locate_user`)."""
    return (
        '<document type="freeswitch/xml"><section name="directory">'
        f"<domain{_attributes(name=user['domain'])}><groups><group{_attributes(name='customers')}><users>"
        f"<user{_attributes(id=user['id'], cacheable=user['cacheable'])}>"
        f"<params>{_named('param', user['params'])}</params>"
        f"<variables>{_named('variable', user['variables'])}</variables>"
        "</user></users></group></groups></domain></section></document>"
    )


def _named(tag: str, pairs: dict[str, str]) -> str:
    return "".join(f"<{tag}{_attributes(name=name, value=value)}/>" for name, value in pairs.items())


def _attributes(**pairs: str) -> str:
    return "".join(f' {name}="{_escaped(value)}"' for name, value in pairs.items())


def _escaped(text: str) -> str:
    kept = "".join(character for character in str(text) if character >= " ")
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        kept = kept.replace(character, entity)
    return kept
