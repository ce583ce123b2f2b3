"""What a customer's phone may try, on a real FreeSWITCH with the shipped dialplan: none moves the bill."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from conftest import Calls
from people import ALICE, LONDON, TORONTO, VICTIM, payer

pytestmark = [pytest.mark.switch, pytest.mark.usefixtures("agent")]

MINE = {"account": ALICE.account, "product": "termination", "number": f"+{TORONTO}", "carrier": "alpha"}
HIS = VICTIM.account

HEADERS = [
    f"accountcode: {HIS}",
    f"esl_account: {HIS}",
    f"variable_esl_account: {HIS}",
    f"sip_h_esl_account: {HIS}",
    f"X-accountcode: {HIS}",
    f"X-esl_account: {HIS}",
    f"X-variable_esl_account: {HIS}",
    f"X-FS-Refer-For: {HIS}",
    f"P-esl_account: {HIS}",
    f"P-Charge-Info: <sip:{HIS}@lab.test>",
    f'P-Asserted-Identity: "x" <sip:{HIS}@lab.test>',
    f'P-Preferred-Identity: "x" <sip:{HIS}@lab.test>',
    f'Remote-Party-ID: "x" <sip:{HIS}@lab.test>;party=calling',
    f"Diversion: <sip:{HIS}@lab.test>;reason=unconditional",
    f"History-Info: <sip:{HIS}@lab.test>;index=1",
    f"Referred-By: <sip:{HIS}@lab.test>;esl_account={HIS}",
    f"User-to-User: {HIS}",
    f"On-Behalf-Of: {HIS}",
    f"K-esl_account: {HIS}",
    f"Call-Info: <sip:{HIS}@lab.test>;answer-after=0;esl_account={HIS}",
    f"Alert-Info: <http://lab.test>;info={HIS}",
    f"Subject: ',esl_account={HIS},x='",
]
ADDRESSES: list[dict[str, str]] = [
    {"from_user": HIS},
    {"from_user": VICTIM.user},
    {"from_user": f"{ALICE.user};esl_account={HIS}"},
    {"domain": f"lab.test;esl_account={HIS};accountcode={HIS}"},
    {"uri_params": f";esl_account={HIS};accountcode={HIS}"},
    {"display": f'"x%0Avariable_esl_account: {HIS}%0AEvent-Name: CHANNEL_ANSWER%0A" '},
    {"display": f"\"',esl_account={HIS},x='\" "},
    {"display": f'"}}sofia/gateway/beta/{LONDON}" '},
    {"display": f'"${{set_global(esl_account={HIS})}}" '},
]


def assert_alice_pays_as_ever(calls: Calls, **attempt: Any) -> None:
    carrier = calls.alpha("refuse", status="486 Busy Here")
    calls.dial(ALICE, TORONTO, "refused", status=486, **attempt).finish()

    [leg] = calls.legs("outbound")
    assert payer(leg) == MINE
    assert {name: value for name, value in leg.items() if name.startswith("variable_sip_h_")} == {}
    [invite] = carrier.invites()
    assert f"{HIS}@" not in invite  # nor is the carrier told that it was he
    assert "esl_account" not in invite


@pytest.mark.parametrize("header", HEADERS, ids=lambda header: header.partition(":")[0])
def test_no_header_names_the_payer(calls: Calls, header: str) -> None:
    assert_alice_pays_as_ever(calls, headers=[header])


@pytest.mark.parametrize("address", ADDRESSES, ids=lambda address: " ".join(address))
def test_no_part_of_an_address_names_the_payer(calls: Calls, address: Mapping[str, str]) -> None:
    assert_alice_pays_as_ever(calls, **address)


def test_a_phone_does_not_name_the_carriers_leg(calls: Calls) -> None:
    """mod_sofia calls the channel what `X-FS-Channel-Name` says; a loopback's legs are not billed."""
    calls.alpha("refuse", status="486 Busy Here")
    calls.dial(ALICE, TORONTO, "refused", status=486, headers=["X-FS-Channel-Name: loopback/free-a"]).finish()

    [leg] = calls.legs("outbound")
    assert leg["Channel-Name"] == f"sofia/carrier/{TORONTO}"
    assert payer(leg) == MINE


@pytest.mark.parametrize(
    "target",
    [
        f"<sip:011{LONDON}@lab.test>",
        "<sip:900@127.0.0.1:{beta}?Replaces=nobody%3Bto-tag%3Da%3Bfrom-tag%3Db>",
        f"<sip:900@127.0.0.1:{{beta}};a=1,esl_account={HIS}?Replaces=nobody%3Bto-tag%3Da%3Bfrom-tag%3Db>",
        "<sip:900@127.0.0.1:9;a=1}sofia/carrier/900@127.0.0.1:{beta},x?Replaces=nobody%3Bto-tag%3Da>",
    ],
    ids=["elsewhere", "unknown dialog", "unknown dialog with a payer", "unknown dialog with a dial string"],
)
def test_a_refer_makes_the_switch_call_nobody(calls: Calls, target: str) -> None:
    calls.alpha("answer", ring_ms=20)
    beta = calls.beta("answer", ring_ms=20)
    refer_to = target.replace("{beta}", str(beta.port))
    calls.dial(ALICE, TORONTO, "refer", talk_ms=50, refer_to=refer_to, status=405).finish()

    assert [payer(leg) for leg in calls.legs("outbound")] == [MINE]
    assert beta.invites() == []


def test_the_called_party_sends_the_caller_nowhere(calls: Calls) -> None:
    calls.alpha("answer_and_refer", talk_ms=50, refer_to=f"<sip:011{LONDON}@lab.test>", status=405)
    beta = calls.beta("answer", ring_ms=20)
    calls.dial(ALICE, TORONTO, talk_ms=500).finish()

    assert [payer(leg) for leg in calls.legs("outbound")] == [MINE]
    assert beta.invites() == []


def test_nobody_takes_over_a_conversation_by_its_call_id(calls: Calls) -> None:
    calls.alpha("answer", ring_ms=20)
    calls.dial(VICTIM, TORONTO, "stay", call_id="overheard")
    talk = calls.bridged(1)
    taken = "Replaces: overheard;to-tag=a;from-tag=b"
    calls.dial(ALICE, LONDON, "stay", headers=[taken])
    calls.event(
        "CHANNEL_HANGUP_COMPLETE", "inbound", lambda event: event["variable_accountcode"] == ALICE.account
    )

    assert calls.command(f"uuid_getvar {talk['Unique-ID']} bridge_uuid") == talk["Bridge-B-Unique-ID"]


def test_a_call_that_is_ringing_is_not_repeated_for_nothing_by_its_call_id(calls: Calls) -> None:
    """mod_sofia repeats the replaced leg's application, bridge, on the new one."""
    carrier = calls.alpha("ring")
    calls.dial(ALICE, TORONTO, "stay", call_id="mine")
    ringing = calls.event("CHANNEL_PROGRESS", "outbound")
    again = calls.dial(ALICE, LONDON, "stay", headers=["Replaces: mine;to-tag=a;from-tag=b"])
    calls.event(
        "CHANNEL_HANGUP_COMPLETE",
        "inbound",
        lambda event: event["Unique-ID"] != ringing["Other-Leg-Unique-ID"],
    )
    again.stop()
    calls.hang_up_all()

    assert {payer(leg)["account"] for leg in calls.legs("outbound")} == {ALICE.account}
    assert len(carrier.invites()) == 1
