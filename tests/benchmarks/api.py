"""How long the HTTP API takes over lists while calls are up and others ask, and what that costs these.

Run it with `python -m tests.benchmarks.api [LIVE_CALLS [SECONDS]]`.  The same calls
ask for admission with nobody at the API, and then with a client, a process of
its own, that reads a page of live calls and a page of CDRs in turn.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
from contextlib import ExitStack  # noqa: E402
from datetime import UTC, datetime, timedelta  # noqa: E402
from http.client import HTTPConnection  # noqa: E402
from time import monotonic, sleep  # noqa: E402
from typing import Any, Final  # noqa: E402

import gevent  # noqa: E402

from esl_agent.lab.ports import free_port  # noqa: E402
from esl_agent.store.pool import Connection, connected  # noqa: E402
from tests.benchmarks.admission import (  # noqa: E402
    ACCOUNTS,
    WARM_UP_S,
    ask,
    daemon,
    furnish,
    line_of,
    percentile,
    process,
)
from tests.benchmarks.database import place  # noqa: E402

LIVE_CALLS: Final = 5_000
CALLS_PER_SECOND: Final = 200
SECONDS: Final = 15
CDRS: Final = 200_000
REQUESTS_PER_SECOND: Final = 20
UP_TIMEOUT_S: Final = 60.0
#: What is read in turn.
LISTS: Final = {
    "live_calls": "/api/v1/live-calls?limit=200",
    "cdrs": "/api/v1/cdrs?account_id={account}&limit=50",
}


def measure(live_calls: int = LIVE_CALLS, seconds: float = SECONDS) -> dict[str, float]:
    with ExitStack() as stack:
        folder, _, url = stack.enter_context(place())
        conn = stack.enter_context(connected(url))
        furnish(conn)
        _write_cdrs(conn)
        switch = stack.enter_context(process([sys.executable, "-m", "tests.benchmarks.asking_switch"]))
        web_port = free_port()
        os.environ |= {"ESL_AGENT_WEB_PORT": str(web_port), "ESL_AGENT_WEB_REQUESTS_PER_SECOND": "1000"}
        port = stack.enter_context(daemon(folder, url, int(line_of(switch))))
        ask(switch, {"accounts": ACCOUNTS, "up": live_calls})
        _wait_up(conn, live_calls)
        order = {"port": port, "accounts": ACCOUNTS, "calls_per_second": CALLS_PER_SECOND}
        ask(switch, order | {"seconds": WARM_UP_S})
        quiet = ask(switch, order | {"seconds": seconds})
        client = [sys.executable, "-m", "tests.benchmarks.api", "client", str(web_port)]
        with process(client) as reading:
            asked = ask(switch, order | {"seconds": seconds})
            if reading.stdin is None:
                raise RuntimeError("the client hears nothing")
            reading.stdin.close()
            read = json.loads(line_of(reading))
    return {
        "api_live_calls": live_calls,
        "api_cdrs": CDRS,
        "api_requests_per_s": round(sum(map(len, read.values())) / seconds, 1),
        **{f"api_{name}_p50_ms": percentile(read[name], 50) for name in LISTS},
        **{f"api_{name}_p99_ms": percentile(read[name], 99) for name in LISTS},
        "api_admission_p99_ms_without": percentile(quiet["took_ms"], 99),
        "api_admission_p99_ms_with": percentile(asked["took_ms"], 99),
        "api_admission_p99_ratio": round(
            percentile(asked["took_ms"], 99) / percentile(quiet["took_ms"], 99), 2
        ),
    }


def _write_cdrs(conn: Connection) -> None:
    """Of the last month, evenly over the accounts; made in the database, for it is quick there."""
    now = datetime.now(UTC)
    for months_ago in (now - timedelta(days=31), now):
        conn.execute("SELECT make_cdr_partitions(%s, 2)", [months_ago])
    conn.execute(
        "INSERT INTO cdrs (account_id, created_at, leg_uuid, product, caller, dialled, number, number_class,"
        " country, deck, deck_version, prefix, destination, rate_per_minute, minimum_s, step_s,"
        " connection_fee, forwarding_rate_per_minute, grace_ms, is_free, answered_at, ended_at, duration_us,"
        " billed_seconds, lines, total, charged, uncollected, currency, hangup_cause, ended_by, source)"
        " SELECT 1001 + n %% 200, at, 'leg ' || n, 'termination', '15145550100', '442079460000',"
        " '442079460000', 'world', 'GB', 'standard', 1, '44', 'United Kingdom', 0.0125, 6, 6, 0, 0, 0, false,"
        " at, at + interval '60 s', 60000000, 60,"
        ' \'[{"kind": "usage", "rate_per_minute": "0.0125", "amount": "0.0125"}]\', 0.0125, 0.0125, 0,'
        " 'CAD', 'NORMAL_CLEARING', 'caller', 'live'"
        " FROM generate_series(1, %s) AS n,"
        " LATERAL (SELECT now() - interval '30 days' * n / %s) AS placed (at)",
        [CDRS, CDRS],
    )
    conn.execute("ANALYZE cdrs")


def _wait_up(conn: Connection, live_calls: int) -> None:
    until = monotonic() + UP_TIMEOUT_S
    while True:
        row: Any = conn.execute("SELECT sum(calls_up)::int FROM accounts").fetchone()
        if row[0] >= live_calls:
            return
        if monotonic() > until:
            raise TimeoutError(f"{row[0]} of {live_calls} calls are up")
        sleep(0.2)


def read_on(port: int) -> dict[str, list[float]]:
    """Read one list after the other until standard input ends; milliseconds from connect to the end."""
    took_ms: dict[str, list[float]] = {name: [] for name in LISTS}
    is_over = gevent.spawn(gevent.get_hub().threadpool.apply, sys.stdin.read)
    due_s, number = monotonic(), 0
    while not is_over.ready():
        name = tuple(LISTS)[number % len(LISTS)]
        account_id, _ = ACCOUNTS[number % len(ACCOUNTS)]
        begun_s = monotonic()
        connection = HTTPConnection("127.0.0.1", port)
        connection.request("GET", LISTS[name].format(account=account_id))
        answer = connection.getresponse()
        if answer.status != 200 or not answer.read():
            raise RuntimeError(f"{name}: {answer.status}")
        connection.close()
        took_ms[name].append((monotonic() - begun_s) * 1_000)
        number += 1
        due_s += 1 / REQUESTS_PER_SECOND
        gevent.sleep(max(due_s - monotonic(), 0))
    return took_ms


if __name__ == "__main__":
    if sys.argv[1:2] == ["client"]:
        print(json.dumps(read_on(int(sys.argv[2]))))
    else:
        print(json.dumps(measure(*(int(argument) for argument in sys.argv[1:3]))))
