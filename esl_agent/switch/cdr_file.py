"""A leg and its end out of the file that mod_json_cdr wrote of it: the same facts as its last event.

The module writes `<uuid>.cdr.json`, with `a_` before it where no other leg
made this one, in one go and in place, before CHANNEL_HANGUP_COMPLETE is sent
(mod_json_cdr.c; switch_ivr.c, `switch_ivr_generate_json_cdr`): a reader may
meet a part of it.  Channel variables in it are URL-encoded unless
`encode-values` is off, the caller's profile never is; which of the two it is,
the switch's own `start_stamp` tells, for a time of day has colons.  A `%41`
that is in a value stays as it is when it is encoded, so decoding makes an A of
it: a display name may suffer by that, no number does.

The newest profile of a channel that was transferred comes first.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import unquote

import msgspec
from msgspec import field

from esl_agent.core.leg import LegEnd
from esl_agent.errors import EslAgentError
from esl_agent.switch.events import DEFAULT_NAMES, EventError, HangupComplete, VariableNames, as_utf_8
from esl_agent.switch.legs import leg_end_of

#: A file of a plain call has 10 KB; each transfer and each application adds to it.
FILE_BYTES_MAX: Final = 4 << 20
#: Names of legs are UUIDs, or what a profile with `inbound-use-callid-as-uuid` takes from a phone.
LEG_UUID_CHARACTERS_MAX: Final = 200

_NAME: Final = re.compile(r"(?:a_)?([^/\\\x00-\x1f\x7f]+)\.cdr\.json\Z")
_DECODERS_MAX: Final = 64  # that are kept, by the names of variables

#: The year 9892; no calendar here goes far beyond.
TIME_MAX_US: Final = 250_000_000_000_000_000
#: A switch whose clock was set while the leg was up knows nothing of how long it lasted.
LEG_MAX_US: Final = 366 * 86_400_000_000

Microseconds = Annotated[int, msgspec.Meta(ge=0, le=TIME_MAX_US)]


class CdrFileError(EslAgentError):
    """A file that tells of no leg that is over: not there, not whole, not JSON, too large, of another leg."""


class CdrFileUnreadable(CdrFileError):
    """The system does not let it be read: a right that lacks, or a disk that fails."""


class _OtherProfile(msgspec.Struct, frozen=True, gc=False):
    uuid: str = ""


class _Originator(msgspec.Struct, frozen=True, gc=False):
    profiles: tuple[_OtherProfile, ...] = field(default=(), name="originator_caller_profiles")


class _Originatee(msgspec.Struct, frozen=True, gc=False):
    profiles: tuple[_OtherProfile, ...] = field(default=(), name="originatee_caller_profiles")


class _Profile(msgspec.Struct, frozen=True, gc=False):
    uuid: str
    caller_id_number: str = ""
    destination_number: str = ""
    source: str = ""
    originator: _Originator = _Originator()
    originatee: _Originatee = _Originatee()


class _Times(msgspec.Struct, frozen=True, gc=False):
    created_time: Microseconds = 0
    answered_time: Microseconds = 0
    hangup_time: Microseconds = 0


class _Flow(msgspec.Struct, frozen=True, gc=False):
    caller_profile: _Profile
    times: _Times


class _ChannelData(msgspec.Struct, frozen=True, gc=False):
    direction: str = ""


class _Variables(msgspec.Struct, frozen=True, gc=False):
    """The channel variables that are read, under the field names that an event has them by."""

    uuid: str
    start_stamp: str = ""
    channel_name: str = ""
    authorized: str = field(default="", name="sip_authorized")
    hangup_cause: str = ""
    hangup_disposition: str = field(default="", name="sip_hangup_disposition")
    protocol_cause: str = field(default="", name="proto_specific_hangup_cause")
    invite_failure: str = field(default="", name="sip_invite_failure_status")
    media_packets: str = field(default="", name="rtp_audio_in_media_packet_count")
    mos: str = field(default="", name="rtp_audio_in_mos")
    loss_rate: str = field(default="", name="rtp_audio_in_jitter_loss_rate")
    jitter_variance: str = field(default="", name="rtp_audio_in_jitter_max_variance")
    recording_at: str = field(default="", name="esl_recording_at")
    recording_until: str = field(default="", name="esl_recording_until")


def file_names(leg_uuid: str) -> Iterator[str]:
    """Under which names a leg's file may be; none where no file can be named so."""
    names = (f"{leg_uuid}.cdr.json", f"a_{leg_uuid}.cdr.json")
    return (name for name in names if leg_uuid_of(name) == leg_uuid)


def leg_uuid_of(name: str) -> str | None:
    """The leg that a file of that name is of; None for a file that is no CDR file."""
    match = _NAME.fullmatch(name)
    if not match or match[1].startswith(".") or len(match[1]) > LEG_UUID_CHARACTERS_MAX:
        return None
    return match[1]


def read_cdr_file(path: Path, names: VariableNames = DEFAULT_NAMES) -> LegEnd:
    """The end of the leg that the file's name says; raises CdrFileError for anything else.

    Only a plain file is read, and no link is followed.
    """
    end = parse_cdr_file(_read(path), names)
    if leg_uuid_of(path.name) != end.leg.leg_uuid:
        raise CdrFileError(f"it is of the leg {end.leg.leg_uuid[:60]!r}, its name says another")
    return end


def parse_cdr_file(data: bytes, names: VariableNames = DEFAULT_NAMES) -> LegEnd:
    """The end that a file's bytes tell of; raises CdrFileError."""
    decoder = _decoder(names)
    try:
        try:
            file = decoder.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError):  # it may be a caller's name in Latin-1
            file = decoder.decode(as_utf_8(data))
        end = leg_end_of(_event_of(file))
    except (msgspec.MsgspecError, RecursionError) as error:
        raise CdrFileError(f"it can't be read: {error}") from None
    except EventError as error:
        raise CdrFileError(f"it tells of no leg that is over: {error}") from None
    if end.duration_us > LEG_MAX_US:
        raise CdrFileError(f"it says that the leg lasted {end.duration_us / 86_400_000_000:.0f} days")
    return end


def _event_of(file: Any) -> HangupComplete:
    """The file as the event that was sent of the same leg; `file` is of the type that `_decoder` makes."""
    if not file.callflow:
        raise EventError("it has no callflow")
    profile, times = file.callflow[0].caller_profile, file.callflow[0].times
    if profile.uuid != file.variables.uuid:
        raise EventError("its profile and its variables name two legs")
    values = msgspec.structs.asdict(file.variables)
    del values["uuid"]
    if ":" not in values.pop("start_stamp"):
        values = {name: unquote(value) for name, value in values.items()}
    return HangupComplete(
        name="CHANNEL_HANGUP_COMPLETE",
        made_by=profile.source,
        unique_id=profile.uuid,
        direction=file.channel_data.direction,
        caller_number=profile.caller_id_number,
        destination=profile.destination_number,
        created_us=times.created_time,
        answered_us=times.answered_time,
        other_leg_uuid=_other_leg(profile),
        hangup_us=times.hangup_time,
        **values,
    )


def _other_leg(profile: _Profile) -> str:
    """The leg that this one was made for, else the one that was made for it."""
    others = profile.originator.profiles or profile.originatee.profiles
    return others[0].uuid if others else ""


@lru_cache(_DECODERS_MAX)
def _decoder(names: VariableNames) -> msgspec.json.Decoder[Any]:
    """For files of a switch whose dialplan says who pays by variables of those names."""
    ours = [(each, str, field(default="", name=variable)) for each, variable in names.items()]
    variables = msgspec.defstruct("Variables", ours, bases=(_Variables,), frozen=True, gc=False, kw_only=True)
    file = msgspec.defstruct(
        "CdrFile",
        [("channel_data", _ChannelData), ("variables", variables), ("callflow", tuple[_Flow, ...])],
        frozen=True,
        gc=False,
    )
    return msgspec.json.Decoder(file, strict=False)


def _read(path: Path) -> bytes:
    try:
        # Not blocking, for a pipe would; what a link points to is nobody's CDR.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            state = os.fstat(descriptor)
            if not stat.S_ISREG(state.st_mode):
                raise CdrFileError("it is no plain file")
            if state.st_size > FILE_BYTES_MAX:
                raise CdrFileError(f"it has {state.st_size} bytes, and {FILE_BYTES_MAX} is the most")
            return os.read(descriptor, state.st_size)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise CdrFileError("it is no plain file") from None
        raise CdrFileUnreadable(f"it can't be read: {error}") from None
