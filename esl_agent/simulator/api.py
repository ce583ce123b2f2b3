"""The API commands that the simulated switch answers, in FreeSWITCH's own words.

Replies are those of mod_commands.c and mod_sofia.c, to the byte where a client
may look at them.  A command is a function of the core and its argument.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from esl_agent.simulator import causes
from esl_agent.simulator.api_leg import LEG_COMMANDS
from esl_agent.simulator.channels import show
from esl_agent.simulator.script import Field

if TYPE_CHECKING:
    from esl_agent.simulator.core import Core

_MODULES: Final = frozenset(
    (
        "mod_commands",
        "mod_dialplan_xml",
        "mod_dptools",
        "mod_event_socket",
        "mod_json_cdr",
        "mod_python3",
        "mod_sofia",
    )
)
_SCHED_SYNTAX: Final = "[+@]<time> <group_name> <command_string>[&]"
_SCHED_HANGUP_SYNTAX: Final = "[+]<time> <uuid> [<cause>]"
_UNITS: Final = (("year", 31_536_000), ("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))
_UPTIME_SYNTAX: Final = "[us|ms|s|m|h|d|microseconds|milliseconds|seconds|minutes|hours|days]"
_SCALES: Final = {
    "us": 1, "ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000,
    "microseconds": 1, "milliseconds": 1_000, "seconds": 1_000_000, "minutes": 60_000_000,
    "hours": 3_600_000_000, "days": 86_400_000_000,
}  # fmt: skip
#: What is printed has 32 bits: microseconds begin anew every 71 minutes.
_UNSIGNED: Final = 2**32
_SESSIONS_MAX: Final = 1_000_000
_SPS_MAX: Final = 10_000


def run(core: Core, command: str, argument: str) -> str:
    """What `command` prints; "" where it prints nothing."""
    known = COMMANDS.get(command.lower())
    if known is None:
        return f"-ERR {command} Command not found!\n"
    return known(core, argument)


def heartbeat_fields(core: Core) -> list[Field]:
    """What a HEARTBEAT says of the switch (switch_core.c, `send_heartbeat`)."""
    return [
        Field("Event-Info", "System Ready"),
        Field("Up-Time", _up_time(core)),
        Field("FreeSWITCH-Version", f"{core.config.version}-release~64bit"),
        Field("Uptime-msec", str((core.now_us - core.started_us) // 1000)),
        Field("Session-Count", str(len(core.legs))),
        Field("Max-Sessions", str(_SESSIONS_MAX)),
        Field("Session-Per-Sec", str(_SPS_MAX)),
        Field("Session-Per-Sec-Last", "0"),
        Field("Session-Per-Sec-Max", "0"),
        Field("Session-Per-Sec-FiveMin", "0"),
        Field("Session-Since-Startup", str(core.sessions)),
        Field("Session-Peak-Max", str(core.sessions_peak)),
        Field("Session-Peak-FiveMin", str(core.sessions_peak)),
        Field("Idle-CPU", "98.000000"),
    ]


def _up_time(core: Core) -> str:
    rest_us = core.now_us - core.started_us
    parts = []
    for unit, unit_s in _UNITS:
        number, rest_us = divmod(rest_us, unit_s * 1_000_000)
        parts.append(_plural(number, unit))
    parts += [_plural(rest_us // 1000, "millisecond"), _plural(rest_us % 1000, "microsecond")]
    return ", ".join(parts)


def _uptime(core: Core, argument: str) -> str:
    scale = _SCALES.get(argument.lower() or "s")
    if scale is None:
        return f"-USAGE: {_UPTIME_SYNTAX}\n"
    return f"{(core.now_us - core.started_us) // scale % _UNSIGNED}\n"


def _plural(number: int, unit: str) -> str:
    return f"{number} {unit}{'' if number == 1 else 's'}"


def _status(core: Core, argument: str) -> str:
    version = f"{core.config.version}-release 64bit"
    return (
        f"UP {_up_time(core)}\n"
        f"FreeSWITCH (Version {version}) is ready\n"
        f"{core.sessions} session(s) since startup\n"
        f"{len(core.legs)} session(s) - peak {core.sessions_peak}, last 5min {core.sessions_peak} \n"
        f"0 session(s) per Sec out of max {_SPS_MAX}, peak 0, last 5min 0 \n"
        f"{_SESSIONS_MAX} session(s) max\n"
        "min idle cpu 0.00/98.00\n"
        "Current Stack Size/Max 240K/8192K\n"
    )


def _version(core: Core, argument: str) -> str:
    version = core.config.version
    if "short" in argument.split(" ")[0].lower():
        return f"{version}\n"
    return f"FreeSWITCH Version {version}-release~64bit (-release 64bit)\n"


def _module_exists(core: Core, argument: str) -> str:
    if not argument:
        return ""
    return "true" if argument in _MODULES else "false"


def _global_getvar(core: Core, argument: str) -> str:
    variables = {
        "hostname": core.config.hostname,
        "core_uuid": core.identity.core_uuid,
        "local_ip_v4": core.identity.ipv4,
        "local_ip_v6": core.identity.ipv6,
        "switchname": core.config.hostname,
        **core.globals,
    }
    if not argument:
        return "".join(f"{name}={value}\n" for name, value in variables.items())
    return variables.get(argument, "")


def _global_setvar(core: Core, argument: str) -> str:
    name, _, value = argument.partition("=")
    if not name:
        return "-USAGE: <var>=<value> [=<value2>]\n"
    core.globals[name] = value
    return "+OK"


def _sofia(core: Core, argument: str) -> str:
    if argument.strip() != "status":
        return "-ERR Unknown command!\n"
    line = "=" * 97
    title = f"{'Name':>25}\t{'   Type':>7}\t{'Data':>39}\tState\n"
    host = core.config.host
    rows = [
        f"{'customer':>25}\t{'profile':>7}\t{f'sip:mod_sofia@{host}:5060':>39}\tRUNNING (0)\n",
        f"{'carrier':>25}\t{'profile':>7}\t{f'sip:mod_sofia@{host}:5080':>39}\tRUNNING (0)\n",
    ]
    return f"{title}{line}\n{''.join(rows)}{line}\n2 profiles 0 aliases\n"


def _sched_api(core: Core, argument: str) -> str:
    when, _, rest = argument.partition(" ")
    group, _, command = rest.partition(" ")
    if not command:
        return f"-ERR Invalid syntax. USAGE: {_SCHED_SYNTAX}\n"
    now_s = core.stamp() // 1_000_000
    name, _, command_argument = command.removesuffix("&").partition(" ")

    def do() -> None:
        core.api(name, command_argument)
        if when.startswith("@"):  # `recur` of sch_api_callback: the task sets its own next time
            core.schedule(core.stamp() // 1_000_000 + _number(when[1:]), group, do)

    runtime_s = now_s + _number(when[1:]) if when[:1] in ("+", "@") else _number(when)
    return f"+OK Added: {core.schedule(runtime_s, group, do)}\n"


def _sched_del(core: Core, argument: str) -> str:
    if not argument:
        return "-ERR Invalid syntax\n"
    if argument.isdecimal():
        deleted = core.scheduler.delete_id(int(argument))
    else:
        deleted = core.scheduler.delete_group(argument)
    return f"+OK Deleted: {deleted}\n"


def _sched_hangup(core: Core, argument: str) -> str:
    words = argument.split()
    if not words:
        return f"-USAGE: {_SCHED_HANGUP_SYNTAX}\n"
    when = words[0]
    leg_uuid = words[1] if len(words) > 1 else ""
    cause = causes.cause_named(words[2]) if len(words) > 2 else causes.ALLOTTED_TIMEOUT
    if leg_uuid not in core.legs:
        return "-ERR No such channel!\n"
    if _number(when[1:]) == 0:  # so `10` without a plus, whose first digit is skipped, is no time at all
        core.api("uuid_kill", f"{leg_uuid} {cause}")
        return "+OK\n"
    now_s = core.stamp() // 1_000_000
    runtime_s = now_s + _number(when[1:]) if when.startswith("+") else _number(when)
    core.schedule(runtime_s, leg_uuid, lambda: core.api("uuid_kill", f"{leg_uuid} {cause}"))
    return "+OK\n"


def _hupall(core: Core, argument: str) -> str:
    cause = causes.cause_named(argument.split(" ")[0]) if argument else "MANAGER_REQUEST"
    for call in list(core.calls.values()):
        call.hang_up(call.caller, cause, "switch")
    return f"+OK hangup all channels with cause {cause}\n"


def _number(text: str) -> int:
    """As C's atol: the digits at the start, else 0."""
    sign, digits = (-1, text[1:]) if text[:1] == "-" else (1, text.removeprefix("+"))
    digits = digits[: len(digits) - len(digits.lstrip("0123456789"))]
    return sign * int(digits) if digits else 0


COMMANDS: Final[Mapping[str, Callable[[Core, str], str]]] = {
    **LEG_COMMANDS,
    "create_uuid": lambda core, argument: str(uuid.uuid4()),
    "echo": lambda core, argument: argument,
    "global_getvar": _global_getvar,
    "global_setvar": _global_setvar,
    "hostname": lambda core, argument: core.config.hostname,
    "hupall": _hupall,
    "module_exists": _module_exists,
    "reloadacl": lambda core, argument: "+OK acl reloaded\n",
    "reloadxml": lambda core, argument: "+OK [Success]\n",
    "sched_api": _sched_api,
    "sched_del": _sched_del,
    "sched_hangup": _sched_hangup,
    "show": show,
    "sofia": _sofia,
    "status": _status,
    "strepoch": lambda core, argument: str(core.stamp() // 1_000_000),
    "uptime": _uptime,
    "version": _version,
}
