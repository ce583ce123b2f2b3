"""What an account's calls came to, by where they went: for invoices and statements."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, cast

from esl_agent.core.office.invoice import Line
from esl_agent.store.accounts import Account
from esl_agent.store.pool import Connection

#: A call is settled within this time of its beginning, so its CDR lies in a partition not older.
SETTLED_WITHIN: Final = timedelta(days=7)
#: What a commit that is under way may be behind: no call is invoiced sooner after it was settled.
CALLS_AGE_MIN: Final = timedelta(hours=1)

#: By the ledger, which says what was taken; the CDR says for what.
CALLS: Final = """
    SELECT coalesce(cdrs.number_class, ''), coalesce(cdrs.country, ''),
           coalesce(cdrs.destination, ''), entry.kind,
           count(*), coalesce(sum(cdrs.billed_seconds), 0)::bigint, sum(entry.amount)
    FROM ledger AS entry
    LEFT JOIN cdrs ON cdrs.account_id = entry.account_id AND cdrs.leg_uuid = entry.reference
                  AND cdrs.created_at >= %(since)s::timestamptz - %(within)s AND cdrs.created_at < %(until)s
    WHERE entry.account_id = %(account_id)s AND entry.debit = 'customer' AND entry.credit = 'revenue'
      AND entry.recorded_at >= %(since)s AND entry.recorded_at < %(until)s
    GROUP BY 1, 2, 3, 4
    ORDER BY 1, 2, 3, 4
"""


@dataclass(frozen=True, slots=True)
class Usage:
    """Calls settled in [since, until); `since` and `until` are None where calls are prepaid."""

    since: datetime | None
    until: datetime | None
    lines: tuple[Line, ...] = ()


def invoiced_until(conn: Connection, account: Account) -> datetime | None:
    """Up to when the account's calls are on invoices; None where they are prepaid."""
    if account.calls_invoiced_since is None:
        return None
    [until] = conn.execute(
        "SELECT greatest(max(calls_until), %s) FROM invoices WHERE account_id = %s",
        [account.calls_invoiced_since, account.account_id],
    ).fetchone() or (None,)
    return cast(datetime, until)


def usage_lines(conn: Connection, account: Account, until: datetime) -> Usage:
    """What is to be invoiced of an account's calls."""
    since = invoiced_until(conn, account)
    if since is None or since >= until:
        return Usage(since, since)
    return Usage(since, until, calls_between(conn, account.account_id, since, until))


def calls_between(conn: Connection, account_id: int, since: datetime, until: datetime) -> tuple[Line, ...]:
    """The account's calls settled in [since, until): a line for each destination and kind of charge."""
    values = {"account_id": account_id, "since": since, "until": until, "within": SETTLED_WITHIN}
    return tuple(
        Line(kind, _description(number_class, country, destination), amount, True, calls, billed_seconds)
        for number_class, country, destination, kind, calls, billed_seconds, amount
        in conn.execute(CALLS, values)
    )  # fmt: skip


def _description(number_class: str, country: str, destination: str) -> str:
    known = [part for part in (destination, country, number_class) if part]
    return ", ".join(known) or "other calls"
