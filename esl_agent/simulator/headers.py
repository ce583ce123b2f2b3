"""The headers of an event that come before the channel variables, in the switch's order.

src/switch_event.c (`switch_event_prep_for_delivery`), src/switch_channel.c
(`switch_channel_event_set_basic_data`), src/switch_caller.c
(`switch_caller_profile_event_set_data`): a header is there only if there is
something to say, which is what a `Shape` tells.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from esl_agent.simulator.leg import Leg
from esl_agent.simulator.script import Field

_CODEC = tuple(
    Field(f"Channel-{way}-Codec-{name}", value)
    for way in ("Read", "Write")
    for name, value in (("Name", "PCMU"), ("Rate", "8000"), ("Bit-Rate", "64000"))
)


class Shape(NamedTuple):
    """Which of the headers that may be missing an event of a leg has."""

    is_outbound: bool
    codec: bool
    cause: bool
    callee: bool
    oli: bool
    transfer_source: bool
    rdnis: bool
    other: bool
    other_callee: bool
    other_rdnis: bool

    @classmethod
    def of(cls, leg: Leg) -> Shape:
        other = leg.other if leg.shows_other else None
        return cls(
            leg.is_outbound,
            leg.has_codec,
            bool(leg.cause),
            bool(leg.callee_number),
            bool(leg.oli),
            bool(leg.transfer_source),
            bool(leg.rdnis),
            other is not None,
            other is not None and leg.other_callee is not None,
            other is not None and bool(leg.rdnis if leg.is_outbound else other.rdnis),
        )


@cache
def channel_fields(shape: Shape) -> tuple[Field, ...]:
    """Channel-…, Caller-… and Other-Leg-… of a leg of that shape."""
    fields = [
        Field("Channel-State", "{running_state}"),
        Field("Channel-Call-State", "{call_state}"),
        Field("Channel-State-Number", "{state_number}"),
        Field("Channel-Name", "{channel}"),
        Field("Unique-ID", "{uuid}"),
        Field("Call-Direction", "{direction}"),
        Field("Presence-Call-Direction", "{direction}"),
        Field("Channel-HIT-Dialplan", "false" if shape.is_outbound else "true"),
        Field("Channel-Call-UUID", "{call_uuid}"),
        Field("Answer-State", "{answer_state}"),
    ]
    if shape.cause:
        fields.append(Field("Hangup-Cause", "{cause}"))
    if shape.codec:
        fields.extend(_CODEC)
    fields.extend(caller_fields(shape, "Caller"))
    if shape.other:
        fields.append(Field("Other-Type", "originator" if shape.is_outbound else "originatee"))
        fields.extend(_other_leg_fields(shape))
    return tuple(fields)


def caller_fields(shape: Shape, prefix: str) -> list[Field]:
    """The leg's caller profile; `prefix` is Caller, or Channel in the answer to `connect`."""
    direction = "outbound" if shape.is_outbound else "inbound"
    head = [("Direction", direction), ("Logical-Direction", direction), *_who("")]
    if shape.callee:
        head += [("Callee-ID-Name", "{callee_name}"), ("Callee-ID-Number", "{callee_number}")]
    source = "{transfer_source}" if shape.transfer_source else ""
    head += _where("", oli=shape.oli, transfer_source=source, rdnis="{rdnis}" if shape.rdnis else "")
    head += [
        ("Channel-Name", "{channel}"),
        ("Profile-Index", "{profile_index}"),
        ("Profile-Created-Time", "{profile_created}"),
        ("Channel-Created-Time", "{created}"),
        ("Channel-Answered-Time", "{answered}"),
        ("Channel-Progress-Time", "{progress}"),
        ("Channel-Progress-Media-Time", "{progress_media}"),
        ("Channel-Hangup-Time", "{hangup}"),
        ("Channel-Transfer-Time", "0"),
        ("Channel-Resurrect-Time", "0"),
        ("Channel-Bridged-Time", "{bridged}"),
        ("Channel-Last-Hold", "{last_hold}"),
        ("Channel-Hold-Accum", "{hold_accum}"),
    ]
    return [Field(f"{prefix}-{name}", value) for name, value in head + _PRIVACY]


def _other_leg_fields(shape: Shape) -> list[Field]:
    """The partner's profile, as it was copied when the leg was made: later times aren't in the copy.

    An outbound leg's copy of its originator starts with no times at all and is
    told of progress only; the caller's copy of the leg it got has that leg's.
    """
    direction = "inbound" if shape.is_outbound else "outbound"
    head = [("Direction", direction), ("Logical-Direction", "inbound"), *_who("other_")]
    if shape.other_callee:
        head += [("Callee-ID-Name", "{shown_callee_name}"), ("Callee-ID-Number", "{shown_callee_number}")]
    rdnis = "{rdnis}" if shape.is_outbound else "{other_rdnis}"  # copied from the caller when it was made
    head += _where("other_", oli=shape.oli, rdnis=rdnis if shape.other_rdnis else "")
    head.append(("Channel-Name", "{other_channel}"))
    if shape.is_outbound:
        created = answered = "0"
        progress, media = "{progress}", "{progress_media}"
    else:
        created, answered = "{other_created}", "{other_answered}"
        progress, media = "{other_progress}", "{other_progress_media}"
    head += [
        ("Profile-Created-Time", created),
        ("Channel-Created-Time", created),
        ("Channel-Answered-Time", answered),
        ("Channel-Progress-Time", progress),
        ("Channel-Progress-Media-Time", media),
        ("Channel-Hangup-Time", "0"),
        ("Channel-Transfer-Time", "0"),
        ("Channel-Resurrect-Time", "0"),
        ("Channel-Bridged-Time", "0"),
        ("Channel-Last-Hold", "0"),
        ("Channel-Hold-Accum", "0"),
    ]
    return [Field(f"Other-Leg-{name}", value) for name, value in head + _PRIVACY]


_PRIVACY = [("Screen-Bit", "true"), ("Privacy-Hide-Name", "false"), ("Privacy-Hide-Number", "false")]


def _who(of: str) -> list[tuple[str, str]]:
    number, name = f"{{{of}number}}", f"{{{of}name}}"
    return [
        ("Username", number),
        ("Dialplan", "XML"),
        ("Caller-ID-Name", name),
        ("Caller-ID-Number", number),
        ("Orig-Caller-ID-Name", name),
        ("Orig-Caller-ID-Number", number),
    ]


def _where(of: str, *, oli: bool, transfer_source: str = "", rdnis: str = "") -> list[tuple[str, str]]:
    headers = [
        ("Network-Addr", "127.0.0.1"),
        ("ANI", f"{{{of}number}}"),
        ("ANI-II", f"{{{of}oli}}" if oli else ""),
        ("Destination-Number", f"{{{of}destination}}"),
        ("Unique-ID", f"{{{of}uuid}}"),
        ("Source", "mod_sofia"),
        ("Transfer-Source", transfer_source),
        ("Context", f"{{{of}context}}"),
        ("RDNIS", rdnis),
    ]
    return [header for header in headers if header[1]]
