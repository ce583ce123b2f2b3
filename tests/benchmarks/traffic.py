"""What it costs to watch traffic: CPU for each call, memory for each account, work for the database.

Run it with `python -m tests.benchmarks.traffic`.  The calls of 100,000 accounts
are counted and judged by the shipped rules; accounts that call all month long
show how much one can take at most.  CDRs are settled with and without the index
that traffic is read by, in turns, and read back live and as at a start.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402
import tracemalloc  # noqa: E402
from collections.abc import Callable, Iterator  # noqa: E402
from contextlib import contextmanager  # noqa: E402
from datetime import UTC, datetime, timedelta  # noqa: E402
from pathlib import Path  # noqa: E402
from random import Random  # noqa: E402
from time import perf_counter, process_time  # noqa: E402
from typing import Final  # noqa: E402

from esl_agent.agent.traffic.feed import Past, Tail  # noqa: E402
from esl_agent.agent.traffic.rules import load_rules  # noqa: E402
from esl_agent.core.traffic.call import TrafficCall  # noqa: E402
from esl_agent.core.traffic.judge import Judge  # noqa: E402
from esl_agent.store import traffic_calls  # noqa: E402
from esl_agent.store.cdrs import ensure_partitions  # noqa: E402
from esl_agent.store.pool import Connection, connected  # noqa: E402
from esl_agent.store.settle import settle_many  # noqa: E402
from tests.benchmarks.database import place  # noqa: E402
from tests.benchmarks.settle import ACCOUNTS as PAYERS  # noqa: E402
from tests.benchmarks.settle import furnish, some_row  # noqa: E402

ACCOUNTS: Final = 100_000
CALLS_PER_SECOND: Final = 1_000
US_PER_S: Final = 1_000_000
DAY_US: Final = 86_400 * US_PER_S
#: Some minutes into a day, an hour and five minutes.
NOW_US: Final = 1_772_366_400 * US_PER_S + 217 * US_PER_S
#: A month of calls for each of 100,000 accounts, thinned out: what they leave behind is as large.
MONTH_CALLS: Final = 1_000_000
JUDGED_CALLS: Final = 100_000
#: Accounts that are busy all month, with their share of 1,000 calls a second: 36 an hour.
BUSY: Final = 8
BUSY_CALLS_PER_HOUR: Final = 36
SETTLED_BATCHES: Final = 120
BATCH: Final = 300


def measure() -> dict[str, float]:
    with place() as (_, _, url), connected(url) as conn:
        feeding = _feeding(conn)
    counting = _counting() | _busy()
    per_call_us = counting["count_and_judge_us"] + feeding["read_us_per_cdr"]
    percent = round(per_call_us * CALLS_PER_SECOND / US_PER_S * 100, 1)
    return {"traffic_cpu_percent_at_1000_cps": percent, **counting, **feeding}


def _counting() -> dict[str, float]:
    """A month of 100,000 accounts, and then some minutes at 1,000 calls a second, judged."""
    randomly = Random(1)
    judge = Judge(load_rules(""))
    before_kb = _resident_kb()
    began = process_time()
    for n in range(MONTH_CALLS):
        call = _call(randomly, n % ACCOUNTS + 1, NOW_US - DAY_US * 30 + n * (30 * DAY_US // MONTH_CALLS))
        judge.add(call, call.at_us)
    counted_s = process_time() - began
    kb = _resident_kb() - before_kb
    calls = [
        _call(randomly, randomly.randrange(ACCOUNTS) + 1, NOW_US + n * US_PER_S // CALLS_PER_SECOND)
        for n in range(JUDGED_CALLS)
    ]
    began = process_time()
    verdicts = sum(len(judge.see(call, call.at_us)) for call in calls)
    judged_s = process_time() - began
    return {
        "accounts": ACCOUNTS,
        "subjects": len(judge),
        "verdicts": verdicts,
        "count_us_with_making_the_call": round(counted_s / MONTH_CALLS * 1e6, 1),
        "count_and_judge_us": round(judged_s / JUDGED_CALLS * 1e6, 1),
        "bytes_per_account": round(kb * 1_024 / ACCOUNTS),
    }


def _busy() -> dict[str, float]:
    """What an account takes at most that makes 36 calls an hour for a month, its number with it."""
    randomly = Random(2)
    judge = Judge(load_rules(""))
    tracemalloc.start()
    for hour in range(30 * 24):
        for account_id in range(1, BUSY + 1):
            for _ in range(BUSY_CALLS_PER_HOUR):
                at_us = NOW_US - (30 * 24 - hour) * 3_600 * US_PER_S + randomly.randrange(3_600 * US_PER_S)
                judge.add(_call(randomly, account_id, at_us), at_us)
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return {"traffic_bytes_per_busy_account": round(taken / BUSY)}


def _call(randomly: Random, account_id: int, at_us: int) -> TrafficCall:
    """Seven in ten go out; six in ten are answered."""
    talk_us = int(randomly.expovariate(1 / 180) * US_PER_S) if randomly.random() < 0.6 else None
    return TrafficCall(
        account_id=account_id,
        leg_uuid="",
        did=f"1514{account_id:07}",
        is_outbound=randomly.random() < 0.7,
        number=f"1{randomly.randrange(2 * 10**9, 10**10)}",
        country=randomly.choice(("CA", "CA", "CA", "US", "MX")),
        created_us=at_us - 20 * US_PER_S - (talk_us or 0),
        at_us=at_us,
        talk_us=talk_us,
        spent=0 if talk_us is None else talk_us // 600_000,
        rate=10_000,
        is_toll_free=False,
        is_refused=False,
        is_abandoned=False,
    )


# The database.


class _Own:
    """The one connection, as the daemon's pool gives it."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        yield self._conn


def _feeding(conn: Connection) -> dict[str, float]:
    furnish(conn)
    ensure_partitions(conn, datetime.now(UTC) - timedelta(days=31))
    with_s = without_s = 0.0
    for turn in range(4):
        if turn % 2:
            conn.execute("DROP INDEX IF EXISTS cdrs_by_recorded_at")
            without_s += _settle(conn)
        else:
            conn.execute("CREATE INDEX IF NOT EXISTS cdrs_by_recorded_at ON cdrs (recorded_at)")
            with_s += _settle(conn)
    conn.execute("CREATE INDEX IF NOT EXISTS cdrs_by_recorded_at ON cdrs (recorded_at)")
    conn.execute("VACUUM ANALYZE cdrs")
    now_us = traffic_calls.now_us(conn)
    tail, past = Tail(0), Past(now_us)
    live, live_s, live_cpu_s = _taken(lambda: tail.poll(_Own(conn), now_us))
    old = old_s = 0.0
    while not past.is_read:
        calls, took_s, _ = _taken(lambda: past.page(_Own(conn)))
        old, old_s = old + calls, old_s + took_s
    return {
        "settling_with_the_index_percent": round(without_s / with_s * 100, 1),
        "cdrs": live,
        # Each is read twice: the last second is read again, and the last minute now and then.
        "read_us_per_cdr": round(live_cpu_s / live * 1e6 * 2, 1),
        "cdrs_read_per_s": round(live / live_s),
        "cdrs_read_per_s_backwards": round(old / old_s),
    }


def _settle(conn: Connection) -> float:
    began = perf_counter()
    for number in range(SETTLED_BATCHES):
        settle_many(conn, [some_row((number * BATCH + each) % PAYERS + 1) for each in range(BATCH)])
    return perf_counter() - began


def _taken(read: Callable[[], Iterator[object]]) -> tuple[int, float, float]:
    """Calls, and the seconds that they took: on the clock, and of this process."""
    began, began_cpu = perf_counter(), process_time()
    calls = sum(len(piece) for piece in read())  # type: ignore[arg-type]
    return calls, perf_counter() - began, process_time() - began_cpu


def _resident_kb() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
