"""Interest on what is past due, once for each invoice and month, whenever it is run (terms 7)."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
from fixtures.commands import Command
from fixtures.records import an_account
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from esl_agent.core.money import amount as money
from esl_agent.core.office.months import months_after
from esl_agent.office.arrears import charge_interest, invoices_on
from esl_agent.office.charges import Charge, add_single
from esl_agent.office.invoices import InvoicePolicy, issue
from esl_agent.office.payments import (
    Method,
    NewPayment,
    Return,
    ReturnFeePolicy,
    return_payment,
    take_payment,
)
from esl_agent.store import ledger
from esl_agent.store.accounts import Billing, change_billing
from esl_agent.store.pool import Connection, connected

PAYER: Final = 1001
ZONE: Final = "America/Toronto"
RATE: Final = Decimal("0.02")
FIRST: Final = date(2026, 1, 15)
TODAY: Final = datetime.now(ZoneInfo(ZONE)).date()


def invoiced(conn: Connection, amount: str, on: date = FIRST) -> str:
    """Due the day it is issued, without taxes."""
    add_single(conn, Charge(PAYER, f"work of {on}", "Support", money(amount), False, on, None, "office"))
    policy = InvoicePolicy(0, datetime(2026, 1, 1, tzinfo=UTC))
    invoice = issue(conn, PAYER, on, policy, "office")
    assert invoice is not None
    return invoice.invoice_number


def paid(conn: Connection, amount: str, on: date, reference: str = "check 1") -> None:
    new = NewPayment(
        account_id=PAYER, amount=money(amount), reference=reference, method=Method.CHECK,
        received_on=on, by="office",
    )  # fmt: skip
    take_payment(conn, new)


def run(conn: Connection, on: date, **options: Any) -> list[str]:
    return [str(charge.amount) for charge in charge_interest(conn, on, ZONE, RATE, **options)]


def open_on(conn: Connection, on: date) -> list[str]:
    return [str(each.open_amount) for each in invoices_on(conn, PAYER, on, ZONE)]


@pytest.mark.parametrize(
    ("amount", "months", "owed"),
    [("100", 1, "102.0000"), ("100", 3, "106.1200"), ("100", 12, "126.8200"), ("57.49", 1, "58.6400")],
)
def test_worked_figures_by_one_late_run_and_by_a_run_a_day(
    conn: Connection, amount: str, months: int, owed: str
) -> None:
    an_account(conn, PAYER, "0")
    invoiced(conn, amount)
    on = months_after(FIRST, months)

    assert len(run(conn, on)) == months
    assert run(conn, on) == []  # again: nothing

    assert open_on(conn, on) == [owed]
    assert not ledger.check(conn)


def test_an_invoice_that_is_paid_bears_none(conn: Connection) -> None:
    an_account(conn, PAYER, "0")
    invoiced(conn, "100")
    run(conn, date(2026, 2, 15))
    paid(conn, "102", date(2026, 3, 15))  # on the very day that completes the second month

    assert run(conn, date(2027, 1, 15)) == []
    assert open_on(conn, date(2026, 3, 14)) == ["102.0000"]
    assert open_on(conn, date(2026, 3, 15)) == ["0.0000"]


def test_a_part_is_paid_off_the_oldest(conn: Connection) -> None:
    an_account(conn, PAYER, "0")
    invoiced(conn, "100")
    invoiced(conn, "50", date(2026, 2, 1))
    paid(conn, "60", date(2026, 2, 10))

    assert open_on(conn, date(2026, 2, 10)) == ["40.0000", "50.0000"]
    assert run(conn, date(2026, 3, 1)) == ["0.8000", "1.0000"]
    assert open_on(conn, date(2026, 3, 1)) == ["40.8000", "51.0000"]


def test_a_check_that_bounces_opens_again_what_it_paid(conn: Connection) -> None:
    an_account(conn, PAYER, "0")
    invoiced(conn, "100")
    paid(conn, "100", date(2026, 2, 1))
    assert open_on(conn, date(2026, 2, 1)) == ["0.0000"]
    bounced = Return(
        account_id=PAYER, reference="check 1", reason="no funds", returned_on=date(2026, 2, 5), by="office"
    )
    return_payment(conn, bounced, ReturnFeePolicy())
    policy = InvoicePolicy(0, datetime(2026, 1, 1, tzinfo=UTC))
    assert issue(conn, PAYER, date(2026, 2, 6), policy, "office")

    assert open_on(conn, date(2026, 2, 6)) == ["100.0000", "15.0000"]


def test_what_was_paid_in_before_pays_the_invoice_at_once(conn: Connection) -> None:
    an_account(conn, PAYER, "150")
    invoiced(conn, "100", TODAY)
    assert open_on(conn, TODAY) == ["0.0000"]


def test_calls_that_are_paid_for_afterwards_are_not_due_before_they_are_invoiced(conn: Connection) -> None:
    an_account(conn, PAYER, "0", credit_limit=money("100"))
    change_billing(conn, PAYER, Billing(calls_are_invoiced=True))
    invoiced(conn, "10", TODAY)
    conn.execute(
        "INSERT INTO ledger (account_id, idempotency_key, debit, credit, amount, kind)"
        " VALUES (%s, 'leg:x:usage', 'customer', 'revenue', 5, 'usage')",
        [PAYER],
    )
    conn.execute("UPDATE accounts SET balance = balance - 5 WHERE account_id = %s", [PAYER])

    assert open_on(conn, TODAY) == ["10.0000"]


def test_a_rehearsal_charges_nothing_and_the_31st_counts(conn: Connection) -> None:
    an_account(conn, PAYER, "0")
    invoiced(conn, "100", date(2026, 1, 31))
    assert run(conn, date(2026, 2, 27)) == []
    assert run(conn, date(2026, 2, 28), dry_run=True) == run(conn, date(2026, 2, 28)) == ["2.0000"]
    assert run(conn, date(2026, 3, 30)) == []
    assert run(conn, date(2026, 3, 31)) == ["2.0400"]


PAYMENTS: Final = st.lists(
    st.tuples(st.integers(0, 200), st.integers(1, 60)), max_size=4, unique_by=lambda paid: paid[0]
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(payments=PAYMENTS, runs=st.sets(st.integers(0, 250), max_size=5))
def test_a_late_run_charges_what_runs_in_time_charge(
    new_database: Any, payments: list[tuple[int, int]], runs: set[int]
) -> None:
    charged = []
    for days in (sorted(runs | {250}), [250]):
        with connected(new_database()) as conn:
            an_account(conn, PAYER, "0")
            invoiced(conn, "100")
            invoiced(conn, "40", date(2026, 2, 20))
            for number, (after, dollars) in enumerate(payments):
                paid(conn, str(dollars), date.fromordinal(FIRST.toordinal() + after), f"check {number}")
            amounts = [run(conn, date.fromordinal(FIRST.toordinal() + day)) for day in days]
            charged.append(sorted(amount for each in amounts for amount in each))
            assert not ledger.check(conn)
    assert charged[0] == charged[1]


def test_the_command(conn: Connection, told: Command) -> None:
    an_account(conn, PAYER, "0")
    number = invoiced(conn, "100")
    assert "2 months would be charged, 4.0400 in all" in told(
        "interest", "run", "--on", "2026-03-15", "--dry-run"
    )
    [first, second] = json.loads(told("interest", "run", "--on", "2026-03-15", "--json"))["interest"]
    assert (first["invoice_number"], first["amount"], second["amount"]) == (number, "2.0000", "2.0400")
    assert "0 months charged, 0 in all" in told("interest", "run", "--on", "2026-03-15")
