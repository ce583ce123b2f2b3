"""The whole of it: phones and carriers, a real FreeSWITCH, the daemon and Postgres; a CDR for each leg."""

from __future__ import annotations

import pytest
from books import Books
from conftest import Calls
from people import ALICE, ALWAYS, LONDON, OWNER, PENNILESS, POOR, SUSPENDED, TORONTO, VICTIM

from esl_agent.lab.network import Phone
from esl_agent.store.cdrs import CdrRow

pytestmark = pytest.mark.switch

TO_LONDON = f"011{LONDON}"


def lines(cdr: CdrRow) -> dict[str, str]:
    return {line.kind: str(line.amount) for line in cdr.charge.lines}


def test_an_answered_call_costs_what_it_lasted(calls: Calls, books: Books) -> None:
    calls.alpha("answer", ring_ms=200)
    calls.dial(ALICE, TO_LONDON, talk_ms=1_000).finish()

    [cdr] = books.cdrs(1)
    assert (cdr.account_id, cdr.product, cdr.number) == (int(ALICE.account), "termination", LONDON)
    assert (cdr.carrier, cdr.ended_by, cdr.sip_code) == ("alpha", "caller", 200)
    assert 1_000_000 <= cdr.duration_us < 2_000_000
    assert (cdr.charge.billed_seconds, lines(cdr)) == (6, {"usage": "0.0600"})
    assert books.spent(ALICE) == "0.0600"
    assert books.account(ALICE).reserved == 0


def test_the_called_party_can_end_it_too(calls: Calls, books: Books) -> None:
    calls.alpha("hang_up", talk_ms=500)
    calls.dial(ALICE, TORONTO, "stay").finish()

    [cdr] = books.cdrs(1)
    assert cdr.ended_by == "callee"
    assert books.spent(ALICE) == "0.0010"


@pytest.mark.parametrize(
    ("carrier", "phone", "cause", "sip_code"),
    [
        (("refuse", {"status": "486 Busy Here"}), ("refused", {"status": 486}), "USER_BUSY", 486),
        (("ring", {}), ("refused", {"status": 480}), "NO_ANSWER", 487),
        (("ring", {}), ("cancel", {"ring_ms": 300}), "ORIGINATOR_CANCEL", 487),
    ],
    ids=["busy", "no answer", "cancelled"],
)
def test_a_call_that_nobody_answers_costs_nothing(
    calls: Calls,
    books: Books,
    carrier: tuple[str, dict[str, object]],
    phone: tuple[str, dict[str, object]],
    cause: str,
    sip_code: int,
) -> None:
    calls.alpha(carrier[0], **carrier[1])
    calls.dial(ALICE, TO_LONDON, phone[0], **phone[1]).finish()

    [cdr] = books.cdrs(1)
    assert (cdr.hangup_cause, cdr.answered_us, cdr.refused) == (cause, None, None)
    assert cdr.sip_code == sip_code
    assert (cdr.charge.billed_seconds, cdr.charge.total) == (0, 0)
    assert books.spent(ALICE) == "0.0000"
    assert books.account(ALICE).reserved == 0


def test_only_the_carrier_that_answered_is_paid_for(calls: Calls, books: Books) -> None:
    calls.alpha("refuse", status="503 Service Unavailable")
    calls.beta("answer", ring_ms=50)
    calls.dial(ALICE, TO_LONDON, talk_ms=300).finish()

    first, second = books.cdrs(2)
    assert (first.carrier, first.sip_code, first.charge.billed_seconds) == ("alpha", 503, 0)
    assert (second.carrier, second.sip_code, second.charge.billed_seconds) == ("beta", 200, 6)
    assert books.spent(ALICE) == "0.0600"


def test_a_call_ends_with_the_last_increment_that_is_paid(calls: Calls, books: Books) -> None:
    """The account has 0.1300: 12 seconds at 0.0600 for each 6, and a cent."""
    calls.alpha("answer", ring_ms=50)
    calls.dial(POOR, TO_LONDON, "stay").finish()

    [cdr] = books.cdrs(1)
    assert (cdr.ended_by, cdr.hangup_cause) == ("agent", "ALLOTTED_TIMEOUT")
    assert 11_000_000 < cdr.duration_us <= 12_000_000
    assert (cdr.charge.billed_seconds, lines(cdr)) == (12, {"usage": "0.1200"})
    assert cdr.uncollected == 0
    assert str(books.account(POOR).balance) == "0.0100"
    assert books.account(POOR).reserved == 0


@pytest.mark.parametrize("phone", [PENNILESS, SUSPENDED])
@pytest.mark.parametrize("number", ["911", "988"])
def test_emergencies_are_never_refused_nor_cut_nor_charged(
    calls: Calls, books: Books, phone: Phone, number: str
) -> None:
    calls.alpha("answer", ring_ms=50)
    calls.dial(phone, number, talk_ms=2_500).finish()  # longer than a leg without money would last

    [cdr] = books.cdrs(1)
    assert (cdr.number, cdr.refused, cdr.ended_by) == (number, None, "caller")
    assert cdr.charge.total == 0


def test_a_forwarded_number_is_paid_by_its_owner_with_a_line_for_forwarding(
    calls: Calls, books: Books
) -> None:
    calls.alpha("answer", ring_ms=50)
    calls.bring(ALWAYS.number, talk_ms=500).finish()

    cdrs = {cdr.product: cdr for cdr in books.cdrs(2)}
    assert {cdr.account_id for cdr in cdrs.values()} == {int(OWNER.account)}
    assert cdrs["forwarding"].forwarded_from == ALWAYS.number
    assert lines(cdrs["forwarding"]) == {"usage": "0.0600", "forwarding": "0.0015"}
    assert cdrs["inbound"].number == ALWAYS.number
    assert books.spent(OWNER) == "0.0615"


def test_a_transferred_call_is_two_legs_of_the_same_payer(calls: Calls, books: Books) -> None:
    calls.alpha("answer", ring_ms=50)
    calls.dial(ALICE, TORONTO, "dial_on", talk_ms=200, digits=f"*1{TO_LONDON}#").finish()
    calls.bridged(2)
    calls.hang_up_all()

    first, second = books.cdrs(2)
    assert (first.number, second.number) == (TORONTO, LONDON)
    assert {first.account_id, second.account_id} == {int(ALICE.account)}
    assert first.ended_us >= second.ended_us - 100_000  # both carriers are paid while they talk
    assert books.spent(ALICE) == str(first.charged + second.charged)


def test_a_call_that_its_operator_transfers_is_a_leg_after_a_leg(calls: Calls, books: Books) -> None:
    calls.alpha("answer", ring_ms=50)
    calls.dial(ALICE, TORONTO, "stay")
    caller = calls.bridged(1)["Unique-ID"]
    calls.command(f"uuid_transfer {caller} {TO_LONDON}")
    calls.bridged(2)
    calls.hang_up_all()

    first, second = books.cdrs(2)
    assert (first.number, second.number) == (TORONTO, LONDON)
    assert first.ended_us <= second.created_us
    assert first.other_leg_uuid == second.other_leg_uuid == caller
    assert books.spent(ALICE) == "0.0610"


def test_a_stranger_pays_for_nothing_that_a_phone_says(calls: Calls, books: Books) -> None:
    his = VICTIM.account
    claims = [f"X-esl_account: {his}", f"P-Asserted-Identity: <sip:{his}@lab.test>", f"accountcode: {his}"]
    name = f'"x%0Avariable_esl_account: {his}%0A" '
    calls.alpha("answer", ring_ms=50)
    calls.dial(ALICE, TO_LONDON, talk_ms=300, headers=claims, display=name, from_user=VICTIM.user).finish()

    [cdr] = books.cdrs(1)
    assert cdr.account_id == int(ALICE.account)
    assert (books.spent(VICTIM), books.spent(ALICE)) == ("0.0000", "0.0600")


def test_to_dial_a_customers_number_is_no_call_to_it_yet(calls: Calls, books: Books) -> None:
    """It goes out to a carrier, who may bring it back: then it is one."""
    calls.alpha("answer", ring_ms=50)
    calls.dial(ALICE, ALWAYS.number, talk_ms=300).finish()

    [cdr] = books.cdrs(1)
    assert (cdr.account_id, cdr.product) == (int(ALICE.account), "termination")


def test_after_all_this_the_ledger_adds_up(books: Books) -> None:
    assert books.faults() == []
