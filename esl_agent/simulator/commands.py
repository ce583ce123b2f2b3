"""The commands of the Event Socket itself (mod_event_socket.c, `parse_command`).

Each is a function of a listener and a command, and gives the reply to send, or
b"" for none.  They are told apart by how the line begins, in the order here.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from esl_agent.simulator.events import EVENT_NAMES, LEG_EVENTS
from esl_agent.simulator.formats import PLAIN, format_named
from esl_agent.simulator.script import Field
from esl_agent.simulator.wire import Command

if TYPE_CHECKING:
    from esl_agent.simulator.listener import Listener

_LOG_LEVELS: Final = ("console", "alert", "crit", "err", "warning", "notice", "info", "debug")
_ALL: Final = "ALL"
_CUSTOM: Final = "CUSTOM"


def run(listener: Listener, command: Command) -> bytes:
    """Carry out a command; the reply."""
    line = command.line.lower()
    if line.startswith(("exit", "...")):
        listener.leaving = True
        return _reply("+OK bye")
    if not listener.is_authed:
        return _authenticate(listener, command)
    for beginning, do in _COMMANDS:
        if line.startswith(beginning):
            return do(listener, command)
    return _reply("-ERR command not found")


def _reply(text: str) -> bytes:
    return f"Content-Type: command/reply\nReply-Text: {text}\n\n".encode("utf-8", "surrogateescape")


def _words(command: Command) -> list[str]:
    """What follows the first space."""
    return command.line.partition(" ")[2].split(" ")


def _authenticate(listener: Listener, command: Command) -> bytes:
    if command.line.lower().startswith("auth "):
        if command.line[5:] == listener.core.config.password:
            listener.is_authed = True
            return _reply("+OK accepted")
    elif not command.line.lower().startswith("userauth "):
        return _reply("-ERR command not found")
    listener.leaving = True
    return _reply("-ERR invalid")


# Events


def _event(listener: Listener, command: Command) -> bytes:
    words = _words(command)
    wanted_format = format_named(words[0])
    if wanted_format is not None:
        listener.format = wanted_format
        words = words[1:]
    elif words[0].lower() == "xml":
        words = words[1:]
    known = _take_names(listener, words, listener.events.add, listener.subclasses.add)
    if not known:
        return _reply("-ERR no keywords supplied")
    if _ALL in listener.events:
        listener.events |= EVENT_NAMES
    listener.listens = True
    for tell in listener.core.when_subscribed:
        listener.core.after(0, tell, listener)
    return _reply(f"+OK event listener enabled {listener.format.name}")


def _nixevent(listener: Listener, command: Command) -> bytes:
    names: set[str] = set()
    if not _take_names(listener, _words(command), names.add, listener.subclasses.discard):
        return _reply("-ERR no keywords supplied")
    if _ALL in names:
        listener.events.clear()
    listener.events -= names | ({_ALL} if names - {_CUSTOM} else set())
    listener.listens = True
    return _reply("+OK events nixed")


def _take_names(
    listener: Listener, words: list[str], take: Callable[[str], None], take_subclass: Callable[[str], None]
) -> int:
    """Hand on the events that are named; how many there were.  What follows CUSTOM are subclasses."""
    known = 0
    custom = False
    for word in words:
        name = word.upper().removeprefix("SWITCH_EVENT_")
        if custom:
            take_subclass(word)
        elif name in EVENT_NAMES:
            known += 1
            take(name)
            custom = name == _CUSTOM
    return known


def _noevents(listener: Listener, command: Command) -> bytes:
    if not listener.listens:
        return _reply("-ERR not listening for events")
    listener.listens = False
    listener.events.clear()
    listener.subclasses.clear()
    return _reply("+OK no longer listening for events")


def _filter(listener: Listener, command: Command) -> bytes:
    name, space, value = command.line[7:].lstrip(" ").partition(" ")
    if name.lower() == "delete" and space:
        name, space, value = value.partition(" ")
        if name.lower() == "all":
            listener.filters.clear()
        else:
            listener.filters = [
                (known, wanted)
                for known, wanted in listener.filters
                if known.lower() != name.lower() or (space and wanted != value)
            ]
        return _reply(f"+OK filter deleted. [{name}][{value}]")
    if not space:
        return _reply("-ERR invalid syntax")
    if name.lower() == "add":
        name, _, value = value.partition(" ")
    listener.filters.append((name, value))
    return _reply(f"+OK filter added. [{name}]=[{value}]")


def _myevents(listener: Listener, command: Command) -> bytes:
    if listener.my_leg is not None:
        return _reply("-ERR aready enabled.")  # sic
    words = _words(command)
    if listener.call is not None:
        listener.my_leg = listener.call.caller.uuid
    elif words[0] in listener.core.legs:
        listener.my_leg = words[0]
    else:
        return _reply("-ERR invalid uuid")
    listener.format = format_named(words[-1]) or listener.format
    listener.events |= LEG_EVENTS
    listener.listens = True
    return _reply("+OK Events Enabled")


# API commands


def _api(listener: Listener, command: Command) -> bytes:
    name, _, argument = command.line[4:].partition(" ")
    output = listener.core.api(name, argument) or "-ERR no reply\n"
    body = output.encode("utf-8", "surrogateescape")
    return b"Content-Type: api/response\nContent-Length: %d\n\n%s" % (len(body), body)


def _bgapi(listener: Listener, command: Command) -> bytes:
    name, _, argument = command.line[6:].partition(" ")
    job = command.headers.get("job-uuid") or str(uuid.uuid4())
    output = listener.core.api(name, argument)
    fields = [Field("Job-UUID", job), Field("Job-Command", name)]
    if argument:
        fields.append(Field("Job-Command-Arg", argument))
    listener.core.fire_bare("BACKGROUND_JOB", fields, body=output)
    return f"Content-Type: command/reply\nReply-Text: +OK Job-UUID: {job}\nJob-UUID: {job}\n\n".encode()


# A call that the client controls


def _connect(listener: Listener, command: Command) -> bytes:
    """The answer is the whole channel, in lines."""
    if listener.call is None:
        return _reply("-ERR command not found")
    after = [
        Field("Content-Type", "command/reply"),
        Field("Reply-Text", "+OK\n"),
        Field("Socket-Mode", "async" if listener.is_async else "static"),
        Field("Control", "full" if listener.is_full else "single-channel"),
    ]
    listener.is_connected = True
    return listener.core.snapshot(listener.call.caller, with_profile=True, after=after).body(PLAIN)


def _sendmsg(listener: Listener, command: Command) -> bytes:
    leg_uuid = command.line[7:].strip(" ") or command.headers.get("session-id", "")
    call = listener.call
    if leg_uuid and (call is None or leg_uuid != call.caller.uuid):
        leg = listener.core.legs.get(leg_uuid)
        call = leg.call if leg is not None else None
    if call is None:
        return _reply(f"-ERR invalid session id [{leg_uuid}]")
    headers = command.headers
    match headers.get("call-command", "").lower():
        case "execute":
            argument = headers.get("execute-app-arg", "") or command.body
            name = headers.get("execute-app-name", "")
            if not call.order(name, argument, headers.get("event-uuid", "")):
                return _reply("-ERR memory error")
        case "hangup":
            cause = headers.get("hangup-cause", "NORMAL_CLEARING")
            listener.core.api("uuid_kill", f"{leg_uuid or call.caller.uuid} {cause}")
    return _reply("+OK")


def _getvar(listener: Listener, command: Command) -> bytes:
    if listener.call is None:
        return _reply("-ERR command not found")
    value = listener.call.variable(_words(command)[0])
    return _reply(value or "-ERR command not found")  # an empty reply is taken for an unknown command


def _resume(listener: Listener, command: Command) -> bytes:
    if listener.call is None:
        return _reply("-ERR command not found")
    listener.resumes = True
    listener.call.caller.set_variable("socket_resume", "true")
    return _reply("+OK")


def _linger(listener: Listener, command: Command) -> bytes:
    if listener.call is None:
        return _reply("-ERR not controlling a session")
    seconds = _words(command)[0]
    listener.linger_s = int(seconds) if seconds.isdecimal() else -1
    return _reply(f"+OK will linger {seconds} seconds" if seconds else "+OK will linger")


def _nolinger(listener: Listener, command: Command) -> bytes:
    if listener.call is None:
        return _reply("-ERR not controlling a session")
    listener.linger_s = None
    return _reply("+OK will not linger")


def _divert_events(listener: Listener, command: Command) -> bytes:
    if listener.call is None:
        return _reply("-ERR not controlling a session.")
    word = _words(command)[0].lower()
    if not word:
        return _reply("-ERR missing value.")
    return _reply("+OK events diverted" if word == "on" else "+OK events not diverted")


# The rest


def _log(listener: Listener, command: Command) -> bytes:
    word = command.line[3:].strip(" ").split(" ")[0] or "debug"
    if word.isdecimal() and int(word) < len(_LOG_LEVELS):
        listener.log_level = int(word)
    elif word.lower() in _LOG_LEVELS:
        listener.log_level = _LOG_LEVELS.index(word.lower())
    else:
        return _reply("-ERR invalid log level")
    return _reply(f"+OK log level {word} [{listener.log_level}]")


def _nolog(listener: Listener, command: Command) -> bytes:
    if listener.log_level is None:
        return _reply("-ERR not loging")  # sic
    listener.log_level = None
    return _reply("+OK no longer logging")


def _sendevent(listener: Listener, command: Command) -> bytes:
    """An event of the client's own, told to whoever listens, itself included.

    It begins with the command and its headers; of a leg that is up, it is for that leg alone.
    """
    event_uuid = str(uuid.uuid4())
    name = command.line[9:].strip(" \t").upper().removeprefix("SWITCH_EVENT_")
    name = name if name in EVENT_NAMES else "CLONE"
    subclass = command.headers.get("event-subclass", "") if name == _CUSTOM else ""
    kept = [(key, value) for key, value in command.lines if not subclass or key.lower() != "event-subclass"]
    fields = [
        Field("Command", command.line),
        *(Field(*each) for each in kept),
        Field("Event-UUID", event_uuid),
    ]
    if subclass:
        fields.append(Field("Event-Subclass", subclass))
    if command.headers.get("unique-id") not in listener.core.legs:
        listener.core.fire_sent(name, fields, command.body or None, subclass)
    return _reply(f"+OK {event_uuid}")


_COMMANDS: Final[tuple[tuple[str, Callable[[Listener, Command], bytes]], ...]] = (
    ("filter ", _filter),
    ("resume", _resume),
    ("connect", _connect),
    ("getvar", _getvar),
    ("myevents", _myevents),
    ("divert_events", _divert_events),
    ("sendmsg", _sendmsg),
    ("sendevent", _sendevent),
    ("api ", _api),
    ("bgapi ", _bgapi),
    ("linger", _linger),
    ("nolinger", _nolinger),
    ("log", _log),
    ("nolog", _nolog),
    ("event", _event),
    ("nixevent", _nixevent),
    ("noevents", _noevents),
)
