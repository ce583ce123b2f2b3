"""What API commands print, as mod_commands.c prints it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from esl_agent.simulator.call import Call

from .bench import Bench

TRACE = Path(__file__).parents[1] / "traces" / "outbound_us_caller_hangup"
NO_UUID = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def call(bench: Bench) -> Call:
    """One that talks."""
    call = bench.place(talk_ms=60_000)
    bench.pass_s(1)
    return call


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("nonsense", "-ERR nonsense Command not found!\n"),
        (f"uuid_exists {NO_UUID}", "false"),
        ("uuid_exists", "false"),
        (f"uuid_kill {NO_UUID}", "-ERR No such channel!\n"),
        ("uuid_kill", "-USAGE: <uuid> [cause]\n"),
        (f"uuid_dump {NO_UUID}", "-ERR No such channel!\n"),
        ("uuid_dump", "-USAGE: <uuid> [format]\n"),
        (f"uuid_setvar {NO_UUID} a b", "-ERR No such channel!\n"),
        ("uuid_setvar", "-USAGE: <uuid> <var> [value]\n"),
        (f"uuid_getvar {NO_UUID} a", "-ERR No such channel!\n"),
        (f"uuid_broadcast {NO_UUID} tone", "-ERR invalid uuid\n"),
        (f"uuid_transfer {NO_UUID} 911", "-ERR No such channel!\n"),
        (f"uuid_hold {NO_UUID}", "-ERR Operation failed\n"),
        (f"sched_hangup +3 {NO_UUID}", "-ERR No such channel!\n"),
        ("sched_hangup", "-USAGE: [+]<time> <uuid> [<cause>]\n"),
        ("sched_del", "-ERR Invalid syntax\n"),
        ("sched_del nothing", "+OK Deleted: 0\n"),
        ("sched_del 17", "+OK Deleted: 0\n"),
        ("module_exists mod_json_cdr", "true"),
        ("module_exists mod_nibblebill", "false"),
        ("module_exists", ""),
        ("global_getvar no_such_variable", ""),
        ("hostname", "vm"),
        ("version", "FreeSWITCH Version 1.10.12-release~64bit (-release 64bit)\n"),
        ("version short", "1.10.12\n"),
        ("uptime", "0\n"),
        ("uptime hours", "0\n"),
        (
            "uptime long",
            "-USAGE: [us|ms|s|m|h|d|microseconds|milliseconds|seconds|minutes|hours|days]\n",
        ),
        ("reloadxml", "+OK [Success]\n"),
        ("show channels as json", '{"row_count": 0}\n'),
        ("show channels count", "\n0 total.\n"),
        ("hupall", "+OK hangup all channels with cause MANAGER_REQUEST\n"),
    ],
)
def test_a_command_with_no_call_up(bench: Bench, line: str, reply: str) -> None:
    assert bench.api(line) == reply


def test_commands_about_a_leg(bench: Bench, call: Call) -> None:
    leg = call.caller.uuid

    assert bench.api(f"uuid_exists {leg}") == "true"
    assert bench.api(f"uuid_setvar {leg} colour deep blue") == "+OK\n"
    assert bench.api(f"uuid_getvar {leg} colour") == "deep blue"
    assert bench.api(f"uuid_setvar {leg} colour") == "+OK\n"
    assert bench.api(f"uuid_getvar {leg} colour") == "_undef_"
    assert bench.api(f"uuid_setvar_multi {leg} a=1;b=2") == "+OK\n"
    assert bench.api(f"uuid_getvar {leg} b") == "2"
    assert bench.api(f"uuid_getvar {leg} sip_req_uri") == "12125550147@127.0.0.1:5060"
    assert bench.api(f"uuid_broadcast {leg} tone_stream://%(200,0,800) aleg") == "+OK Message sent\n"
    assert call.caller.heard == ["tone_stream://%(200,0,800)"]
    assert bench.api(f"uuid_record {leg} start /var/a.wav") == "+OK Success\n"
    assert bench.api(f"uuid_getvar {leg} esl_recording") == "/var/a.wav"


def test_a_cause_may_be_a_name_in_any_case_or_a_number_or_nonsense(bench: Bench) -> None:
    causes = {
        "user_busy": "USER_BUSY",
        "17": "USER_BUSY",
        "802": "ALLOTTED_TIMEOUT",
        "ALLOTED_TIMEOUT": "NORMAL_CLEARING",  # misspelt, as one easily does
        "": "NORMAL_CLEARING",
    }
    for text, cause in causes.items():
        call = bench.place(talk_ms=60_000)
        bench.pass_s(1)
        leg_uuid = call.caller.legs_tried[0][0]
        bench.api(f"uuid_kill {leg_uuid} {text}".rstrip())
        assert bench.truths()[leg_uuid].cause == cause


def test_uuid_dump_shows_what_the_recorded_switch_showed(bench: Bench, call: Call) -> None:
    assert call.peer is not None
    for leg, file in (
        (call.caller, "uuid_dump.inbound.90b2314c.txt"),
        (call.peer, "uuid_dump.outbound.76a32f67.txt"),
    ):
        mine = bench.api(f"uuid_dump {leg.uuid}")
        names = [line.partition(": ")[0] for line in mine.splitlines()]
        recorded = [line.partition(": ")[0] for line in (TRACE / file).read_text().splitlines()]
        rename = {"billed_account": "esl_account", "billed_product": "esl_product", "carrier": "esl_carrier"}
        expected = {
            next((n.replace(old, new) for old, new in rename.items() if old in n), n) for n in recorded if n
        }
        added = {f"variable_{prefix}esl_number" for prefix in ("", "nolocal:")}
        assert set(names) - {""} - added == expected


def test_uuid_dump_as_json_is_the_same_as_one_object(bench: Bench, call: Call) -> None:
    channel = json.loads(bench.api(f"uuid_dump {call.caller.uuid} json"))

    assert channel["Event-Name"] == "CHANNEL_DATA"
    assert channel["Unique-ID"] == call.caller.uuid
    assert channel["Answer-State"] == "answered"
    assert channel["Caller-Channel-Answered-Time"] == str(call.caller.answered_us)


def test_show_channels_has_the_rows_and_columns_of_the_recorded_switch(bench: Bench, call: Call) -> None:
    mine = json.loads(bench.api("show channels as json"))
    recorded = json.loads((TRACE / "show_channels.json").read_text())
    of_the_call = {"uuid", "call_uuid", "created", "created_epoch", "application_data"}

    assert mine["row_count"] == recorded["row_count"] == 2
    for row, expected in zip(mine["rows"], recorded["rows"], strict=True):
        assert list(row) == list(expected)
        assert {k: v for k, v in row.items() if k not in of_the_call} == {
            k: v for k, v in expected.items() if k not in of_the_call
        }


def test_show_channels_of_a_leg_that_just_began(bench: Bench) -> None:
    bench.place(ring_ms=500)

    rows = json.loads(bench.api("show channels as json"))["rows"]
    assert [(row["callstate"], row["callee_direction"]) for row in rows] == [("RINGING", ""), ("RINGING", "")]


def test_status_counts_sessions(bench: Bench, call: Call) -> None:
    lines = bench.api("status").splitlines()

    assert lines[0] == "UP 0 years, 0 days, 0 hours, 0 minutes, 1 second, 0 milliseconds, 0 microseconds"
    assert lines[1] == "FreeSWITCH (Version 1.10.12-release 64bit) is ready"
    assert lines[2] == "2 session(s) since startup"
    assert lines[3] == "2 session(s) - peak 2, last 5min 2 "


def test_global_getvar_knows_the_core(bench: Bench) -> None:
    assert bench.api("global_getvar core_uuid") == bench.core.identity.core_uuid
