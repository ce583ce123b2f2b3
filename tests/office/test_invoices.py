"""Invoices: every charge on one, numbers without gaps, taxes, credit notes; and what the customer gets."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

import gevent
import pytest
from fixtures.commands import Command
from fixtures.records import S, a_cdr, an_account

from esl_agent.core.money import amount as money
from esl_agent.core.office.invoice import TAX
from esl_agent.office.charges import Charge, add_single
from esl_agent.office.documents import Issuer, as_html
from esl_agent.office.invoice_paper import invoice_paper
from esl_agent.office.invoices import (
    Invoice,
    InvoiceError,
    InvoicePolicy,
    credit,
    issue,
    issue_all,
    lines_of,
    list_invoices,
)
from esl_agent.office.pdf import as_pdf
from esl_agent.store import ledger
from esl_agent.store.accounts import Billing, change_billing, get_account
from esl_agent.store.cdrs import ensure_partitions, to_us
from esl_agent.store.pool import Connection, connected
from esl_agent.store.settle import settle_many

PAYER: Final = 1001
DAY: Final = date(2026, 4, 1)
POLICY: Final = InvoicePolicy(net_days=30, calls_until=datetime(2026, 4, 1, 4, tzinfo=UTC))
ISSUER: Final = Issuer(
    name="A reseller of calls",
    address=("1 Main Street", "Montréal QC"),
    contact="office@example.com",
    tax_numbers=(("GST", "123456789 RT0001"), ("QST", "1234567890 TQ0001")),
    how_to_pay="Interac to office@example.com",
)


def charged(conn: Connection, amount: str, reference: str = "ticket 7", **changes: Any) -> None:
    values = {"description": "Support", "is_taxed": True, "charged_on": date(2026, 3, 2), "ends_on": None}
    add_single(conn, Charge(PAYER, reference, amount=money(amount), added_by="office", **values | changes))


def issued(conn: Connection, **changes: Any) -> Invoice:
    invoice = issue(conn, PAYER, DAY, POLICY, "office", **changes)
    assert invoice is not None
    return invoice


def amounts(conn: Connection, invoice: Invoice) -> list[tuple[str, str]]:
    return [(line.description, str(line.amount)) for line in lines_of(conn, invoice)]


def test_both_taxes_are_on_the_sum_before_taxes(conn: Connection) -> None:
    an_account(conn, PAYER, "0")
    charged(conn, "20.54")

    invoice = issued(conn)

    assert amounts(conn, invoice) == [
        ("Support, 2026-03-02", "20.5400"),
        ("GST 5 %", "1.0300"),
        ("QST 9.975 %", "2.0500"),
    ]
    assert (invoice.before_taxes, invoice.total) == (money("20.54"), money("23.62"))
    assert (invoice.issued_on, invoice.due_on) == (DAY, date(2026, 5, 1))
    assert get_account(conn, PAYER).balance == money("-23.62")
    assert not ledger.check(conn)


def test_what_is_invoiced_is_on_no_other_invoice(conn: Connection) -> None:
    an_account(conn, PAYER, "0")
    charged(conn, "10")
    charged(conn, "99", "in May", charged_on=date(2026, 5, 1))

    assert [each.before_taxes for each in issue_all(conn, DAY, POLICY, "office")] == [money("10")]
    assert list(issue_all(conn, DAY, POLICY, "office")) == []


def test_an_account_without_taxes_and_a_charge_that_is_exempt(conn: Connection) -> None:
    an_account(conn, PAYER, "0")
    charged(conn, "10")
    charged(conn, "5", "stamps", is_taxed=False)
    rehearsed = issued(conn, dry_run=True)
    assert rehearsed.total == money("16.50")  # 10 + 5 + 0.50 + 1.00: the exempt charge is not taxed

    change_billing(conn, PAYER, Billing(is_taxed=False))

    assert issued(conn).total == money("15")


def test_a_rehearsal_uses_up_no_number(conn: Connection) -> None:
    an_account(conn, PAYER, "0")
    charged(conn, "10")
    rehearsed = issued(conn, dry_run=True)
    assert list_invoices(conn) == []
    assert get_account(conn, PAYER).balance == money("-10")
    assert issued(conn).invoice_number == rehearsed.invoice_number == "2026-000001"


def test_numbers_have_no_gaps_whoever_issues_at_once(conn: Connection, database_url: str) -> None:
    payers = range(1001, 1021)
    for payer in payers:
        an_account(conn, payer, "0")
        add_single(conn, Charge(payer, "x", "Support", money("1"), False, DAY, None, "office"))

    def run() -> list[Invoice]:
        with connected(database_url) as own:
            return list(issue_all(own, DAY, POLICY, "office"))

    greenlets = [gevent.spawn(run) for _ in range(4)]
    gevent.joinall(greenlets, raise_error=True)

    numbers = sorted(each.invoice_number for greenlet in greenlets for each in greenlet.value or [])
    assert numbers == [f"2026-{number:06}" for number in range(1, 21)]
    assert not ledger.check(conn)


def test_each_year_has_numbers_of_its_own(conn: Connection) -> None:
    an_account(conn, PAYER, "0")
    for year in (2026, 2027, 2027):
        charged(conn, "1", f"{year} {len(list_invoices(conn))}")
        assert issue(conn, PAYER, date(year, 6, 1), POLICY, "office")
    assert sorted(each.invoice_number for each in list_invoices(conn)) == [
        "2026-000001", "2027-000001", "2027-000002",
    ]  # fmt: skip


def calls(conn: Connection, *legs: str) -> None:
    now_us = to_us(datetime.now(UTC))
    rows = [a_cdr(PAYER, leg, "0.0250", created_us=now_us - 60 * S, ended_us=now_us) for leg in legs]
    ensure_partitions(conn, datetime.now(UTC))
    settle_many(conn, rows)


def test_calls_are_invoiced_where_they_are_paid_for_afterwards(conn: Connection) -> None:
    an_account(conn, PAYER, "0", credit_limit=money("10"))
    calls(conn, "prepaid")
    change_billing(conn, PAYER, Billing(calls_are_invoiced=True))
    calls(conn, "one", "two", "three")
    until = datetime.now(UTC)

    invoice = issue(conn, PAYER, DAY, InvoicePolicy(30, until), "office")

    assert invoice is not None
    [usage, *_] = lines_of(conn, invoice)
    assert (usage.kind, usage.calls, usage.billed_seconds) == ("usage", 3, 180)
    assert usage.amount == money("0.08")  # 0.0750, half up
    assert "United Kingdom" in usage.description
    assert issue(conn, PAYER, DAY, InvoicePolicy(30, until), "office") is None

    calls(conn, "four")
    later = InvoicePolicy(30, datetime.now(UTC))
    again = issue(conn, PAYER, DAY, later, "office")
    assert again is not None
    assert lines_of(conn, again)[0].calls == 1
    assert not ledger.check(conn)


def test_a_credit_note_takes_lines_back_with_their_taxes_once(conn: Connection) -> None:
    an_account(conn, PAYER, "0")
    charged(conn, "20.54")
    charged(conn, "5", "stamps", is_taxed=False, description="Stamps")
    invoice = issued(conn)
    assert get_account(conn, PAYER).balance == money("-28.62")

    note = credit(conn, invoice.invoice_number, [2], "a mistake", "office", DAY)

    assert (note.credits, note.total, note.note) == (invoice.invoice_number, money("-23.62"), "a mistake")
    assert note.invoice_number == "2026-000002"
    assert [line.kind for line in lines_of(conn, note)].count(TAX) == 2
    assert get_account(conn, PAYER).balance == money("-5")
    with pytest.raises(InvoiceError, match="line 2 of invoice 2026-000001 is credited already"):
        credit(conn, invoice.invoice_number, [2], "again", "office", DAY)
    with pytest.raises(InvoiceError, match="has no line 9; it has 1, 2"):
        credit(conn, invoice.invoice_number, [9], "what", "office", DAY)

    assert credit(conn, invoice.invoice_number, [], "all of it", "office", DAY).total == money("-5")
    with pytest.raises(InvoiceError, match="every line of invoice 2026-000001 is credited"):
        credit(conn, invoice.invoice_number, [], "again", "office", DAY)
    with pytest.raises(InvoiceError, match="is itself a credit note"):
        credit(conn, note.invoice_number, [], "back", "office", DAY)
    assert get_account(conn, PAYER).balance == 0
    assert not ledger.check(conn)


def test_what_the_customer_gets(conn: Connection) -> None:
    an_account(conn, PAYER, "0", name="A <garage> & sons")
    change_billing(conn, PAYER, Billing(address="2 Main Street\nMontréal QC"))
    charged(conn, "1234.50")
    invoice = issued(conn)

    page = as_html(invoice_paper(conn, invoice, ISSUER))

    for text in ("A &lt;garage&gt; &amp; sons", "2026-000001", "1,234.50", "GST 5 %", "QST 9.975 %",
                 "GST 123456789 RT0001", "2 % a month", "26.82 % a year",
                 "2 Main Street", "Interac"):  # fmt: skip
        assert text in page, text


def test_and_in_french(conn: Connection) -> None:
    an_account(conn, PAYER, "0")
    change_billing(conn, PAYER, Billing(language="fr"))
    charged(conn, "1234.50")

    page = as_html(invoice_paper(conn, issued(conn), ISSUER))

    for text in ("Facture", "1\N{NO-BREAK SPACE}234,50", "TPS 5 %", "TVQ 9,975 %", "26,82 % par année"):
        assert text in page, text


def test_a_pdf_of_many_pages(conn: Connection) -> None:
    an_account(conn, PAYER, "0")
    for number in range(120):
        charged(conn, "1.25", f"ticket {number}")

    content = as_pdf(invoice_paper(conn, issued(conn), ISSUER))

    assert content.startswith(b"%PDF-")
    assert content.count(b"/Type /Page\n") >= 3
    assert as_pdf(invoice_paper(conn, list_invoices(conn)[0], ISSUER)) == content  # the same bytes each time


def test_the_commands(
    conn: Connection, told: Command, refused: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    an_account(conn, PAYER, "0")
    charged(conn, "20.54")
    run = ("invoice", "run", "--on", "2026-04-01")
    assert "1 invoices would be issued, 23.6200 in all" in told(*run, "--dry-run")
    assert "1 invoices issued, 23.6200 in all" in told(*run)
    assert "0 invoices issued, 0 in all" in told(*run)
    assert json.loads(told("invoice", "show", "2026-000001", "--json"))["lines"][0]["amount"] == "20.5400"
    [open_invoice] = json.loads(told("invoice", "list", PAYER, "--json"))
    assert open_invoice["open_amount"] == "23.6200"
    pdf = tmp_path / "invoice.pdf"
    assert "[office] company says who issues invoices" in refused("invoice", "export", "2026-000001", pdf)
    monkeypatch.setenv("ESL_AGENT_OFFICE_COMPANY", "A reseller")
    assert "bytes" in told("invoice", "export", "2026-000001", pdf)
    assert pdf.read_bytes().startswith(b"%PDF-")
    assert "has to end in .html or .pdf" in refused("invoice", "export", "2026-000001", tmp_path / "a.txt")
    assert "there is no invoice 2026-000009" in refused("invoice", "show", "2026-000009")
    credit_all = ("invoice", "credit", "2026-000001", "--reason", "a mistake", "--on", "2026-04-02")
    assert "a dry run" in told(*credit_all, "--dry-run")
    assert "credit note 2026-000002: -23.6200 CAD of invoice 2026-000001" in told(*credit_all)
    [credited] = json.loads(told("invoice", "list", PAYER, "--json"))
    assert (credited["credited"], credited["open_amount"]) == ("23.6200", "0.0000")
