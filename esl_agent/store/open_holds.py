"""Legs that are open: what a daemon that has forgotten all finds of its switch's legs, held or answered."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from esl_agent.store.pool import Connection

#: Those that something is held for, then those that are only known to talk: free, or out on trust, or given
#: up before they came.  One that another daemon settled while its answer was kept is over all the same.
OPEN: Final = """
    SELECT account_id, leg_uuid, held, r.known::text, a.known::text, true AS is_held, held_at AS since
    FROM reservations r LEFT JOIN answers a USING (account_id, leg_uuid)
    WHERE state = 'held' AND r.switch = %(switch)s
      AND held_at <= now() - make_interval(secs => %(older_than_s)s)
    UNION ALL
    SELECT account_id, leg_uuid, 0, NULL, known::text, false, kept_at FROM answers a
    WHERE switch = %(switch)s AND NOT EXISTS (
        SELECT FROM reservations r
        WHERE (r.account_id, r.leg_uuid) = (a.account_id, a.leg_uuid) AND state IN ('held', 'settled')
    )
    ORDER BY is_held DESC, since, account_id, leg_uuid
"""


@dataclass(frozen=True, slots=True)
class OpenHold:
    """`known` is the text that came with the hold (agent/calls/known.py), `answer` that of the leg's answer.

    Each is None where none came.  Nothing is held for a leg that is not `is_held`: it was answered.
    """

    account_id: int
    leg_uuid: str
    held: Decimal
    known: str | None
    answer: str | None = None
    is_held: bool = True


def open_holds(conn: Connection, switch: str, older_than_s: float = 0.0) -> list[OpenHold]:
    """All of the switch's: those held for at least so long, then the only answered, the oldest first."""
    rows = conn.execute(OPEN, {"switch": switch, "older_than_s": older_than_s})
    return [OpenHold(*row[:-1]) for row in rows]
