"""The API commands about one leg: `uuid_…` (mod_commands.c)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from esl_agent.simulator import causes
from esl_agent.simulator.formats import JSON, PLAIN, array_text
from esl_agent.simulator.leg import Leg
from esl_agent.simulator.template import variables_template

if TYPE_CHECKING:
    from esl_agent.simulator.core import Core

_NO_SUCH_CHANNEL: Final = "-ERR No such channel!\n"
_USAGE: Final = {
    "uuid_kill": "<uuid> [cause]",
    "uuid_dump": "<uuid> [format]",
    "uuid_setvar": "<uuid> <var> [value]",
    "uuid_setvar_multi": "<uuid> <var>=<value>;<var>=<value>...",
    "uuid_getvar": "<uuid> <var>",
    "uuid_broadcast": "<uuid> <path> [aleg|bleg|holdb|both]",
    "uuid_transfer": "<uuid> [-bleg|-both] <dest-exten> [<dialplan>] [<context>]",
    "uuid_hold": "[off|toggle] <uuid> [<display>]",
    "uuid_record": "<uuid> [start|stop|mask|unmask] <path> [<limit>] [<recording_vars>]",
}


def _usage(command: str) -> str:
    return f"-USAGE: {_USAGE[command]}\n"


def _exists(core: Core, argument: str) -> str:
    return "true" if argument in core.legs else "false"


def _kill(core: Core, argument: str) -> str:
    if not argument:
        return _usage("uuid_kill")
    leg_uuid, _, cause = argument.partition(" ")
    leg = core.legs.get(leg_uuid)
    if leg is None:
        return _NO_SUCH_CHANNEL
    leg.call.hang_up(leg, causes.cause_named(cause), "switch")
    return "+OK\n"


def _dump(core: Core, argument: str) -> str:
    words = argument.split()
    if not words:
        return _usage("uuid_dump")
    leg = core.legs.get(words[0])
    if leg is None:
        return _NO_SUCH_CHANNEL
    into = JSON if words[1:2] == ["json"] else PLAIN
    return core.snapshot(leg).body(into).decode("utf-8", "surrogateescape")


def _setvar(core: Core, argument: str) -> str:
    words = argument.split(" ", 2)
    if len(words) < 2 or not words[0]:
        return _usage("uuid_setvar")
    leg = core.legs.get(words[0])
    if leg is None:
        return _NO_SUCH_CHANNEL
    leg.set_variable(words[1], words[2] if len(words) > 2 else None)
    return "+OK\n"


def _setvar_multi(core: Core, argument: str) -> str:
    leg_uuid, _, assignments = argument.partition(" ")
    if not assignments:
        return _usage("uuid_setvar_multi")
    leg = core.legs.get(leg_uuid)
    if leg is None:
        return _NO_SUCH_CHANNEL + _usage("uuid_setvar_multi")
    for assignment in assignments.split(";"):
        name, _, value = assignment.partition("=")
        leg.set_variable(name, value)
    return "+OK\n"


def _getvar(core: Core, argument: str) -> str:
    words = argument.split()
    if len(words) < 2:
        return _usage("uuid_getvar")
    leg = core.legs.get(words[0])
    if leg is None:
        return _NO_SUCH_CHANNEL
    value = _variable(leg, words[1])
    return "_undef_" if value is None else value


def _variable(leg: Leg, name: str) -> str | None:
    """A variable of the leg, set by somebody or by the switch itself."""
    own = leg.variables.get(name)
    if own is not None:
        return own if isinstance(own, str) else array_text(own)
    if name in {field.name for field in leg.path.variables}:
        written = dict(_pairs(variables_template(leg, PLAIN).fill(leg)))
        return written.get(name)
    return None


def _pairs(text: str) -> list[tuple[str, str]]:
    return [(name, unquote(value)) for name, _, value in (line.partition(": ") for line in text.splitlines())]


def _broadcast(core: Core, argument: str) -> str:
    words = argument.split()
    if len(words) < 2:
        return _usage("uuid_broadcast")
    leg = core.legs.get(words[0])
    if leg is None:
        return "-ERR invalid uuid\n"
    sides = words[2] if len(words) > 2 else "aleg"
    if "aleg" in sides or "both" in sides:
        leg.heard.append(words[1])
    if ("bleg" in sides or "both" in sides) and leg.other is not None:
        leg.other.heard.append(words[1])
    return "+OK Message sent\n"


def _transfer(core: Core, argument: str) -> str:
    words = argument.split()
    if not 2 <= len(words) <= 5:
        return _usage("uuid_transfer")
    leg = core.legs.get(words[0])
    if leg is None:
        return _NO_SUCH_CHANNEL
    if words[1].startswith("-") and words.pop(1) == "-bleg":
        leg = leg.other or leg  # the other one
    if len(words) < 2 or leg is not leg.call.caller:
        return "-ERR\n"  # a far end that goes through the dialplan by itself isn't simulated
    leg.call.transfer(words[1])
    return "+OK\n"


def _hold(core: Core, argument: str) -> str:
    words = argument.split()
    if not words:
        return _usage("uuid_hold") + "-ERR Operation failed\n"
    off = words[0] == "off"
    leg = core.legs.get(words[1] if off and len(words) > 1 else words[0])
    if leg is None or not leg.is_up:
        return "-ERR Operation failed\n"
    if off:
        leg.hold_accum_us += core.stamp() - leg.last_hold_us if leg.call_state == "HELD" else 0
        leg.call_state = "UNHELD"
        core.fire("CHANNEL_UNHOLD", leg)
        leg.call_state = "ACTIVE"
    else:
        leg.last_hold_us = core.stamp()
        leg.call_state = "HELD"
        leg.step("held")
        core.fire("CHANNEL_HOLD", leg)
    return "+OK Success\n"


def _record(core: Core, argument: str) -> str:
    words = argument.split()
    if len(words) < 3:
        return _usage("uuid_record")
    leg = core.legs.get(words[0])
    if leg is None:
        return "-ERR Cannot locate session!\n"
    if words[1] == "start":
        leg.set_variable(core.config.names.recording, words[2])
    return "+OK Success\n"


LEG_COMMANDS: Final[Mapping[str, Callable[[Core, str], str]]] = {
    "uuid_broadcast": _broadcast,
    "uuid_dump": _dump,
    "uuid_exists": _exists,
    "uuid_getvar": _getvar,
    "uuid_hold": _hold,
    "uuid_kill": _kill,
    "uuid_record": _record,
    "uuid_setvar": _setvar,
    "uuid_setvar_multi": _setvar_multi,
    "uuid_transfer": _transfer,
}
