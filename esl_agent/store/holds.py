"""Reservations: money held under a leg's UUID, before the leg exists and while it talks.

A request names a target, not an increment: "for this leg hold `least` in
total, or `want` if that leaves `spare` free for other calls".  Asking twice is
as good as asking once, so a request whose answer was lost may be sent again.

How that is decided stands in sql/0009_hold_for_legs.sql, and the function as it
is now in sql/0018_hold_for_a_batch.sql and sql/0030_calls_out.sql.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Final, TypeVar

import msgspec

from esl_agent.core.admission.facts import AccountState
from esl_agent.core.admission.reasons import Reason
from esl_agent.core.admission.rules import REASON_OF_STATE
from esl_agent.core.money import ZERO
from esl_agent.store.pool import Connection, Cursor, as_columns

LOCK_ACCOUNT: Final = "SELECT 1 FROM accounts WHERE account_id = %s FOR NO KEY UPDATE"

HOLD: Final = "SELECT * FROM hold_for_legs(%s::json, %s::bigint[], %s::text[], %s::text[], %s)"
NO_TAKES: Final[list[list[object]]] = [[], [], []]

#: What stands in the text that is known of a call that comes in, and of no other (sql/0030_calls_out.sql).
COMES_IN: Final = '"product" *: *"inbound"'
CALLS_OUT: Final = """
    SELECT count(*) FROM reservations
    WHERE account_id = %s AND state = 'held' AND coalesce(known::text, '') !~ %s
"""

STATES: Final = "SELECT account_id, state FROM accounts WHERE account_id = ANY(%s)"
#: What HOLD says of an account that is pending, suspended or closed, and of one that doesn't exist.
BARRED: Final = ("not_active", "no_account")

Item = TypeVar("Item")


class Outcome(StrEnum):
    """What became of a request.  After a refusal the leg holds what it held before.

    The words of refusals are those of admission (core/admission/reasons.py).
    """

    HELD = "held"  # the leg holds at least `least`
    SETTLED = "settled"  # the leg is over: nothing is ever held for it again
    RELEASED = "released"  # the leg was given up before it was made: the same
    TERMS_NOT_ACCEPTED = Reason.TERMS_NOT_ACCEPTED.value  # the account is pending
    ACCOUNT_SUSPENDED = Reason.ACCOUNT_SUSPENDED.value
    ACCOUNT_CLOSED = Reason.ACCOUNT_CLOSED.value
    UNKNOWN_ACCOUNT = Reason.UNKNOWN_ACCOUNT.value
    TOO_MANY_CALLS = Reason.TOO_MANY_CALLS.value
    DAY_SPEND = Reason.DAY_SPEND.value  # `least` could bring the day's spending above its limit
    CALL_SPEND = Reason.CALL_SPEND.value  # `least` is above what one call may cost
    NO_FUNDS = Reason.NO_FUNDS.value


@dataclass(frozen=True, slots=True)
class HoldRequest:
    """Hold `least` in total for this leg, or `want` if that leaves `spare` free in the account.

    What is said of the leg stays with what is held for it, and goes with it to
    the next leg of the call; a later request replaces it or, with the defaults, leaves it.
    """

    account_id: int
    leg_uuid: str
    least: Decimal
    want: Decimal
    spare: Decimal = ZERO
    switch: str = ""  # the name of the switch whose leg it is
    known: str | None = None  # of the call, JSON: what taking it up again needs
    takes_from: tuple[str, ...] = ()  # other legs of its call, whose hold it may take first


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
    batches = list(without_repeats(requests, _legs))
    if len(batches) == 1:
        decided = [_hold(conn, batches[0], today)]
    else:
        with conn.transaction():
            for account_id in sorted({request.account_id for request in requests}):
                conn.execute(LOCK_ACCOUNT, [account_id])
            decided = [_hold(conn, batch, today) for batch in batches]
    rows = [row for batch in decided for row in batch]
    barred = [account_id for account_id, _, outcome, *_ in rows if outcome in BARRED]
    reasons = _reasons(conn, barred) if barred else {}
    return [
        HoldResult(account_id, leg_uuid, _outcome(outcome, reasons.get(account_id)), held, available)
        for account_id, leg_uuid, outcome, held, available in rows
    ]


def count_calls_out(conn: Connection, account_id: int) -> int:
    """The account's calls that a limit on calls at a time counts: those that are up and did not come in."""
    row = conn.execute(CALLS_OUT, [account_id, COMES_IN]).fetchone()
    return int(row[0]) if row else 0


def _outcome(said: str, reason: Outcome | None) -> Outcome:
    return reason if reason is not None and said in BARRED else Outcome(said)


def _reasons(conn: Connection, account_ids: Sequence[int]) -> dict[int, Outcome]:
    """Why these accounts may hold nothing; one that may again by now was suspended when it asked."""
    states = dict(conn.execute(STATES, [account_ids]).fetchall())
    return {
        account_id: Outcome(REASON_OF_STATE.get(AccountState(states[account_id]), Reason.ACCOUNT_SUSPENDED))
        if account_id in states
        else Outcome.UNKNOWN_ACCOUNT
        for account_id in account_ids
    }


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


def _legs(ask: HoldRequest) -> list[tuple[int, str]]:
    return [(ask.account_id, leg_uuid) for leg_uuid in (ask.leg_uuid, *ask.takes_from)]


def _hold(conn: Connection, requests: Sequence[HoldRequest], today: date | None) -> Cursor:
    takes = [(ask.account_id, leg, ask.leg_uuid) for ask in requests for leg in ask.takes_from]
    asked = msgspec.json.encode(requests).decode()
    return conn.execute(HOLD, [asked, *(as_columns(takes) if takes else NO_TAKES), today])
