"""Commands to the switch, built from checked parts only.

The switch reads a command up to the first empty line and an argument up to the
next space (mod_event_socket.c, `read_packet`; mod_commands.c), so a CR, LF or
space inside a part would make another command of it.  Each part is therefore
checked against what its kind may hold, and a command is checked once more as a
whole.

Two kinds: an `Api` is what fs_cli takes too, and is sent by `api` or `bgapi`;
a `Command` is what goes over the wire.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from esl_agent.errors import EslAgentError
from esl_agent.switch.legs import CUT_CAUSE

#: Far above any of ours, far below the 10 MB at which the switch cuts a message (`read_packet`: max_len).
COMMAND_BYTES_MAX: Final = 256 * 1024
CUT_AFTER_S_MAX: Final = 86_400
#: What is less is taken for a distance that repeats; what is more is no time of anybody's call.
CUT_AT_S_MIN: Final = 1_000_000_000
CUT_AT_S_MAX: Final = 9_999_999_999
CUT_GROUP_PREFIX: Final = "cut_"

_UUID: Final = re.compile("[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)
_NAME: Final = re.compile("[A-Za-z_][A-Za-z0-9_-]{0,127}", re.ASCII)
_TOKEN: Final = re.compile(r"[A-Za-z0-9_.:;@/+=,*#~-]{1,512}", re.ASCII)
#: A sound file or stream, such as tone_stream://%(200,100,800); without a space, a quote or a variable.
SOUND: Final = r"(?!.*::)[A-Za-z0-9_./][A-Za-z0-9_./:;%(),=+-]{0,255}"
#: Where a leg goes on in the dialplan: extension, then XML and a context if it isn't the leg's own.
PLACE: Final = r"[A-Za-z0-9_+*#.-]{1,64}(?::XML:[A-Za-z0-9_.-]{1,64})?"
_LINE_BREAKS: Final = re.compile(r"[\r\n\0]")


class CommandError(EslAgentError):
    """A part of a command that could make another command of it; the message names the part."""


class HangupCause(StrEnum):
    """The causes that we give when we end or refuse a call (switch_types.h, `switch_call_cause_t`)."""

    ALLOTTED_TIMEOUT = CUT_CAUSE
    CALL_REJECTED = "CALL_REJECTED"
    INVALID_NUMBER_FORMAT = "INVALID_NUMBER_FORMAT"
    MANAGER_REQUEST = "MANAGER_REQUEST"
    NORMAL_CLEARING = "NORMAL_CLEARING"
    NORMAL_TEMPORARY_FAILURE = "NORMAL_TEMPORARY_FAILURE"
    NO_ROUTE_DESTINATION = "NO_ROUTE_DESTINATION"
    OUTGOING_CALL_BARRED = "OUTGOING_CALL_BARRED"
    SERVICE_UNAVAILABLE = "SERVICE_UNAVAILABLE"
    SWITCH_CONGESTION = "SWITCH_CONGESTION"
    UNALLOCATED_NUMBER = "UNALLOCATED_NUMBER"
    USER_BUSY = "USER_BUSY"


@dataclass(frozen=True, slots=True)
class Api:
    """An API command with its arguments, such as `uuid_exists <uuid>`."""

    text: str

    def __post_init__(self) -> None:
        _check_line("an API command", self.text)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Command:
    """A message to the switch: a line, then headers.  `str` of it is fit for a log."""

    line: str = field(repr=False)
    headers: tuple[tuple[str, str], ...] = ()
    shown: str = ""
    wire: bytes = field(init=False, repr=False)  # what is sent, with the empty line that ends it

    def __post_init__(self) -> None:
        _check_line("a command", self.line)
        for name, value in self.headers:
            if not _NAME.fullmatch(name):
                raise CommandError(f"{name!r} can't be the name of a header")
            _check_line(f"the header {name}", value)
        lines = [self.line, *(f"{name}: {value}" for name, value in self.headers)]
        wire = ("\n".join(lines) + "\n\n").encode()
        if len(wire) > COMMAND_BYTES_MAX:
            raise CommandError(f"a command is over {COMMAND_BYTES_MAX} bytes")
        object.__setattr__(self, "wire", wire)

    def __str__(self) -> str:
        return self.shown or self.line


# API commands


def uuid_kill(uuid: str, cause: HangupCause | str) -> Api:
    """End a leg; the answer is `+OK` or `-ERR No such channel!`."""
    return Api(f"uuid_kill {_uuid(uuid)} {_cause(cause)}")


def uuid_exists(uuid: str) -> Api:
    """Ask for a leg; the answer is `true` or `false`."""
    return Api(f"uuid_exists {_uuid(uuid)}")


def uuid_dump(uuid: str) -> Api:
    """All that the switch knows of a leg: what `decode_event` reads, or `-ERR No such channel!`."""
    return Api(f"uuid_dump {_uuid(uuid)} json")


def uuid_setvar(uuid: str, name: str, value: str) -> Api:
    """Set a variable on a leg, to a value without spaces."""
    return Api(f"uuid_setvar {_uuid(uuid)} {_name('variable', name)} {_token('value', value)}")


def play(uuid: str, sound: str) -> Api:
    """Let a leg, and not the other one, hear a sound over what it hears (`switch_ivr_broadcast`)."""
    if not re.fullmatch(SOUND, sound, re.ASCII):
        raise CommandError(f"{sound[:60]!r} is no sound: neither a file's path nor a tone_stream://")
    return Api(f"uuid_broadcast {_uuid(uuid)} {sound} aleg")


def go_on_after_bridge(uuid: str, place: str) -> Api:
    """Have a leg go on at an extension when its bridge ends, whichever way (switch_ivr_bridge.c)."""
    if not re.fullmatch(PLACE, place, re.ASCII):
        raise CommandError(f"{place[:60]!r} is no place in a dialplan: extension, or extension:XML:context")
    return uuid_setvar(uuid, "transfer_after_bridge", place)


def sched_cut(uuid: str, at_s: int) -> Api:
    """Have the switch end a leg when its clock shows `at_s`, even if nobody tells it to then.

    It fires then or by 0.5 s later (switch_scheduler.c: whole seconds, 500 ms
    poll), in a thread of its own (`&`): in the scheduler's one thread a hundred
    that are due at once would wait for each other.  A second one adds a task:
    `sched_del` first.  `at_s` is in seconds since 1970; one that is past when the switch hears of it
    never comes.
    """
    if isinstance(at_s, bool) or not isinstance(at_s, int) or not CUT_AT_S_MIN <= at_s <= CUT_AT_S_MAX:
        raise CommandError(f"a cut at {at_s!r}: give whole seconds from {CUT_AT_S_MIN} to {CUT_AT_S_MAX}")
    return _sched_cut(uuid, f"{at_s}")


def sched_cut_after(uuid: str, after_s: int) -> Api:
    """As `sched_cut`, `after_s` seconds from when the switch hears this, or up to a second before that."""
    if isinstance(after_s, bool) or not isinstance(after_s, int) or not 1 <= after_s <= CUT_AFTER_S_MAX:
        raise CommandError(f"a cut after {after_s!r} s: give whole seconds from 1 to {CUT_AFTER_S_MAX}")
    return _sched_cut(uuid, f"+{after_s}")


def _sched_cut(uuid: str, when: str) -> Api:
    leg = _uuid(uuid)
    return Api(f"sched_api {when} {CUT_GROUP_PREFIX}{leg} uuid_kill {leg} {CUT_CAUSE}&")


def sched_del(uuid: str) -> Api:
    """Take back every `sched_cut` and `sched_cut_after` of a leg; the answer is `+OK Deleted: <how many>`."""
    return Api(f"sched_del {CUT_GROUP_PREFIX}{_uuid(uuid)}")


def show_channels_json() -> Api:
    """Every leg that is up, for `decode_channels`; slow with many legs, so better in the background."""
    return Api("show channels as json")


def status() -> Api:
    return Api("status")


def version() -> Api:
    return Api("version")


def strepoch() -> Api:
    """The switch's time, in whole seconds since 1970."""
    return Api("strepoch")


def uptime() -> Api:
    """For how many whole seconds this run of the switch has been up."""
    return Api("uptime s")


def module_exists(name: str) -> Api:
    """Ask whether a module is loaded; the answer is `true` or `false`."""
    return Api(f"module_exists {_name('module', name)}")


def global_getvar(name: str) -> Api:
    """A variable of the whole switch, such as `core_uuid`; "-ERR no reply" where it is empty."""
    return Api(f"global_getvar {_name('variable', name)}")


def global_setvar(name: str, value: str) -> Api:
    """Set a variable of the whole switch, until it reads its configuration again."""
    return Api(f"global_setvar {_name('variable', name)}={_token('value', value)}")


def forget_user(user: str, domain: str) -> Api:
    """Have the switch look a user of its directory up again (switch_xml.c, `switch_xml_clear_user_cache`)."""
    return Api(f"xml_flush_cache id {_token('user', user)} {_token('domain', domain)}")


# Messages of an inbound connection


def auth(password: str) -> Command:
    """The password never shows in `str` or `repr`."""
    return Command(f"auth {password}", shown="auth ***")


def api(command: Api) -> Command:
    """Run it in the connection's own thread: everything behind it waits for its answer."""
    return Command(f"api {command}")


def background(command: Api, job_uuid: str) -> Command:
    """Run it in a thread of its own; the answer comes as a BACKGROUND_JOB event of that Job-UUID."""
    return Command(f"bgapi {command}", headers=(("Job-UUID", _uuid(job_uuid)),))


def subscribe(names: Iterable[str], subclasses: Iterable[str] = ()) -> Command:
    """Ask for events of these names, as JSON, and CUSTOM ones of these subclasses.

    They add to those asked for before.
    """
    wanted = [_name("event", name) for name in names]
    custom = [_token("subclass", subclass) for subclass in subclasses]
    if custom:
        wanted += ["CUSTOM", *custom]  # the switch takes all that follows it for subclasses
    if not wanted:
        raise CommandError("no event is named to subscribe to")
    return Command(f"event json {' '.join(wanted)}")


def send_custom(subclass: str, fields: Mapping[str, str]) -> Command:
    """Have the switch tell whoever wants this subclass, ourselves too; `fields` are the event's headers."""
    checked = [(name, _token(f"header {name}", value)) for name, value in fields.items()]
    return Command("sendevent CUSTOM", (("Event-Subclass", _token("subclass", subclass)), *checked))


def event_filter(header: str, value: str) -> Command:
    """Let only events pass that have this header with this value; several add up.

    Beware: an event without the header is swallowed, BACKGROUND_JOB by most.
    """
    return Command(f"filter {_name('header', header)} {_token('value', value)}")


def log_critical() -> Command:
    """Ask for the switch's log from CRIT up: only there it says that it dropped events."""
    return Command("log crit")


def leave() -> Command:
    return Command("exit")


# Messages of an outbound connection: the switch called us for one leg


def connect() -> Command:
    """Take the leg; the answer holds all of it in headers (`event_of_headers`)."""
    return Command("connect")


def execute(application: str, argument: str = "") -> Command:
    """Run a dialplan application on the leg of an outbound connection."""
    headers = [("call-command", "execute"), ("execute-app-name", _name("application", application))]
    if argument:
        headers.append(("execute-app-arg", argument))
    return Command("sendmsg", headers=tuple(headers))


def _check_line(what: str, text: str) -> None:
    if not text or text != text.strip() or _LINE_BREAKS.search(text):
        raise CommandError(f"{what} is to be one line of text without spaces around it")


def _uuid(text: str) -> str:
    if not _UUID.fullmatch(text):
        raise CommandError(f"{text[:60]!r} is no UUID of a leg or job")
    return text


def _cause(cause: HangupCause | str) -> str:
    try:
        return HangupCause(cause).value
    except ValueError:
        raise CommandError(
            f"{cause!r} is no cause that we give; there are: {', '.join(HangupCause)}"
        ) from None


def _name(what: str, text: str) -> str:
    if not _NAME.fullmatch(text):
        raise CommandError(f"{text[:60]!r} can't be the name of a {what}")
    return text


def _token(what: str, text: str) -> str:
    if not _TOKEN.fullmatch(text):
        raise CommandError(f"the {what} {text[:60]!r} has a character that a command can't hold")
    return text
