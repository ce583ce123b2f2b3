"""What goes to the switch, byte for byte, and what can't be made to go."""

import inspect
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esl_agent.switch import commands
from esl_agent.switch.commands import Api, Command, CommandError, HangupCause

LEG = "76a32f67-0256-4268-a1ba-e0317bb38fcb"


@pytest.mark.parametrize(
    ("command", "text"),
    [
        (commands.uuid_kill(LEG, HangupCause.NORMAL_CLEARING), f"uuid_kill {LEG} NORMAL_CLEARING"),
        (commands.uuid_kill(LEG, "ALLOTTED_TIMEOUT"), f"uuid_kill {LEG} ALLOTTED_TIMEOUT"),
        (commands.uuid_exists(LEG), f"uuid_exists {LEG}"),
        (commands.uuid_dump(LEG), f"uuid_dump {LEG} json"),
        (commands.uuid_setvar(LEG, "esl_carrier", "gw-1"), f"uuid_setvar {LEG} esl_carrier gw-1"),
        (
            commands.sched_cut(LEG, 1_795_400_004),
            f"sched_api 1795400004 cut_{LEG} uuid_kill {LEG} ALLOTTED_TIMEOUT&",
        ),
        (commands.sched_cut_after(LEG, 4), f"sched_api +4 cut_{LEG} uuid_kill {LEG} ALLOTTED_TIMEOUT&"),
        (commands.sched_del(LEG), f"sched_del cut_{LEG}"),
        (
            commands.play(LEG, "tone_stream://%(200,100,800);loops=2"),
            f"uuid_broadcast {LEG} tone_stream://%(200,100,800);loops=2 aleg",
        ),
        (commands.play(LEG, "/sounds/low.wav"), f"uuid_broadcast {LEG} /sounds/low.wav aleg"),
        (
            commands.go_on_after_bridge(LEG, "used_up:XML:esl_told"),
            f"uuid_setvar {LEG} transfer_after_bridge used_up:XML:esl_told",
        ),
        (commands.show_channels_json(), "show channels as json"),
        (commands.status(), "status"),
        (commands.version(), "version"),
        (commands.uptime(), "uptime s"),
        (commands.module_exists("mod_json_cdr"), "module_exists mod_json_cdr"),
        (commands.global_getvar("core_uuid"), "global_getvar core_uuid"),
        (commands.global_setvar("door", "10.0.0.1:8084"), "global_setvar door=10.0.0.1:8084"),
    ],
)
def test_an_api_command_is_the_line_that_a_person_would_type(command: Api, text: str) -> None:
    assert command.text == text


@pytest.mark.parametrize(
    ("command", "wire"),
    [
        (commands.auth("Clue Con"), b"auth Clue Con\n\n"),
        (commands.api(commands.status()), b"api status\n\n"),
        (
            commands.background(commands.show_channels_json(), LEG),
            f"bgapi show channels as json\nJob-UUID: {LEG}\n\n".encode(),
        ),
        (commands.subscribe(["CHANNEL_ANSWER", "HEARTBEAT"]), b"event json CHANNEL_ANSWER HEARTBEAT\n\n"),
        (
            commands.subscribe(["HEARTBEAT"], ["esl_agent::active", "x::y"]),
            b"event json HEARTBEAT CUSTOM esl_agent::active x::y\n\n",
        ),
        (
            commands.send_custom("esl_agent::active", {"Esl-Agent-Epoch": "7"}),
            b"sendevent CUSTOM\nEvent-Subclass: esl_agent::active\nEsl-Agent-Epoch: 7\n\n",
        ),
        (commands.event_filter("Call-Direction", "outbound"), b"filter Call-Direction outbound\n\n"),
        (commands.log_critical(), b"log crit\n\n"),
        (commands.leave(), b"exit\n\n"),
        (commands.connect(), b"connect\n\n"),
        (
            commands.execute("multiset", "esl_account=1001 esl_product=termination"),
            b"sendmsg\ncall-command: execute\nexecute-app-name: multiset\n"
            b"execute-app-arg: esl_account=1001 esl_product=termination\n\n",
        ),
        (commands.execute("answer"), b"sendmsg\ncall-command: execute\nexecute-app-name: answer\n\n"),
    ],
)
def test_a_command_is_a_line_and_headers_and_an_empty_line(command: Command, wire: bytes) -> None:
    assert command.wire == wire


def test_a_password_shows_nowhere() -> None:
    command = commands.auth("hunter2")
    assert "hunter2" not in f"{command} {command!r}"
    with pytest.raises(CommandError) as caught:
        commands.auth("hunter2\n")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("break_", ["\n", "\r", "\r\n", "\n\n", "\0"])
@pytest.mark.parametrize(
    "build",
    [
        lambda text: commands.uuid_kill(LEG + text, "USER_BUSY"),
        lambda text: commands.uuid_kill(LEG, "USER_BUSY" + text),
        lambda text: commands.uuid_exists(LEG + text),
        lambda text: commands.uuid_dump(text + LEG),
        lambda text: commands.uuid_setvar(LEG, "a" + text, "b"),
        lambda text: commands.uuid_setvar(LEG, "a", "b" + text),
        lambda text: commands.sched_cut(LEG + text, 1_795_400_004),
        lambda text: commands.sched_cut_after(LEG + text, 4),
        lambda text: commands.sched_del(LEG + text),
        lambda text: commands.module_exists("mod_a" + text),
        lambda text: commands.global_getvar("a" + text),
        lambda text: commands.auth("a" + text + "b"),
        lambda text: commands.background(commands.status(), LEG + text),
        lambda text: commands.subscribe(["HEARTBEAT" + text]),
        lambda text: commands.subscribe(["HEARTBEAT"], ["a::b" + text + "c"]),
        lambda text: commands.send_custom("a::b" + text + "c", {}),
        lambda text: commands.send_custom("a::b", {"Esl-Agent" + text: "1"}),
        lambda text: commands.send_custom("a::b", {"Esl-Agent-Switch": "x" + text + "y"}),
        lambda text: commands.global_setvar("a" + text, "b"),
        lambda text: commands.global_setvar("a", "b" + text + "c"),
        lambda text: commands.event_filter("a" + text, "b"),
        lambda text: commands.event_filter("a", "b" + text),
        lambda text: commands.execute("set" + text, "a=b"),
        lambda text: commands.execute("set", "a=b" + text + "c"),
        lambda text: Api("status" + text + "x"),
        lambda text: Command("api status", headers=(("a" + text, "b"),)),
        lambda text: Command("api status", headers=(("a", "b" + text + "c"),)),
    ],
)
def test_a_line_break_makes_no_second_command(build: Callable[[str], object], break_: str) -> None:
    with pytest.raises(CommandError):
        build(break_)


@pytest.mark.parametrize("uuid", ["", "76a32f67", LEG + " NORMAL_CLEARING", LEG + "&", " " + LEG, "${uuid}"])
def test_a_leg_is_named_by_its_uuid_or_not_at_all(uuid: str) -> None:
    with pytest.raises(CommandError, match="no UUID"):
        commands.uuid_kill(uuid, HangupCause.USER_BUSY)


def test_a_cause_is_one_of_ours() -> None:
    with pytest.raises(CommandError, match="no cause that we give; there are: ALLOTTED_TIMEOUT, CALL_REJ"):
        commands.uuid_kill(LEG, "ALLOTED_TIMEOUT")


@pytest.mark.parametrize("after_s", [0, -1, 86_401, 1.5, True, "4", None])
def test_a_cut_is_set_to_whole_seconds_ahead(after_s: object) -> None:
    with pytest.raises(CommandError, match="whole seconds from 1 to 86400"):
        commands.sched_cut_after(LEG, after_s)  # type: ignore[arg-type]


@pytest.mark.parametrize("at_s", [0, 4, 999_999_999, 1_795_400_004_000, 1_795_400_004.5, True, "1795400004"])
def test_a_time_that_the_switch_would_take_for_a_distance_is_none(at_s: object) -> None:
    with pytest.raises(CommandError, match="whole seconds from 1000000000"):
        commands.sched_cut(LEG, at_s)  # type: ignore[arg-type]


def test_a_value_with_a_space_or_a_quote_is_no_token() -> None:
    for value in ("a b", "a'b", 'a"b', "a\\b", "${a}", "a|b", "", "é"):
        with pytest.raises(CommandError):
            commands.uuid_setvar(LEG, "esl_carrier", value)


def test_a_command_of_absurd_length_is_refused() -> None:
    with pytest.raises(CommandError, match="over 262144 bytes"):
        commands.execute("multiset", "x" * commands.COMMAND_BYTES_MAX)


def test_a_subscription_to_nothing_is_a_mistake() -> None:
    with pytest.raises(CommandError, match="no event"):
        commands.subscribe([])


def takes_text(function: object) -> bool:
    parameters = inspect.signature(function).parameters.values()  # type: ignore[arg-type]
    is_text = [re.search(r"\bstr\b", str(each.annotation)) for each in parameters]
    return (
        all(is_text) and not any("Mapping" in str(each.annotation) for each in parameters) and bool(is_text)
    )


BUILDERS = [
    function
    for name, function in vars(commands).items()
    if inspect.isfunction(function) and not name.startswith("_") and function.__module__ == commands.__name__
    if takes_text(function)
]


@given(st.data())
def test_whatever_text_a_builder_takes_one_message_goes_out(data: st.DataObject) -> None:
    """The message ends where it ends for the switch, and its words are as many as the builder makes."""
    builder = data.draw(st.sampled_from(BUILDERS))
    parts = [
        data.draw(st.one_of(st.just(LEG), st.just("USER_BUSY"), st.just("a_b"), st.text(max_size=20)))
        for _ in inspect.signature(builder).parameters
    ]
    try:
        built = builder(*parts)
    except CommandError:
        return
    wire = built.wire if isinstance(built, Command) else commands.api(built).wire
    assert wire.endswith(b"\n\n")
    assert b"\n\n" not in wire[:-2]
    assert not {b"\r", b"\0"} & {bytes([byte]) for byte in wire}


@pytest.mark.parametrize(
    "sound",
    [
        *("", "a b", "a.wav both", "hangup::x", "tone_stream://::", "x!hangup", "${system(id)}", "{a=b}x"),
        *("x'y", "a\nb", "-x", "a" * 300),
    ],
)
def test_a_sound_can_be_nothing_but_a_sound(sound: str) -> None:
    with pytest.raises(CommandError, match="is no sound"):
        commands.play(LEG, sound)


@pytest.mark.parametrize(
    "place", ["", "a b", "x:XML", "x:inline:y", "x:XML:y:z", "hangup inline", "x,y", "${x}", "x\n"]
)
def test_a_place_in_the_dialplan_can_be_nothing_else(place: str) -> None:
    with pytest.raises(CommandError, match="is no place"):
        commands.go_on_after_bridge(LEG, place)
