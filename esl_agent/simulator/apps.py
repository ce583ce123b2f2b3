"""The dialplan applications that the simulated switch knows.

An application is a function of a call and its argument; it runs on the
caller's leg.  It returns True if the leg stays in it till the call's
`application_done` is called.  mod_dptools.c, mod_event_socket.c (`socket`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from esl_agent.simulator import causes
from esl_agent.simulator.dialling import Dialling
from esl_agent.simulator.dialstring import parse_dial_string

if TYPE_CHECKING:
    from esl_agent.simulator.call import Call

_VARIABLE: Final = re.compile(r"\$\{([^{}]+)\}")
_PLAYBACK_US: Final = 1_000_000  # how long every file plays


def expand(call: Call, text: str) -> str:
    """`text` with ${name} replaced by the caller's leg's variables; an unknown one is empty."""
    if "$" not in text:
        return text
    return _VARIABLE.sub(lambda match: call.variable(match[1]), text)


def _set(call: Call, argument: str) -> bool:
    name, equals, value = argument.partition("=")
    if not equals:
        name, _, value = argument.partition(",")
    call.caller.set_variable(name, value)
    return False


def _multiset(call: Call, argument: str) -> bool:
    divider = " "
    if argument.startswith("^^") and len(argument) > 2:
        divider, argument = argument[2], argument[3:]
    for part in argument.split(divider):
        if part:
            _set(call, part)
    return False


def _unset(call: Call, argument: str) -> bool:
    call.caller.set_variable(argument, None)
    return False


def _export(call: Call, argument: str) -> bool:
    name, _, value = argument.partition("=")
    leg = call.caller
    leg.set_variable(name, value)
    leg.exports[name.removeprefix("nolocal:")] = value
    exported = leg.variables.get("export_vars")
    leg.set_variable("export_vars", f"{exported},{name}" if exported else name)
    return False


def _bridge(call: Call, argument: str) -> bool:
    if not argument:
        return False
    call.dialling = dialling = Dialling(call, parse_dial_string(argument))
    if not dialling.start():
        call.dialling_failed(dialling.cause)
    return True


def _socket(call: Call, argument: str) -> bool:
    if call.core.dial_agent is None:
        return False
    call.core.dial_agent(call, argument)
    return True


def _answer(call: Call, argument: str) -> bool:
    call.answer()
    return False


def _respond(call: Call, argument: str) -> bool:
    if not argument:
        return False
    digits = argument[:3]
    status = int(digits) if digits.isdecimal() else 480
    if status >= 300:
        call.caller.sip_status = status
        call.hang_up(call.caller, causes.cause_of_sip(status), "switch")
    return False


def _hangup(call: Call, argument: str) -> bool:
    call.hang_up(call.caller, causes.cause_named(argument), "switch")
    return False


def _playback(call: Call, argument: str) -> bool:
    call.caller.heard.append(argument)
    call.later(call.core.after(_PLAYBACK_US, call.application_done))
    return True


def _sleep(call: Call, argument: str) -> bool:
    milliseconds = int(argument) if argument.isdecimal() else 0
    call.later(call.core.after(milliseconds * 1000, call.application_done))
    return True


def _park(call: Call, argument: str) -> bool:
    call.core.fire("CHANNEL_PARK", call.caller)
    return True


def _transfer(call: Call, argument: str) -> bool:
    call.transfer(argument.partition(" ")[0])
    return False


def _sched_hangup(call: Call, argument: str) -> bool:
    when, _, cause = argument.partition(" ")
    call.core.api("sched_hangup", f"{when} {call.caller.uuid} {cause}".rstrip())
    return False


def _record(call: Call, argument: str) -> bool:
    call.caller.set_variable("esl_recording", argument)
    return False


def _nothing(call: Call, argument: str) -> bool:
    return False


APPLICATIONS: Final[Mapping[str, Callable[[Call, str], bool]]] = {
    "answer": _answer,
    "bridge": _bridge,
    "export": _export,
    "hangup": _hangup,
    "info": _nothing,
    "log": _nothing,
    "multiset": _multiset,
    "park": _park,
    "playback": _playback,
    "pre_answer": _nothing,
    "record_session": _record,
    "respond": _respond,
    "ring_ready": _nothing,
    "sched_hangup": _sched_hangup,
    "set": _set,
    "sleep": _sleep,
    "socket": _socket,
    "transfer": _transfer,
    "unset": _unset,
}
