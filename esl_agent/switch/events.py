"""Events of the switch: decoded from JSON just as far as we read them, then told in our words.

The Event Socket writes an event as one flat JSON object (switch_event.c,
`switch_event_serialize_json_obj`), 5 to 13 KB of which we read some thirty
values.  Values are text; a value that began with `ARRAY::` is an array, and a
phone can bring that about with its display name.  FreeSWITCH escapes control
characters but copies any other byte, so a caller's Latin-1 name makes JSON
that is not UTF-8.

Who pays is read from the channel variables that our dialplan sets, by their
exact names.  A phone can put text into values; it can't make a header of those
names, since every name that it brings is prefixed (`variable_sip_h_…`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Annotated, Final, cast
from urllib.parse import unquote

import msgspec
from msgspec import field

from esl_agent.errors import EslAgentError

Value = str | list[str]
Whole = Annotated[int, msgspec.Meta(ge=0, le=2**62)]

#: What the agent subscribes to; other names are skipped undecoded.
EVENT_NAMES: Final = (
    "CHANNEL_CREATE",
    "CHANNEL_ANSWER",
    "CHANNEL_HANGUP_COMPLETE",
    "HEARTBEAT",
)

_NAME_FIRST: Final = re.compile(rb'\{"Event-Name":"([A-Z_]{1,64})"')
#: In a value it can't stand: its quotes would be escaped there.
_SUBCLASS: Final = re.compile(rb'"Event-Subclass":"([A-Za-z_:]{1,64})"')
_UNDEFINED: Final = "_undef_"  # how a plain header says that it is empty
_NAMES_MAX: Final = 64  # decoders and types that are kept, by the names of variables


class EventError(EslAgentError):
    """An event that can't be read: not JSON, not an object, or without what its kind must have."""


@dataclass(frozen=True, slots=True)
class VariableNames:
    """Names of the channel variables by which our dialplan says who pays for a leg and how."""

    account: str = "esl_account"
    product: str = "esl_product"
    number: str = "esl_number"
    carrier: str = "esl_carrier"
    forwarded_from: str = "esl_forwarded_from"
    recording: str = "esl_recording"

    def items(self) -> Iterator[tuple[str, str]]:
        """Each field of SwitchEvent that a variable fills, with the variable's name."""
        return ((each.name, getattr(self, each.name)) for each in fields(self))


DEFAULT_NAMES: Final = VariableNames()


class SwitchEvent(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What we read of every event, of a `uuid_dump … json` and of a channel's headers; "" or 0 where absent.

    Times are microseconds since 1970 on the switch's clock, 0 for "has not happened".
    `sequence` counts every event that the core makes, subscribed to or not.
    (A field costs a tenth of a microsecond an event, there or not: what only
    one kind of event has, stands in a type of its own.)
    """

    name: str = field(name="Event-Name")
    timestamp_us: Whole = field(default=0, name="Event-Date-Timestamp")
    sequence: Whole = field(default=0, name="Event-Sequence")

    channel_name: Value = field(default="", name="Channel-Name")
    made_by: Value = field(default="", name="Caller-Source")
    unique_id: str = field(default="", name="Unique-ID")
    direction: str = field(default="", name="Call-Direction")
    caller_number: Value = field(default="", name="Caller-Caller-ID-Number")
    destination: Value = field(default="", name="Caller-Destination-Number")
    created_us: Whole = field(default=0, name="Caller-Channel-Created-Time")
    answered_us: Whole = field(default=0, name="Caller-Channel-Answered-Time")
    other_leg_uuid: str = field(default="", name="Other-Leg-Unique-ID")
    authorized: Value = field(default="", name="variable_sip_authorized")

    # What our dialplan sets, under the names of VariableNames.
    account: Value = ""
    product: Value = ""
    number: Value = ""
    carrier: Value = ""
    forwarded_from: Value = ""


class ChannelAnswer(SwitchEvent, frozen=True, gc=False, kw_only=True):
    """A leg was answered; `recorded_for` is the department because of which it is to be recorded now."""

    recorded_for: Value = field(default="", name="variable_esl_recorded_for")


class RecordingEvent(SwitchEvent, frozen=True, gc=False, kw_only=True):
    """A recording of a leg began, or stopped (switch_ivr_async.c, `record_callback`).

    All but the file's path and its length is what recorded.xml of our dialplan set on the leg.
    """

    path: Value = field(default="", name="Record-File-Path")
    recorded_for: Value = field(default="", name="variable_esl_recorded_for")
    recorded_account: Value = field(default="", name="variable_esl_recorded_account")
    recorded_tell: Value = field(default="", name="variable_esl_recorded_tell")
    caller_leg: Value = field(default="", name="variable_esl_recorded_caller")
    told_us: Value = field(default="", name="variable_esl_recorded_told")
    length_ms: Value = field(default="", name="variable_record_ms")


class HangupComplete(SwitchEvent, frozen=True, gc=False, kw_only=True):
    """The last that is told of a leg, with its end and all that was counted."""

    hangup_us: Whole = field(default=0, name="Caller-Channel-Hangup-Time")
    hangup_cause: str = field(default="", name="Hangup-Cause")
    recording: Value = ""
    recorded_for: Value = field(default="", name="variable_esl_recorded_for")
    recorded_told: Value = field(default="", name="variable_esl_recorded_told")
    recording_at: Value = field(default="", name="variable_esl_recording_at")
    recording_until: Value = field(default="", name="variable_esl_recording_until")
    hangup_disposition: Value = field(default="", name="variable_sip_hangup_disposition")
    protocol_cause: Value = field(default="", name="variable_proto_specific_hangup_cause")
    invite_failure: Value = field(default="", name="variable_sip_invite_failure_status")
    media_packets: Value = field(default="", name="variable_rtp_audio_in_media_packet_count")
    mos: Value = field(default="", name="variable_rtp_audio_in_mos")
    loss_rate: Value = field(default="", name="variable_rtp_audio_in_jitter_loss_rate")
    jitter_variance: Value = field(default="", name="variable_rtp_audio_in_jitter_max_variance")


class ChannelData(SwitchEvent, frozen=True, gc=False, kw_only=True):
    """The answer to `uuid_dump … json`: a leg as it is now; its states are the channel's and the call's."""

    state: str = field(default="", name="Channel-State")
    call_state: str = field(default="", name="Channel-Call-State")


class BackgroundJob(SwitchEvent, frozen=True, gc=False, kw_only=True):
    """The answer to a `bgapi`."""

    job_uuid: str = field(default="", name="Job-UUID")
    body: str = field(default="", name="_body")


class TwinWord(SwitchEvent, frozen=True, gc=False, kw_only=True):
    """What a daemon had the switch tell all others; see `TWIN_ACTIVE` and `TWIN_GONE`."""

    subclass: str = field(default="", name="Event-Subclass")
    switch: str = field(default="", name="Esl-Agent-Switch")
    holder: str = field(default="", name="Esl-Agent-Holder")
    epoch: Whole = field(default=0, name="Esl-Agent-Epoch")
    lease_us: Whole = field(default=0, name="Esl-Agent-Lease-Us")
    sent_us: Whole = field(default=0, name="Esl-Agent-Sent-Us")  # by the sender's own steady clock


class RegisterAttempt(SwitchEvent, frozen=True, gc=False, kw_only=True):
    """A phone gave a password, to register or to call (sofia_reg.c, `sofia_reg_handle_register_token`).

    Names are what the phone sent, `address` is where its packet came from.  `result` is SUCCESS,
    RENEWED, STALE (to be tried again with a new nonce) or FORBIDDEN.  A phone that names another user
    than it registers never gets as far as to be looked up: `username` is `unknown` then, and the
    one that it would have registered is `to_user`.
    """

    username: Value = ""
    realm: Value = ""
    to_user: Value = field(default="", name="from-user")  # sic
    to_domain: Value = field(default="", name="from-host")
    address: Value = field(default="", name="network-ip")
    result: Value = field(default="", name="auth-result")


class Heartbeat(SwitchEvent, frozen=True, gc=False, kw_only=True):
    """Every 20 s: that the switch is alive, which run of it this is, and how many legs are up on it."""

    core_uuid: str = field(default="", name="Core-UUID")
    session_count: Whole = field(default=0, name="Session-Count")


_KINDS: Final[Mapping[str, type[SwitchEvent]]] = {
    "CHANNEL_ANSWER": ChannelAnswer,
    "RECORD_START": RecordingEvent,
    "RECORD_STOP": RecordingEvent,
    "CHANNEL_HANGUP_COMPLETE": HangupComplete,
    "CHANNEL_DATA": ChannelData,
    "BACKGROUND_JOB": BackgroundJob,
    "HEARTBEAT": Heartbeat,
}

#: Subclasses of CUSTOM: a daemon says that it has its switch's lease, and that it acts no more.
TWIN_ACTIVE: Final = "esl_agent::active"
TWIN_GONE: Final = "esl_agent::gone"
#: … and mod_sofia, that a phone gave a password.
REGISTER_ATTEMPT: Final = "sofia::register_attempt"

_CUSTOM: Final = "CUSTOM"
_SUBCLASSES: Final[Mapping[str, type[SwitchEvent]]] = {
    TWIN_ACTIVE: TwinWord,
    TWIN_GONE: TwinWord,
    REGISTER_ATTEMPT: RegisterAttempt,
}


def peek_name(body: bytes | memoryview) -> str | None:
    """The event's name without decoding it; None if it is not the first key, where the switch puts it."""
    match = _NAME_FIRST.match(body)
    return match[1].decode() if match else None


def decode_event(body: bytes, names: VariableNames = DEFAULT_NAMES) -> SwitchEvent:
    """The event in the body of a `text/event-json` frame (or the answer to `uuid_dump … json`).

    Raises EventError for anything else.
    """
    return decoder_of(names).decode(body, peek_name(body))


_Decode = Callable[[bytes | memoryview], SwitchEvent]


class EventDecoder:
    """`decode_event` for a stream of events, with what can be made beforehand made."""

    def __init__(self, names: VariableNames) -> None:
        self._kinds = {name: _json_decode(kind, names) for name, kind in _KINDS.items()}
        self._kinds[_CUSTOM] = self._decode_custom
        self._subclasses = {name: _json_decode(kind, names) for name, kind in _SUBCLASSES.items()}
        self._other = _json_decode(SwitchEvent, names)

    def decode(self, body: bytes | memoryview, name: str | None) -> SwitchEvent:
        """`name` is what `peek_name` says; raises EventError."""
        decode = self._other if name is None else self._kinds.get(name, self._other)
        try:
            event = decode(body)
            if name is None and event.name in self._kinds:
                event = self._kinds[event.name](body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            mended = as_utf_8(body)
            if mended != body:
                return self.decode(mended, name)
            raise EventError(f"an event can't be read: {error}") from None
        return event

    def _decode_custom(self, body: bytes | memoryview) -> SwitchEvent:
        subclass = _SUBCLASS.search(body)
        return self._subclasses.get(subclass[1].decode() if subclass else "", self._other)(body)


def as_utf_8(text: bytes | memoryview) -> bytes:
    """The same where it is UTF-8; what is not, as a name in Latin-1, is marked as damaged."""
    return bytes(text).decode("utf-8", "replace").encode()


def event_of_headers(headers: Mapping[str, str], names: VariableNames = DEFAULT_NAMES) -> SwitchEvent:
    """As `decode_event`, from headers as sent, such as the answer to `connect`.

    Each value is URL-decoded on its own, after the headers were told apart: a
    newline that a caller put into a value stays in it.  Raises EventError.
    """
    kind = _kind_with(_KINDS.get(headers.get("Event-Name", ""), SwitchEvent), names)
    wanted = {name: headers[name] for name in kind.__struct_encode_fields__ if name in headers}
    values = {name: "" if value == _UNDEFINED else unquote(value) for name, value in wanted.items()}
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise EventError(f"a channel's headers can't be read: {error}") from None


def text_of(value: Value) -> str:
    """A value as the channel variable it was: an array in the switch's own notation."""
    return value if isinstance(value, str) else "ARRAY::" + "|:".join(value)


@lru_cache(_NAMES_MAX)
def decoder_of(names: VariableNames) -> EventDecoder:
    """The decoder for those names; made once, for a connection is made for each call."""
    return EventDecoder(names)


@lru_cache(_NAMES_MAX)
def _kind_with(kind: type[SwitchEvent], names: VariableNames) -> type[SwitchEvent]:
    """The type with the names of our variables put in; it is never decoded into without."""
    renamed = [
        (each, Value, field(default="", name=f"variable_{variable}"))
        for each, variable in names.items()
        if each in kind.__struct_fields__
    ]
    made = msgspec.defstruct(kind.__name__, renamed, bases=(kind,), frozen=True, gc=False, kw_only=True)
    return cast("type[SwitchEvent]", made)


def _json_decode(kind: type[SwitchEvent], names: VariableNames) -> _Decode:
    return msgspec.json.Decoder(_kind_with(kind, names), strict=False).decode
