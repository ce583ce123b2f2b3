"""What a leg and its end are, told by the recordings of a real switch and by the cases they lack."""

import gzip
import json
from pathlib import Path

import pytest

from esl_agent.core.leg import Direction, Leg, LegEnd, Product, Quality
from esl_agent.switch.events import EventError, SwitchEvent, VariableNames, decode_event
from esl_agent.switch.frames import FrameReader
from esl_agent.switch.legs import account_fault, leg_end_of, leg_of

TRACES = Path(__file__).parents[1] / "traces"
RECORDED = VariableNames(account="billed_account", product="billed_product", carrier="carrier")
SCENARIOS = sorted(path.parent.name for path in TRACES.glob("*/events.json.esl*"))


def bodies(scenario: str) -> list[bytes]:
    reader = FrameReader()
    path = TRACES / scenario / "events.json.esl"
    reader.feed(
        path.read_bytes() if path.exists() else gzip.decompress(path.with_suffix(".esl.gz").read_bytes())
    )
    return [frame.body for frame in reader]


def ends(scenario: str) -> dict[str, LegEnd]:
    """Each leg's end by the first eight digits of its UUID."""
    events = (decode_event(body, RECORDED) for body in bodies(scenario))
    found = (leg_end_of(event) for event in events if event.name == "CHANNEL_HANGUP_COMPLETE")
    return {end.leg.leg_uuid[:8]: end for end in found}


def channel(**values: str | list[str]) -> SwitchEvent:
    """A channel event: header names with `_` for `-`, variables as `variable_…`."""
    headers: dict[str, str | list[str]] = {
        "Event-Name": "CHANNEL_HANGUP_COMPLETE",
        "Unique-ID": "76a32f67-0256-4268-a1ba-e0317bb38fcb",
        "Call-Direction": "outbound",
        "Caller-Channel-Created-Time": "1000000",
        "Caller-Channel-Hangup-Time": "9000000",
    }
    for name, value in values.items():
        headers[name if name.startswith("variable_") else name.replace("_", "-")] = value
    return decode_event(json.dumps(headers).encode())


def test_an_answered_leg_to_a_carrier() -> None:
    end = ends("outbound_us_caller_hangup")["76a32f67"]
    assert end == LegEnd(
        leg=Leg(
            leg_uuid="76a32f67-0256-4268-a1ba-e0317bb38fcb",
            direction=Direction.OUTBOUND,
            created_us=1795400040323150,
            account_id=1001,
            product=Product.TERMINATION,
            priced_number="12125550147",
            destination="12125550147",
            caller_number="15145550100",
            other_leg_uuid="90b2314c-b048-4e6f-9462-29ff46f7b65c",
            carrier="a",
            forwarded_from=None,
            is_loopback=False,
            answered_us=1795400040523139,
        ),
        ended_us=1795400044063152,
        duration_us=3540013,
        hangup_cause="NORMAL_CLEARING",
        sip_code=200,
        ended_by="caller",
        quality=Quality(None, None, None),
        recording=None,
    )


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_duration_is_the_switchs_own_to_the_microsecond(scenario: str) -> None:
    recorded = [json.loads(body) for body in bodies(scenario)]
    told = {
        each["Unique-ID"][:8]: int(each["variable_billusec"])
        for each in recorded
        if each["Event-Name"] == "CHANNEL_HANGUP_COMPLETE"
    }
    assert told
    assert {uuid: end.duration_us for uuid, end in ends(scenario).items()} == told


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_event_of_a_leg_tells_of_the_same_leg(scenario: str) -> None:
    told: dict[str, set[tuple[object, ...]]] = {}
    for body in bodies(scenario):
        leg = leg_of(decode_event(body, RECORDED))
        facts = (leg.direction, leg.created_us, leg.account_id, leg.product, leg.is_loopback)
        told.setdefault(leg.leg_uuid, set()).add(facts)
    assert all(len(facts) == 1 for facts in told.values())


def test_a_transferred_caller_leaves_two_legs_with_an_answer_and_an_end_each() -> None:
    billed = {uuid: end for uuid, end in ends("outbound_blind_transfer").items() if end.leg.account_id}
    assert {uuid: (end.leg.priced_number, end.duration_us) for uuid, end in billed.items()} == {
        "fabc51b5": ("12125550147", 880001),
        "87f3fb7f": ("442079460000", 3920034),
    }


def test_a_forwarded_call_is_its_forwarders() -> None:
    end = ends("forwarded_did")["f7072568"]
    assert (end.leg.account_id, end.leg.product) == (1002, Product.FORWARDING)
    assert end.leg.priced_number == "12125550147"


def test_the_leg_of_a_hostile_caller_is_his_own() -> None:
    end = ends("outbound_hostile_caller_name")["0bd71a4e"]
    assert (end.leg.account_id, end.duration_us) == (1001, 1040028)


@pytest.mark.parametrize(
    ("scenario", "leg", "ended_by", "cause", "sip_code"),
    [
        ("outbound_us_caller_hangup", "76a32f67", "caller", "NORMAL_CLEARING", 200),
        ("outbound_us_caller_hangup", "90b2314c", "caller", "NORMAL_CLEARING", 200),
        ("outbound_busy", "acd14b4d", "callee", "USER_BUSY", 486),
        ("outbound_busy", "06add903", "callee", "NORMAL_TEMPORARY_FAILURE", 503),
        ("outbound_busy", "6eb4b699", "callee", "NORMAL_TEMPORARY_FAILURE", 503),
        ("outbound_cancelled_while_ringing", "810bce78", "caller", "ORIGINATOR_CANCEL", 487),
        ("outbound_cancelled_while_ringing", "392f556f", "caller", "NORMAL_CLEARING", None),
        ("outbound_cut_by_scheduled_kill", "46652b85", "agent", "ALLOTTED_TIMEOUT", 200),
        ("outbound_sched_hangup", "2c35be23", "agent", "ALLOTTED_TIMEOUT", 200),
        ("outbound_failover_second_carrier", "28c2a31c", "callee", "NORMAL_TEMPORARY_FAILURE", 503),
        ("outbound_failover_second_carrier", "665e8f08", "caller", "NORMAL_CLEARING", 200),
        ("outbound_redirected_302_refused", "777f3486", "callee", "REQUESTED_CHAN_UNAVAIL", 302),
        ("outbound_hold_unhold", "6dfa36fd", "caller", "NORMAL_TEMPORARY_FAILURE", 200),
        ("outbound_hold_unhold", "64bda5b8", "caller", "NORMAL_CLEARING", 200),
    ],
)
def test_who_ended_a_leg_and_with_what_answer(
    scenario: str, leg: str, ended_by: str, cause: str, sip_code: int | None
) -> None:
    end = ends(scenario)[leg]
    assert (end.ended_by, end.hangup_cause, end.sip_code) == (ended_by, cause, sip_code)


@pytest.mark.parametrize(
    ("direction", "disposition", "cause", "ended_by"),
    [
        ("outbound", "recv_bye", "NORMAL_CLEARING", "callee"),
        ("inbound", "send_bye", "NORMAL_CLEARING", "callee"),
        ("inbound", "recv_cancel", "ORIGINATOR_CANCEL", "caller"),
        ("outbound", "send_bye", "MEDIA_TIMEOUT", "switch"),
        ("outbound", "send_cancel", "NO_ANSWER", "switch"),
        ("inbound", "send_refuse", "CALL_REJECTED", "switch"),
        ("outbound", "", "NORMAL_CLEARING", "unknown"),
        # A carrier may write any cause into its BYE; it does not become us by that.
        ("outbound", "recv_bye", "ALLOTTED_TIMEOUT", "callee"),
    ],
)
def test_who_ended_a_leg_by_its_side_and_cause(
    direction: str, disposition: str, cause: str, ended_by: str
) -> None:
    event = channel(Call_Direction=direction, Hangup_Cause=cause, variable_sip_hangup_disposition=disposition)
    assert leg_end_of(event).ended_by == ended_by


@pytest.mark.parametrize(
    "account",
    [
        "",
        "0",
        "01001",
        "-5",
        "+5",
        "1 001",
        "1001\n",
        "1e3",
        "0x10",
        "1001.0",
        "1_001",
        "१००१",
        "9" * 19,
        "alice",
        ["1001", "9999"],
    ],
)
def test_an_account_that_is_no_plain_number_is_none(account: str | list[str]) -> None:
    event = channel(variable_esl_account=account)
    assert leg_of(event).account_id is None
    assert (account_fault(event) is None) == (account == "")


def test_an_account_is_a_number_of_up_to_18_digits() -> None:
    event = channel(variable_esl_account="9" * 18)
    assert leg_of(event).account_id == 10**18 - 1
    assert account_fault(event) is None


def test_a_product_that_is_not_sold_is_none_and_said() -> None:
    event = channel(variable_esl_account="1001", variable_esl_product="free")
    assert leg_of(event).product is None
    assert account_fault(event) == "the product 'free' is none of termination, forwarding, inbound"


def test_the_number_to_price_is_ours_if_the_dialplan_set_one() -> None:
    event = channel(Caller_Destination_Number="9999#12125550147", variable_esl_number="12125550147")
    leg = leg_of(event)
    assert (leg.priced_number, leg.destination) == ("12125550147", "9999#12125550147")


@pytest.mark.parametrize(
    ("name", "module", "is_loopback"),
    [
        ("loopback/12125550147-a", "mod_loopback", True),
        ("loopback/12125550147-a", "mod_sofia", False),  # a phone's X-FS-Channel-Name
        ("sofia/carrier/12125550147", "mod_loopback", False),  # a carrier's leg for a loopback's call
        ("sofia/customer/loopback/1@127.0.0.1", "mod_sofia", False),
    ],
)
def test_a_loopback_leg_is_known_by_its_name_and_its_maker(name: str, module: str, is_loopback: bool) -> None:
    assert leg_of(channel(Channel_Name=name, Caller_Source=module)).is_loopback is is_loopback


def test_a_leg_whose_caller_authenticated_is_told_from_one_that_a_carrier_brought() -> None:
    assert leg_of(channel(variable_sip_authorized="true")).is_users
    assert not leg_of(channel()).is_users


def test_quality_is_told_where_media_came() -> None:
    heard = {
        "variable_rtp_audio_in_media_packet_count": "177",
        "variable_rtp_audio_in_mos": "4.32",
        "variable_rtp_audio_in_jitter_loss_rate": "0.02",
        "variable_rtp_audio_in_jitter_max_variance": "6.25",
    }
    assert leg_end_of(channel(**heard)).quality == Quality(mos="4.32", packet_loss="2.00", jitter_ms="2.50")
    silent = heard | {"variable_rtp_audio_in_media_packet_count": "0"}
    assert leg_end_of(channel(**silent)).quality == Quality(None, None, None)
    odd = heard | {"variable_rtp_audio_in_mos": "-nan", "variable_rtp_audio_in_jitter_max_variance": "inf"}
    assert leg_end_of(channel(**odd)).quality == Quality(mos=None, packet_loss="2.00", jitter_ms=None)


def test_the_recording_is_the_one_that_the_dialplan_names() -> None:
    assert leg_end_of(channel(variable_esl_recording="/var/rec/a.wav")).recording == "/var/rec/a.wav"


def test_a_clock_that_stepped_back_bills_nothing() -> None:
    end = leg_end_of(channel(Caller_Channel_Answered_Time="9500000"))
    assert (end.leg.answered_us, end.duration_us) == (9500000, 0)


@pytest.mark.parametrize("missing", ["Unique_ID", "Call_Direction"])
def test_an_event_of_no_leg_is_refused(missing: str) -> None:
    with pytest.raises(EventError, match="tells of no leg"):
        leg_of(channel(**{missing: ""}))


def test_a_leg_that_still_talks_has_no_end() -> None:
    with pytest.raises(EventError, match="tells of no end"):
        leg_end_of(channel(Caller_Channel_Hangup_Time="0"))
