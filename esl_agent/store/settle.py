"""Settlement: the leg is over; what it cost goes into the ledger and onto its CDR, once.

Hundreds of legs share one statement.  How it decides stands in
sql/0013_settle_legs.sql: whatever the daemon is busy with, it keeps no account
locked while it is.  A settlement whose commit was never heard of may be sent again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from esl_agent.store.cdrs import CdrRow, as_json
from esl_agent.store.holds import without_repeats
from esl_agent.store.pool import Connection, as_columns

SETTLE: Final = """
    WITH told AS (
        DELETE FROM answers USING unnest(%s::bigint[], %s::text[]) AS leg (account_id, leg_uuid)
        WHERE (answers.account_id, answers.leg_uuid) = (leg.account_id, leg.leg_uuid)
    )
    SELECT * FROM settle_legs(%s::json, %s::bigint[], %s::text[], %s::text[], %s::integer[], %s)
"""

NOTHING_PLANNED: Final[Mapping[str, str]] = MappingProxyType({})
NO_HANDS: Final[list[list[object]]] = [[], [], [], []]


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of one settlement; `settled` is False where it had been done before."""

    leg_uuid: str
    settled: bool
    charged: Decimal
    uncollected: Decimal
    balance: Decimal  # of the account, after this; 0 where there is no such account


def settle_many(
    conn: Connection,
    rows: Sequence[CdrRow],
    *,
    hand_to: Mapping[str, str] = NOTHING_PLANNED,
    today: date | None = None,
) -> list[Settled]:
    """Settle legs in one statement; one result for each row, in order.

    A row's account that doesn't exist pays nothing, but has its CDR all the same.
    `hand_to` names the leg, of the same account, that gets the hold of a leg
    that cost nothing.  `today` is the operator's date, whose spending this is;
    None takes the database's.
    """
    if not rows:
        return []
    hands = list(_hands(rows, hand_to))
    legs = as_columns((row.account_id, row.leg_uuid) for row in rows)
    results = conn.execute(SETTLE, [*legs, as_json(rows), *(as_columns(hands) if hands else NO_HANDS), today])
    return [Settled(row.leg_uuid, *result) for row, result in zip(rows, results, strict=True)]


def _hands(rows: Sequence[CdrRow], hand_to: Mapping[str, str]) -> Iterator[tuple[int, str, str, int]]:
    """The hand-overs there are: account_id, the leg that gives, the one that gets, and their turn.

    Where several carriers failed, a leg gets a hold only to hand it on: it does that in a later turn.
    """
    first: dict[tuple[int, str], CdrRow] = {}
    for row in rows:
        first.setdefault((row.account_id, row.leg_uuid), row)  # a repeat will change nothing
    hands = (
        (row.account_id, row.leg_uuid, hand_to[row.leg_uuid])
        for row in first.values()
        if hand_to.get(row.leg_uuid, row.leg_uuid) != row.leg_uuid and not row.charge.total
    )
    turns = without_repeats(hands, lambda hand: [(hand[0], hand[1]), (hand[0], hand[2])])
    for turn, piece in enumerate(turns, 1):
        yield from ((*hand, turn) for hand in piece)
