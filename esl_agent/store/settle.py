"""Settlement: the leg is over; what it cost goes into the ledger and onto its CDR, once.

Theory of operation.  Hundreds of legs share one transaction.

1. The rows of their accounts are locked, in the order of account_id.
2. Each leg goes through the gate: its reservation turns from `held` to
   `settled`, or is inserted as `settled` where nothing was ever held.  A leg
   that does not get through was settled before, and changes nothing now.
3. What a leg pays is cut to what was held for it.  A leg that nothing was held
   for pays from what the account has free.  The rest is `uncollected`.
4. Ledger, CDRs, and the accounts' balances and reserved sums are written.

Nothing of it can be seen until the commit.  A settlement whose commit was
never heard of may be sent again: the gate knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from esl_agent.core.money import ZERO
from esl_agent.core.price import ChargeLine
from esl_agent.core.rating import collect
from esl_agent.store.cdrs import CdrRow, insert_settled
from esl_agent.store.holds import LOCK_ACCOUNTS
from esl_agent.store.pool import Connection, as_columns

GATE: Final = """
    INSERT INTO reservations AS r (account_id, leg_uuid, state, held, settled_at)
    SELECT account_id, leg_uuid, 'settled', 0, now()
    FROM unnest(%s::bigint[], %s::text[]) AS leg (account_id, leg_uuid)
    ON CONFLICT (account_id, leg_uuid) DO UPDATE SET state = 'settled', settled_at = now()
    WHERE r.state = 'held'
    RETURNING r.account_id, r.leg_uuid, CASE WHEN r.held_at IS NOT NULL THEN r.held END
"""

POST: Final = """
    INSERT INTO ledger (account_id, idempotency_key, debit, credit, amount, kind, reference)
    SELECT account_id, 'leg:' || leg_uuid || ':' || kind, 'customer', 'revenue', amount, kind, leg_uuid
    FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::numeric[])
         AS line (account_id, leg_uuid, kind, amount)
"""

CHARGE: Final = """
    UPDATE accounts SET balance = balance - charged, reserved = reserved - released
    FROM unnest(%s::bigint[], %s::numeric[], %s::numeric[]) AS total (account_id, charged, released)
    WHERE accounts.account_id = total.account_id
"""


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

    def pay(self, row: CdrRow, held: Decimal | None) -> tuple[tuple[ChargeLine, ...], Decimal]:
        """What is taken for the row, and what stays uncollected; `held` is None where nothing ever was."""
        free = self.balance + self.credit_limit - self.reserved
        lines, uncollected = collect(row.charge, free if held is None else held)
        charged = row.charge.total - uncollected
        self.balance -= charged
        self.charged += charged
        self.reserved -= held or ZERO
        self.released += held or ZERO
        return lines, uncollected


def settle_many(conn: Connection, rows: Sequence[CdrRow]) -> list[Settled]:
    """Settle legs in one transaction; one result for each row, in order.

    A row's account that doesn't exist pays nothing, but has its CDR all the same.
    """
    if not rows:
        return []
    with conn.transaction():
        account_ids = sorted({row.account_id for row in rows})
        purses = {
            account_id: _Purse(balance, credit_limit, reserved)
            for account_id, balance, credit_limit, reserved in conn.execute(LOCK_ACCOUNTS, [account_ids])
        }
        gate = _pass_gate(conn, rows)
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
        _write(conn, written, taken, purses)
    return results


def _pass_gate(conn: Connection, rows: Sequence[CdrRow]) -> dict[tuple[int, str], Decimal | None]:
    """The legs that are settled now, and what was held for each; None where nothing ever was."""
    legs = dict.fromkeys((row.account_id, row.leg_uuid) for row in rows)
    passed = conn.execute(GATE, as_columns(legs))
    return {(account_id, leg_uuid): held for account_id, leg_uuid, held in passed}


def _write(
    conn: Connection,
    rows: Sequence[CdrRow],
    taken: Sequence[tuple[CdrRow, ChargeLine]],
    purses: dict[int, _Purse],
) -> None:
    if not rows:
        return
    if taken:
        lines = [(row.account_id, row.leg_uuid, line.kind, line.amount) for row, line in taken]
        conn.execute(POST, as_columns(lines))
    insert_settled(conn, rows)
    totals = [
        (account_id, purse.charged, purse.released)
        for account_id, purse in purses.items()
        if purse.charged or purse.released
    ]
    if totals:
        conn.execute(CHARGE, as_columns(totals))
