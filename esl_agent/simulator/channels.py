"""`show channels` and `show calls count`, from what the core holds (mod_commands.c, `show_function`)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from esl_agent.simulator.clock import local_date
from esl_agent.simulator.leg import Leg
from esl_agent.simulator.slots import call_uuid

if TYPE_CHECKING:
    from esl_agent.simulator.core import Core

_SYNTAX: Final = (
    "codec|endpoint|application|api|dialplan|file|timer|calls [count]|channels [count|like <match string>]"
    "|calls|detailed_calls|bridged_calls|detailed_bridged_calls|aliases|complete|chat|management|modules"
    "|nat_map|say|interfaces|interface_types|tasks|limits|status"
)


def show(core: Core, argument: str) -> str:
    """The table that `argument` asks for, as JSON or with commas."""
    words = argument.split()
    if not words:
        return f"-USAGE: {_SYNTAX}\n"
    as_json = words[-2:] == ["as", "json"]
    match words[0]:
        case "status":
            return core.api("status")
        case "channels" if words[1:2] == ["count"]:
            return _count(len(core.legs), as_json)
        case "calls" if words[1:2] == ["count"]:
            return _count(len(core.calls), as_json)
        case "channels":
            return _table([_row(core, leg) for leg in core.legs.values()], as_json)
        case "tasks":
            return _table(_tasks(core), as_json)
        case _:
            return f"-USAGE: {_SYNTAX}\n"


def _count(number: int, as_json: bool) -> str:
    if as_json:
        return f'{{"row_count":{number},"rows":[]}}'
    return f"\n{number} total.\n"


def _table(rows: list[dict[str, str]], as_json: bool) -> str:
    if as_json:
        if not rows:
            return '{"row_count": 0}\n'
        return json.dumps({"row_count": len(rows), "rows": rows}, separators=(",", ":"), ensure_ascii=False)
    title = ",".join(rows[0]) + "\n" if rows else ""
    lines = "".join(",".join(row.values()) + "\n" for row in rows)
    return f"{title}{lines}\n{len(rows)} total.\n"


def _row(core: Core, leg: Leg) -> dict[str, str]:
    """A row of the table `channels`, in its order of columns."""
    epoch_s = leg.created_us // 1_000_000
    codec = ("PCMU", "8000", "64000") if leg.has_codec else ("", "", "")
    executing = leg.application if leg.is_up else ""
    sent_name, sent_number = _sent(leg)
    return {
        "uuid": leg.uuid,
        "direction": "outbound" if leg.is_outbound else "inbound",
        "created": local_date(epoch_s),
        "created_epoch": str(epoch_s),
        "name": leg.channel_name,
        "state": leg.running.label,
        "cid_name": leg.caller_name,
        "cid_num": leg.caller_number,
        "ip_addr": "127.0.0.1",
        "dest": leg.destination,
        "application": executing,
        "application_data": leg.application_data if executing else "",
        "dialplan": "XML",
        "context": leg.context,
        "read_codec": codec[0],
        "read_rate": codec[1],
        "read_bit_rate": codec[2],
        "write_codec": codec[0],
        "write_rate": codec[1],
        "write_bit_rate": codec[2],
        "secure": "",
        "hostname": core.config.hostname,
        "presence_id": "",
        "presence_data": "",
        "accountcode": str(leg.variables.get("accountcode", "")),
        "callstate": leg.call_state,
        "callee_name": leg.callee_name,
        "callee_num": leg.callee_number,
        "callee_direction": "SEND" if leg.bridged_us else "",
        "call_uuid": call_uuid(leg),
        "sent_callee_name": sent_name,
        "sent_callee_num": sent_number,
        "initial_cid_name": leg.caller_name,
        "initial_cid_num": leg.caller_number,
        "initial_ip_addr": "127.0.0.1",
        "initial_dest": leg.first_destination,
        "initial_dialplan": "XML",
        "initial_context": leg.context,
    }


def _sent(leg: Leg) -> tuple[str, str]:
    """Whom the leg was told that it talks to."""
    if not leg.bridged_us:
        return "", ""
    if leg.is_outbound:
        return leg.caller_name, leg.caller_number
    return leg.callee_name, leg.callee_number


def _tasks(core: Core) -> list[dict[str, str]]:
    return [
        {
            "task_id": str(task.id),
            "task_desc": "sched_api_function",
            "task_group": task.group,
            "task_runtime": str(task.runtime_s),
            "task_sql_manager": "0",
            "hostname": core.config.hostname,
        }
        for task in core.scheduler.tasks()
    ]
