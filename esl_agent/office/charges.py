"""Charges besides calls (terms 9): monthly ones for accounts and DIDs, and single ones.

Each is debited when it is due, in advance, and once: a monthly charge is known
by its word and the first day of its period, so a run that is repeated, or comes
late, charges what is missing and nothing twice.  A charge is owed whatever the
balance: it may go below zero, and then buys no calls until it is paid.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any, Final, LiteralString
from zoneinfo import ZoneInfo

from psycopg.rows import class_row, kwargs_row

from esl_agent.core.office.recurring import Recurring, due
from esl_agent.errors import EslAgentError
from esl_agent.store.accounts import Account, State, get_account, lock, lock_open
from esl_agent.store.changes import announce_account
from esl_agent.store.ledger import Entry, House, post
from esl_agent.store.pool import Connection

MONTHLY: Final = "monthly_charge"
SINGLE: Final = "single_charge"
CHARGES_LISTED_MAX: Final = 1_000
CHARGE: Final = re.compile(r"[A-Za-z0-9_.+-]{1,64}", re.ASCII)

_RECURRING: Final = (
    "SELECT account_id, charge, description, is_taxed, number, added_by,"
    " amount, anchor_day, starts_on, ends_on, is_prorated FROM recurring_charges "
)
_CHARGES: Final = (
    "SELECT account_id, reference, description, amount, is_taxed, charged_on, ends_on, added_by, kind"
    " FROM charges "
)


class ChargeError(EslAgentError):
    """The charge can't be made as was asked."""


@dataclass(frozen=True, slots=True)
class Charge:
    """What an account was charged; `ends_on` is the first day after a monthly charge's period."""

    account_id: int
    reference: str
    description: str
    amount: Decimal  # before taxes
    is_taxed: bool
    charged_on: date
    ends_on: date | None
    added_by: str
    kind: str = SINGLE  # as in the ledger


@dataclass(frozen=True, slots=True)
class RecurringCharge:
    """What an account is charged every month; `charge` is the operator's word for it."""

    account_id: int
    charge: str
    description: str
    is_taxed: bool
    number: str | None
    added_by: str
    terms: Recurring


def add_single(conn: Connection, new: Charge) -> bool:
    """Charge something once; whether it was charged now.  Raises AccountError and ChargeError."""
    _check_amount(new.amount)
    with conn.transaction():
        lock_open(conn, new.account_id)
        [*before] = _charges(conn, "WHERE account_id = %s AND reference = %s", new.account_id, new.reference)
        if before and (before[0].amount, before[0].description) != (new.amount, new.description):
            raise ChargeError(
                f"reference {new.reference!r} of account {new.account_id} stands for {before[0].amount},"
                f" {before[0].description}: use another reference"
            )
        return make_charge(conn, new)


def add_recurring(conn: Connection, new: RecurringCharge) -> None:
    """Have an account charged every month from now on.  Raises AccountError and ChargeError."""
    _check_amount(new.terms.amount)
    if not CHARGE.fullmatch(new.charge):
        raise ChargeError(f"{new.charge!r} is not 1 to 64 letters, digits and . _ + -")
    with conn.transaction():
        lock_open(conn, new.account_id)
        if new.number is not None:
            _check_number(conn, new.account_id, new.number)
        terms = new.terms
        added = conn.execute(
            "INSERT INTO recurring_charges (account_id, charge, description, is_taxed, number, added_by,"
            " amount, anchor_day, starts_on, ends_on, is_prorated)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            [new.account_id, new.charge, new.description, new.is_taxed, new.number, new.added_by,
             terms.amount, terms.anchor_day, terms.starts_on, terms.ends_on, terms.prorated],
        )  # fmt: skip
        if not added.rowcount:
            raise ChargeError(
                f"account {new.account_id} has a charge {new.charge!r} already:"
                " end that one, and add another under another word"
            )


def end_recurring(conn: Connection, account_id: int, charge: str, ends_on: date) -> RecurringCharge:
    """Charge it no more from `ends_on` on; what was charged stays charged.  Raises ChargeError."""
    with conn.transaction():
        lock(conn, account_id)
        found = _recurring(conn, "WHERE account_id = %s AND charge = %s", account_id, charge)
        if not found:
            raise ChargeError(
                f"account {account_id} has no charge {charge!r}: `esl-agent charge list {account_id}`"
            )
        [known] = found
        if ends_on < known.terms.starts_on:
            raise ChargeError(f"{charge!r} began on {known.terms.starts_on}: it can't end on {ends_on}")
        conn.execute(
            "UPDATE recurring_charges SET ends_on = %s WHERE account_id = %s AND charge = %s",
            [ends_on, account_id, charge],
        )
        return replace(known, terms=replace(known.terms, ends_on=ends_on))


def run_monthly(conn: Connection, on: date, time_zone: str, *, dry_run: bool = False) -> Iterator[Charge]:
    """Make every monthly charge that was due up to `on` and is not made.

    Each account has a transaction of its own, a rehearsal too: its calls wait for no other's charges.
    """
    rows = conn.execute(
        "SELECT DISTINCT account_id FROM recurring_charges WHERE starts_on <= %s ORDER BY account_id", [on]
    ).fetchall()
    for (account_id,) in rows:
        with conn.transaction(force_rollback=dry_run):
            made = _run_account(conn, lock(conn, account_id), on, time_zone)
        yield from made


def list_recurring(conn: Connection, account_id: int | None = None) -> list[RecurringCharge]:
    """What is charged every month, of one account or of all."""
    if account_id is None:
        return _recurring(conn, "ORDER BY account_id, charge LIMIT %s", CHARGES_LISTED_MAX)
    get_account(conn, account_id)
    return _recurring(conn, "WHERE account_id = %s ORDER BY charge", account_id)


def list_charges(conn: Connection, account_id: int, limit: int = CHARGES_LISTED_MAX) -> list[Charge]:
    """What an account was charged, the latest first."""
    get_account(conn, account_id)
    return _charges(
        conn, "WHERE account_id = %s ORDER BY charged_on DESC, reference LIMIT %s", account_id, limit
    )


def _run_account(conn: Connection, account: Account, on: date, time_zone: str) -> list[Charge]:
    made = []
    for known in _recurring(conn, "WHERE account_id = %s ORDER BY charge", account.account_id):
        if known.number is not None and not _owns(conn, account.account_id, known.number):
            continue
        terms = known.terms
        if account.state is State.CLOSED:
            closed_on = account.state_since.astimezone(ZoneInfo(time_zone)).date()
            terms = replace(terms, ends_on=min(terms.ends_on or closed_on, closed_on))
        for each in due(terms, on):
            charge = Charge(
                account_id=account.account_id,
                reference=f"{known.charge}:{each.period.begins}",
                description=known.description,
                amount=each.amount,
                is_taxed=known.is_taxed,
                charged_on=each.period.begins,
                ends_on=each.period.ends,
                added_by=known.added_by,
                kind=MONTHLY,
            )
            if make_charge(conn, charge):
                made.append(charge)
    return made


def make_charge(conn: Connection, charge: Charge) -> bool:
    """Record a charge and debit it; False where that was done before.  The account's row is locked."""
    added = conn.execute(
        "INSERT INTO charges (account_id, reference, description, amount, is_taxed, charged_on, ends_on,"
        " added_by, kind) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
        [charge.account_id, charge.reference, charge.description, charge.amount, charge.is_taxed,
         charge.charged_on, charge.ends_on, charge.added_by, charge.kind],
    )  # fmt: skip
    if not added.rowcount:
        return False
    entry = Entry(
        charge.account_id, f"charge:{charge.reference}", House.CUSTOMER, House.FEES, charge.amount,
        charge.kind, charge.reference, charge.charged_on,
    )  # fmt: skip
    post(conn, entry)
    announce_account(conn, charge.account_id)
    return True


def _check_amount(amount: Decimal) -> None:
    if amount <= 0:
        raise ChargeError(f"a charge is more than zero, not {amount}")


def _check_number(conn: Connection, account_id: int, number: str) -> None:
    if not _owns(conn, account_id, number):
        raise ChargeError(f"{number} is not a number of account {account_id}: `esl-agent number list`")


def _owns(conn: Connection, account_id: int, number: str) -> bool:
    owned = conn.execute("SELECT 1 FROM numbers WHERE (number, account_id) = (%s, %s)", [number, account_id])
    return owned.fetchone() is not None


def _charges(conn: Connection, where: LiteralString, *values: object) -> list[Charge]:
    with conn.cursor(row_factory=class_row(Charge)) as cursor:
        return cursor.execute(_CHARGES + where, values).fetchall()


def _recurring(conn: Connection, where: LiteralString, *values: object) -> list[RecurringCharge]:
    with conn.cursor(row_factory=kwargs_row(_recurring_charge)) as cursor:
        return cursor.execute(_RECURRING + where, values).fetchall()


def _recurring_charge(
    amount: Decimal, anchor_day: int, starts_on: date, ends_on: date | None, is_prorated: bool, **columns: Any
) -> RecurringCharge:
    return RecurringCharge(terms=Recurring(amount, anchor_day, starts_on, ends_on, is_prorated), **columns)
