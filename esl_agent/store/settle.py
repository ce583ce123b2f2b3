"""Settlement: the leg is over; what it cost goes into the ledger and onto its CDR, once.

Theory of operation.  Hundreds of legs share one transaction.

1. The rows of their accounts are locked, in the order of account_id.
2. A leg that cost nothing hands its hold to the next one planned for the same
   call, where it has one: at no moment has the call no hold, or two.
3. Each leg goes through the gate: its reservation turns from `held` to
   `settled`, or is inserted as `settled` where nothing was ever held.  A leg
   that does not get through was settled before, and changes nothing now.
4. What a leg pays is cut to what was held for it.  A leg that nothing was held
   for pays from what the account has free.  The rest is `uncollected`.
5. Ledger, CDRs, and the accounts' sums are written.

Nothing of it can be seen until the commit.  A settlement whose commit was
never heard of may be sent again: the gate knows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from esl_agent.core.money import ZERO
from esl_agent.core.price import ChargeLine
from esl_agent.core.rating import collect
from esl_agent.store.cdrs import CdrRow, insert_settled
from esl_agent.store.holds import LOCK_ACCOUNTS, SPENT_TODAY, TODAY, without_repeats
from esl_agent.store.pool import Connection, Cursor, as_columns

#: A leg that is over already, or given up, takes nothing: what it was to get is free again.
HAND_OVER: Final = """
    WITH given AS (
        SELECT account_id, from_leg, to_leg, r.held, r.switch, r.known
        FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS hand (account_id, from_leg, to_leg)
        JOIN reservations r USING (account_id)
        WHERE r.leg_uuid = from_leg AND r.state = 'held'
    ),
    emptied AS (
        UPDATE reservations r SET held = 0 FROM given
        WHERE r.account_id = given.account_id AND r.leg_uuid = from_leg
    ),
    taken AS (
        INSERT INTO reservations AS r (account_id, leg_uuid, state, held, held_at, switch, known)
        SELECT account_id, to_leg, 'held', held, now(), switch, known FROM given
        ON CONFLICT (account_id, leg_uuid) DO UPDATE
        SET held = greatest(r.held, excluded.held), switch = coalesce(nullif(r.switch, ''), excluded.switch),
            known = coalesce(r.known, excluded.known)
        WHERE r.state = 'held'
        RETURNING account_id, leg_uuid, held
    )
    SELECT given.account_id,
           sum(given.held - coalesce(taken.held - coalesce(before.held, 0), 0)),
           count(*) FILTER (WHERE before.leg_uuid IS NULL)
    FROM given
    LEFT JOIN taken ON (taken.account_id, taken.leg_uuid) = (given.account_id, to_leg)
    LEFT JOIN reservations before ON (before.account_id, before.leg_uuid) = (given.account_id, to_leg)
    GROUP BY given.account_id
"""

GATE: Final = """
    INSERT INTO reservations AS r (account_id, leg_uuid, state, held, settled_at)
    SELECT account_id, leg_uuid, 'settled', 0, now()
    FROM unnest(%s::bigint[], %s::text[]) AS leg (account_id, leg_uuid)
    ON CONFLICT (account_id, leg_uuid) DO UPDATE SET state = 'settled', settled_at = now(), known = NULL
    WHERE r.state <> 'settled'
    RETURNING r.account_id, r.leg_uuid,
              CASE WHEN r.held_at IS NOT NULL AND r.released_at IS NULL THEN r.held END
"""

POST: Final = """
    INSERT INTO ledger (account_id, idempotency_key, debit, credit, amount, kind, reference)
    SELECT account_id, 'leg:' || leg_uuid || ':' || kind, 'customer', 'revenue', amount, kind, leg_uuid
    FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::numeric[])
         AS line (account_id, leg_uuid, kind, amount)
"""

CHARGE: Final = f"""
    UPDATE accounts SET
        balance = balance - charged,
        reserved = reserved - released,
        calls_up = calls_up - ended,
        day_spent = CASE WHEN {SPENT_TODAY} THEN day_spent ELSE 0 END + charged,
        spent_on = CASE WHEN {SPENT_TODAY} THEN spent_on ELSE {TODAY} END
    FROM unnest(%(account_ids)s::bigint[], %(charged)s::numeric[], %(released)s::numeric[],
                %(ended)s::integer[]) AS total (account_id, charged, released, ended)
    WHERE accounts.account_id = total.account_id
"""  # noqa: S608 (all of it is our own text)

NOTHING_PLANNED: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of one settlement; `settled` is False where it had been done before."""

    leg_uuid: str
    settled: bool
    charged: Decimal
    uncollected: Decimal
    balance: Decimal  # of the account, after this; 0 where there is no such account


@dataclass(slots=True)
class _Purse:
    """An account's money while its legs are settled one after the other."""

    balance: Decimal
    credit_limit: Decimal
    reserved: Decimal
    charged: Decimal = ZERO
    released: Decimal = ZERO
    ended: int = 0  # calls; a call that another leg goes on with is none

    def free(self, released: Decimal, ended: int) -> None:
        """Take back what was held for legs, and their places among the account's calls."""
        self.reserved -= released
        self.released += released
        self.ended += ended

    def pay(self, row: CdrRow, held: Decimal | None) -> tuple[tuple[ChargeLine, ...], Decimal]:
        """What is taken for the row, and what stays uncollected; `held` is None where nothing ever was."""
        free = self.balance + self.credit_limit - self.reserved
        lines, uncollected = collect(row.charge, free if held is None else held)
        charged = row.charge.total - uncollected
        self.balance -= charged
        self.charged += charged
        if held is not None:
            self.free(held, 1)
        return lines, uncollected


def settle_many(
    conn: Connection,
    rows: Sequence[CdrRow],
    *,
    hand_to: Mapping[str, str] = NOTHING_PLANNED,
    today: date | None = None,
) -> list[Settled]:
    """Settle legs in one transaction; one result for each row, in order.

    A row's account that doesn't exist pays nothing, but has its CDR all the same.
    `hand_to` names the leg, of the same account, that gets the hold of a leg
    that cost nothing.  `today` is the operator's date, whose spending this is;
    None takes the database's.
    """
    if not rows:
        return []
    # What a statement says is read only after the next is on its way: each wait costs more than its work.
    with conn.pipeline(), conn.transaction():
        locked = conn.execute(LOCK_ACCOUNTS, [sorted({row.account_id for row in rows})])
        handed = _hand_over(conn, rows, hand_to)
        passed = _pass_gate(conn, rows)
        purses = {account_id: _Purse(*money) for account_id, *money in locked}
        for account_id, released, begun in (hand for piece in handed for hand in piece):
            purses[account_id].free(released, -begun)
        gate = {(account_id, leg_uuid): held for account_id, leg_uuid, held in passed}
        written: list[CdrRow] = []
        taken: list[tuple[CdrRow, ChargeLine]] = []
        results: list[Settled] = []
        for row in rows:
            leg = (row.account_id, row.leg_uuid)
            purse = purses.get(row.account_id) or _Purse(ZERO, ZERO, ZERO)
            if leg not in gate:
                results.append(Settled(row.leg_uuid, False, ZERO, ZERO, purse.balance))
                continue
            lines, uncollected = purse.pay(row, gate.pop(leg))
            charged = row.charge.total - uncollected
            written.append(replace(row, charged=charged, uncollected=uncollected))
            taken += [(row, line) for line in lines if line.amount]
            results.append(Settled(row.leg_uuid, True, charged, uncollected, purse.balance))
        _write(conn, written, taken)
        _charge(conn, purses, today)
    return results


def _hand_over(conn: Connection, rows: Sequence[CdrRow], hand_to: Mapping[str, str]) -> list[Cursor]:
    """Move the holds; each cursor tells (account_id, released, begun) of the accounts concerned."""
    hands = [
        (row.account_id, row.leg_uuid, hand_to[row.leg_uuid])
        for row in rows
        if hand_to.get(row.leg_uuid, row.leg_uuid) != row.leg_uuid and not row.charge.total
    ]
    # In pieces: where several carriers failed, a leg gets a hold only to hand it on.
    pieces = without_repeats(hands, lambda hand: [(hand[0], hand[1]), (hand[0], hand[2])])
    return [conn.execute(HAND_OVER, as_columns(piece)) for piece in pieces]


def _pass_gate(conn: Connection, rows: Sequence[CdrRow]) -> Cursor:
    """The legs that are settled now: (account_id, leg_uuid, held); held is None where nothing ever was."""
    return conn.execute(GATE, as_columns(dict.fromkeys((row.account_id, row.leg_uuid) for row in rows)))


def _write(conn: Connection, rows: Sequence[CdrRow], taken: Sequence[tuple[CdrRow, ChargeLine]]) -> None:
    if taken:
        lines = [(row.account_id, row.leg_uuid, line.kind, line.amount) for row, line in taken]
        conn.execute(POST, as_columns(lines))
    if rows:
        insert_settled(conn, rows)


def _charge(conn: Connection, purses: Mapping[int, _Purse], today: date | None) -> None:
    totals = [
        (account_id, purse.charged, purse.released, purse.ended)
        for account_id, purse in purses.items()
        if purse.charged or purse.released or purse.ended
    ]
    if totals:
        names = ("account_ids", "charged", "released", "ended")
        values: dict[str, object] = dict(zip(names, as_columns(totals), strict=True))
        conn.execute(CHARGE, values | {"today": today})
