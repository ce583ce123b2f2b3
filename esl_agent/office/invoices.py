"""Invoices: what an account was charged since the last one, numbered without gaps, never changed (terms 9).

An invoice gathers the charges that are on none yet and, for accounts that pay
for calls afterwards, the calls settled since the last one.  Charges and calls
were taken from the balance when they came; the invoice adds the taxes.  What is
wrong is put right by a credit note, which takes lines back with their taxes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final, LiteralString

from psycopg.rows import class_row, scalar_row

from esl_agent.core.office.invoice import TAX, Draft, Line, draft
from esl_agent.core.office.taxes import TaxRate
from esl_agent.errors import EslAgentError
from esl_agent.office.charges import MONTHLY, SINGLE
from esl_agent.office.payments import RETURN_FEE
from esl_agent.office.usage import invoiced_until, usage_lines
from esl_agent.store.accounts import Account, get_account, lock
from esl_agent.store.changes import announce_account
from esl_agent.store.ledger import Entry, House, post
from esl_agent.store.pool import Connection

CREDIT: Final = "credit_note"
INVOICES_LISTED_MAX: Final = 1_000

_SELECT: Final = (
    "SELECT account_id, invoice_number, credits, issued_on, due_on, before_taxes, total, calls_until,"
    " currency, note, issued_by FROM invoices "
)
NEXT_NUMBER: Final = """
    INSERT INTO invoice_series (year, last_number) VALUES (%s, 1)
    ON CONFLICT (year) DO UPDATE SET last_number = invoice_series.last_number + 1
    RETURNING last_number
"""
#: Accounts with anything to invoice: charges, or calls that are paid for afterwards.
WAITING: Final = """
    SELECT account_id FROM charges WHERE invoice_number IS NULL AND charged_on <= %(on)s
    UNION SELECT account_id FROM accounts WHERE calls_invoiced_since < %(calls_until)s
    ORDER BY account_id
"""
#: Which side of the books a line of that kind goes to, and comes back from; calls are revenue.
HOUSE_OF_LINE: Final = {
    MONTHLY: House.FEES,
    SINGLE: House.FEES,
    RETURN_FEE: House.FEES,
    TAX: House.TAX,
}


class InvoiceError(EslAgentError):
    """The invoice can't be issued or credited as was asked."""


@dataclass(frozen=True, slots=True)
class InvoicePolicy:
    """How long a customer has to pay, and until which moment calls are invoiced.

    That moment has to be past: a call that was settled before it, and is not there
    to be read yet, would be on no invoice (usage.CALLS_AGE_MIN).
    """

    net_days: int
    calls_until: datetime


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """A line as it was printed."""

    position: int
    kind: str
    description: str
    calls: int | None
    billed_seconds: int | None
    amount: Decimal
    is_taxed: bool
    credits_position: int | None


@dataclass(frozen=True, slots=True)
class Invoice:
    """An invoice, or a credit note: that `credits` an invoice and has amounts below zero."""

    account_id: int
    invoice_number: str
    credits: str | None
    issued_on: date
    due_on: date
    before_taxes: Decimal
    total: Decimal
    calls_until: datetime | None  # calls settled before it are on this invoice or an earlier one
    currency: str
    note: str
    issued_by: str


def issue_all(
    conn: Connection, on: date, policy: InvoicePolicy, by: str, *, dry_run: bool = False
) -> Iterator[Invoice]:
    """Invoice every account that has anything to invoice, each in a transaction of its own."""
    with conn.cursor(row_factory=scalar_row) as cursor:
        waiting = cursor.execute(WAITING, {"on": on, "calls_until": policy.calls_until}).fetchall()
    for account_id in waiting:
        issued = issue(conn, account_id, on, policy, by, dry_run=dry_run)
        if issued is not None:
            yield issued


def issue(
    conn: Connection, account_id: int, on: date, policy: InvoicePolicy, by: str, *, dry_run: bool = False
) -> Invoice | None:
    """Invoice what is on no invoice yet; None where that is nothing.  Raises AccountError."""
    # Calls are added up before the account is locked: its calls must not wait for that.
    usage = usage_lines(conn, get_account(conn, account_id), policy.calls_until)
    with conn.transaction(force_rollback=dry_run):
        account = lock(conn, account_id)
        if invoiced_until(conn, account) != usage.since:
            return None  # another run invoices them just now
        made = draft(
            [*usage.lines, *_charge_lines(conn, account_id, on)],
            tax_rates(conn), on, is_taxed=account.is_taxed,
        )  # fmt: skip
        if not made.lines:
            return None
        due_on = date.fromordinal(on.toordinal() + policy.net_days)
        invoice = _write(conn, account, made, issued_on=on, due_on=due_on, by=by, calls_until=usage.until)
        _mark(conn, invoice, on)
        return invoice


def credit(
    conn: Connection, number: str, positions: Collection[int], reason: str, by: str, on: date
) -> Invoice:
    """A credit note for lines of an invoice (none: all that are not credited yet), with their taxes."""
    with conn.transaction():
        invoice = get_invoice(conn, number)
        account = lock(conn, invoice.account_id)
        if invoice.credits is not None:
            raise InvoiceError(f"{number} is itself a credit note, of {invoice.credits}")
        lines = _lines_to_credit(conn, invoice, positions)
        negative = [
            Line(line.kind, line.description, -line.amount, line.is_taxed, line.calls, line.billed_seconds)
            for line in lines
        ]
        rates = tax_rates(conn)
        is_taxed = any(line.kind == TAX for line in lines_of(conn, invoice))
        made = draft(negative, rates, invoice.issued_on, is_taxed=is_taxed)
        return _write(
            conn, account, made, issued_on=on, due_on=on, by=by, note=reason,
            credits=number, credited=[line.position for line in lines],
        )  # fmt: skip


def get_invoice(conn: Connection, number: str) -> Invoice:
    """By its number; raises InvoiceError where there is none."""
    found = _select(conn, "WHERE invoice_number = %s", number)
    if not found:
        raise InvoiceError(f"there is no invoice {number}: `esl-agent invoice list` shows which there are")
    return found[0]


def list_invoices(conn: Connection, account_id: int | None = None) -> list[Invoice]:
    """The latest invoices and credit notes, of one account or of all, the latest first."""
    order = "ORDER BY issued_on DESC, invoice_number DESC LIMIT %s"
    if account_id is None:
        return _select(conn, order, INVOICES_LISTED_MAX)
    get_account(conn, account_id)
    return _select(conn, "WHERE account_id = %s " + order, account_id, INVOICES_LISTED_MAX)


def lines_of(conn: Connection, invoice: Invoice) -> list[InvoiceLine]:
    """The lines in their order, taxes last."""
    with conn.cursor(row_factory=class_row(InvoiceLine)) as cursor:
        return cursor.execute(
            "SELECT position, kind, description, calls, billed_seconds, amount, is_taxed, credits_position"
            " FROM invoice_lines WHERE account_id = %s AND invoice_number = %s ORDER BY position",
            [invoice.account_id, invoice.invoice_number],
        ).fetchall()


def tax_rates(conn: Connection) -> list[TaxRate]:
    """Every rate there ever was."""
    with conn.cursor(row_factory=class_row(TaxRate)) as cursor:
        return cursor.execute("SELECT tax, effective_from, rate FROM tax_rates").fetchall()


def _charge_lines(conn: Connection, account_id: int, on: date) -> list[Line]:
    rows = conn.execute(
        "SELECT kind, description, amount, is_taxed, charged_on, ends_on FROM charges"
        " WHERE account_id = %s AND invoice_number IS NULL AND charged_on <= %s"
        " ORDER BY charged_on, reference",
        [account_id, on],
    )
    return [
        Line(kind, _dated(description, charged_on, ends_on), amount, is_taxed)
        for kind, description, amount, is_taxed, charged_on, ends_on in rows
    ]


def _dated(description: str, charged_on: date, ends_on: date | None) -> str:
    if ends_on is None:
        return f"{description}, {charged_on}"
    return f"{description}, {charged_on} – {date.fromordinal(ends_on.toordinal() - 1)}"


def _write(
    conn: Connection,
    account: Account,
    made: Draft,
    *,
    issued_on: date,
    due_on: date,
    by: str,
    calls_until: datetime | None = None,
    note: str = "",
    credits: str | None = None,
    credited: Sequence[int] = (),
) -> Invoice:
    """Number it, keep it with its lines, and move what it adds in the books."""
    [last] = conn.execute(NEXT_NUMBER, [issued_on.year]).fetchone() or (0,)
    number = f"{issued_on.year:04}-{last:06}"
    invoice = Invoice(
        account.account_id, number, credits, issued_on, due_on, made.before_taxes, made.total,
        calls_until, account.currency, note, by,
    )  # fmt: skip
    conn.execute(
        "INSERT INTO invoices (account_id, invoice_number, credits, issued_on, due_on, before_taxes, total,"
        " calls_until, currency, note, issued_by) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [getattr(invoice, name) for name in Invoice.__slots__],
    )
    taxes = [Line(TAX, f"{tax.tax} {tax.rate * 100:f}".rstrip("0").rstrip(".") + " %", tax.amount, False)
             for tax in made.taxes]  # fmt: skip
    for position, line in enumerate([*made.lines, *taxes], 1):
        credits_position = credited[position - 1] if position <= len(credited) else None
        conn.execute(
            "INSERT INTO invoice_lines (account_id, invoice_number, position, kind, description, calls,"
            " billed_seconds, amount, is_taxed, credits_position)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [account.account_id, number, position, line.kind, line.description, line.calls,
             line.billed_seconds, line.amount, line.is_taxed, credits_position],
        )  # fmt: skip
        if line.kind == TAX or credits:
            _move(conn, invoice, position, line)
    announce_account(conn, account.account_id)
    return invoice


def _move(conn: Connection, invoice: Invoice, position: int, line: Line) -> None:
    """What a line adds to the books: a tax is taken, a credited line given back."""
    house = HOUSE_OF_LINE.get(line.kind, House.REVENUE)
    debit, credit_side = (House.CUSTOMER, house) if line.amount > 0 else (house, House.CUSTOMER)
    kind = TAX if line.kind == TAX else CREDIT
    key = f"invoice:{invoice.invoice_number}:{position}"
    amount, number = abs(line.amount), invoice.invoice_number
    entry = Entry(invoice.account_id, key, debit, credit_side, amount, kind, number, invoice.issued_on)
    post(conn, entry)


def _mark(conn: Connection, invoice: Invoice, on: date) -> None:
    """What is on an invoice is on no other."""
    conn.execute(
        "UPDATE charges SET invoice_number = %s"
        " WHERE account_id = %s AND invoice_number IS NULL AND charged_on <= %s",
        [invoice.invoice_number, invoice.account_id, on],
    )


def _lines_to_credit(conn: Connection, invoice: Invoice, positions: Collection[int]) -> list[InvoiceLine]:
    number = invoice.invoice_number
    with conn.cursor(row_factory=scalar_row) as cursor:
        credited = set(
            cursor.execute(
                "SELECT line.credits_position FROM invoices note JOIN invoice_lines line"
                " USING (account_id, invoice_number)"
                " WHERE account_id = %s AND note.credits = %s AND line.credits_position IS NOT NULL",
                [invoice.account_id, number],
            )
        )
    lines = {line.position: line for line in lines_of(conn, invoice) if line.kind != TAX}
    if unknown := sorted(set(positions) - lines.keys()):
        raise InvoiceError(f"invoice {number} has no line {unknown[0]}; it has {', '.join(map(str, lines))}")
    if twice := sorted(set(positions) & credited):
        raise InvoiceError(f"line {twice[0]} of invoice {number} is credited already")
    wanted = [line for position, line in lines.items() if position in (positions or lines.keys() - credited)]
    if not wanted:
        raise InvoiceError(f"every line of invoice {number} is credited already")
    return wanted


def _select(conn: Connection, where: LiteralString, *values: object) -> list[Invoice]:
    with conn.cursor(row_factory=class_row(Invoice)) as cursor:
        return cursor.execute(_SELECT + where, values).fetchall()
