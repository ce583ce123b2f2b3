"""What is open of each invoice, and the interest on it (terms 7).

Nothing is allocated by hand: what is open follows from the balance
(core/office/arrears.py), on any day that is asked about.  Interest is charged
once for each invoice and completed month, as it would have been on that day; a
run that comes late finds what a run in time would have found.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

from psycopg.rows import scalar_row

from esl_agent.core.money import ZERO
from esl_agent.core.office.arrears import Owed, interest_days, interest_on, open_amounts
from esl_agent.office.invoices import Invoice, list_invoices
from esl_agent.store.accounts import get_account, lock
from esl_agent.store.changes import announce_account
from esl_agent.store.ledger import Entry, House, post
from esl_agent.store.pool import Connection

INTEREST: Final = "interest"

#: What the balance was at the end of a day.
BALANCE: Final = """
    SELECT coalesce(sum(CASE 'customer' WHEN credit THEN amount WHEN debit THEN -amount ELSE 0 END), 0)
    FROM ledger
    WHERE account_id = %(account_id)s
      AND coalesce(effective_on, (recorded_at AT TIME ZONE %(time_zone)s)::date) <= %(on)s
"""
#: What of it no invoice of that day asks for: charges, and calls that are paid for afterwards.
NOT_INVOICED: Final = """
    SELECT coalesce((
               SELECT sum(charge.amount) FROM charges charge
               LEFT JOIN invoices USING (account_id, invoice_number)
               WHERE charge.account_id = %(account_id)s AND charge.charged_on <= %(on)s
                 AND (invoices.issued_on IS NULL OR invoices.issued_on > %(on)s)
           ), 0)
         + coalesce((
               SELECT sum(entry.amount) FROM ledger entry
               WHERE entry.account_id = %(account_id)s
                 AND entry.debit = 'customer' AND entry.credit = 'revenue'
                 AND entry.recorded_at >= %(calls_since)s
                 AND (entry.recorded_at AT TIME ZONE %(time_zone)s)::date <= %(on)s
           ), 0)
"""
IN_ARREARS: Final = """
    SELECT DISTINCT account_id FROM invoices WHERE due_on < %s AND credits IS NULL ORDER BY account_id
"""


@dataclass(frozen=True, slots=True)
class OpenInvoice:
    """An invoice with what was credited of it, the interest on it, and what is open of all that."""

    invoice: Invoice
    credited: Decimal
    interest: Decimal
    open_amount: Decimal


@dataclass(frozen=True, slots=True)
class InterestCharge:
    """For the month-th month past the due date of an invoice."""

    account_id: int
    invoice_number: str
    month: int
    charged_on: date
    open_amount: Decimal
    amount: Decimal


def invoices_on(conn: Connection, account_id: int, on: date, time_zone: str) -> list[OpenInvoice]:
    """The account's invoices as they stood at the end of a day, the oldest first."""
    known = sorted(list_invoices(conn, account_id), key=lambda each: (each.issued_on, each.invoice_number))
    issued = [each for each in known if each.issued_on <= on]
    credited: dict[str, Decimal] = {}
    for note in issued:
        if note.credits is not None:
            credited[note.credits] = credited.get(note.credits, ZERO) - note.total
    interest = _interest_until(conn, account_id, on)
    invoices = [each for each in issued if each.credits is None]
    owed = [
        Owed(number, each.total - credited.get(number, ZERO) + interest.get(number, ZERO))
        for each in invoices
        for number in [each.invoice_number]
    ]
    values = _values(conn, account_id, invoices, on, time_zone)
    amounts = open_amounts(owed, _sum(conn, BALANCE, values), _sum(conn, NOT_INVOICED, values))
    return [
        OpenInvoice(each, credited.get(number, ZERO), interest.get(number, ZERO), amounts[number])
        for each in invoices
        for number in [each.invoice_number]
    ]


def accounts_in_arrears(conn: Connection, on: date) -> list[int]:
    """The accounts with an invoice that was due before a day, paid or not."""
    with conn.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(IN_ARREARS, [on]).fetchall()


def charge_interest(
    conn: Connection, on: date, time_zone: str, monthly_rate: Decimal, *, dry_run: bool = False
) -> Iterator[InterestCharge]:
    """Charge what has come due up to a day and was not charged, each account in a transaction of its own."""
    for account_id in accounts_in_arrears(conn, on):
        with conn.transaction(force_rollback=dry_run):
            lock(conn, account_id)
            charged = list(_charge_account(conn, account_id, on, time_zone, monthly_rate))
        yield from charged


def _charge_account(
    conn: Connection, account_id: int, on: date, time_zone: str, monthly_rate: Decimal
) -> Iterator[InterestCharge]:
    """Day by day, the oldest first: each day's interest is open on the next."""
    done = set(
        conn.execute("SELECT invoice_number, month FROM interest_charges WHERE account_id = %s", [account_id])
    )
    wanted = [
        (day, invoice.invoice_number, month)
        for invoice in list_invoices(conn, account_id)
        if invoice.credits is None
        for month, day in enumerate(interest_days(invoice.due_on, on), 1)
        if (invoice.invoice_number, month) not in done
    ]
    for day, number, month in sorted(wanted):
        [open_amount] = [
            each.open_amount
            for each in invoices_on(conn, account_id, day, time_zone)
            if each.invoice.invoice_number == number
        ]
        amount = interest_on(open_amount, monthly_rate)
        if amount:
            charge = InterestCharge(account_id, number, month, day, open_amount, amount)
            _post(conn, charge)
            yield charge


def _post(conn: Connection, charge: InterestCharge) -> None:
    conn.execute(
        "INSERT INTO interest_charges (account_id, invoice_number, month, charged_on, open_amount, amount)"
        " VALUES (%s, %s, %s, %s, %s, %s)",
        [getattr(charge, name) for name in InterestCharge.__slots__],
    )
    key = f"interest:{charge.invoice_number}:{charge.month}"
    sides = (House.CUSTOMER, House.INTEREST)
    number, day = charge.invoice_number, charge.charged_on
    post(conn, Entry(charge.account_id, key, *sides, charge.amount, INTEREST, number, day))
    announce_account(conn, charge.account_id)


def _interest_until(conn: Connection, account_id: int, on: date) -> dict[str, Decimal]:
    rows: Any = conn.execute(
        "SELECT invoice_number, sum(amount) FROM interest_charges"
        " WHERE account_id = %s AND charged_on <= %s GROUP BY invoice_number",
        [account_id, on],
    )
    return dict(rows)


def _values(
    conn: Connection, account_id: int, invoices: list[Invoice], on: date, time_zone: str
) -> dict[str, object]:
    """`calls_since`: calls before it were invoiced by that day, or are prepaid."""
    since = get_account(conn, account_id).calls_invoiced_since
    invoiced = [each.calls_until for each in invoices if each.calls_until is not None]
    calls_since = max([since, *invoiced]) if since else "infinity"
    return {"account_id": account_id, "on": on, "time_zone": time_zone, "calls_since": calls_since}


def _sum(conn: Connection, query: str, values: dict[str, object]) -> Decimal:
    with conn.cursor(row_factory=scalar_row) as cursor:
        total: Decimal = cursor.execute(query, values).fetchone() or ZERO
        return total
