"""The shipped dialplan on a real FreeSWITCH, with the agent: how calls go out, and what their legs say."""

from __future__ import annotations

import pytest
from conftest import Calls
from people import ALICE, LONDON, NOBODY, TORONTO, payer

from esl_agent.lab.ports import free_port

pytestmark = [pytest.mark.switch, pytest.mark.usefixtures("agent")]


def test_the_outgoing_leg_says_from_its_creation_who_pays_for_what(calls: Calls) -> None:
    calls.alpha("answer", ring_ms=50)
    calls.dial(ALICE, TORONTO, talk_ms=100).finish()

    [leg] = calls.legs("outbound")
    assert payer(leg) == {
        "account": ALICE.account,
        "product": "termination",
        "number": f"+{TORONTO}",
        "carrier": "alpha",
    }


def test_the_phones_own_leg_is_nobodys_to_pay(calls: Calls) -> None:
    calls.alpha("answer", ring_ms=50)
    calls.dial(ALICE, TORONTO, talk_ms=100).finish()

    assert payer(calls.event("CHANNEL_HANGUP_COMPLETE", "inbound")) == {}


@pytest.mark.parametrize(
    ("dialled", "priced", "sent"),
    [
        ("4165550123", "+14165550123", "14165550123"),
        ("14165550123", "+14165550123", "14165550123"),
        ("+14165550123", "+14165550123", "14165550123"),
        ("01114165550123", "+14165550123", "14165550123"),
        ("011442079460000", "+442079460000", "442079460000"),
        ("00442079460000", "+442079460000", "442079460000"),
        ("+442079460000", "+442079460000", "442079460000"),
        ("442079460000", "+442079460000", "442079460000"),
        ("3102255", "+15143102255", "15143102255"),
        ("411", "411", "411"),
    ],
)
def test_what_is_priced_is_what_the_carrier_is_sent(
    calls: Calls, dialled: str, priced: str, sent: str
) -> None:
    carrier = calls.alpha("refuse", status="486 Busy Here")
    calls.dial(ALICE, dialled, "refused", status=486).finish()

    [leg] = calls.legs("outbound")
    assert payer(leg)["number"] == priced
    assert carrier.invites()[0].startswith(f"INVITE sip:{sent}@")


@pytest.mark.parametrize("dialled", ["12", "1416555012", "+1416555012", "011", "*98", "alice"])
def test_what_is_no_number_goes_nowhere(calls: Calls, dialled: str) -> None:
    calls.dial(ALICE, dialled, "refused", status=484).finish()

    assert calls.legs("outbound") == []


def test_a_phone_without_a_password_is_asked_for_one(calls: Calls) -> None:
    carrier = calls.alpha("answer", ring_ms=50)
    calls.dial(ALICE, TORONTO, "stranger", status=407).finish()

    assert carrier.invites() == []


def test_a_user_without_an_account_calls_nobody(calls: Calls) -> None:
    calls.dial(NOBODY, TORONTO, "refused", status=403).finish()

    assert calls.legs("outbound") == []


def test_when_a_carrier_fails_the_next_is_tried_on_a_leg_of_its_own(calls: Calls) -> None:
    calls.alpha("refuse", status="503 Service Unavailable")
    calls.beta("answer", ring_ms=50)
    calls.dial(ALICE, TORONTO, talk_ms=100).finish()

    assert [payer(leg)["carrier"] for leg in calls.legs("outbound")] == ["alpha", "beta"]
    assert {payer(leg)["account"] for leg in calls.legs("outbound")} == {ALICE.account}


@pytest.mark.parametrize(
    ("answered", "told"),
    [("486 Busy Here", 486), ("404 Not Found", 404), ("603 Decline", 603), ("403 Forbidden", 603)],
)
def test_an_answer_of_the_called_party_ends_the_call(calls: Calls, answered: str, told: int) -> None:
    calls.alpha("refuse", status=answered)
    beta = calls.beta("answer", ring_ms=50)
    calls.dial(ALICE, TORONTO, "refused", status=told).finish()

    assert beta.invites() == []


def test_a_call_that_nobody_answers_is_given_up_and_tried_nowhere_else(calls: Calls) -> None:
    alpha = calls.alpha("ring")
    beta = calls.beta("answer", ring_ms=50)
    calls.dial(ALICE, TORONTO, "refused", status=480).finish()

    assert len(alpha.invites()) == 1
    assert beta.invites() == []


def test_a_redirect_is_not_followed_nor_passed_on_but_counts_as_a_failure(calls: Calls) -> None:
    port = free_port()
    elsewhere = calls.anybody(port, "answer", ring_ms=50)
    moved = {"status": "302 Moved", "headers": f"\nContact: <sip:15255512345@127.0.0.1:{port}>"}
    calls.alpha("refuse", **moved)
    beta = calls.beta("refuse", **moved)
    calls.dial(ALICE, TORONTO, "refused", status=503).finish()

    assert elsewhere.invites() == []
    assert beta.invites()[0].startswith(f"INVITE sip:{TORONTO}@")


def test_digits_dialled_in_a_call_send_the_other_end_on_at_the_same_customers_expense(calls: Calls) -> None:
    calls.alpha("answer", ring_ms=50)
    calls.beta("answer", ring_ms=50)
    calls.dial(ALICE, TORONTO, "dial_on", talk_ms=200, digits=f"*1011{LONDON}#").finish()
    calls.bridged(2)
    calls.hang_up_all()

    assert [payer(leg) for leg in calls.legs("outbound")] == [
        {"account": ALICE.account, "product": "termination", "number": f"+{TORONTO}", "carrier": "alpha"},
        {"account": ALICE.account, "product": "termination", "number": f"+{LONDON}", "carrier": "alpha"},
    ]


def test_a_transfer_by_the_operator_is_a_new_leg_of_the_same_payer(calls: Calls) -> None:
    calls.alpha("answer", ring_ms=50)
    calls.dial(ALICE, TORONTO, "stay")
    caller = calls.bridged(1)["Unique-ID"]
    calls.command(f"uuid_transfer {caller} 011{LONDON}")
    calls.bridged(2)
    calls.hang_up_all()

    assert [payer(leg)["number"] for leg in calls.legs("outbound")] == [f"+{TORONTO}", f"+{LONDON}"]
    assert {payer(leg)["account"] for leg in calls.legs("outbound")} == {ALICE.account}
