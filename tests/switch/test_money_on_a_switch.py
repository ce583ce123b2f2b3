"""One budget and many calls, on a real switch: not a cent overspent, and no call that is paid is cut."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from uuid import uuid4

import pytest
from agent_process import AgentProcess
from books import Books
from conftest import Calls
from people import ALICE, LONDON, OWNER, POOR, SIX_SECONDS

from esl_agent.core.money import ZERO
from esl_agent.lab.child import wait_until
from esl_agent.lab.console import Event
from esl_agent.lab.network import Phone
from esl_agent.store.accounts import open_reservations, top_up
from esl_agent.store.pool import connected

pytestmark = pytest.mark.switch

TO_LONDON = f"011{LONDON}"
S = 1_000_000
ALL_OVER_S = 60.0
#: How long before its paid end a call may be cut at most.
EARLY_US_MAX = 100_000
STEP = Decimal("0.0600")
STEP_S = 6


def test_hold_is_talk_that_is_paid_and_that_ends_with_the_money(calls: Calls, books: Books) -> None:
    """The account has 0.1300: two steps of 6 seconds, and a cent."""
    calls.alpha("answer", ring_ms=50)
    calls.dial(POOR, TO_LONDON, "hold").finish(ALL_OVER_S)

    [cdr] = books.cdrs(1)
    assert (cdr.hangup_cause, cdr.charge.billed_seconds) == ("ALLOTTED_TIMEOUT", 12)
    assert 0 <= 12 * S - cdr.duration_us <= EARLY_US_MAX
    assert (books.spent(POOR), cdr.uncollected) == ("0.1200", ZERO)


def test_twenty_calls_at_once_spend_what_there_is_and_no_cent_more(
    calls: Calls, books: Books, books_url: str
) -> None:
    """Peers that look at the balance when a call begins end far below zero here."""
    with connected(books_url) as conn:
        account, _ = top_up(conn, int(POOR.account), 5 - books.account(POOR).balance, "five dollars")
    assert account.balance == 5
    calls.alpha("answer", ring_ms=50)
    calls.dial(POOR, TO_LONDON, "stay", at_once=20).finish(ALL_OVER_S)

    cdrs = books.cdrs(20)
    account = books.account(POOR)
    charged = sum((cdr.charged for cdr in cdrs), ZERO)
    early_us = [cdr.charge.billed_seconds * S - cdr.duration_us for cdr in cdrs]
    uncollected = sum((cdr.uncollected for cdr in cdrs), ZERO)
    figures = {
        "final balance": account.balance,
        "CDRs": len(cdrs),
        "charged": charged,
        "uncollected": uncollected,
        "least and most ms before the paid end": (min(early_us) / 1_000, max(early_us) / 1_000),
    }
    for name, value in figures.items():
        print(f"{name}: {value}")
    assert charged + account.balance == 5
    assert 0 <= account.balance < STEP
    assert (account.reserved, uncollected) == (ZERO, ZERO)
    assert {cdr.hangup_cause for cdr in cdrs} == {"ALLOTTED_TIMEOUT"}
    assert min(early_us) >= 0
    assert max(early_us) <= EARLY_US_MAX


def test_of_legs_that_ring_at_once_only_the_one_that_is_answered_is_paid_for(
    calls: Calls, books: Books
) -> None:
    calls.alpha("ring")
    calls.beta("answer", ring_ms=300)
    calls.command(f"bgapi originate {both_at_once(OWNER, 'alpha', 'beta')} &park")
    calls.event("CHANNEL_ANSWER", "outbound")
    calls.event("CHANNEL_HANGUP_COMPLETE", "outbound")
    calls.hang_up_all()

    cdrs = {cdr.carrier: cdr for cdr in books.cdrs(2)}
    assert (cdrs["alpha"].hangup_cause, cdrs["alpha"].charged) == ("LOSE_RACE", ZERO)
    assert cdrs["beta"].charged == STEP
    assert books.spent(OWNER) == str(STEP)
    assert books.account(OWNER).reserved == 0


def test_exactly_one_calls_money_is_enough_for_legs_that_ring_at_once(calls: Calls, books: Books) -> None:
    """The leg that the money was held under rings on; the other one is answered, and takes it."""
    calls.alpha("answer", ring_ms=300)
    calls.beta("ring")
    calls.dial(SIX_SECONDS, "911", "stay")
    caller = calls.bridged(1)["Unique-ID"]
    calls.command(f"uuid_transfer {caller} m:^:bridge:{both_at_once(SIX_SECONDS, 'beta', 'alpha')} inline")
    calls.bridged(2)
    wait_until(lambda: len(books.new()) == 3, "the money's end", ALL_OVER_S)

    cdrs = {(cdr.number, cdr.carrier): cdr for cdr in books.cdrs(3)}
    loser, winner = cdrs[LONDON, "beta"], cdrs[LONDON, "alpha"]
    assert (loser.hangup_cause, loser.refused, loser.charge.total) == ("LOSE_RACE", None, ZERO)
    assert (winner.hangup_cause, winner.charge.billed_seconds) == ("ALLOTTED_TIMEOUT", STEP_S)
    assert 0 <= STEP_S * S - winner.duration_us <= EARLY_US_MAX
    assert (winner.charged, winner.uncollected) == (STEP, ZERO)
    assert (books.account(SIX_SECONDS).balance, books.account(SIX_SECONDS).reserved) == (ZERO, ZERO)


def both_at_once(payer: Phone, *carriers: str) -> str:
    """What `bridge` is given for legs that ring at once."""
    variables = f"esl_account={payer.account},esl_product=termination,esl_number={LONDON}"
    return ",".join(
        f"[origination_uuid={uuid4()},{variables},esl_carrier={name}]sofia/gateway/{name}/{LONDON}"
        for name in carriers
    )


def test_when_the_agent_dies_the_switch_ends_each_call_within_what_is_reserved(
    calls: Calls, books: Books, books_url: str, agent: AgentProcess
) -> None:
    number_of_calls = 5
    calls.alpha("answer", ring_ms=50)
    phone = calls.dial(ALICE, TO_LONDON, "stay", at_once=number_of_calls)
    calls.bridged(number_of_calls)
    wait_until(lambda: len(reservations(books_url)) == number_of_calls, "the holds", ALL_OVER_S)
    agent.kill()
    try:
        phone.finish(ALL_OVER_S)
        held = reservations(books_url)
        assert len(held) == number_of_calls
        for leg_uuid, amount in held.items():
            end = calls.event("CHANNEL_HANGUP_COMPLETE", "outbound", is_of(leg_uuid))
            talk_us = int(end["Caller-Channel-Hangup-Time"]) - int(end["Caller-Channel-Answered-Time"])
            paid_us = int(amount / STEP) * STEP_S * S
            assert end["Hangup-Cause"] == "ALLOTTED_TIMEOUT"
            assert talk_us <= paid_us
            print(f"ended {(paid_us - talk_us) / 1_000:.0f} ms before the end of what was reserved")
    finally:
        agent.start()
    assert Decimal(books.spent(ALICE)) <= sum(held.values(), ZERO)


def is_of(leg_uuid: str) -> Callable[[Event], bool]:
    return lambda event: event["Unique-ID"] == leg_uuid


def reservations(url: str) -> dict[str, Decimal]:
    """What is held for each leg of Alice's."""
    with connected(url) as conn:
        return {each.leg_uuid: each.held for each in open_reservations(conn, int(ALICE.account), 100)}


def test_after_all_this_the_ledger_adds_up(books: Books) -> None:
    assert books.faults() == []
