"""Months, monthly charges and taxes, by worked figures."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esl_agent.core.office.months import completed_months, first_anchor, months_after
from esl_agent.core.office.recurring import Recurring, due
from esl_agent.core.office.taxes import TaxRate, rates_on, taxes_on

GST = TaxRate("GST", date(2008, 1, 1), Decimal("0.05"))
QST = TaxRate("QST", date(2013, 1, 1), Decimal("0.09975"))
DAYS = st.dates(date(2000, 1, 1), date(2100, 12, 31))


def day(text: str) -> date:
    return date.fromisoformat(text)


@pytest.mark.parametrize(
    ("start", "months", "anchor", "expected"),
    [
        ("2026-01-31", 1, None, "2026-02-28"),
        ("2028-01-31", 1, None, "2028-02-29"),  # a leap year
        ("2026-02-28", 1, 31, "2026-03-31"),
        ("2026-12-15", 1, None, "2027-01-15"),
        ("2026-01-15", -1, None, "2025-12-15"),
        ("2024-02-29", 12, None, "2025-02-28"),
    ],
)
def test_months_after(start: str, months: int, anchor: int | None, expected: str) -> None:
    assert months_after(day(start), months, anchor) == day(expected)


@pytest.mark.parametrize(
    ("since", "on", "months"),
    [
        ("2026-01-31", "2026-02-27", 0),
        ("2026-01-31", "2026-02-28", 1),
        ("2026-01-31", "2026-03-30", 1),
        ("2026-01-31", "2026-03-31", 2),
        ("2026-03-01", "2026-02-01", 0),
        ("2025-11-15", "2026-11-15", 12),
    ],
)
def test_completed_months(since: str, on: str, months: int) -> None:
    assert completed_months(day(since), day(on)) == months


@given(since=DAYS, on=DAYS)
def test_so_many_months_have_passed_and_not_one_more(since: date, on: date) -> None:
    months = completed_months(since, on)
    assert months == 0 or months_after(since, months) <= on
    assert months_after(since, months + 1) > on


@given(on=DAYS, anchor=st.integers(1, 31))
def test_the_first_anchor_is_within_a_month(on: date, anchor: int) -> None:
    assert 0 <= (first_anchor(on, anchor) - on).days <= 31


def amounts(charge: Recurring, on: str) -> list[tuple[str, str, str]]:
    return [
        (str(each.period.begins), str(each.period.ends), str(each.amount)) for each in due(charge, day(on))
    ]


def test_the_31st_comes_in_every_month() -> None:
    charge = Recurring(Decimal("1.5000"), 31, day("2026-01-31"))
    assert amounts(charge, "2026-04-30") == [
        ("2026-01-31", "2026-02-28", "1.5000"),
        ("2026-02-28", "2026-03-31", "1.5000"),
        ("2026-03-31", "2026-04-30", "1.5000"),
        ("2026-04-30", "2026-05-31", "1.5000"),
    ]


def test_nothing_is_due_before_its_day() -> None:
    charge = Recurring(Decimal("10.0000"), 1, day("2026-03-10"))
    assert amounts(charge, "2026-03-31") == []
    assert amounts(charge, "2026-04-01") == [("2026-04-01", "2026-05-01", "10.0000")]


def test_the_days_before_the_first_anchor_are_charged_pro_rata_and_the_last_month_whole() -> None:
    charge = Recurring(Decimal("10.0000"), 1, day("2026-03-10"), day("2026-05-11"), prorated=True)
    assert amounts(charge, "2026-12-31") == [
        ("2026-03-10", "2026-04-01", "7.1000"),  # 22 of 31 days
        ("2026-04-01", "2026-05-01", "10.0000"),
        ("2026-05-01", "2026-06-01", "10.0000"),
    ]


@given(starts=DAYS, anchor=st.integers(1, 31), prorated=st.booleans(), days=st.integers(0, 800))
def test_a_late_run_finds_what_runs_in_time_found(
    starts: date, anchor: int, prorated: bool, days: int
) -> None:
    charge = Recurring(Decimal("9.9500"), anchor, starts, prorated=prorated)
    on = starts + timedelta(days)
    ended = replace(charge, ends_on=on + timedelta(1))

    found = list(due(charge, on))

    assert found == list(due(ended, on)) == list(due(ended, on + timedelta(1000)))
    assert all(earlier.period.ends == later.period.begins for earlier, later in pairwise(found))


def test_a_charge_that_ended_before_it_began_is_none() -> None:
    charge = Recurring(Decimal("10.0000"), 1, day("2026-03-10"), day("2026-03-10"), prorated=True)
    assert amounts(charge, "2026-12-31") == []


def test_taxes_are_each_on_the_sum_before_taxes() -> None:
    taxes = taxes_on(Decimal("20.54"), [GST, QST], day("2026-03-01"))
    assert [(each.tax, str(each.amount)) for each in taxes] == [("GST", "1.0300"), ("QST", "2.0500")]


def test_a_tax_has_the_rate_of_the_day() -> None:
    rates = [GST, QST, TaxRate("GST", day("2027-01-01"), Decimal("0.06"))]
    rates += [TaxRate("QST", day("2028-01-01"), Decimal(0))]
    assert [rate.rate for rate in rates_on(rates, day("2026-12-31"))] == [GST.rate, QST.rate]
    assert [rate.rate for rate in rates_on(rates, day("2027-01-01"))] == [Decimal("0.06"), QST.rate]
    assert [rate.tax for rate in rates_on(rates, day("2028-01-01"))] == ["GST"]
    assert rates_on(rates, day("2007-12-31")) == ()
