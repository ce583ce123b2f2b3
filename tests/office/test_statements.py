"""A statement leads from one balance to the next, whatever moved it (terms 1, 7)."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import pytest
from fixtures.commands import Command
from fixtures.records import S, a_cdr, an_account

from esl_agent.core.money import amount as money
from esl_agent.core.price import LineKind
from esl_agent.office.charges import Charge, add_single
from esl_agent.office.documents import Issuer, as_html
from esl_agent.office.payments import (
    Method,
    NewPayment,
    Return,
    ReturnFeePolicy,
    return_payment,
    take_payment,
)
from esl_agent.office.pdf import as_pdf
from esl_agent.office.statements import Statement, statement_of, statement_paper
from esl_agent.store.accounts import Billing, change_billing, get_account
from esl_agent.store.cdrs import ensure_partitions, to_us
from esl_agent.store.pool import Connection
from esl_agent.store.settle import settle_many

PAYER: Final = 1001
ZONE: Final = "America/Toronto"
TODAY: Final = datetime.now(ZoneInfo(ZONE)).date()


@pytest.fixture
def moved(conn: Connection) -> None:
    """Paid in long ago, and today called, charged, paid and bounced."""
    an_account(conn, PAYER, "0", name="A garage")
    for reference, on in (("check 1", date(2026, 1, 5)), ("check 2", TODAY)):
        new = NewPayment(
            account_id=PAYER, amount=money("20"), reference=reference, method=Method.CHECK,
            received_on=on, by="office",
        )  # fmt: skip
        take_payment(conn, new)
    ensure_partitions(conn, datetime.now(UTC))
    now_us = to_us(datetime.now(UTC))
    rows = [a_cdr(PAYER, leg, "0.0250", created_us=now_us - 60 * S, ended_us=now_us) for leg in ("a", "b")]
    settle_many(conn, rows)
    add_single(conn, Charge(PAYER, "ticket 7", "Support", money("5"), True, TODAY, None, "office"))
    bounced = Return(account_id=PAYER, reference="check 2", reason="no funds", returned_on=TODAY, by="office")
    return_payment(conn, bounced, ReturnFeePolicy())


def changes(statement: Statement) -> Decimal:
    moved = sum((line.change for line in statement.lines), Decimal(0))
    return moved - sum((line.amount for line in statement.calls), Decimal(0))


@pytest.mark.parametrize("since", [date(2026, 1, 1), date(2026, 1, 6), TODAY, TODAY + timedelta(days=1)])
def test_the_balance_before_and_what_moved_it_make_the_balance_after(
    conn: Connection, moved: None, since: date
) -> None:
    statement = statement_of(conn, PAYER, since, TODAY + timedelta(days=30), ZONE)

    assert statement.opening + changes(statement) == statement.closing == get_account(conn, PAYER).balance


def test_each_line_says_what_it_is(conn: Connection, moved: None) -> None:
    statement = statement_of(conn, PAYER, TODAY, TODAY + timedelta(days=1), ZONE)

    assert statement.opening == money("20")
    assert {(line.kind, line.description, str(line.change)) for line in statement.lines} == {
        ("top_up", "check 2", "20.0000"),
        ("single_charge", "Support", "-5.0000"),
        ("returned_payment", "check 2", "-20.0000"),
        ("returned_payment_fee", "Fee: payment check 2 returned", "-15.0000"),
    }
    [calls] = statement.calls
    assert (calls.kind, calls.calls, str(calls.amount)) == (LineKind.USAGE, 2, "0.0500")


def test_what_the_customer_gets(conn: Connection, moved: None) -> None:
    change_billing(conn, PAYER, Billing(language="fr"))
    statement = statement_of(conn, PAYER, TODAY, TODAY + timedelta(days=1), ZONE)
    paper = statement_paper(conn, statement, Issuer("A reseller of calls"))

    page = as_html(paper)

    for text in (
        "Relevé",
        "Paiement : check 2",
        "Paiement retourné",
        "-0,05",
        "26,82 % par année",
        "A garage",
    ):
        assert text in page, text
    assert as_pdf(paper).startswith(b"%PDF-")


def test_the_command(
    moved: None, told: Command, refused: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    statement = ("statement", PAYER, "--since", TODAY, "--until", TODAY + timedelta(days=1))
    assert json.loads(told(*statement, "--json"))["opening"] == "20.0000"
    assert "2 to United Kingdom" in told(*statement)
    monkeypatch.setenv("ESL_AGENT_OFFICE_COMPANY", "A reseller")
    assert "bytes" in told(*statement, "--output", tmp_path / "statement.pdf")
    assert "is empty" in refused("statement", PAYER, "--since", TODAY, "--until", TODAY)
    assert "no account 7" in refused("statement", 7)
