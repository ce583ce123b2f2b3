"""Taking over: a leg of a call takes what is held for other legs of it, at once with its own request.

A settlement hands a hold on too (settle.py), when a leg has ended and its turn
has come.  A leg that talks can't wait for that.  Whichever comes first, the
other one finds nothing more to move.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from esl_agent.store.pool import Connection, as_columns

#: A leg that is over, or given up, takes nothing.  Of several holds the greatest is taken and the others
#: are free again: a call has one.  A leg that was taken from keeps its place until it ends.
TAKE_OVER: Final = """
    WITH given AS (
        SELECT account_id, from_leg, to_leg, r.held, r.switch, r.known
        FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS take (account_id, from_leg, to_leg)
        JOIN LATERAL (
            SELECT * FROM reservations WHERE (account_id, leg_uuid) = (take.account_id, from_leg) LIMIT 1
        ) AS r USING (account_id)
        LEFT JOIN LATERAL (
            SELECT state FROM reservations WHERE (account_id, leg_uuid) = (take.account_id, to_leg) LIMIT 1
        ) AS taker ON true
        WHERE r.state = 'held' AND r.held > 0 AND coalesce(taker.state, 'held') = 'held'
    ),
    greatest AS (
        SELECT DISTINCT ON (account_id, to_leg) account_id, to_leg, held, switch, known
        FROM given ORDER BY account_id, to_leg, held DESC
    ),
    emptied AS (
        UPDATE reservations r SET held = 0 FROM given
        WHERE (r.account_id, r.leg_uuid) = (given.account_id, from_leg)
    ),
    taken AS (
        INSERT INTO reservations AS r (account_id, leg_uuid, state, held, held_at, switch, known)
        SELECT account_id, to_leg, 'held', held, now(), switch, known FROM greatest
        ON CONFLICT (account_id, leg_uuid) DO UPDATE
        SET held = greatest(r.held, excluded.held), switch = coalesce(nullif(r.switch, ''), excluded.switch),
            known = coalesce(r.known, excluded.known)
        RETURNING account_id, leg_uuid, held
    ),
    change AS (
        SELECT account_id, sum(held) AS held, sum(begun) AS begun FROM (
            SELECT account_id, -held AS held, 0 AS begun FROM given
            UNION ALL
            SELECT taken.account_id, taken.held - coalesce(before.held, 0), (before.leg_uuid IS NULL)::integer
            FROM taken LEFT JOIN reservations before USING (account_id, leg_uuid)
        ) AS each GROUP BY account_id
    )
    UPDATE accounts SET reserved = reserved + change.held, calls_up = calls_up + change.begun
    FROM change WHERE accounts.account_id = change.account_id
"""


def take_over(conn: Connection, takes: Sequence[tuple[int, str, str]]) -> None:
    """Move what is held: (account, from leg, to leg).  The caller's transaction has locked the accounts."""
    if takes:
        conn.execute(TAKE_OVER, as_columns(takes))
