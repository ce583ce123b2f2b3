"""Reservations that are open: what a daemon that has forgotten all finds held for its switch's legs."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from esl_agent.store.pool import Connection

OPEN: Final = """
    SELECT account_id, leg_uuid, held, known::text FROM reservations
    WHERE state = 'held' AND switch = %s AND held_at <= now() - make_interval(secs => %s)
    ORDER BY held_at, account_id, leg_uuid
"""


@dataclass(frozen=True, slots=True)
class OpenHold:
    """`known` is the text that came with the hold (agent/calls/known.py); None where none did."""

    account_id: int
    leg_uuid: str
    held: Decimal
    known: str | None


def open_holds(conn: Connection, switch: str, older_than_s: float = 0.0) -> list[OpenHold]:
    """All of the switch's that were first held at least so long ago, the oldest first."""
    return [OpenHold(*row) for row in conn.execute(OPEN, [switch, older_than_s])]
