"""What becomes of calls, and what the switch puts down of their legs."""

from __future__ import annotations

from itertools import pairwise

import pytest

from esl_agent.core.leg import Product
from esl_agent.simulator.call import Call
from esl_agent.simulator.plan import Kind, Outcome

from .bench import NOW_US, SECOND_US, Bench

FATAL = "outbound_redirect_fatal=true"


def admit(call: Call, argument: str) -> None:
    """As an agent does that has nothing against the call, whose routes are set already."""
    call.caller.set_variable("esl_sip_code", None)
    call.socket_closed(resume=True)


def test_an_answered_call_talks_as_long_as_the_plan_says() -> None:
    bench = Bench(tick_ms=0)
    bench.place(ring_ms=250, talk_ms=1500, account="1007", number="442079460000")
    bench.pass_s(5)

    (leg,) = bench.outbound()
    assert (leg.account, leg.product, leg.number, leg.carrier) == (
        "1007",
        "termination",
        "442079460000",
        "a",
    )
    assert leg.answered_us == NOW_US + 250_000
    assert leg.duration_us == 1_500_000
    assert (leg.cause, leg.ended_by) == ("NORMAL_CLEARING", "caller")
    assert not bench.core.legs
    assert not bench.core.calls


def test_the_callee_may_hang_up() -> None:
    bench = Bench()
    bench.place(hangup_by_callee=True)
    bench.pass_s(5)

    assert [leg.ended_by for leg in bench.outbound()] == ["callee"]
    dispositions = {
        event["Call-Direction"]: event["variable_sip_hangup_disposition"]
        for event in bench.ear.named("CHANNEL_HANGUP_COMPLETE")
    }
    assert dispositions == {"outbound": "recv_bye", "inbound": "send_bye"}


@pytest.mark.parametrize(
    ("outcome", "cause", "caller_cause"),
    [
        (Outcome.BUSY, "USER_BUSY", "NORMAL_TEMPORARY_FAILURE"),
        (Outcome.REJECTED, "CALL_REJECTED", "NORMAL_TEMPORARY_FAILURE"),
        (Outcome.NO_ROUTE, "UNALLOCATED_NUMBER", "NORMAL_TEMPORARY_FAILURE"),
        (Outcome.UNAVAILABLE, "NORMAL_TEMPORARY_FAILURE", "NORMAL_TEMPORARY_FAILURE"),
        (Outcome.NO_ANSWER, "NO_ANSWER", "NORMAL_TEMPORARY_FAILURE"),
        (Outcome.CANCELLED, "ORIGINATOR_CANCEL", "NORMAL_CLEARING"),
        (Outcome.REDIRECTED, "REQUESTED_CHAN_UNAVAIL", "NORMAL_TEMPORARY_FAILURE"),
    ],
)
def test_a_call_that_nobody_takes(outcome: Outcome, cause: str, caller_cause: str) -> None:
    """With two carriers, the second is tried unless the caller gave up; then the dialplan says 503."""
    bench = Bench()
    bench.place(outcome=outcome)
    bench.pass_s(5)

    legs = bench.outbound()
    assert {leg.cause for leg in legs} == {cause}
    assert len(legs) == (1 if outcome is Outcome.CANCELLED else 2)
    assert all(leg.answered_us is None and leg.duration_us == 0 for leg in legs)
    (caller,) = [truth for truth in bench.core.truth.legs if not truth.is_outbound]
    assert caller.cause == caller_cause


def test_the_next_carrier_takes_what_the_first_refuses() -> None:
    bench = Bench()
    call = bench.place(carriers_refusing=1)
    bench.pass_s(5)

    refused, answered = (bench.truths()[leg_uuid] for leg_uuid, _ in call.caller.legs_tried)
    assert (refused.carrier, refused.cause, refused.answered_us) == ("a", "NORMAL_TEMPORARY_FAILURE", None)
    assert (answered.carrier, answered.cause) == ("b", "NORMAL_CLEARING")
    assert answered.answered_us is not None


def test_a_forwarded_call_is_paid_by_the_numbers_owner() -> None:
    bench = Bench()
    bench.place(
        kind=Kind.FORWARDED,
        product=Product.FORWARDING,
        account="1002",
        did="15145550199",
        number="12125550147",
    )
    bench.pass_s(5)

    (event,) = [e for e in bench.ear.named("CHANNEL_CREATE") if e["Call-Direction"] == "outbound"]
    assert event["variable_esl_account"] == "1002"
    assert event["variable_esl_product"] == "forwarding"
    assert event["variable_esl_forwarded_from"] == "15145550199"
    assert event["Caller-Destination-Number"] == "12125550147"
    assert event["Other-Leg-Destination-Number"] == "15145550199"


def test_an_inbound_call_is_priced_on_the_callers_leg() -> None:
    bench = Bench()
    bench.place(kind=Kind.INBOUND, product=Product.INBOUND, did="15145550100", device="1001")
    bench.pass_s(5)

    payers = {truth.is_outbound: (truth.account, truth.product) for truth in bench.core.truth.legs}
    assert payers == {False: ("1001", "inbound"), True: ("", "")}


def test_a_leg_that_nobody_pays_for_says_so_by_saying_nothing() -> None:
    bench = Bench()
    bench.place(number="911", product=None)
    bench.pass_s(5)

    assert [(leg.account, leg.number, leg.duration_us > 0) for leg in bench.outbound()] == [("", "", True)]


def test_a_transfer_ends_one_paid_leg_and_begins_another() -> None:
    bench = Bench(tick_ms=0)
    call = bench.place(transfer_to="442079460000", transfer_after_ms=880, talk_after_transfer_ms=3920)
    bench.pass_s(10)

    first, second = (bench.truths()[leg_uuid] for leg_uuid, _ in call.caller.legs_tried)
    assert (first.number, first.duration_us) == ("12125550147", 880_000)
    assert (second.number, second.duration_us) == ("442079460000", 3_920_000)
    caller = bench.truths()[call.caller.uuid]
    assert caller.answered_us is not None
    assert second.answered_us is not None
    assert caller.answered_us < second.answered_us


def test_a_transfer_on_command() -> None:
    bench = Bench()
    call = bench.place(talk_ms=60_000)
    bench.pass_s(1)

    assert bench.api(f"uuid_transfer {call.caller.uuid} 442079460000 XML customer") == "+OK\n"
    bench.pass_s(1)
    assert [leg.cause for leg in bench.outbound()] == ["NORMAL_CLEARING"]
    assert call.caller.destination == "442079460000"
    assert call.peer is not None
    assert call.peer.is_up


def test_the_far_end_may_transfer_the_caller() -> None:
    bench = Bench()
    call = bench.place(talk_ms=60_000)
    bench.pass_s(1)
    ((far_end, _),) = call.caller.legs_tried

    assert bench.api(f"uuid_transfer {far_end} -bleg 442079460000 XML customer") == "+OK\n"
    assert call.caller.destination == "442079460000"
    assert bench.api(f"uuid_transfer {call.caller.uuid} -bleg 1 XML customer") == "-ERR\n"


def test_a_transfer_to_an_announcement_is_heard_and_ends_the_call() -> None:
    bench = Bench()
    call = bench.place(talk_ms=60_000)
    bench.pass_s(1)
    bench.api(f"uuid_transfer {call.caller.uuid} announce_balance_used_up XML customer")
    bench.pass_s(3)

    assert call.caller.heard == ["announce_balance_used_up"]
    assert call.ended


def test_the_first_to_answer_of_several_that_ring_wins() -> None:
    bench = Bench(admission="127.0.0.1:1")
    bench.core.dial_agent = admit
    call = bench.place(
        variables={
            "esl_route_1": "[origination_uuid=one]sofia/carrier/1@127.0.0.1:5090"
            ",[origination_uuid=two]sofia/carrier/2@127.0.0.1:5091"
        }
    )
    bench.pass_s(5)

    assert [leg_uuid for leg_uuid, _ in call.caller.legs_tried] == ["one", "two"]
    assert {leg: truth.cause for leg, truth in bench.truths().items() if truth.is_outbound} == {
        "one": "NORMAL_CLEARING",
        "two": "LOSE_RACE",
    }


def test_a_redirection_is_followed_unless_it_is_forbidden() -> None:
    """Followed, it talks on, and the events still show the number that was dialled."""
    bench = Bench(admission="127.0.0.1:1")
    bench.core.dial_agent = admit
    carrier = "sofia/carrier/15145550123@127.0.0.1:5090"
    bench.place(outcome=Outcome.REDIRECTED, variables={"esl_route_1": carrier})
    bench.place(outcome=Outcome.REDIRECTED, variables={"esl_route_1": f"[{FATAL}]{carrier}"})
    bench.pass_s(5)

    assert sorted(leg.cause for leg in bench.outbound()) == ["NORMAL_CLEARING", "REQUESTED_CHAN_UNAVAIL"]
    redirected = [e for e in bench.ear.named("CHANNEL_HANGUP_COMPLETE") if "variable_sip_redirected_to" in e]
    assert [e["Hangup-Cause"] for e in redirected] == ["REQUESTED_CHAN_UNAVAIL"]


def test_the_switch_arms_the_cut_itself_when_the_leg_is_answered() -> None:
    """As tried on a real one: with no client connected the leg ended by itself."""
    bench = Bench(admission="127.0.0.1:1")
    bench.core.dial_agent = admit
    routes = {
        f"esl_route_{i}": f"[origination_uuid={leg},"
        f"api_on_answer_x='sched_api +4 cut_{leg} uuid_kill {leg} ALLOTTED_TIMEOUT']"
        f"sofia/carrier/12125550147@127.0.0.1:509{i}"
        for i, leg in enumerate(("first", "second"), 1)
    }
    bench.place(talk_ms=60_000, carriers_refusing=1, variables=routes)
    bench.pass_s(10)

    second = bench.truths()["second"]
    assert second.cause == "ALLOTTED_TIMEOUT"
    assert 3 * SECOND_US < second.duration_us <= 4.5 * SECOND_US
    assert bench.truths()["first"].answered_us is None


@pytest.mark.parametrize("when_s", [0.1, 1.0], ids=["ringing", "talking"])
@pytest.mark.parametrize("side", ["caller", "callee"])
def test_killing_either_leg_at_any_time_ends_both(side: str, when_s: float) -> None:
    bench = Bench()
    call = bench.place(talk_ms=60_000, ring_ms=500)
    bench.pass_s(when_s)
    leg_uuid = call.caller.uuid if side == "caller" else call.caller.legs_tried[0][0]
    assert bench.api(f"uuid_kill {leg_uuid} ALLOTTED_TIMEOUT") == "+OK\n"
    assert bench.api(f"uuid_kill {leg_uuid}") == "-ERR No such channel!\n"
    assert bench.truths()[leg_uuid].cause == "ALLOTTED_TIMEOUT"
    bench.api(f"uuid_kill {call.caller.uuid}")

    assert not bench.core.legs
    assert call.ended


def test_every_leg_ends_once_whatever_happens_to_it() -> None:
    bench = Bench(["CHANNEL_CREATE", "CHANNEL_HANGUP", "CHANNEL_HANGUP_COMPLETE", "CHANNEL_DESTROY"])
    for number, outcome in enumerate(Outcome):
        bench.place(outcome=outcome, carriers_refusing=number % 2, early_media_ms=100)
    call = bench.place(talk_ms=60_000)
    bench.pass_s(1)
    bench.api(f"uuid_kill {call.caller.uuid}")
    bench.api("hupall")
    bench.pass_s(60)

    for name in bench.ear.names:
        legs = [event["Unique-ID"] for event in bench.ear.named(name)]
        assert len(legs) == len(set(legs)) == bench.core.sessions
    assert bench.core.truth.count == bench.core.sessions


def test_a_held_call_is_held_and_goes_on() -> None:
    bench = Bench()
    call = bench.place(talk_ms=3_000)
    bench.pass_s(1)
    assert bench.api(f"uuid_hold {call.caller.uuid}") == "+OK Success\n"
    bench.pass_s(1)
    assert bench.api(f"uuid_hold off {call.caller.uuid}") == "+OK Success\n"
    bench.pass_s(5)

    assert [event["Channel-Call-State"] for event in bench.ear.named("CHANNEL_HOLD")] == ["HELD"]
    assert [event["Channel-Call-State"] for event in bench.ear.named("CHANNEL_UNHOLD")] == ["UNHELD"]
    (hangup,) = [e for e in bench.ear.named("CHANNEL_HANGUP_COMPLETE") if e["Unique-ID"] == call.caller.uuid]
    assert int(hangup["variable_hold_accum_ms"]) == pytest.approx(1000, abs=21)
    assert bench.outbound()[0].duration_us == pytest.approx(3_000_000, abs=21_000)


def test_sequence_numbers_rise_and_have_holes() -> None:
    bench = Bench(["CHANNEL_ANSWER", "CHANNEL_HANGUP_COMPLETE"])
    bench.place()
    bench.pass_s(5)
    numbers = [int(event["Event-Sequence"]) for event in bench.ear.events]

    assert numbers == sorted(set(numbers))
    assert any(later - earlier > 1 for earlier, later in pairwise(numbers))


def test_more_calls_than_the_switch_takes_are_turned_away() -> None:
    bench = Bench(calls_max=2)
    calls = [bench.place() for _ in range(3)]

    assert [call.ended for call in calls] == [False, False, True]
    assert bench.core.calls_turned_away == 1
