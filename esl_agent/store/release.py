"""Giving up legs that were planned and never made: what was held for them is free again.

A leg that is given up is never held for again, even if nothing was held for it
yet: a hold, or a hand-over by another leg, may still be on its way here, and
nobody would ever settle it.  A leg that was made after all is settled like one
that nothing was held for.  How it is done stands in sql/0014_release_legs.sql.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from esl_agent.store.pool import Connection, as_columns

RELEASE: Final = "SELECT * FROM release_legs(%s::bigint[], %s::text[])"


def release_many(conn: Connection, legs: Iterable[tuple[int, str]]) -> dict[tuple[int, str], Decimal]:
    """Give up legs (account_id, leg_uuid) in one statement; those that held, and how much each gave back.

    Legs that are over or given up already stay as they are.
    """
    unique = list(dict.fromkeys(legs))
    if not unique:
        return {}
    released = conn.execute(RELEASE, as_columns(unique))
    return {(account_id, leg_uuid): held for account_id, leg_uuid, held in released}
