"""Holds and settlements per second, in batches, on an embedded Postgres that syncs its commits to disk.

Run it with `python -m tests.benchmarks.settle`.  One connection, one batch
after the other, the way the daemon works them off; every leg is held once,
then settled with its CDR, ledger entry and balance.  A hand-over is the
settlement of a leg whose carrier failed: the next leg gets its hold.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402
from collections.abc import Sequence  # noqa: E402
from dataclasses import replace  # noqa: E402
from decimal import Decimal  # noqa: E402
from time import perf_counter, time_ns  # noqa: E402
from typing import Final  # noqa: E402
from uuid import uuid4  # noqa: E402

from esl_agent.core.leg import Quality  # noqa: E402
from esl_agent.core.price import Price  # noqa: E402
from esl_agent.core.rating import US_PER_S, rate_leg  # noqa: E402
from esl_agent.store.accounts import NewAccount, add_account, top_up  # noqa: E402
from esl_agent.store.cdrs import CdrRow, Source  # noqa: E402
from esl_agent.store.holds import HoldRequest, hold_many  # noqa: E402
from esl_agent.store.migrations import migrate  # noqa: E402
from esl_agent.store.pool import Connection, connected  # noqa: E402
from esl_agent.store.settle import settle_many  # noqa: E402
from tests.benchmarks.database import place  # noqa: E402

ACCOUNTS: Final = 500
BATCH: Final = 300
BATCHES: Final = 60
HAND_OVER_BATCHES: Final = 20

PRICE: Final = Price(
    deck="standard",
    deck_version=1,
    prefix="44",
    destination="United Kingdom",
    rate_per_minute=Decimal("0.012500"),
    minimum_s=6,
    step_s=6,
    connection_fee=Decimal("0.0000"),
    forwarding_rate_per_minute=Decimal("0.000000"),
    grace_ms=0,
    is_free=False,
)


def measure() -> dict[str, float]:
    """Legs a second through holds, settlements and both, and through hand-overs."""
    with place() as (_, _, url), connected(url) as conn:
        return _measure(conn)


def furnish(conn: Connection) -> None:
    """Accounts with money."""
    migrate(conn)
    for account_id in range(1, ACCOUNTS + 1):
        add_account(
            conn,
            NewAccount(account_id=account_id, name="bench", plan="standard", by="bench", terms_version="1"),
        )
        top_up(conn, account_id, Decimal(1000), "bench")


def _measure(conn: Connection) -> dict[str, float]:
    furnish(conn)
    holding_s = settling_s = 0.0
    for number in range(BATCHES):
        rows = [some_row((number * BATCH + each) % ACCOUNTS + 1) for each in range(BATCH)]
        began = perf_counter()
        hold(conn, rows)
        held = perf_counter()
        settle_many(conn, rows)
        holding_s += held - began
        settling_s += perf_counter() - held
    handing_s = sum(_time_hand_overs(conn, number) for number in range(HAND_OVER_BATCHES))
    legs = BATCHES * BATCH
    return {
        "batch": BATCH,
        "holds_per_s": round(legs / holding_s),
        "settlements_per_s": round(legs / settling_s),
        "holds_with_settlement_per_s": round(legs / (holding_s + settling_s)),
        "hand_overs_per_s": round(HAND_OVER_BATCHES * BATCH / handing_s),
    }


def _time_hand_overs(conn: Connection, number: int) -> float:
    """Seconds that a batch takes of which every leg failed and hands its hold to another."""
    failed = [
        replace(some_row((number * BATCH + each) % ACCOUNTS + 1), charge=rate_leg(PRICE, None))
        for each in range(BATCH)
    ]
    hold(conn, failed)
    began = perf_counter()
    settle_many(conn, failed, hand_to={row.leg_uuid: str(uuid4()) for row in failed})
    return perf_counter() - began


def hold(conn: Connection, rows: Sequence[CdrRow]) -> None:
    """What calls like these hold at first."""
    least, want = Decimal("0.0013"), Decimal("0.0125")
    hold_many(conn, [HoldRequest(row.account_id, row.leg_uuid, least, want) for row in rows])


def some_row(account_id: int) -> CdrRow:
    """A call of 42 s that is just over."""
    now_us = time_ns() // 1000
    duration_us = 42 * US_PER_S + 20_003
    return CdrRow(
        account_id=account_id,
        leg_uuid=str(uuid4()),
        other_leg_uuid=str(uuid4()),
        product="termination",
        caller="15145550123",
        dialled="011442079460000",
        number="442079460000",
        number_class="world",
        country="GB",
        price=PRICE,
        charge=rate_leg(PRICE, duration_us),
        created_us=now_us - duration_us,
        answered_us=now_us - duration_us,
        ended_us=now_us,
        duration_us=duration_us,
        currency="CAD",
        hangup_cause="NORMAL_CLEARING",
        sip_code=200,
        ended_by="caller",
        forwarded_from=None,
        carrier="carrier_a",
        quality=Quality("4.50", "0.00", "3.125"),
        recording=None,
        source=Source.LIVE,
    )


if __name__ == "__main__":
    print(json.dumps(measure()))
