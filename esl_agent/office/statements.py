"""Statements: what an account paid and used in a period, from one balance to the next."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from esl_agent.core.office.invoice import Line
from esl_agent.office.arrears import BALANCE
from esl_agent.office.documents import (
    WORDS,
    Document,
    Issuer,
    Row,
    calls_row,
    interest_note,
    letter,
    money_text,
)
from esl_agent.office.usage import calls_between
from esl_agent.store.accounts import get_account
from esl_agent.store.pool import Connection

ENTRIES_MAX: Final = 10_000

#: Everything but calls, a line each; a charge is described as on its invoice.
ENTRIES: Final = """
    SELECT coalesce(entry.effective_on, (entry.recorded_at AT TIME ZONE %(time_zone)s)::date) AS day,
           entry.kind, coalesce(charge.description, entry.reference),
           CASE entry.credit WHEN 'customer' THEN entry.amount ELSE -entry.amount END
    FROM ledger AS entry
    LEFT JOIN charges AS charge ON charge.account_id = entry.account_id AND charge.reference = entry.reference
                               AND charge.kind = entry.kind
    WHERE entry.account_id = %(account_id)s AND 'customer' IN (entry.debit, entry.credit)
      AND (entry.debit, entry.credit) <> ('customer', 'revenue')
      AND coalesce(entry.effective_on, (entry.recorded_at AT TIME ZONE %(time_zone)s)::date) >= %(since)s
      AND coalesce(entry.effective_on, (entry.recorded_at AT TIME ZONE %(time_zone)s)::date) < %(until)s
    ORDER BY day, entry.recorded_at, entry.idempotency_key
    LIMIT %(entries_max)s
"""


@dataclass(frozen=True, slots=True)
class StatementLine:
    """A movement of the balance: above zero where it was paid in or given back."""

    day: date
    kind: str
    description: str
    change: Decimal


@dataclass(frozen=True, slots=True)
class Statement:
    """From the beginning of `since` to the end of the day before `until`, by the operator's clock."""

    account_id: int
    since: date
    until: date
    opening: Decimal
    lines: tuple[StatementLine, ...]
    calls: tuple[Line, ...]
    closing: Decimal


def statement_of(conn: Connection, account_id: int, since: date, until: date, time_zone: str) -> Statement:
    """What the ledger says of a period; raises AccountError for an unknown account."""
    get_account(conn, account_id)
    values = {
        "account_id": account_id, "since": since, "until": until, "time_zone": time_zone,
        "entries_max": ENTRIES_MAX,
    }  # fmt: skip
    with conn.transaction():
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        lines = tuple(StatementLine(*row) for row in conn.execute(ENTRIES, values))
        midnights = (datetime.combine(day, time(), ZoneInfo(time_zone)) for day in (since, until))
        calls = calls_between(conn, account_id, *midnights)
        opening, closing = (_balance_before(conn, values, day) for day in (since, until))
    return Statement(account_id, since, until, opening, lines, calls, closing)


def statement_paper(conn: Connection, statement: Statement, issuer: Issuer) -> Document:
    """Ready to be set: the balance before, what moved it, and the balance after."""
    account = get_account(conn, statement.account_id)
    language, words = account.language, WORDS[account.language]
    last_day = str(statement.until - timedelta(days=1))
    opening = Row(
        words["balance_on"].format(statement.since), "", "", money_text(statement.opening, language)
    )
    rows = [opening]
    rows += [calls_row(replace(line, amount=-line.amount), language) for line in statement.calls]
    rows += [
        Row(f"{line.day}  {words.get(line.kind, '{}').format(line.description)}", "", "",
            money_text(line.change, language))
        for line in statement.lines
    ]  # fmt: skip
    closing = f"{money_text(statement.closing, language)} {account.currency}"
    return letter(
        account,
        issuer,
        title=words["statement"],
        subtitle=words["period"].format(since=statement.since, until=last_day),
        facts=[],
        rows=rows,
        sums=[],
        total=(words["closing"].format(last_day), closing),
        notes=[interest_note(issuer, language)],
    )


def _balance_before(conn: Connection, values: dict[str, object], day: date) -> Decimal:
    row: Any = conn.execute(BALANCE, values | {"on": day - timedelta(days=1)}).fetchone()
    balance: Decimal = row[0]
    return balance
