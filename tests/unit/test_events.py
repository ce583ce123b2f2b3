"""What is read of an event, and that nothing a caller writes can pass for what the switch says."""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from esl_agent.switch.events import (
    BackgroundJob,
    EventError,
    Heartbeat,
    RegisterAttempt,
    SwitchEvent,
    TwinWord,
    VariableNames,
    decode_event,
    event_of_headers,
    peek_name,
    text_of,
)
from esl_agent.switch.frames import FrameReader

TRACES = Path(__file__).parents[1] / "traces"
#: The recording's own variable names (traces/README.md).
RECORDED = VariableNames(account="billed_account", product="billed_product", carrier="carrier")


def bodies(scenario: str, form: str = "json") -> list[bytes]:
    reader = FrameReader()
    reader.feed((TRACES / scenario / f"events.{form}.esl").read_bytes())
    return [frame.body for frame in reader]


def recorded(scenario: str) -> list[SwitchEvent]:
    return [decode_event(body, RECORDED) for body in bodies(scenario)]


def event(values: Mapping[str, object], names: VariableNames | None = None) -> SwitchEvent:
    return decode_event(
        json.dumps({"Event-Name": "CHANNEL_CREATE", **values}).encode(), names or VariableNames()
    )


def test_an_event_says_what_happened_to_which_leg_and_when() -> None:
    created = recorded("outbound_us_caller_hangup")[1]
    assert created.name == "CHANNEL_CREATE"
    assert created.unique_id == "76a32f67-0256-4268-a1ba-e0317bb38fcb"
    assert created.other_leg_uuid == "90b2314c-b048-4e6f-9462-29ff46f7b65c"
    assert created.direction == "outbound"
    assert (created.timestamp_us, created.sequence) == (1795400040323150, 525)
    assert (created.created_us, created.answered_us) == (1795400040323150, 0)
    assert (created.destination, created.caller_number) == ("12125550147", "15145550100")


def test_who_pays_stands_in_the_variables_that_the_operator_names() -> None:
    values = {"variable_esl_account": "1001", "variable_payer": "1002", "variable_esl_product": "termination"}
    assert event(values).account == "1001"
    assert event(values, VariableNames(account="payer")).account == "1002"
    assert event(values, VariableNames(account="payer")).product == "termination"


def test_a_job_is_known_by_its_uuid_and_its_answer_is_the_body() -> None:
    job = event({"Event-Name": "BACKGROUND_JOB", "Job-UUID": "j", "Content-Length": "4", "_body": "+OK\n"})
    assert isinstance(job, BackgroundJob)
    assert (job.job_uuid, job.body) == ("j", "+OK\n")


def test_a_heartbeat_says_how_many_legs_are_up() -> None:
    heartbeat = event({"Event-Name": "HEARTBEAT", "Session-Count": "12", "Core-UUID": "core"})
    assert isinstance(heartbeat, Heartbeat)
    assert (heartbeat.session_count, heartbeat.core_uuid) == (12, "core")


def test_a_custom_event_is_known_by_its_subclass() -> None:
    values = {
        "Event-Name": "CUSTOM",
        "Event-Subclass": "sofia::register_attempt",
        "from-user": "desk",
        "from-host": "a.test",
        "network-ip": "192.0.2.7",
        "username": 'x","Event-Subclass":"esl_agent::active',
        "realm": ["a", "b"],
        "auth-result": "FORBIDDEN",
    }
    attempt = decode_event(json.dumps(values, separators=(",", ":")).encode())
    assert isinstance(attempt, RegisterAttempt)
    assert (attempt.username, attempt.realm) == (values["username"], ["a", "b"])
    assert (attempt.to_user, attempt.to_domain) == ("desk", "a.test")
    assert (attempt.address, attempt.result) == ("192.0.2.7", "FORBIDDEN")
    values["Event-Subclass"] = "esl_agent::gone"
    assert isinstance(decode_event(json.dumps(values, separators=(",", ":")).encode()), TwinWord)
    values["Event-Subclass"] = "sofia::register"
    assert type(decode_event(json.dumps(values, separators=(",", ":")).encode())).__name__ == "SwitchEvent"


def test_the_kind_of_an_event_is_found_wherever_its_name_stands() -> None:
    told = decode_event(b'{"Session-Count":"12","Event-Name":"HEARTBEAT"}')
    assert isinstance(told, Heartbeat)
    assert told.session_count == 12


def test_the_name_can_be_read_without_reading_the_event() -> None:
    for scenario in ("outbound_us_caller_hangup", "outbound_hostile_caller_name"):
        for body in bodies(scenario):
            assert peek_name(body) == decode_event(body).name
    assert peek_name(b'{"Core-UUID":"x","Event-Name":"HEARTBEAT"}') is None


def test_a_hostile_display_name_changes_neither_payer_nor_event() -> None:
    events = recorded("outbound_hostile_caller_name")
    sent = [json.loads(body)["Event-Name"] for body in bodies("outbound_hostile_caller_name")]
    assert [each.name for each in events] == sent
    assert Counter(sent)["CHANNEL_HANGUP_COMPLETE"] == 2
    assert {each.account for each in events if each.direction == "outbound"} == {"1001"}
    assert {each.account for each in events if each.direction == "inbound"} == {""}
    as_accountcode = VariableNames(account="accountcode")
    accountcodes = {
        decode_event(body, as_accountcode).account for body in bodies("outbound_hostile_caller_name")
    }
    assert accountcodes <= {"", "1001"}


def test_a_hostile_display_name_changes_nothing_in_headers_either() -> None:
    """As the answer to `connect` is written, and as plain events are."""
    for body in bodies("outbound_hostile_caller_name", "plain"):
        reader = FrameReader()
        reader.feed(b"Content-Type: command/reply\n" + body)
        (frame,) = reader
        told = event_of_headers(frame.headers, RECORDED)
        assert told.name == body.split(b"\n", 1)[0].removeprefix(b"Event-Name: ").decode()
        assert told.account == ("1001" if told.direction == "outbound" else "")


def test_headers_are_decoded_and_an_empty_one_says_so() -> None:
    told = event_of_headers(
        {
            "Event-Name": "CHANNEL_DATA",
            "Channel-Name": "sofia/customer/15145550100%40127.0.0.1",
            "Caller-Caller-ID-Number": "_undef_",
            "Caller-Channel-Created-Time": "1795400040323150",
        }
    )
    assert told.channel_name == "sofia/customer/15145550100@127.0.0.1"
    assert told.caller_number == ""
    assert told.created_us == 1795400040323150


def test_a_value_may_be_an_array_and_is_told_as_the_text_it_was() -> None:
    """A display name or a dialled number that begins with ARRAY:: becomes one (switch_event.c)."""
    told = event({"Caller-Destination-Number": ["1", "2"], "variable_esl_account": ["1001", "9999"]})
    assert text_of(told.destination) == "ARRAY::1|:2"
    assert text_of(told.account) == "ARRAY::1001|:9999"
    assert event({"variable_DP_MATCH": ["a", "b"]}).name == "CHANNEL_CREATE"


def test_a_name_that_is_not_utf_8_is_read_with_the_damage_marked() -> None:
    told = decode_event(b'{"Event-Name":"CHANNEL_CREATE","Caller-Caller-ID-Number":"Ren\xe9"}')
    assert told.caller_number == "Ren\N{REPLACEMENT CHARACTER}"


def test_a_name_in_latin_1_that_nobody_reads_does_no_harm() -> None:
    assert decode_event(b'{"Event-Name":"HEARTBEAT","Caller-Caller-ID-Name":"Ren\xe9"}').name == "HEARTBEAT"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"Event-Name: HEARTBEAT\n\n",
        b'{"Event-Name":"HEARTBEAT"',
        b'{"Event-Name":"HEARTBEAT"} and more',
        b'{"Event-Name":["HEARTBEAT"]}',
        b'{"Event-Name":"HEARTBEAT","Event-Sequence":"many"}',
        b'{"Event-Name":"HEARTBEAT","Event-Sequence":"-1"}',
        b'{"Event-Name":"HEARTBEAT","Event-Sequence":"99999999999999999999"}',
        b'{"Event-Name":"HEARTBEAT","Unique-ID":7}',
        b'{"Event-Name":"HEARTBEAT","deep":' + b"[" * 200_000,
    ],
)
def test_what_is_no_event_is_one_named_error(body: bytes) -> None:
    with pytest.raises(EventError):
        decode_event(body)


def test_a_dump_of_a_channel_reads_as_its_events_do() -> None:
    """`uuid_dump` was recorded as text: the same headers as in an event, one a line."""
    dump = (TRACES / "forwarded_did" / "uuid_dump.outbound.f7072568.txt").read_text()
    headers = dict(line.split(": ", 1) for line in dump.split("\n") if ": " in line)
    told = event_of_headers(headers, RECORDED)
    assert told.name == "CHANNEL_DATA"
    assert (told.account, told.product) == ("1002", "forwarding")
    assert told.answered_us == 1795400108463135
