"""Events as they go over the wire."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from esl_agent.simulator.clock import gmt_date, local_date
from esl_agent.simulator.formats import JSON, Format
from esl_agent.simulator.script import Field

#: The first and last names of src/switch_event.c's list stand for others or for all; the rest are events.
EVENT_NAMES: Final = frozenset(
    """CUSTOM CLONE CHANNEL_CREATE CHANNEL_DESTROY CHANNEL_STATE CHANNEL_CALLSTATE CHANNEL_ANSWER
    CHANNEL_HANGUP CHANNEL_HANGUP_COMPLETE CHANNEL_EXECUTE CHANNEL_EXECUTE_COMPLETE CHANNEL_HOLD
    CHANNEL_UNHOLD CHANNEL_BRIDGE CHANNEL_UNBRIDGE CHANNEL_PROGRESS CHANNEL_PROGRESS_MEDIA
    CHANNEL_OUTGOING CHANNEL_PARK CHANNEL_UNPARK CHANNEL_APPLICATION CHANNEL_ORIGINATE CHANNEL_UUID API
    LOG INBOUND_CHAN OUTBOUND_CHAN STARTUP SHUTDOWN PUBLISH UNPUBLISH TALK NOTALK SESSION_CRASH
    MODULE_LOAD MODULE_UNLOAD DTMF MESSAGE PRESENCE_IN NOTIFY_IN PRESENCE_OUT PRESENCE_PROBE
    MESSAGE_WAITING MESSAGE_QUERY ROSTER CODEC BACKGROUND_JOB DETECTED_SPEECH DETECTED_TONE
    PRIVATE_COMMAND HEARTBEAT TRAP ADD_SCHEDULE DEL_SCHEDULE EXE_SCHEDULE RE_SCHEDULE RELOADXML NOTIFY
    PHONE_FEATURE PHONE_FEATURE_SUBSCRIBE SEND_MESSAGE RECV_MESSAGE REQUEST_PARAMS CHANNEL_DATA GENERAL
    COMMAND SESSION_HEARTBEAT CLIENT_DISCONNECTED SERVER_DISCONNECTED SEND_INFO RECV_INFO
    RECV_RTCP_MESSAGE SEND_RTCP_MESSAGE CALL_SECURE NAT RECORD_START RECORD_STOP PLAYBACK_START
    PLAYBACK_STOP CALL_UPDATE FAILURE SOCKET_DATA MEDIA_BUG_START MEDIA_BUG_STOP CONFERENCE_DATA_QUERY
    CONFERENCE_DATA CALL_SETUP_REQ CALL_SETUP_RESULT CALL_DETAIL DEVICE_STATE TEXT SHUTDOWN_REQUESTED
    CERT_RELOAD ALL""".split()  # noqa: SIM905
)

#: What `myevents` subscribes to (mod_event_socket.c).
LEG_EVENTS: Final = frozenset(
    """CHANNEL_ANSWER CHANNEL_APPLICATION CHANNEL_BRIDGE CHANNEL_CREATE CHANNEL_DATA CHANNEL_DESTROY
    CHANNEL_EXECUTE CHANNEL_EXECUTE_COMPLETE CHANNEL_HANGUP CHANNEL_HANGUP_COMPLETE CHANNEL_ORIGINATE
    CHANNEL_UUID CHANNEL_OUTGOING CHANNEL_PARK CHANNEL_PROGRESS CHANNEL_PROGRESS_MEDIA CHANNEL_STATE
    CHANNEL_UNBRIDGE CHANNEL_UNPARK DETECTED_SPEECH DTMF NOTALK TALK""".split()  # noqa: SIM905
)

#: Where in the switch's source an event comes from: file, function, line.
_ORIGINS: Final[Mapping[str, tuple[str, str, int]]] = {
    "CHANNEL_CREATE": ("switch_core_state_machine.c", "switch_core_session_run", 626),
    "CHANNEL_PROGRESS": ("switch_channel.c", "switch_channel_perform_mark_ring_ready_value", 3505),
    "CHANNEL_PROGRESS_MEDIA": ("switch_channel.c", "switch_channel_perform_mark_pre_answered", 3560),
    "CHANNEL_ANSWER": ("switch_channel.c", "switch_channel_perform_mark_answered", 3846),
    "CHANNEL_BRIDGE": ("switch_ivr_bridge.c", "switch_ivr_multi_threaded_bridge", 1689),
    "CHANNEL_UNBRIDGE": ("switch_ivr_bridge.c", "switch_ivr_multi_threaded_bridge", 1879),
    "CALL_UPDATE": ("mod_sofia.c", "sofia_receive_message", 2100),
    "CHANNEL_HOLD": ("switch_ivr.c", "switch_ivr_hold", 1558),
    "CHANNEL_UNHOLD": ("switch_channel.c", "switch_channel_mark_hold", 875),
    "CHANNEL_HANGUP": ("switch_channel.c", "switch_channel_perform_hangup", 3445),
    "CHANNEL_HANGUP_COMPLETE": ("switch_core_state_machine.c", "switch_core_session_reporting_state", 943),
    "CHANNEL_DESTROY": ("switch_core_session.c", "switch_core_session_perform_destroy", 1584),
    "CHANNEL_DATA": ("mod_commands.c", "uuid_dump_function", 6468),
    "CHANNEL_EXECUTE": ("switch_core_session.c", "switch_core_session_exec", 2963),
    "CHANNEL_EXECUTE_COMPLETE": ("switch_core_session.c", "switch_core_session_exec", 2986),
    "RECORD_START": ("switch_ivr_async.c", "record_callback", 1481),
    "RECORD_STOP": ("switch_ivr_async.c", "send_record_stop_event", 1240),
    "CHANNEL_PARK": ("switch_ivr.c", "switch_ivr_park", 1004),
    "HEARTBEAT": ("switch_core.c", "send_heartbeat", 95),
    "BACKGROUND_JOB": ("mod_event_socket.c", "api_exec", 1574),
    "SHUTDOWN": ("switch_core.c", "switch_core_destroy", 3196),
}
_TEXT_CACHE_MAX: Final = 1_000  # names times formats times restarts
_UNKNOWN_ORIGIN: Final = ("switch_core.c", "switch_core", 1)

#: How many other events the switch makes before one, as counted in the traces.  Nobody who subscribes
#: to a few names sees numbers without holes.
UNSEEN_BEFORE: Final[Mapping[str, int]] = {
    "CHANNEL_CREATE": 3,
    "CHANNEL_PROGRESS": 3,
    "CHANNEL_ANSWER": 2,
    "CHANNEL_BRIDGE": 1,
    "CHANNEL_UNBRIDGE": 2,
    "CHANNEL_HANGUP_COMPLETE": 3,
    "CHANNEL_DESTROY": 1,
    "HEARTBEAT": 1,
}


@dataclass(frozen=True, slots=True, eq=False)
class Identity:
    """Which switch an event is of; a restart makes a new core."""

    core_uuid: str
    hostname: str = "vm"
    ipv4: str = "192.0.2.2"
    ipv6: str = "fd00::2"


class Event:
    """One event, written out for each format that somebody listens in.

    `leg_uuid` is "" where it is not about a leg; `write` gives the fields of
    the leg in a format, as the leg is now.
    """

    __slots__ = (
        *("_after", "_before", "_body", "_frames", "_head", "_write"),
        *("leg_uuid", "name", "sequence", "subclass"),
    )

    def __init__(
        self,
        name: str,
        head: Head,
        *,
        leg_uuid: str = "",
        before: Sequence[Field] = (),
        write: Callable[[Format], str] | None = None,
        after: Sequence[Field] = (),
        body: str | None = None,
        subclass: str = "",
    ) -> None:
        self.name = name
        self.subclass = subclass
        self.sequence = head.sequence
        self.leg_uuid = leg_uuid
        self._head = head
        self._before = before
        self._write = write
        self._after = after
        self._body = body
        self._frames: dict[str, bytes] = {}

    def text(self, into: Format) -> str:
        """All the fields, each as the format divides them."""
        parts = [self._head_text(into)]
        for field in self._before:
            parts.append(into.any_field(*field))
        if self._write is not None:
            parts.append(self._write(into))
        for field in self._after:
            parts.append(into.any_field(*field))
        return "".join(parts)

    def _head_text(self, into: Format) -> str:
        head = self._head
        return "".join(
            [
                _identity_text(head.identity, self.name, into),
                _dates_text(head.stamp_us // 1_000_000, into),
                into.field("Event-Date-Timestamp", str(head.stamp_us)),
                _origin_text(self.name, into),
                into.field("Event-Sequence", str(head.sequence)),
            ]
        )

    def body(self, into: Format) -> bytes:
        """The event without its frame: a JSON object, or lines and an empty one."""
        text = self.text(into)
        if into is JSON:
            if self._body is not None:
                length = str(len(self._body.encode()))
                text += JSON.any_field("Content-Length", length) + JSON.any_field("_body", self._body)
            text = "{" + text[1:] + "}"
        elif self._body:
            text += f"Content-Length: {len(self._body.encode())}\n\n{self._body}"
        else:
            text += "\n"
        return text.encode("utf-8", "surrogateescape")

    def frame(self, into: Format) -> bytes:
        """The event as a listener gets it."""
        frame = self._frames.get(into.name)
        if frame is None:
            body = self.body(into)
            head = b"Content-Length: %d\nContent-Type: text/event-%s\n\n" % (len(body), into.name.encode())
            frame = self._frames[into.name] = head + body
        return frame


class SentEvent(Event):
    """One that a client sent: what it said comes before what the switch says (mod_event_socket.c)."""

    __slots__ = ()

    def __init__(
        self, name: str, head: Head, fields: Sequence[Field], body: str | None, subclass: str
    ) -> None:
        super().__init__(name, head, before=fields, body=body, subclass=subclass)

    def text(self, into: Format) -> str:
        return "".join([*(into.any_field(*field) for field in self._before), self._head_text(into)])


class Head(NamedTuple):
    """What every event begins with: whose it is, when, and its number in the core."""

    identity: Identity
    stamp_us: int
    sequence: int


@lru_cache(_TEXT_CACHE_MAX)
def _identity_text(identity: Identity, name: str, into: Format) -> str:
    fields = [
        ("Event-Name", name),
        ("Core-UUID", identity.core_uuid),
        ("FreeSWITCH-Hostname", identity.hostname),
        ("FreeSWITCH-Switchname", identity.hostname),
        ("FreeSWITCH-IPv4", identity.ipv4),
        ("FreeSWITCH-IPv6", identity.ipv6),
    ]
    return "".join(into.any_field(*field) for field in fields)


@lru_cache(_TEXT_CACHE_MAX)
def _dates_text(epoch_s: int, into: Format) -> str:
    return into.any_field("Event-Date-Local", local_date(epoch_s)) + into.any_field(
        "Event-Date-GMT", gmt_date(epoch_s)
    )


@lru_cache(_TEXT_CACHE_MAX)
def _origin_text(name: str, into: Format) -> str:
    file, function, line = _ORIGINS.get(name, _UNKNOWN_ORIGIN)
    fields = [
        ("Event-Calling-File", file),
        ("Event-Calling-Function", function),
        ("Event-Calling-Line-Number", str(line)),
    ]
    return "".join(into.any_field(*field) for field in fields)
