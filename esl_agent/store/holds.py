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

The same statement keeps the account's limits (terms 13).  A leg that nothing
was held for yet is one call more, if it costs nothing too.  A day's spending
is what calls took today and what they may still take: so it can't be passed.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Final, TypeVar

from esl_agent.core.money import ZERO
from esl_agent.store.pool import Connection, Cursor, as_columns

LOCK_ACCOUNTS: Final = """
    SELECT account_id, balance, credit_limit, reserved FROM accounts WHERE account_id = ANY(%s)
    ORDER BY account_id FOR NO KEY UPDATE
"""

TODAY: Final = "coalesce(%(today)s::date, current_date)"
#: Around midnight another daemon's clock may be on the next day already; a later day was a clock gone wrong.
SPENT_TODAY: Final = f"spent_on BETWEEN {TODAY} AND {TODAY} + 1"

HOLD: Final = f"""
    WITH RECURSIVE asked AS MATERIALIZED (
        SELECT account_id, leg_uuid, ordinal,
               row_number() OVER (PARTITION BY account_id ORDER BY ordinal) AS turn,
               leg.state, coalesce(leg.held, 0) AS held, -- of a leg that is not heard of yet: null and 0
               greatest(least_held - coalesce(leg.held, 0), 0) AS need,
               greatest(least_held - coalesce(leg.held, 0), want_held - coalesce(leg.held, 0), 0) AS wish,
               spare
        FROM unnest(%(account_ids)s::bigint[], %(leg_uuids)s::text[],
                    %(least)s::numeric[], %(want)s::numeric[], %(spare)s::numeric[])
             WITH ORDINALITY AS ask (account_id, leg_uuid, least_held, want_held, spare, ordinal)
        -- LIMIT has each leg looked up by its key: no planner may think of reading the whole table.
        LEFT JOIN LATERAL (
            SELECT state, CASE state WHEN 'held' THEN held END AS held FROM reservations r
            WHERE (r.account_id, r.leg_uuid) = (ask.account_id, ask.leg_uuid) LIMIT 1
        ) AS leg ON true
    ),
    decided AS (
        SELECT account_id, 0::bigint AS turn, 0::bigint AS ordinal, ''::text AS leg_uuid, ''::text AS outcome,
               0::numeric AS held, 0::numeric AS taken, 0 AS begun,
               state, balance + credit_limit - reserved AS available,
               calls_up, max_calls, spend_per_call,
               spend_per_day - CASE WHEN {SPENT_TODAY} THEN day_spent ELSE 0 END - reserved AS day_left
        FROM accounts LEFT JOIN account_limits USING (account_id)
        WHERE account_id = ANY(%(account_ids)s::bigint[])
      UNION ALL
        SELECT account_id, asked.turn, asked.ordinal, asked.leg_uuid, verdict.outcome,
               asked.held + answer.taken, answer.taken, answer.begun,
               account.state, available - answer.taken,
               calls_up + answer.begun, max_calls, spend_per_call, day_left - answer.taken
        FROM decided AS account JOIN asked USING (account_id)
        CROSS JOIN LATERAL (SELECT spend_per_call - asked.held AS call_left) AS leg
        CROSS JOIN LATERAL (
            SELECT CASE WHEN asked.state <> 'held' THEN asked.state
                        WHEN account.state <> 'active' THEN 'not_active'
                        WHEN asked.state IS NULL AND calls_up >= max_calls THEN 'too_many_calls'
                        WHEN asked.need = 0 THEN 'held' -- though a limit was lowered, or credit withdrawn
                        WHEN asked.need > day_left THEN 'day_spend'
                        WHEN asked.need > call_left THEN 'call_spend'
                        WHEN asked.need > available THEN 'no_funds'
                        ELSE 'held' END AS outcome
        ) AS verdict
        CROSS JOIN LATERAL (
            SELECT CASE WHEN verdict.outcome <> 'held' THEN 0
                        WHEN asked.wish <= least(available - asked.spare, day_left, call_left) THEN asked.wish
                        ELSE asked.need END AS taken,
                   (verdict.outcome = 'held' AND asked.state IS NULL)::integer AS begun
        ) AS answer
        WHERE asked.turn = account.turn + 1
    ),
    written AS (
        INSERT INTO reservations AS r (account_id, leg_uuid, state, held, held_at)
        SELECT account_id, leg_uuid, 'held', held, now() FROM decided WHERE outcome = 'held'
        ON CONFLICT (account_id, leg_uuid) DO UPDATE SET held = excluded.held
        WHERE r.state = 'held' AND r.held < excluded.held
    ),
    reserved AS (
        UPDATE accounts SET reserved = reserved + total.taken, calls_up = calls_up + total.begun
        FROM (
            SELECT account_id, sum(taken) AS taken, sum(begun) AS begun FROM decided GROUP BY account_id
        ) AS total
        WHERE accounts.account_id = total.account_id AND (total.taken > 0 OR total.begun > 0)
          AND greatest(balance + credit_limit - reserved, 0) >= total.taken
    )
    SELECT asked.account_id, asked.leg_uuid, coalesce(decided.outcome, 'no_account'),
           coalesce(decided.held, 0), coalesce(decided.available, 0)
    FROM asked LEFT JOIN decided USING (account_id, ordinal)
    ORDER BY asked.ordinal
"""  # noqa: S608 (all of it is our own text)

Item = TypeVar("Item")


class Outcome(StrEnum):
    """What became of a request.  After a refusal the leg holds what it held before."""

    HELD = "held"  # the leg holds at least `least`
    SETTLED = "settled"  # the leg is over: nothing is ever held for it again
    RELEASED = "released"  # the leg was given up before it was made: the same
    NOT_ACTIVE = "not_active"  # the account is pending, suspended or closed
    NO_ACCOUNT = "no_account"
    TOO_MANY_CALLS = "too_many_calls"
    DAY_SPEND = "day_spend"  # `least` could bring the day's spending above its limit
    CALL_SPEND = "call_spend"  # `least` is above what one call may cost
    NO_FUNDS = "no_funds"


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


def hold_many(
    conn: Connection, requests: Sequence[HoldRequest], today: date | None = None
) -> list[HoldResult]:
    """Decide on all requests in one transaction, in their order; one result for each.

    `today` is the operator's date; None takes the database's.
    """
    with conn.pipeline(), conn.transaction():
        conn.execute(LOCK_ACCOUNTS, [sorted({request.account_id for request in requests})])
        batches = without_repeats(requests, lambda ask: [(ask.account_id, ask.leg_uuid)])
        decided = [_hold(conn, batch, today) for batch in batches]
    return [
        HoldResult(account_id, leg_uuid, Outcome(outcome), held, available)
        for batch in decided
        for account_id, leg_uuid, outcome, held, available in batch
    ]


def without_repeats(
    items: Iterable[Item], keys: Callable[[Item], Iterable[Hashable]]
) -> Iterator[list[Item]]:
    """The items in order, cut so that no key comes twice in a piece: a statement writes a row once."""
    piece: list[Item] = []
    seen: set[Hashable] = set()
    for item in items:
        own = set(keys(item))
        if seen & own:
            yield piece
            piece, seen = [], set()
        piece.append(item)
        seen |= own
    if piece:
        yield piece


def _hold(conn: Connection, requests: Sequence[HoldRequest], today: date | None) -> Cursor:
    names = ("account_ids", "leg_uuids", "least", "want", "spare")
    asked = [(ask.account_id, ask.leg_uuid, ask.least, ask.want, ask.spare) for ask in requests]
    values: dict[str, object] = dict(zip(names, as_columns(asked), strict=True))
    return conn.execute(HOLD, values | {"today": today})
