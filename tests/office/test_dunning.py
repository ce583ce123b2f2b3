"""What is past due is reminded of, suspends, closes; a payment lifts what it should at once (terms 2)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
from fixtures.commands import Command
from fixtures.records import an_account

from esl_agent.core.money import amount as money
from esl_agent.core.office.dunning import DunningPolicy
from esl_agent.office.charges import Charge, add_single
from esl_agent.office.dunning import receive, take_steps, tell
from esl_agent.office.invoices import InvoicePolicy, issue
from esl_agent.office.payments import Method, NewPayment, Return, ReturnFeePolicy, return_payment
from esl_agent.store.accounts import State, get_account, resume, suspend
from esl_agent.store.holds import HoldRequest, Outcome, hold_many
from esl_agent.store.pool import Connection

PAYER: Final = 1001
ZONE: Final = "America/Toronto"
DUE_ON: Final = date(2026, 1, 15)
POLICY: Final = DunningPolicy(reminder_after_days=(1, 15), suspend_after_days=30, close_after_days=90)
PAYMENT: Final = NewPayment(
    account_id=PAYER,
    amount=money("100"),
    reference="check 1",
    method=Method.CHECK,
    received_on=date(2026, 2, 20),
    by="office",
)


@pytest.fixture(autouse=True)
def invoice(conn: Connection) -> str:
    """One of 100.00, due on DUE_ON."""
    an_account(conn, PAYER, "0")
    return invoiced(conn, "100", DUE_ON)


def invoiced(conn: Connection, amount: str, on: date) -> str:
    add_single(conn, Charge(PAYER, f"work of {on}", "Support", money(amount), False, on, None, "office"))
    made = issue(conn, PAYER, on, InvoicePolicy(0, datetime(2026, 1, 1, tzinfo=UTC)), "office")
    assert made is not None
    return made.invoice_number


def run(conn: Connection, on: date, **options: Any) -> list[str]:
    return [taken.step.value for taken in take_steps(conn, on, ZONE, POLICY, **options)]


def pay(conn: Connection, on: date = date(2026, 2, 20), **changes: Any) -> bool:
    _, is_lifted = receive(conn, replace(PAYMENT, received_on=on, **changes), on, ZONE, POLICY)
    return is_lifted


def bounce(conn: Connection) -> None:
    bounced = Return(
        account_id=PAYER, reference="check 1", reason="no funds", returned_on=date(2026, 2, 25), by="office"
    )
    return_payment(conn, bounced, ReturnFeePolicy(fee=money("0")))


def test_each_step_is_taken_once(conn: Connection) -> None:
    days = ("2026-01-15", "2026-01-16", "2026-01-17", "2026-01-30", "2026-02-14", "2026-02-15", "2026-04-15")
    steps = [run(conn, date.fromisoformat(day)) for day in days]
    assert steps == [[], ["reminder"], [], ["reminder"], ["suspension"], [], ["closure"]]
    account = get_account(conn, PAYER)
    assert (account.state, account.state_by) == (State.CLOSED, "dunning")
    assert account.state_reason == "invoice 2026-000001 is past due since 2026-01-15"
    assert run(conn, date(2027, 1, 1)) == []


def test_a_payment_lifts_a_suspension_at_once(conn: Connection) -> None:
    run(conn, date(2026, 2, 14))
    assert not pay(conn, amount=money("60"))  # a part is not enough
    assert get_account(conn, PAYER).state is State.SUSPENDED

    assert pay(conn, reference="check 2", amount=money("50"))

    assert get_account(conn, PAYER).state is State.ACTIVE
    [result] = hold_many(conn, [HoldRequest(PAYER, "leg", money("1"), money("1"))])
    assert result.outcome is Outcome.HELD


def test_a_suspension_by_hand_stays(conn: Connection) -> None:
    suspend(conn, PAYER, "a dialer", "noc")
    run(conn, date(2026, 2, 14))
    assert not pay(conn)
    assert get_account(conn, PAYER).state is State.SUSPENDED


@pytest.mark.parametrize("by", ["noc", "phones", "api office"])
def test_a_suspension_that_takes_over_that_of_dunning_outlasts_a_payment(conn: Connection, by: str) -> None:
    run(conn, date(2026, 2, 14))
    suspend(conn, PAYER, "stolen phone", by)
    run(conn, date(2026, 2, 15))
    assert not pay(conn)
    account = get_account(conn, PAYER)
    assert (account.state, account.state_reason, account.state_by) == (State.SUSPENDED, "stolen phone", by)


def test_dunning_takes_over_nobodys_suspension(conn: Connection) -> None:
    suspended = suspend(conn, PAYER, "a dialer", "noc")
    run(conn, date(2026, 2, 14))
    assert suspend(conn, PAYER, "past due", "dunning") == suspended == get_account(conn, PAYER)


def test_what_was_paid_under_a_suspension_by_hand_suspends_again_when_the_payment_bounces(
    conn: Connection,
) -> None:
    run(conn, date(2026, 2, 14))
    suspend(conn, PAYER, "a dialer", "noc")
    pay(conn)
    resume(conn, PAYER, "talked to them", "noc")
    bounce(conn)
    assert run(conn, date(2026, 2, 26)) == ["suspension"]
    assert get_account(conn, PAYER).state_by == "dunning"


def test_when_the_payment_bounces_the_next_run_suspends_again(conn: Connection) -> None:
    run(conn, date(2026, 2, 14))
    assert pay(conn)
    bounce(conn)
    assert run(conn, date(2026, 2, 26)) == ["suspension"]
    assert get_account(conn, PAYER).state is State.SUSPENDED


def test_an_invoice_that_is_paid_in_time_is_left_alone(conn: Connection) -> None:
    pay(conn, on=DUE_ON)
    assert run(conn, date(2026, 6, 1)) == []


def test_a_rehearsal_takes_no_step(conn: Connection) -> None:
    assert run(conn, date(2026, 2, 14), dry_run=True) == ["reminder", "suspension"]
    assert get_account(conn, PAYER).state is State.ACTIVE
    assert run(conn, date(2026, 2, 14)) == ["reminder", "suspension"]


def test_a_step_is_told_and_handed_to_the_hook(conn: Connection, tmp_path: Path) -> None:
    said: list[tuple[str, dict[str, object]]] = []
    script = tmp_path / "remind"
    script.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path / "told"}\n')
    script.chmod(0o755)

    def log(word: str, /, **fields: object) -> None:
        said.append((word, fields))

    for taken in take_steps(conn, date(2026, 1, 16), ZONE, POLICY):
        tell(log, taken, [str(script), "--mail"])
        tell(log, taken, [str(tmp_path / "nowhere")])

    assert (tmp_path / "told").read_text() == "--mail reminder 1001 2026-000001 100.0000 CAD\n"
    assert [word for word, _ in said] == ["DUNNING_REMINDER", "DUNNING_REMINDER", "DUNNING_HOOK_FAILED"]
    assert said[0][1]["open"] == money("100")


def a_command(database_url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment: dict[str, str] = os.environ | {"ESL_AGENT_DATABASE_URL": database_url}
    command: Sequence[str] = [sys.executable, "-m", "esl_agent", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True)


def test_the_command(conn: Connection, told: Command, database_url: str) -> None:
    dry = told("dunning", "run", "--on", "2026-02-14", "--dry-run")
    assert "2 steps would be taken" in dry
    assert get_account(conn, PAYER).state is State.ACTIVE

    done = a_command(database_url, "dunning", "run", "--on", "2026-02-14")

    assert "2 steps taken" in done.stdout
    assert "DUNNING_SUSPENDED account=1001 invoice=2026-000001 open=100.0000 due=2026-01-15" in done.stderr
    today = datetime.now(ZoneInfo(ZONE)).date() - timedelta(days=1)
    paid = told(
        "payment", "take", PAYER, "200", "--method", "card", "--reference", "x", "--received-on", today
    )
    assert "200.0000 credited, suspension lifted" in paid
    assert json.loads(told("account", "show", PAYER, "--json"))["state"] == "active"
