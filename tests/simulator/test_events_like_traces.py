"""What a client sees of a call is what the recorded switch showed: events, headers, order, values."""

from __future__ import annotations

import json
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from esl_agent.simulator.plan import Kind, Outcome
from esl_agent.switch.events import VariableNames
from esl_agent.switch.frames import FrameReader

from .bench import Bench

TRACES = Path(__file__).parents[1] / "traces"
SUBSCRIBED = [
    *("CHANNEL_CREATE", "CHANNEL_PROGRESS", "CHANNEL_PROGRESS_MEDIA", "CHANNEL_ANSWER", "CALL_UPDATE"),
    *("CHANNEL_BRIDGE", "CHANNEL_UNBRIDGE", "CHANNEL_HOLD", "CHANNEL_UNHOLD"),
    *("CHANNEL_HANGUP", "CHANNEL_HANGUP_COMPLETE", "CHANNEL_DESTROY"),
]

UK = "442079460000"
#: The recording's own names; the number that our dialplan exports too is the one header they don't have.
NAMES = VariableNames(
    account="billed_account", product="billed_product", carrier="carrier", number="billed_number"
)
OURS_ALONE = {"variable_billed_number", "variable_nolocal:billed_number"}

SCENES: dict[str, dict[str, Any]] = {
    "outbound_us_caller_hangup": {"talk_ms": 3540},
    "outbound_cut_by_scheduled_kill": {"number": UK, "talk_ms": 60_000},
    "outbound_busy": {
        "number": "15145550123",
        "carriers_refusing": 1,
        "refusal_sip_status": 486,
        "outcome": Outcome.UNAVAILABLE,
    },
    "outbound_cancelled_while_ringing": {
        "number": "15145550123",
        "ring_ms": 1000,
        "outcome": Outcome.CANCELLED,
    },
    "outbound_failover_second_carrier": {"number": UK, "carriers_refusing": 1, "talk_ms": 2040},
    "outbound_early_media": {"number": UK, "early_media_ms": 200, "ring_ms": 940, "talk_ms": 2040},
    "outbound_blind_transfer": {
        "transfer_to": UK,
        "transfer_after_ms": 880,
        "talk_after_transfer_ms": 3920,
    },
    "outbound_redirected_302_refused": {
        "number": "15145550123",
        "carriers_refusing": 1,
        "refusal_sip_status": 302,
        "talk_ms": 1040,
    },
    "inbound_did_answered": {
        "kind": Kind.INBOUND,
        "caller": "14165550111",
        "did": "15145550100",
        "product": None,
        "talk_ms": 2540,
    },
    "inbound_tollfree_from_payphone": {
        "kind": Kind.INBOUND,
        "caller": "14165550111",
        "did": "18005550100",
        "product": None,
        "oli": "27",
        "talk_ms": 1540,
    },
}

#: Where the recorded legs raced: here a header may stand elsewhere, or come with the next event.
RACED = {
    "variable_bridge_channel",
    "variable_bridge_hangup_cause",
    "variable_bridge_uuid",
    "variable_call_uuid",
    "variable_signal_bond",
    "variable_sip_hangup_disposition",
}
#: The second carrier of the busy scene was not listening at all, so it has no address to show.
UNREACHABLE = {"variable_sip_reply_host", "variable_sip_network_ip"}

#: Values that are of that one call, or of the moment.
OF_THE_MOMENT = re.compile(
    r"Event-|Core-UUID|Time$|Last-Hold|Hold-Accum|Transfer-Source"
    r"|_stamp|epoch|sec$|duration$|_uuid|uuid$|Unique-ID|UUID|Bridged-To|signal_bond|originator$|bridge_to"
    r"|_tag$|_via$|_full_|_i_from|_i_via|_call_id|cseq|ssrc|sdp|_port$|session_id|skip_packet"
    r"|originat.*_(legs|causes)|originate_signal|transfer_|export_vars|_data$|_arg$|recover_contact"
    r"|nolocal|hangup_disposition"
)


def record(scene: str) -> Bench:
    bench = Bench(SUBSCRIBED, names=NAMES)
    call = bench.place(**SCENES[scene])
    if scene == "outbound_cut_by_scheduled_kill":
        bench.pass_s(1)
        assert call.peer is not None
        leg = call.peer.uuid
        bench.api(f"sched_api +3 cut_{leg} uuid_kill {leg} ALLOTTED_TIMEOUT")
    bench.pass_s(60)
    return bench


def bodies(scene: str, form: str = "json") -> list[bytes]:
    reader = FrameReader()
    reader.feed((TRACES / scene / f"events.{form}.esl").read_bytes())
    return [frame.body for frame in reader]


Pairs = list[tuple[str, Any]]


def by_leg(events: list[Pairs]) -> dict[tuple[str, str, int], Pairs]:
    """Events by leg (A, B, C as they came), name, and how many of that name the leg had."""
    letters: dict[str, str] = {}
    seen: Counter[tuple[str, str]] = Counter()
    found = {}
    for pairs in events:
        event = dict(pairs)
        letter = letters.setdefault(event["Unique-ID"], "ABCDEF"[len(letters)])
        key = (letter, event["Event-Name"])
        found[(*key, seen[key])] = pairs
        seen[key] += 1
    return found


def parsed(bodies: list[bytes]) -> list[Pairs]:
    return [json.loads(body, object_pairs_hook=list) for body in bodies]


@pytest.mark.parametrize("scene", SCENES)
def test_each_leg_has_the_events_of_the_trace_in_their_order(scene: str) -> None:
    def sequences(events: dict[tuple[str, str, int], Pairs]) -> dict[str, list[str]]:
        order: dict[str, list[str]] = {}
        for letter, name, _ in events:
            order.setdefault(letter, []).append(name)
        return order

    mine = sequences(by_leg(parsed(record(scene).ear.bodies)))

    assert mine == sequences(by_leg(parsed(bodies(scene))))


@pytest.mark.parametrize("scene", SCENES)
def test_each_event_has_the_headers_of_the_trace_in_their_order(scene: str) -> None:
    mine = by_leg(parsed(record(scene).ear.bodies))
    loose = RACED | (UNREACHABLE if scene == "outbound_busy" else set())
    for key, pairs in by_leg(parsed(bodies(scene))).items():
        expected = [name for name, _ in pairs if name not in loose]
        names = [name for name, _ in mine[key] if name not in OURS_ALONE | loose]
        assert names == expected, key
        missing = {name for name, _ in pairs} - {name for name, _ in mine[key]}
        assert missing <= loose, key


def test_a_plain_call_has_them_exactly() -> None:
    mine = by_leg(parsed(record("outbound_us_caller_hangup").ear.bodies))
    for key, pairs in by_leg(parsed(bodies("outbound_us_caller_hangup"))).items():
        assert [name for name, _ in mine[key] if name not in OURS_ALONE] == [name for name, _ in pairs], key


@pytest.mark.parametrize("scene", SCENES)
def test_what_is_not_of_the_moment_has_the_value_of_the_trace(scene: str) -> None:
    mine = by_leg(parsed(record(scene).ear.bodies))
    for key, pairs in by_leg(parsed(bodies(scene))).items():
        if key[0] == "C" and scene == "outbound_busy":
            continue  # refused before it was sent: the state differs
        values = dict(mine[key])
        for name, value in pairs:
            if name in values and not OF_THE_MOMENT.search(name):
                assert values[name] == value, (key, name)


def test_an_event_is_as_large_as_a_real_one() -> None:
    mine = record("outbound_us_caller_hangup").ear.bodies
    real = bodies("outbound_us_caller_hangup")

    assert sum(map(len, mine)) == pytest.approx(sum(map(len, real)), rel=0.02)


def test_the_times_of_a_leg_agree_in_all_their_forms() -> None:
    bench = record("outbound_early_media")
    for event in bench.ear.named("CHANNEL_HANGUP_COMPLETE"):
        answered, ended = int(event["Caller-Channel-Answered-Time"]), int(event["Caller-Channel-Hangup-Time"])
        assert int(event["variable_billusec"]) == ended - answered
        assert int(event["variable_billmsec"]) == ended // 1000 - answered // 1000
        assert int(event["variable_billsec"]) == ended // 1_000_000 - answered // 1_000_000
        assert int(event["variable_progress_mediausec"]) == int(
            event["Caller-Channel-Progress-Media-Time"]
        ) - int(event["Caller-Channel-Created-Time"])


def test_times_move_in_steps_of_the_tick_and_a_little_off_it() -> None:
    bench = record("outbound_us_caller_hangup")
    stamps = sorted({int(event["Event-Date-Timestamp"]) for event in bench.ear.events})
    steps = [later - earlier for earlier, later in pairwise(stamps)]

    assert all(abs(step - round(step / 20_000) * 20_000) <= 50 for step in steps)
    assert any(step % 20_000 for step in steps)
    assert all(stamp <= bench.core.now_us for stamp in stamps)


def test_the_clock_is_exact_where_the_tick_is_zero() -> None:
    bench = Bench(["CHANNEL_ANSWER"], tick_ms=0)
    bench.place(ring_ms=123)
    bench.pass_s(1)

    answered = bench.ear.events[0]["Caller-Channel-Answered-Time"]
    assert int(answered) == bench.core.started_us + 123_000


@pytest.mark.parametrize("scene", ["outbound_us_caller_hangup", "outbound_blind_transfer"])
def test_plain_events_are_those_of_the_trace(scene: str) -> None:
    def pairs(body: bytes) -> Pairs:
        lines = body.decode().split("\n")
        assert lines[-2:] == ["", ""]
        return [(name, value) for name, _, value in (line.partition(": ") for line in lines[:-2])]

    bench = record(scene)
    mine = by_leg([pairs(body) for body in bench.ear.plain])
    for key, expected in by_leg([pairs(body) for body in bodies(scene, "plain")]).items():
        names = [name for name, _ in expected if name not in RACED]
        assert [name for name, _ in mine[key] if name not in OURS_ALONE | RACED] == names, key
    as_json = by_leg(parsed(bench.ear.bodies))
    for key, written in mine.items():
        for (name, value), (json_name, json_value) in zip(written, as_json[key], strict=True):
            if isinstance(json_value, list):
                json_value = "ARRAY::" + "|:".join(json_value)
            assert (name, unquote(value)) == (json_name, json_value)


def test_a_name_that_forges_headers_is_one_value_in_json_and_keeps_its_percent_in_plain() -> None:
    """As in the trace outbound_hostile_caller_name."""
    bench = Bench(["CHANNEL_CREATE"])
    bench.place(caller_name='x%0Avariable_accountcode: 9999\n"\\')

    event = bench.ear.events[0]
    assert event["Caller-Caller-ID-Name"] == 'x%0Avariable_accountcode: 9999\n"\\'
    assert b"Caller-Caller-ID-Name: x%0Avariable_accountcode%3A%209999%0A%22%5C\n" in bench.ear.plain[0]


def test_a_name_that_is_not_utf_8_goes_out_as_it_came() -> None:
    bench = Bench(["CHANNEL_CREATE"])
    bench.place(caller_name=b"Ren\xe9".decode("utf-8", "surrogateescape"))

    assert b'"Caller-Caller-ID-Name":"Ren\xe9"' in bench.ear.bodies[0]
