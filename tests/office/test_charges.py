"""Monthly charges are made once a period whatever is retried; single ones once a reference (terms 9)."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any, Final

import pytest
from fixtures.commands import Command
from fixtures.records import an_account

from esl_agent.core.money import amount as money
from esl_agent.core.office.recurring import Recurring
from esl_agent.office.charges import (
    Charge,
    ChargeError,
    RecurringCharge,
    add_recurring,
    add_single,
    end_recurring,
    list_charges,
    list_recurring,
    run_monthly,
)
from esl_agent.store import ledger
from esl_agent.store.accounts import AccountError, get_account
from esl_agent.store.numbers import OwnedNumber, add_number, remove_number
from esl_agent.store.pool import Connection

PAYER: Final = 1001
ZONE: Final = "America/Toronto"
SUPPORT: Final = Charge(
    PAYER, "ticket 7", "Support, half an hour", money("40"), True, date(2026, 3, 2), None, "office"
)


def a_monthly(**changes: Any) -> RecurringCharge:
    terms = {"amount": money("9.95"), "anchor_day": 31, "starts_on": date(2026, 1, 31)}
    own = {name: changes.pop(name) for name in tuple(changes) if name in Recurring.__slots__}
    charge = RecurringCharge(PAYER, "line", "Line", True, None, "office", Recurring(**terms | own))
    return replace(charge, **changes)


def run(conn: Connection, on: str, **options: Any) -> list[tuple[str, str]]:
    made = run_monthly(conn, date.fromisoformat(on), ZONE, **options)
    return [(str(charge.charged_on), str(charge.amount)) for charge in made]


def test_a_monthly_run_three_times_charges_once(conn: Connection) -> None:
    an_account(conn, PAYER, "20")
    add_recurring(conn, a_monthly())

    assert [run(conn, "2026-01-31") for _ in range(3)] == [[("2026-01-31", "9.9500")], [], []]

    assert get_account(conn, PAYER).balance == money("10.05")
    assert not ledger.check(conn)


def test_two_missed_months_are_caught_up(conn: Connection) -> None:
    an_account(conn, PAYER, "20")
    add_recurring(conn, a_monthly())
    run(conn, "2026-01-31")

    assert run(conn, "2026-03-31") == [("2026-02-28", "9.9500"), ("2026-03-31", "9.9500")]
    assert get_account(conn, PAYER).balance == money("-9.85")  # owed all the same
    assert not ledger.check(conn)


def test_a_rehearsal_charges_nothing(conn: Connection) -> None:
    an_account(conn, PAYER, "20")
    add_recurring(conn, a_monthly())

    assert run(conn, "2026-02-28", dry_run=True) == run(conn, "2026-02-28", dry_run=True) != []

    assert get_account(conn, PAYER).balance == money("20")
    assert list_charges(conn, PAYER) == []


def test_a_did_is_charged_while_it_is_the_accounts(conn: Connection) -> None:
    an_account(conn, PAYER, "20")
    add_number(conn, OwnedNumber("15145550101", PAYER))
    add_recurring(conn, a_monthly(number="15145550101"))
    assert len(run(conn, "2026-01-31")) == 1

    remove_number(conn, "15145550101")

    assert run(conn, "2026-06-30") == []
    with pytest.raises(ChargeError, match="15145550101 is not a number of account 1001"):
        add_recurring(conn, a_monthly(charge="again", number="15145550101"))


def test_a_charge_ends(conn: Connection) -> None:
    an_account(conn, PAYER, "20")
    add_recurring(conn, a_monthly(prorated=True, anchor_day=1, starts_on=date(2026, 2, 1)))
    end_recurring(conn, PAYER, "line", date(2026, 3, 16))

    assert run(conn, "2026-12-31") == [("2026-02-01", "9.9500"), ("2026-03-01", "9.9500")]
    with pytest.raises(ChargeError, match="it can't end on 2026-01-01"):
        end_recurring(conn, PAYER, "line", date(2026, 1, 1))


@pytest.mark.parametrize(
    ("closed_at", "charged"),
    [
        ("2026-03-01 04:59:59+00", ["2026-01-31"]),  # still 28 February in Montreal
        ("2026-03-01 05:00:00+00", ["2026-01-31", "2026-02-28"]),
        ("2026-07-01 03:59:59+00", ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31"]),
        ("2026-07-01 04:00:00+00", ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31",
                                    "2026-06-30"]),
    ],
)  # fmt: skip
def test_a_closed_account_is_charged_up_to_that_day_in_montreal(
    conn: Connection, closed_at: str, charged: list[str]
) -> None:
    an_account(conn, PAYER, "20")
    add_recurring(conn, a_monthly())
    conn.execute("UPDATE accounts SET state = 'closed', state_since = %s", [closed_at])

    assert [begins for begins, _ in run(conn, "2026-12-31")] == charged


def test_support_is_charged_once(conn: Connection) -> None:
    an_account(conn, PAYER, "50")

    assert [add_single(conn, SUPPORT), add_single(conn, SUPPORT)] == [True, False]

    assert get_account(conn, PAYER).balance == money("10")
    assert list_charges(conn, PAYER) == [SUPPORT]
    with pytest.raises(ChargeError, match=r"stands for 40\.0000, Support, half an hour"):
        add_single(conn, replace(SUPPORT, amount=money("41")))


@pytest.mark.parametrize("amount", ["0", "-1"])
def test_a_charge_is_more_than_zero(conn: Connection, amount: str) -> None:
    an_account(conn, PAYER, "50")
    with pytest.raises(ChargeError, match="more than zero"):
        add_single(conn, replace(SUPPORT, amount=Decimal(amount)))
    with pytest.raises(ChargeError, match="more than zero"):
        add_recurring(conn, a_monthly(amount=Decimal(amount)))


def test_what_can_not_be_charged(conn: Connection) -> None:
    with pytest.raises(AccountError, match="no account 1001"):
        add_single(conn, SUPPORT)
    an_account(conn, PAYER, "50")
    add_recurring(conn, a_monthly())
    with pytest.raises(ChargeError, match="has a charge 'line' already"):
        add_recurring(conn, a_monthly())
    with pytest.raises(ChargeError, match="is not 1 to 64 letters"):
        add_recurring(conn, a_monthly(charge="a line"))
    with pytest.raises(ChargeError, match="has no charge 'lane'"):
        end_recurring(conn, PAYER, "lane", date(2026, 3, 1))


def test_the_commands(conn: Connection, told: Command, refused: Command) -> None:
    an_account(conn, PAYER, "50")
    monthly = (
        "charge",
        "monthly",
        PAYER,
        "9.95",
        "--id",
        "line",
        "--description",
        "Line",
        "--from",
        "2026-01-31",
    )
    support = ("charge", "add", PAYER, "40", "--description", "Support", "--reference", "ticket 7")

    assert "9.9500 for 'Line' on day 31 of each month from 2026-01-31" in told(*monthly)
    assert "0 charges made, 0 in all" in told("charge", "run", "--on", "2026-01-30")
    assert "2 charges would be made, 19.9000 in all" in told(
        "charge", "run", "--on", "2026-03-01", "--dry-run"
    )
    assert "2 charges made, 19.9000 in all" in told("charge", "run", "--on", "2026-03-01")
    assert "until 2026-03-01" in told("charge", "end", PAYER, "line", "--on", "2026-03-01")
    assert "balance -9.9000 CAD  (a dry run: nothing is done)" in told(*support, "--dry-run")
    assert "40.0000 charged; balance -9.9000 CAD" in told(*support)
    assert "was charged before: nothing changed; balance -9.9000" in told(*support)
    listed = json.loads(told("charge", "list", PAYER, "--json"))
    assert [each["charge"] for each in listed["monthly"]] == ["line"]
    assert [each["amount"] for each in listed["charges"]] == ["40.0000", "9.9500", "9.9500"]
    assert "Line" in told("charge", "list")
    assert "is before --from" in refused(*monthly, "--until", "2026-01-01")
    assert [each.charge for each in list_recurring(conn)] == ["line"]
