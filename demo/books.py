"""Whether the money that calls cost is the money that the ledger took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from psycopg.rows import class_row

from demo.cast import Scene
from demo.errors import DemoError
from esl_agent.store.pool import connected

SUMS = """
    SELECT (SELECT count(*) FROM cdrs) AS calls,
           (SELECT coalesce(sum(total), 0) FROM cdrs) AS rated,
           (SELECT coalesce(sum(uncollected), 0) FROM cdrs) AS uncollected,
           (SELECT coalesce(sum(amount), 0) FROM ledger WHERE debit = 'customer') AS taken,
           (SELECT coalesce(sum(amount), 0) FROM ledger WHERE credit = 'customer') AS paid_in,
           (SELECT coalesce(sum(balance), 0) FROM accounts) AS left_over,
           (SELECT coalesce(sum(reserved), 0) FROM accounts) AS reserved,
           (SELECT coalesce(min(balance), 0) FROM accounts) AS poorest
"""


@dataclass(frozen=True, slots=True)
class Books:
    """Sums over all calls, ledger entries and accounts, in CAD."""

    calls: int
    rated: Decimal
    uncollected: Decimal
    taken: Decimal
    paid_in: Decimal
    left_over: Decimal
    reserved: Decimal
    poorest: Decimal

    def check(self) -> None:
        """Raise DemoError, naming each thing that does not add up."""
        wrong = [
            text
            for is_wrong, text in (
                (self.rated != self.taken, f"calls cost {self.rated}, the ledger took {self.taken}"),
                (self.uncollected != 0, f"{self.uncollected} could not be collected"),
                (
                    self.paid_in - self.taken != self.left_over,
                    f"{self.paid_in} paid in less {self.taken} is not the {self.left_over} left over",
                ),
                (self.reserved != 0, f"{self.reserved} is still held, with every call over"),
                (self.poorest < 0, f"an account is at {self.poorest}"),
            )
            if is_wrong
        ]
        if wrong:
            raise DemoError("the books do not add up: " + "; ".join(wrong))


def read_books(database_url: str) -> Books:
    with connected(database_url) as conn, conn.cursor(row_factory=class_row(Books)) as cursor:
        [books] = cursor.execute(SUMS).fetchall()
        return books


def check_costs(database_url: str, scenes: Iterable[Scene]) -> None:
    """Raise DemoError unless the answered legs cost, account by account, what the scenes say."""
    told = [scene for scene in scenes if scene.costs is not None]
    expected = Counter((scene.account, Decimal(cost)) for scene in told for cost in scene.costs or ())
    with connected(database_url) as conn:
        rated = Counter(conn.execute("SELECT account_id, total FROM cdrs WHERE answered_at IS NOT NULL"))
    differences = [
        f"account {account}: {rated[account, cost]} calls of {cost}, expected {expected[account, cost]}"
        for account, cost in sorted(expected.keys() | rated.keys())
        if rated[account, cost] != expected[account, cost]
    ]
    if told and differences:
        raise DemoError("calls did not cost what they should: " + "; ".join(differences))


def legs_settled(database_url: str) -> set[str]:
    """The legs that have a CDR."""
    with connected(database_url) as conn:
        return {leg for (leg,) in conn.execute("SELECT leg_uuid FROM cdrs")}
