"""What customers pay is credited once; what the bank returns is taken back once (terms 8)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any, Final

import pytest
from fixtures.commands import Command
from fixtures.records import an_account
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from esl_agent.core.money import amount as money
from esl_agent.office.payments import (
    Booked,
    Method,
    NewPayment,
    PaymentError,
    Return,
    ReturnFeePolicy,
    list_payments,
    return_payment,
    take_payment,
)
from esl_agent.store import ledger
from esl_agent.store.accounts import (
    AccountError,
    Billing,
    CustomerType,
    change_billing,
    close,
    get_account,
)
from esl_agent.store.holds import HoldRequest, Outcome, hold_many
from esl_agent.store.ledger import last_entries
from esl_agent.store.pool import Connection, connected

PAYER: Final = 1001
CHECK: Final = NewPayment(
    account_id=PAYER,
    amount=Decimal("50.0000"),
    reference="check 118",
    method=Method.CHECK,
    received_on=date(2026, 3, 2),
    by="office",
)
BOUNCED: Final = Return(
    account_id=PAYER,
    reference="check 118",
    reason="not sufficient funds",
    returned_on=date(2026, 3, 6),
    by="office",
)


def returned(conn: Connection, what: Return = BOUNCED, **policy: Any) -> Booked:
    return return_payment(conn, what, ReturnFeePolicy(**policy))


def test_a_payment_is_credited_once_however_often_it_is_told(conn: Connection) -> None:
    an_account(conn, PAYER, "0")

    first, second = take_payment(conn, CHECK), take_payment(conn, CHECK)

    assert (first.is_new, second.is_new) == (True, False)
    assert second.account.balance == money("50")
    assert list_payments(conn, PAYER) == [first.payment]
    assert not ledger.check(conn)


@pytest.mark.parametrize(
    "other", [{"amount": Decimal("60.0000")}, {"method": Method.CASH}], ids=["amount", "method"]
)
def test_a_reference_that_stands_for_another_payment_is_an_error(
    conn: Connection, other: dict[str, Any]
) -> None:
    an_account(conn, PAYER, "0")
    take_payment(conn, CHECK)

    with pytest.raises(PaymentError, match=r"stands for 50\.0000 by check on 2026-03-02"):
        take_payment(conn, replace(CHECK, **other))

    assert get_account(conn, PAYER).balance == money("50")


def test_a_payment_of_nothing_or_to_nobody(conn: Connection) -> None:
    an_account(conn, PAYER, "0")
    with pytest.raises(PaymentError, match="more than zero"):
        take_payment(conn, replace(CHECK, amount=Decimal(0)))
    with pytest.raises(AccountError, match="no account 1002"):
        take_payment(conn, replace(CHECK, account_id=1002))
    assert not list_payments(conn)


def test_a_returned_check_reverses_its_credit_and_costs_fifteen_dollars_once(conn: Connection) -> None:
    an_account(conn, PAYER, "20")
    take_payment(conn, CHECK)

    first = returned(conn)
    second = returned(conn, replace(BOUNCED, reason="reported again", returned_on=date(2026, 3, 9)))

    assert (first.is_new, second.is_new) == (True, False)
    assert first.account.balance == second.account.balance == money("5")  # 20 + 50 - 50 - 15
    assert second.payment.return_reason == "not sufficient funds"
    changes = [(entry.kind, entry.credit, entry.change) for entry in last_entries(conn, PAYER, 10)]
    assert sorted(changes) == [
        ("returned_payment", "cash", money("-50")),
        ("returned_payment_fee", "fees", money("-15")),
        ("top_up", "customer", money("20")),
        ("top_up", "customer", money("50")),
    ]
    assert not ledger.check(conn)


@pytest.mark.parametrize(
    ("customer_type", "consumers_pay", "fee"),
    [
        (CustomerType.BUSINESS, False, "15"),
        (CustomerType.BUSINESS, True, "15"),
        (CustomerType.CONSUMER, False, "0"),
        (CustomerType.CONSUMER, True, "15"),
    ],
)
def test_who_pays_the_fee(
    conn: Connection, customer_type: CustomerType, consumers_pay: bool, fee: str
) -> None:
    an_account(conn, PAYER, "20", customer_type=customer_type)
    take_payment(conn, CHECK)

    booked = returned(conn, consumers_pay=consumers_pay)

    assert booked.payment.return_fee == money(fee)
    assert booked.account.balance == money("20") - money(fee)


def test_what_was_spent_of_a_bounced_check_is_owed_and_buys_no_calls(conn: Connection) -> None:
    an_account(conn, PAYER, "0")
    take_payment(conn, CHECK)

    assert returned(conn).account.balance == money("-15")

    [result] = hold_many(conn, [HoldRequest(PAYER, "leg", money("0.01"), money("0.01"))])
    assert result.outcome is Outcome.NO_FUNDS


def test_a_closed_accounts_check_can_bounce_too(conn: Connection) -> None:
    an_account(conn, PAYER, "0")
    take_payment(conn, CHECK)
    close(conn, PAYER, "left", "office")

    assert returned(conn).account.balance == money("-15")


def test_a_returned_payment_is_not_credited_again_under_its_reference(conn: Connection) -> None:
    an_account(conn, PAYER, "0")
    take_payment(conn, CHECK)
    returned(conn)

    with pytest.raises(PaymentError, match="was returned on 2026-03-06: use another reference"):
        take_payment(conn, CHECK)

    assert take_payment(conn, replace(CHECK, reference="check 119")).account.balance == money("35")


def test_what_cannot_have_been_returned(conn: Connection) -> None:
    an_account(conn, PAYER, "0")
    with pytest.raises(PaymentError, match="has no payment 'check 118'"):
        returned(conn)
    take_payment(conn, CHECK)
    with pytest.raises(PaymentError, match="came on 2026-03-02"):
        returned(conn, replace(BOUNCED, returned_on=date(2026, 3, 1)))
    assert get_account(conn, PAYER).balance == money("50")


def test_a_customer_turns_out_to_be_a_consumer(conn: Connection) -> None:
    an_account(conn, PAYER, "0")
    changed = change_billing(conn, PAYER, Billing(customer_type=CustomerType.CONSUMER))
    assert (changed.customer_type, changed.language) == (CustomerType.CONSUMER, "en")


def test_the_commands(conn: Connection, told: Command, refused: Command) -> None:
    an_account(conn, PAYER, "0")
    take = ("payment", "take", PAYER, "50", "--method", "check", "--reference", "check 118",
            "--received-on", "2026-03-02")  # fmt: skip
    bounce = ("payment", "return", PAYER, "check 118", "--reason", "no funds", "--returned-on", "2026-03-06")

    assert "50.0000 credited; balance 50.0000 CAD  (a dry run: nothing is done)" in told(*take, "--dry-run")
    assert get_account(conn, PAYER).balance == 0
    assert "50.0000 credited; balance 50.0000 CAD\n" in told(*take)
    assert "was credited before: nothing changed" in told(*take)
    assert "taken back and a fee of 15.0000 charged; balance -15.0000" in told(*bounce, "--dry-run")
    assert get_account(conn, PAYER).balance == money("50")
    assert json.loads(told(*bounce, "--json"))["balance"] == "-15.0000"
    assert "was returned on 2026-03-06: nothing changed" in told(*bounce)
    [row] = json.loads(told("payment", "list", PAYER, "--json"))
    assert (row["method"], row["return_reason"], row["return_fee"]) == ("check", "no funds", "15.0000")
    assert "has no payment 'check 9'" in refused("payment", "return", PAYER, "check 9", "--reason", "x")


REFERENCES: Final = st.sampled_from(["a", "b", "c"])
STEPS: Final = st.lists(
    st.one_of(
        st.tuples(st.just("take"), REFERENCES, st.integers(1, 3)),
        st.tuples(st.just("return"), REFERENCES, st.just(0)),
    ),
    max_size=12,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_whatever_is_told_in_whatever_order_the_books_add_up(
    new_database: Callable[[], str], steps: list[tuple[str, str, int]]
) -> None:
    with connected(new_database()) as conn:
        an_account(conn, PAYER, "0")
        standing: dict[str, int] = {}
        bounced: set[str] = set()
        for what, reference, dollars in steps:
            try:
                if what == "take":
                    new = replace(CHECK, reference=reference, amount=Decimal(dollars))
                    if take_payment(conn, new).is_new:
                        standing[reference] = dollars
                elif returned(conn, replace(BOUNCED, reference=reference)).is_new:
                    del standing[reference]
                    bounced.add(reference)
            except PaymentError:
                pass  # told wrongly: the books must not move

        assert get_account(conn, PAYER).balance == sum(standing.values()) - 15 * len(bounced)
        assert not ledger.check(conn)
