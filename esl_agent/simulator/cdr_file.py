"""CDR files as mod_json_cdr writes them: one for each leg, before CHANNEL_HANGUP_COMPLETE.

`[a_]<uuid>.cdr.json` with `log-b-leg` on and no URL; the originating leg has
the `a_` (src/mod/event_handlers/mod_json_cdr, src/switch_ivr.c
`switch_ivr_generate_json_cdr`).  Like the module, this one writes in place: a
reader may meet half a file.
"""

from __future__ import annotations

import json
from pathlib import Path

from esl_agent.simulator.events import Identity
from esl_agent.simulator.formats import CDR, json_text
from esl_agent.simulator.leg import Leg
from esl_agent.simulator.template import variables_template

_FLAGS = "0=1;1=1;22=1;39=1;40=1;42=1;45=1;50=1;55=1;107=1;113=1;114=1;123=1;160=1;165=1;166=1"
_CAPABILITIES = "1=1;2=1;3=1;4=1;5=1;6=1;8=1;9=1;10=1"


class CdrWriter:
    """Writes a file for each leg into a folder, or nothing if there is none.

    Faults may be ordered: the next files are not written, or only their first half.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.skip_next = 0
        self.truncate_next = 0
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)

    def write(self, identity: Identity, leg: Leg) -> None:
        """The file of a leg that is over; a disk that takes no more loses it, as it would the module's."""
        if self.folder is None:
            return
        if self.skip_next > 0:
            self.skip_next -= 1
            return
        data = cdr_text(identity, leg).encode("utf-8", "surrogateescape")
        if self.truncate_next > 0:
            self.truncate_next -= 1
            data = data[: len(data) // 2]
        name = f"{'' if leg.is_outbound else 'a_'}{leg.uuid}.cdr.json"
        try:
            (self.folder / name).write_bytes(data)
        except OSError:
            return


def cdr_text(identity: Identity, leg: Leg) -> str:
    """What the file of a leg holds."""
    direction = "outbound" if leg.is_outbound else "inbound"
    variables = variables_template(leg, CDR).fill(leg)[1:]
    return (
        f'{{"core-uuid":"{identity.core_uuid}","switchname":"{json_text(identity.hostname)}",'
        f'"channel_data":{{"state":"CS_REPORTING","direction":"{direction}","state_number":"11",'
        f'"flags":"{_FLAGS}","caps":"{_CAPABILITIES}"}},"callStats":{_statistics(leg)},'
        f'"variables":{{{variables}}},"callflow":[{_callflow(leg)}]}}\n'
    )


def _statistics(leg: Leg) -> str:
    if not (leg.answered_us or leg.early_us):
        return "{}"
    packets = (leg.hangup_us - leg.answered_us) // 20_000
    heard = packets if leg.call.plan.audio else 0
    inbound = {
        "raw_bytes": heard * 172,
        "media_bytes": heard * 172,
        "packet_count": heard,
        "media_packet_count": heard,
        "skip_packet_count": packets - heard,
        "jitter_loss_rate": float(leg.call.plan.packet_loss),
        "quality_percentage": 100,
        "mos": float(leg.call.plan.mos),
    }
    outbound = {"raw_bytes": heard * 172, "media_bytes": heard * 172, "packet_count": heard}
    return json.dumps({"audio": {"inbound": inbound, "outbound": outbound}}, separators=(",", ":"))


def _callflow(leg: Leg) -> str:
    profile: dict[str, object] = _profile(leg)
    if leg.other is not None and leg.shows_other:
        side = "originator" if leg.is_outbound else "originatee"
        profile[side] = {f"{side}_caller_profiles": [_profile(leg.other)]}
    times = {
        "created_time": leg.created_us,
        "profile_created_time": leg.profile_created_us,
        "progress_time": leg.progress_us,
        "progress_media_time": leg.early_us,
        "answered_time": leg.answered_us,
        "bridged_time": leg.bridged_us,
        "last_hold_time": leg.last_hold_us,
        "hold_accum_time": leg.hold_accum_us,
        "hangup_time": leg.hangup_us,
        "resurrect_time": 0,
        "transfer_time": 0,
    }
    flow = {
        "dialplan": "XML",
        "profile_index": str(leg.profile_index),
        "caller_profile": profile,
        "times": {name: str(moment_us) for name, moment_us in times.items()},
    }
    return json.dumps(flow, separators=(",", ":"), ensure_ascii=False)


def _profile(leg: Leg) -> dict[str, object]:
    return {
        "username": leg.caller_number,
        "dialplan": "XML",
        "caller_id_name": leg.caller_name,
        "ani": leg.caller_number,
        "aniii": leg.oli,
        "caller_id_number": leg.caller_number,
        "network_addr": "127.0.0.1",
        "rdnis": leg.rdnis,
        "destination_number": leg.destination,
        "uuid": leg.uuid,
        "source": "mod_sofia",
        "context": leg.context,
        "chan_name": leg.channel_name,
    }
