"""Dial strings, commands cut out of bytes, scripts, hangup causes, the clock."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esl_agent.simulator import causes
from esl_agent.simulator.clock import TickClock, gmt_date
from esl_agent.simulator.dialstring import parse_dial_string, parse_variables
from esl_agent.simulator.formats import CDR, JSON, PLAIN
from esl_agent.simulator.script import START, steps
from esl_agent.simulator.slots import LISTS, SLOTS
from esl_agent.simulator.template import Template
from esl_agent.simulator.wire import Command, CommandReader, CommandTooLong

# Dial strings


def test_carriers_in_order_and_variables_of_each() -> None:
    groups = parse_dial_string(
        "{a=1}[origination_uuid=U1,api_on_answer_x='sched_api +4 cut_U1 uuid_kill U1 ALLOTTED_TIMEOUT']"
        "sofia/carrier/12@10.0.0.1:5090|[origination_uuid=U2]sofia/gateway/north/13,user/1001"
    )

    assert [[target.number for target in group] for group in groups] == [["12"], ["13", "1001"]]
    first = groups[0][0]
    assert first.address == "12@10.0.0.1:5090"
    assert first.variables == {
        "a": "1",
        "origination_uuid": "U1",
        "api_on_answer_x": "sched_api +4 cut_U1 uuid_kill U1 ALLOTTED_TIMEOUT",
    }
    assert groups[1][0].variables == {"a": "1", "origination_uuid": "U2"}


def test_what_divides_inside_brackets_and_quotes_divides_nothing() -> None:
    ((target,),) = parse_dial_string("[a='x,y|z',b=]sofia/carrier/1@h")

    assert target.variables == {"a": "x,y|z", "b": ""}
    assert parse_variables("^^:a=1,2:b=3") == {"a": "1,2", "b": "3"}


@pytest.mark.parametrize(
    ("text", "error"),
    [("error/USER_BUSY", "USER_BUSY"), ("loopback/1", "CHAN_NOT_IMPLEMENTED"), ("", None), ("|,|", None)],
)
def test_what_can_not_be_dialled(text: str, error: str | None) -> None:
    assert [target.error for group in parse_dial_string(text) for target in group] == (
        [error] if error else []
    )


@given(st.text(alphabet="{}[]<>,|'^:=/ ab", max_size=60))
def test_no_dial_string_breaks_the_reader(text: str) -> None:
    parse_dial_string(text)


# Commands


def commands_of(*pieces: bytes) -> list[Command]:
    reader = CommandReader()
    return [command for piece in pieces for command in reader.feed(piece)]


WRITTEN = (
    b"\r\n\nauth secret\n\n"
    b"sendmsg abc\r\nCall-Command: execute\r\nEvent-Lock:  true\r\n\r\n"
    b"sendevent X\ncontent-length: 3\n\n\n\n!api status\n\n\n"
)


def test_commands_have_a_line_headers_and_a_body() -> None:
    assert commands_of(WRITTEN) == [
        Command("auth secret"),
        Command("sendmsg abc", {"call-command": "execute", "event-lock": "true"}),
        Command("sendevent X", {"content-length": "3"}, "\n\n!"),
        Command("api status"),
    ]


def test_a_byte_at_a_time_is_as_good_as_all_at_once() -> None:
    assert commands_of(*(bytes([byte]) for byte in WRITTEN)) == commands_of(WRITTEN)


@given(st.binary(max_size=300), st.integers(1, 20))
def test_any_bytes_are_commands_or_too_long_however_they_are_cut(data: bytes, size: int) -> None:
    def read(*pieces: bytes) -> list[Command] | str:
        try:
            return commands_of(*pieces)
        except CommandTooLong:
            return "too long"

    assert read(*(data[i : i + size] for i in range(0, len(data), size))) == read(data)


@pytest.mark.parametrize("length", ["-1", "99999999999"])
def test_a_length_out_of_range_is_refused(length: str) -> None:
    with pytest.raises(CommandTooLong):
        commands_of(f"sendevent X\nContent-Length: {length}\n\n".encode())


# The script


def test_every_step_of_the_script_can_be_rendered_in_every_format() -> None:
    flags = frozenset({"answered", "bridged", "ringing", "early", "application", "payphone", "refused"})
    for step in steps():
        path = START.then(step, flags)
        for into in (JSON, PLAIN, CDR):
            Template(path.variables, into)  # knows every slot that it names


def test_paths_that_leave_the_same_variables_are_one() -> None:
    assert START.then("accepted").then("accepted") is START.then("accepted")
    assert START.then("accepted").then("was_originator") is not START.then("was_originator").then("accepted")


def test_no_slot_is_both_one_value_and_several() -> None:
    assert not set(SLOTS) & set(LISTS)


# Causes and the clock


def test_causes_of_sip_answers() -> None:
    assert causes.cause_of_sip(486) == "USER_BUSY"
    assert causes.cause_of_sip(599) == "NORMAL_UNSPECIFIED"
    assert causes.q850("USER_BUSY") == 17
    assert causes.q850("ALLOTTED_TIMEOUT") == 16


@given(st.lists(st.integers(0, 2_000_000_000_000_000), min_size=2, max_size=20))
def test_the_clock_never_goes_back_nor_ahead(moments: list[int]) -> None:
    clock = TickClock()
    stamps = [clock.stamp(moment) for moment in sorted(moments)]

    assert stamps == sorted(stamps)
    assert all(0 <= now - stamp < 20_200 for now, stamp in zip(sorted(moments), stamps, strict=True))


def test_dates_are_english_whatever_the_locale() -> None:
    assert gmt_date(1_795_400_040) == "Mon, 23 Nov 2026 02:14:00 GMT"
