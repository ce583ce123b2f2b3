"""What fills the {slots} of the script and of the channel headers: a table of how to read each off a leg.

Numbers and texts are given as they are; whoever fills a template encodes the
texts.  Names and numbers of the SIP dialogue are made up from the leg's own
UUID and session number, so that they differ between legs and stay on one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Final

from esl_agent.simulator import causes
from esl_agent.simulator.clock import local_date
from esl_agent.simulator.leg import Leg

Getter = Callable[[Leg], "str | int"]
GetMany = Callable[[Leg], list[str]]

_SIP_PORTS: Final = {"customer": 5060}
_CARRIER_SIP_PORT: Final = 5080
_FRAME_US: Final = 20_000
_FRAME_BYTES: Final = 172  # 20 ms of G.711 and an RTP header


def _partner(leg: Leg) -> Leg:
    """The other leg; a leg without one shows itself, where the script asks for it at all."""
    return leg.other or leg


def _host(leg: Leg) -> str:
    return leg.address.partition("@")[2].partition(":")[0] or "127.0.0.1"


def _port(leg: Leg) -> str:
    return leg.address.partition("@")[2].partition(":")[2] or "5060"


def _media_port(leg: Leg) -> int:
    return 16_384 + leg.session_id * 2 % 16_384


def _far_media_port(leg: Leg) -> int:
    return 20_000 + leg.session_id * 2 % 10_000


def _sip_call_id(leg: Leg) -> str:
    return leg.uuid[::-1] if leg.is_outbound else f"1-{leg.session_id}@127.0.0.1"


def call_uuid(leg: Leg) -> str:
    """The call that a leg counts to: the caller's leg, till the bridge is over."""
    return leg.call.caller.uuid if leg.is_outbound and not leg.is_alone else leg.uuid


def _tag(leg: Leg) -> str:
    return leg.uuid.replace("-", "")[:13]


#: As Caller-… of a leg's own events and Other-Leg-… of its partner's: the leg's attributes.
_PROFILE: Final[Mapping[str, str]] = {
    "uuid": "uuid",
    "number": "caller_number",
    "name": "caller_name",
    "callee_name": "callee_name",
    "callee_number": "callee_number",
    "destination": "destination",
    "oli": "oli",
    "context": "context",
    "rdnis": "rdnis",
    "transfer_source": "transfer_source",
    "channel": "channel_name",
    "profile_created": "profile_created_us",
    "created": "created_us",
    "answered": "answered_us",
    "progress": "progress_us",
    "progress_media": "early_us",
}

_CHANNEL: Final[Mapping[str, Getter]] = {
    "running_state": attrgetter("running.label"),
    "state_number": attrgetter("state.number"),
    "call_state": attrgetter("call_state"),
    "answer_state": attrgetter("answer_state"),
    "direction": lambda leg: "outbound" if leg.is_outbound else "inbound",
    "call_uuid": call_uuid,
    "cause": attrgetter("cause"),
    "q850": lambda leg: causes.q850(leg.cause),
    "peer_cause": attrgetter("peer_cause"),
    "lost_cause": attrgetter("lost_cause"),
    "told_name": lambda leg: leg.told[0],
    "told_number": lambda leg: leg.told[1],
    "bridged_to_uuid": lambda leg: (leg.bridged_to or leg).uuid,
    "bridged_to_channel": lambda leg: (leg.bridged_to or leg).channel_name,
    "shown_callee_name": lambda leg: leg.other_callee[0] if leg.other_callee else "",
    "shown_callee_number": lambda leg: leg.other_callee[1] if leg.other_callee else "",
    "disposition": attrgetter("disposition"),
    "profile_index": attrgetter("profile_index"),
    "hangup": attrgetter("hangup_us"),
    "bridged": attrgetter("bridged_us"),
    "last_hold": attrgetter("last_hold_us"),
    "hold_accum": attrgetter("hold_accum_us"),
    "application": attrgetter("application"),
    "application_data": attrgetter("application_data"),
}

_SIP: Final[Mapping[str, Getter]] = {
    "session_id": attrgetter("session_id"),
    "profile": attrgetter("profile"),
    "sip_port": lambda leg: _SIP_PORTS.get(leg.profile, _CARRIER_SIP_PORT),
    "first_destination": attrgetter("first_destination"),
    "address": attrgetter("address"),
    "address_host": _host,
    "address_port": _port,
    "near_tag": _tag,
    "far_tag": lambda leg: f"{leg.session_id}SIPp1",
    "sip_call_id": _sip_call_id,
    "cseq": lambda leg: 123_000_000 + leg.session_id,
    "ssrc": lambda leg: 2_800_000_000 + leg.session_id,
    "media_port": _media_port,
    "remote_media_port": _far_media_port,
    "uri_params": lambda leg: f";isup-oli={leg.oli}" if leg.oli else "",
    "other_remote_media_port": lambda leg: _far_media_port(_partner(leg)),
    "sdp_session": lambda leg: leg.created_us // 1_000_000,
    "sdp_version": lambda leg: leg.created_us // 1_000_000 + 1,
    "max_forwards": attrgetter("max_forwards"),
    "sip_status": attrgetter("sip_status"),
    "sip_phrase": lambda leg: causes.phrase_of_sip(leg.sip_status),
    "lost_sip_status": attrgetter("lost_sip_status"),
    "lost_sip_phrase": lambda leg: causes.phrase_of_sip(leg.lost_sip_status),
    "redirect": attrgetter("redirected_to"),
}

_QUALITY: Final[Mapping[str, Getter]] = {
    "audio_packets": lambda leg: _packets(leg) if leg.call.plan.audio else 0,
    "audio_bytes": lambda leg: _packets(leg) * _FRAME_BYTES if leg.call.plan.audio else 0,
    "skipped_packets": lambda leg: 0 if leg.call.plan.audio else _packets(leg),
    "jitter_min": lambda leg: "0.00",
    "jitter_max": attrgetter("call.plan.jitter_ms"),
    "packet_loss": attrgetter("call.plan.packet_loss"),
    "quality": lambda leg: "100.00",
    "mos": attrgetter("call.plan.mos"),
}


def _packets(leg: Leg) -> int:
    return (leg.hangup_us - leg.answered_us) // _FRAME_US


#: Moments, each also as `…_epoch` (seconds) and `…_stamp` (a date).
_MOMENTS: Final[Mapping[str, Callable[[Leg], int]]] = {
    "created": attrgetter("created_us"),
    "profile_created": attrgetter("profile_created_us"),
    "answered": attrgetter("answered_us"),
    "bridged": attrgetter("bridged_us"),
    "progress": attrgetter("progress_us"),
    "progress_media": attrgetter("early_us"),
    "hangup": attrgetter("hangup_us"),
    "last_hold": attrgetter("last_hold_us"),
}

#: Spans from one moment to another, each in s, ms and µs; 0 where the third has not happened.
#: Seconds are the difference of whole seconds, as in `switch_channel_set_timestamps`: off by up to one.
_SPANS: Final = {
    "duration": ("created", "hangup", "hangup"),
    "flow": ("created", "hangup", "answered"),
    "bill": ("answered", "hangup", "answered"),
    "answer": ("created", "answered", "answered"),
    "wait": ("created", "bridged", "bridged"),
    "ring": ("created", "progress", "progress"),
    "early": ("created", "progress_media", "progress_media"),
}


def _span(
    begin: Callable[[Leg], int], end: Callable[[Leg], int], if_: Callable[[Leg], int], unit: int
) -> Getter:
    return lambda leg: end(leg) // unit - begin(leg) // unit if if_(leg) else 0


def _epoch(moment: Callable[[Leg], int]) -> Getter:
    return lambda leg: moment(leg) // 1_000_000


def _stamp(moment: Callable[[Leg], int]) -> Getter:
    return lambda leg: local_date(moment(leg) // 1_000_000)


def _times() -> dict[str, Getter]:
    getters: dict[str, Getter] = {}
    for name, moment in _MOMENTS.items():
        getters[f"{name}_epoch"] = _epoch(moment)
        getters[f"{name}_stamp"] = _stamp(moment)
    for name, (begin, end, if_) in _SPANS.items():
        for unit, divisor in (("s", 1_000_000), ("ms", 1000), ("us", 1)):
            getters[f"{name}_{unit}"] = _span(_MOMENTS[begin], _MOMENTS[end], _MOMENTS[if_], divisor)
    getters["hold_accum_s"] = lambda leg: leg.hold_accum_us // 1_000_000
    getters["hold_accum_ms"] = lambda leg: leg.hold_accum_us // 1000
    return getters


SLOTS: Final[Mapping[str, Getter]] = {
    **{name: attrgetter(attribute) for name, attribute in _PROFILE.items()},
    **{f"other_{name}": attrgetter(f"other.{attribute}") for name, attribute in _PROFILE.items()},
    **_CHANNEL,
    **_SIP,
    **_QUALITY,
    **_times(),
}

#: Slots with text that a phone, a dialplan or a client may have had a hand in, or that a format encodes.
ENCODED: Final = frozenset(
    name
    for name in SLOTS
    if name.endswith("_stamp")
    or name.removeprefix("other_")
    in {
        *(
            "uuid",
            "call_uuid",
            "bridged_to_uuid",
            "number",
            "name",
            "callee_name",
            "callee_number",
            "shown_callee_name",
            "shown_callee_number",
        ),
        *("destination", "first_destination", "oli", "context", "rdnis", "transfer_source", "redirect"),
        *("address", "address_host", "address_port", "sip_call_id", "uri_params", "profile"),
        *("channel", "bridged_to_channel", "told_name", "told_number", "sip_phrase", "lost_sip_phrase"),
        *("application", "application_data", "mos", "packet_loss", "jitter_max"),
    }
)

#: Slots that may hold several values.
LISTS: Final[Mapping[str, GetMany]] = {
    "originated_legs": lambda leg: [f"{uuid};Outbound Call;{number}" for uuid, number in leg.legs_tried],
    "originate_causes": lambda leg: [f"{uuid};{cause}" for uuid, cause in leg.causes_had],
}
