"""The shipped dialplan on a real FreeSWITCH, with the agent: calls for the operator's numbers."""

from __future__ import annotations

import pytest
from conftest import Calls
from people import ALICE, ALWAYS, CALLER, LONDON, NO_ANSWER, OWNER, TO_DEVICE, WHEN_BUSY, payer

from esl_agent.lab.network import Did
from esl_agent.lab.ports import free_port

pytestmark = [pytest.mark.switch, pytest.mark.usefixtures("agent")]

#: What a caller is told of a redirection; of one that is no number, that the called party is gone.
REFUSED = {"19005550123": 403}
FORWARDED = {"account": OWNER.account, "product": "forwarding", "number": f"+{LONDON}", "carrier": "alpha"}


def contact(user: str, port: int) -> str:
    return f"\nContact: <sip:{user}@127.0.0.1:{port}>"


def test_a_call_for_a_number_rings_its_owners_phone_which_pays_for_nothing(calls: Calls) -> None:
    calls.device(OWNER, "answer", ring_ms=50)
    calls.bring(TO_DEVICE.number, talk_ms=100).finish()

    assert [payer(leg) for leg in calls.legs("outbound")] == [{}]


def test_the_leg_that_came_in_is_the_owners(calls: Calls) -> None:
    calls.device(OWNER, "answer", ring_ms=50)
    calls.bring(TO_DEVICE.number, talk_ms=100).finish()

    assert payer(calls.event("CHANNEL_ANSWER", "inbound")) == {
        "account": OWNER.account,
        "product": "inbound",
        "number": f"+{TO_DEVICE.number}",
    }


def test_a_forwarded_number_goes_on_at_its_owners_expense(calls: Calls) -> None:
    carrier = calls.alpha("answer", ring_ms=50)
    calls.bring(ALWAYS.number, talk_ms=100).finish()

    assert [payer(leg) for leg in calls.legs("outbound")] == [FORWARDED | {"forwarded_from": ALWAYS.number}]
    [invite] = carrier.invites()
    assert f"\nDiversion: <sip:+{ALWAYS.number}@lab.test>;reason=unconditional\n" in invite
    assert CALLER.user in invite  # who calls is told on


@pytest.mark.parametrize(("did", "status"), [(WHEN_BUSY, "486 Busy Here"), (NO_ANSWER, "480 Unavailable")])
def test_a_number_goes_on_when_its_phone_does_not_take_the_call(calls: Calls, did: Did, status: str) -> None:
    calls.device(OWNER, "refuse", status=status)
    calls.alpha("answer", ring_ms=50)
    calls.bring(did.number, talk_ms=100).finish()

    assert [payer(leg) for leg in calls.legs("outbound")] == [{}, FORWARDED | {"forwarded_from": did.number}]


def test_a_number_goes_on_when_its_phone_only_rings(calls: Calls) -> None:
    calls.device(OWNER, "ring")
    calls.alpha("answer", ring_ms=50)
    calls.bring(NO_ANSWER.number, talk_ms=100).finish()

    assert payer(calls.legs("outbound")[1])["product"] == "forwarding"


@pytest.mark.parametrize(
    ("did", "answered", "told"), [(WHEN_BUSY, "480 Unavailable", 408), (TO_DEVICE, "486 Busy Here", 486)]
)
def test_a_number_goes_on_in_no_other_case(calls: Calls, did: Did, answered: str, told: int) -> None:
    calls.device(OWNER, "refuse", status=answered)
    carrier = calls.alpha("answer", ring_ms=50)
    calls.bring(did.number, "trunk_refused", status=told).finish()

    assert carrier.invites() == []


def test_a_phone_that_redirects_is_not_followed_but_its_number_is_asked_about(calls: Calls) -> None:
    port = free_port()
    elsewhere = calls.anybody(port, "answer", ring_ms=50)
    calls.device(OWNER, "refuse", status="302 Moved", headers=contact(f"011{LONDON}", port))
    carrier = calls.alpha("answer", ring_ms=50)
    calls.bring(TO_DEVICE.number, talk_ms=100).finish()

    assert [payer(leg) for leg in calls.legs("outbound")] == [
        {},
        FORWARDED | {"forwarded_from": TO_DEVICE.number},
    ]
    [invite] = carrier.invites()
    assert f"\nDiversion: <sip:+{TO_DEVICE.number}@lab.test>;reason=deflection\n" in invite
    assert elsewhere.invites() == []


@pytest.mark.parametrize(
    "user", ["alice", "19005550123", f"{LONDON},esl_account=1", "%24%7Bsystem(id)%7D", "98"]
)
def test_a_redirection_to_where_nobody_may_call_ends_the_call(calls: Calls, user: str) -> None:
    calls.device(OWNER, "refuse", status="302 Moved", headers=contact(user, free_port()))
    carrier = calls.alpha("answer", ring_ms=50)
    calls.bring(TO_DEVICE.number, "trunk_refused", status=REFUSED.get(user, 410)).finish()

    assert carrier.invites() == []


def test_a_number_of_nobody_is_not_found(calls: Calls) -> None:
    calls.bring("15145550999", "trunk_refused", status=404).finish()


def test_a_diversion_that_a_caller_claims_makes_nobody_pay(calls: Calls) -> None:
    calls.device(OWNER, "answer", ring_ms=50)
    claim = f"Diversion: <sip:+{ALWAYS.number}@lab.test>;reason=unconditional"
    calls.bring(TO_DEVICE.number, talk_ms=100, headers=[claim]).finish()

    assert [payer(leg) for leg in calls.legs("outbound")] == [{}]


def test_the_owners_phone_sends_a_caller_on_at_the_owners_expense(calls: Calls) -> None:
    calls.device(OWNER, "answer_and_dial_on", digits=f"*1011{LONDON}#")
    calls.alpha("answer", ring_ms=50)
    calls.bring(TO_DEVICE.number, "trunk_stay")
    calls.bridged(2)
    calls.hang_up_all()

    assert payer(calls.legs("outbound")[1]) == {
        "account": OWNER.account,
        "product": "termination",
        "number": f"+{LONDON}",
        "carrier": "alpha",
    }


def test_a_phone_does_not_come_in_by_the_carriers_door(calls: Calls) -> None:
    """`;gw=` in a request URI makes mod_sofia route the call in the gateway's context."""
    carrier = calls.alpha("answer", ring_ms=50)
    calls.dial(ALICE, ALWAYS.number, "refused", uri_params=";gw=alpha", status=403).finish()

    assert carrier.invites() == []
