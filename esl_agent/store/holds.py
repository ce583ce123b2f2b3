"""Reservations: money held under a leg's UUID, before the leg exists and while it talks.

A request names a target, not an increment: "for this leg hold `least` in
total, or `want` if that leaves `spare` free for other calls".  Asking twice is
as good as asking once, so a request whose answer was lost may be sent again.

Theory of operation.  Many requests share one transaction.  It locks the
accounts' rows in the order of account_id, so two daemons never wait for each
other in a circle.  The second statement, whose snapshot is taken under those
locks, decides and writes: the recursion takes one request of every account at
a turn, each seeing what the turns before have left free.  The result is that
of asking one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from esl_agent.core.money import ZERO
from esl_agent.store.pool import Connection, as_columns

LOCK_ACCOUNTS: Final = """
    SELECT account_id, balance, credit_limit, reserved FROM accounts WHERE account_id = ANY(%s)
    ORDER BY account_id FOR NO KEY UPDATE
"""

HOLD: Final = """
    WITH RECURSIVE asked AS MATERIALIZED (
        SELECT account_id, leg_uuid, ordinal,
               row_number() OVER (PARTITION BY account_id ORDER BY ordinal) AS turn,
               coalesce(r.state = 'settled', false) AS settled,
               CASE r.state WHEN 'held' THEN r.held ELSE 0 END AS held,
               greatest(least_held - coalesce(r.held, 0), 0) AS need,
               greatest(least_held - coalesce(r.held, 0), want_held - coalesce(r.held, 0), 0) AS wish,
               spare
        FROM unnest(%(account_ids)s::bigint[], %(leg_uuids)s::text[],
                    %(least)s::numeric[], %(want)s::numeric[], %(spare)s::numeric[])
             WITH ORDINALITY AS ask (account_id, leg_uuid, least_held, want_held, spare, ordinal)
        LEFT JOIN reservations r USING (account_id, leg_uuid)
    ),
    decided AS (
        SELECT account_id, 0::bigint AS turn, 0::bigint AS ordinal, ''::text AS leg_uuid, ''::text AS outcome,
               0::numeric AS held, 0::numeric AS taken, state,
               balance + credit_limit - reserved AS available
        FROM accounts WHERE account_id = ANY(%(account_ids)s::bigint[])
      UNION ALL
        SELECT account_id, asked.turn, asked.ordinal, asked.leg_uuid, verdict.outcome,
               asked.held + answer.taken, answer.taken, decided.state,
               decided.available - answer.taken
        FROM decided JOIN asked USING (account_id)
        CROSS JOIN LATERAL (
            SELECT CASE WHEN asked.settled THEN 'settled'
                        WHEN decided.state <> 'active' THEN 'not_active'
                        WHEN asked.need > greatest(decided.available, 0) THEN 'no_funds'
                        ELSE 'held' END AS outcome
        ) AS verdict
        CROSS JOIN LATERAL (
            SELECT CASE WHEN verdict.outcome <> 'held' THEN 0
                        WHEN asked.wish + asked.spare <= decided.available THEN asked.wish
                        ELSE asked.need END AS taken
        ) AS answer
        WHERE asked.turn = decided.turn + 1
    ),
    written AS (
        INSERT INTO reservations AS r (account_id, leg_uuid, state, held, held_at)
        SELECT account_id, leg_uuid, 'held', held, now() FROM decided WHERE outcome = 'held'
        ON CONFLICT (account_id, leg_uuid) DO UPDATE SET held = excluded.held
        WHERE r.state = 'held' AND r.held < excluded.held
    ),
    reserved AS (
        UPDATE accounts SET reserved = reserved + total.taken
        FROM (SELECT account_id, sum(taken) AS taken FROM decided GROUP BY account_id) AS total
        WHERE accounts.account_id = total.account_id AND total.taken > 0
          AND balance + credit_limit - reserved >= total.taken
    )
    SELECT asked.account_id, asked.leg_uuid, coalesce(decided.outcome, 'no_account'),
           coalesce(decided.held, 0), coalesce(decided.available, 0)
    FROM asked LEFT JOIN decided USING (account_id, ordinal)
    ORDER BY asked.ordinal
"""


class Outcome(StrEnum):
    """What became of a request."""

    HELD = "held"  # the leg holds at least `least`
    NO_FUNDS = "no_funds"  # it holds what it held before
    SETTLED = "settled"  # the leg is over: nothing is ever held for it again
    NOT_ACTIVE = "not_active"  # the account is pending, suspended or closed
    NO_ACCOUNT = "no_account"


@dataclass(frozen=True, slots=True)
class HoldRequest:
    """Hold `least` in total for this leg, or `want` if that leaves `spare` free in the account."""

    account_id: int
    leg_uuid: str
    least: Decimal
    want: Decimal
    spare: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class HoldResult:
    """What the leg holds now in total, and what the account has free after that."""

    account_id: int
    leg_uuid: str
    outcome: Outcome
    held: Decimal
    available: Decimal


def hold_many(conn: Connection, requests: Sequence[HoldRequest]) -> list[HoldResult]:
    """Decide on all requests in one transaction, in their order; one result for each."""
    results: list[HoldResult] = []
    with conn.transaction():
        conn.execute(LOCK_ACCOUNTS, [sorted({request.account_id for request in requests})])
        for batch in _without_repeats(requests):
            results += _hold(conn, batch)
    return results


def _hold(conn: Connection, requests: Sequence[HoldRequest]) -> list[HoldResult]:
    names = ("account_ids", "leg_uuids", "least", "want", "spare")
    asked = [(ask.account_id, ask.leg_uuid, ask.least, ask.want, ask.spare) for ask in requests]
    rows = conn.execute(HOLD, dict(zip(names, as_columns(asked), strict=True)))
    return [HoldResult(row[0], row[1], Outcome(row[2]), row[3], row[4]) for row in rows]


def _without_repeats(requests: Sequence[HoldRequest]) -> Iterator[list[HoldRequest]]:
    """The requests in order, cut so that no leg comes twice in a piece: a statement writes a row once."""
    piece: list[HoldRequest] = []
    legs: set[tuple[int, str]] = set()
    for request in requests:
        leg = (request.account_id, request.leg_uuid)
        if leg in legs:
            yield piece
            piece, legs = [], set()
        piece.append(request)
        legs.add(leg)
    if piece:
        yield piece
