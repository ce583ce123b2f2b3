"""Plans and owned numbers: what is stored is what core and daemon read back."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from fixtures.records import an_account

from esl_agent.core.admission.facts import PayphonePolicy
from esl_agent.core.numbering import NumberClass
from esl_agent.core.price import Increment
from esl_agent.core.tariff import Plan
from esl_agent.store import numbers, plans
from esl_agent.store.accounts import AccountError
from esl_agent.store.numbers import ForwardWhen, NumberKind, OwnedNumber, OwnedNumberError
from esl_agent.store.plans import PlanError
from esl_agent.store.pool import Connection

DID = "15145550123"
TOLL_FREE = OwnedNumber("18005550123", 1001, NumberKind.TOLL_FREE)


def test_a_fresh_database_has_a_plan_with_the_defaults_of_the_terms(conn: Connection) -> None:
    plan = plans.get_plan(conn, "standard")

    assert plan == Plan("standard", "standard", increments={})
    assert plan.increment(NumberClass.MEXICO) == Increment(60, 60)
    assert plan.increment(NumberClass.WORLD) == Increment(6, 6)


def test_a_plan_comes_back_as_it_was_made_and_may_precede_its_deck(conn: Connection) -> None:
    gold = Plan(
        name="gold",
        deck="not imported yet",
        increments={NumberClass.MEXICO: Increment(30, 6), NumberClass.DOMESTIC: Increment(1, 1)},
        forwarding_surcharge=False,
        forwarding_rate_per_minute=Decimal("0.010000"),
        free_toll_free=False,
        inbound_rate_per_minute=Decimal("0.002500"),
        grace_ms=250,
    )

    plans.add_plan(conn, gold)

    assert plans.load_all(conn) == {"gold": gold, "standard": Plan("standard", "standard", increments={})}
    plans.set_deck(conn, "gold", "standard")
    assert plans.get_plan(conn, "gold").deck == "standard"


def test_plans_that_cannot_be(conn: Connection) -> None:
    with pytest.raises(PlanError, match="a plan 'standard' already"):
        plans.add_plan(conn, Plan("standard", "standard"))
    with pytest.raises(PlanError, match="world=6/0"):
        plans.add_plan(conn, Plan("gold", "gold", {NumberClass.WORLD: Increment(6, 0)}))
    for look in (lambda: plans.get_plan(conn, "tin"), lambda: plans.set_deck(conn, "tin", "standard")):
        with pytest.raises(PlanError, match="no plan 'tin'"):
            look()


def test_a_number_belongs_to_one_account_and_can_be_changed_there(conn: Connection) -> None:
    an_account(conn, 1001, "0")
    an_account(conn, 1002, "0")
    numbers.add_number(conn, OwnedNumber(DID, 1001))

    forwarded = OwnedNumber(DID, 1001, NumberKind.DID, "14385550100", ForwardWhen.BUSY)
    numbers.add_number(conn, forwarded)

    assert numbers.load_all(conn) == {DID: forwarded}
    assert forwarded.is_did
    with pytest.raises(OwnedNumberError, match="belongs to another account"):
        numbers.add_number(conn, OwnedNumber(DID, 1002))
    numbers.remove_number(conn, DID)
    numbers.add_number(conn, OwnedNumber(DID, 1002))
    assert [owned.account_id for owned in numbers.list_numbers(conn)] == [1002]
    assert numbers.list_numbers(conn, 1001) == []


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (OwnedNumber("+15145550123", 1001), "is not 3 to 15 digits"),
        (OwnedNumber("1" * 16, 1001), "is not 3 to 15 digits"),
        (OwnedNumber(DID, 1001, forward_to="14385550100"), "or neither"),
        (OwnedNumber(DID, 1001, forward_when=ForwardWhen.ALWAYS), "or neither"),
        (OwnedNumber(DID, 1001, forward_to=DID, forward_when=ForwardWhen.ALWAYS), "to itself"),
        (OwnedNumber(DID, 1001, NumberKind.VERIFIED, "14385550100", ForwardWhen.BUSY), "another carrier's"),
        (OwnedNumber(DID, 1001, payphone_policy=PayphonePolicy.REJECT), "is not toll-free"),
        (replace(TOLL_FREE, payphone_policy=PayphonePolicy.SURCHARGE), "a payphone surcharge above zero"),
        (replace(TOLL_FREE, payphone_surcharge=Decimal("0.35")), "with the policy surcharge only"),
    ],
)
def test_numbers_that_cannot_be(conn: Connection, wrong: OwnedNumber, text: str) -> None:
    an_account(conn, 1001, "0")

    with pytest.raises(OwnedNumberError, match=text):
        numbers.add_number(conn, wrong)
    assert numbers.load_all(conn) == {}


def test_a_toll_free_number_comes_back_with_what_it_does_with_payphones(conn: Connection) -> None:
    an_account(conn, 1001, "0")
    surcharged = replace(
        TOLL_FREE, payphone_policy=PayphonePolicy.SURCHARGE, payphone_surcharge=Decimal("0.3500")
    )

    for number in (TOLL_FREE, surcharged, replace(TOLL_FREE, payphone_policy=PayphonePolicy.REJECT)):
        numbers.add_number(conn, number)
        assert numbers.load_all(conn) == {TOLL_FREE.number: number}


def test_a_number_needs_an_account_and_an_owner_to_be_taken_from(conn: Connection) -> None:
    with pytest.raises(AccountError, match="no account 9999"):
        numbers.add_number(conn, OwnedNumber(DID, 9999))
    with pytest.raises(OwnedNumberError, match="belongs to no account"):
        numbers.remove_number(conn, DID)
