"""What is open of invoices and the interest on it, by worked figures (terms 7)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esl_agent.core.office.arrears import Owed, interest_days, interest_on, open_amounts, yearly_rate
from esl_agent.core.office.dunning import Due, DunningPolicy, Step, steps_due

AMOUNTS = st.decimals("0.01", "9999", places=2)


def owing(amount: str, months: int) -> Decimal:
    owed = Decimal(amount)
    for _ in range(months):
        owed += interest_on(owed)
    return owed


@pytest.mark.parametrize(
    ("amount", "months", "owed"),
    [
        ("100.00", 1, "102.00"),
        ("100.00", 3, "106.12"),
        ("100.00", 12, "126.82"),
        ("57.49", 1, "58.64"),
    ],
)
def test_two_per_cent_a_month_compounded(amount: str, months: int, owed: str) -> None:
    assert owing(amount, months) == Decimal(owed)


def test_both_rates_are_printed() -> None:
    assert yearly_rate() == Decimal("0.2682")


def test_interest_is_due_on_completed_months() -> None:
    due_on = date(2026, 1, 31)
    assert interest_days(due_on, date(2026, 2, 27)) == []
    assert interest_days(due_on, date(2026, 3, 31)) == [date(2026, 2, 28), date(2026, 3, 31)]


THREE = [Owed("1", Decimal(30)), Owed("2", Decimal(20)), Owed("3", Decimal(10))]


@pytest.mark.parametrize(
    ("balance", "not_invoiced", "expected"),
    [
        ("5", "0", ["0", "0", "0"]),
        ("-60", "0", ["30", "20", "10"]),
        ("-59.99", "0", ["29.99", "20", "10"]),  # a cent was paid: off the oldest
        ("-25", "0", ["0", "15", "10"]),
        ("-7", "0", ["0", "0", "7"]),
        ("-25", "7", ["0", "8", "10"]),  # 7 of it is on no invoice yet
        ("-80", "0", ["30", "20", "10"]),  # and 20 more that no invoice asks for
        ("-0.0034", "0", ["0", "0", "0"]),  # less than half a cent is nobody's debt
    ],
)
def test_payments_pay_the_oldest_first(balance: str, not_invoiced: str, expected: list[str]) -> None:
    amounts = open_amounts(THREE, Decimal(balance), Decimal(not_invoiced))
    assert list(amounts) == ["1", "2", "3"]
    assert list(amounts.values()) == [Decimal(amount) for amount in expected]


@given(totals=st.lists(AMOUNTS, min_size=1, max_size=6), debt=AMOUNTS)
def test_what_is_open_is_what_is_owed_and_lies_on_the_newest(totals: list[Decimal], debt: Decimal) -> None:
    invoices = [Owed(str(number), total) for number, total in enumerate(totals)]
    amounts = list(open_amounts(invoices, -debt, Decimal(0)).values())

    assert sum(amounts) == min(debt, sum(totals))
    touched = [number for number, amount in enumerate(amounts) if amount]
    assert all(amounts[number] == totals[number] for number in touched[1:])
    assert touched == list(range(touched[0], len(totals)))


DUE_ON = date(2026, 1, 15)
POLICY = DunningPolicy(reminder_after_days=(1, 15), suspend_after_days=30, close_after_days=90)


def steps(on: str, *taken: Due) -> list[tuple[str, str]]:
    found = steps_due(DUE_ON, date.fromisoformat(on), POLICY, taken)
    return [(due.step.value, due.on.isoformat()) for due in found]


def test_reminders_then_suspension_then_closure() -> None:
    assert steps("2026-01-15") == []
    assert steps("2026-01-16") == [("reminder", "2026-01-16")]
    first = Due(Step.REMINDER, date(2026, 1, 16))
    assert steps("2026-01-29", first) == []
    assert steps("2026-01-30", first) == [("reminder", "2026-01-30")]
    second = Due(Step.REMINDER, date(2026, 1, 30))
    assert steps("2026-02-14", first, second) == [("suspension", "2026-02-14")]
    suspended = Due(Step.SUSPENSION, date(2026, 2, 14))
    assert steps("2026-04-15", first, second, suspended) == [("closure", "2026-04-15")]


def test_of_missed_reminders_only_the_last_is_sent() -> None:
    assert steps("2026-02-20") == [("reminder", "2026-01-30"), ("suspension", "2026-02-14")]


def test_what_is_never_to_be_done_is_never_due() -> None:
    never = DunningPolicy((), None, None)
    assert steps_due(DUE_ON, date(2036, 1, 1), never, ()) == []
