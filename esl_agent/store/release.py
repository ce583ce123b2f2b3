"""Giving up legs that were planned and never made: what was held for them is free again.

A leg that is given up is never held for again, even if nothing was held for it
yet: a hold, or a hand-over by another leg, may still be on its way here, and
nobody would ever settle it.  A leg that was made after all is settled like one
that nothing was held for.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from esl_agent.store.holds import LOCK_ACCOUNTS
from esl_agent.store.pool import Connection, as_columns

RELEASE: Final = """
    WITH released AS (
        INSERT INTO reservations AS r (account_id, leg_uuid, state, held, released_at)
        SELECT account_id, leg_uuid, 'released', 0, now()
        FROM unnest(%s::bigint[], %s::text[]) AS leg (account_id, leg_uuid)
        ON CONFLICT (account_id, leg_uuid) DO UPDATE
        SET state = 'released', released_at = now(), known = NULL
        WHERE r.state = 'held'
        RETURNING r.account_id, r.leg_uuid, r.held, r.held_at
    ),
    freed AS (
        UPDATE accounts SET reserved = reserved - total.held, calls_up = calls_up - total.calls
        FROM (
            SELECT account_id, sum(held) AS held, count(*) AS calls FROM released WHERE held_at IS NOT NULL
            GROUP BY account_id
        ) AS total
        WHERE accounts.account_id = total.account_id
    )
    SELECT account_id, leg_uuid, held FROM released WHERE held_at IS NOT NULL
"""


def release_many(conn: Connection, legs: Iterable[tuple[int, str]]) -> dict[tuple[int, str], Decimal]:
    """Give up legs (account_id, leg_uuid) in one transaction; those that held, and how much each gave back.

    Legs that are over or given up already stay as they are.
    """
    unique = list(dict.fromkeys(legs))
    if not unique:
        return {}
    with conn.pipeline(), conn.transaction():
        conn.execute(LOCK_ACCOUNTS, [sorted({account_id for account_id, _ in unique})])
        released = conn.execute(RELEASE, as_columns(unique))
    return {(account_id, leg_uuid): held for account_id, leg_uuid, held in released}
