"""Many calls that are up at once: memory and CPU of the daemon, and extensions a second to Postgres.

Run it with `python -m tests.benchmarks.live_calls [CALLS [CALLS_PER_SECOND]]`.  The
calls talk on; each has its hold extended once a grant.  What is measured is a
window in which none begins and none ends.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402
import sys  # noqa: E402
from contextlib import ExitStack  # noqa: E402
from pathlib import Path  # noqa: E402
from time import monotonic, sleep  # noqa: E402
from typing import Any, Final  # noqa: E402

from esl_agent.store.pool import Connection, connected  # noqa: E402
from tests.benchmarks.database import place  # noqa: E402
from tests.benchmarks.whole_calls import ACCOUNTS, _cpu_s, furnish, process, said  # noqa: E402

CALLS: Final = 10_000
CALLS_PER_SECOND: Final = 400
#: A grant is 60 s: then the first calls ask for the next, and a window of a grant sees each ask once.
STEADY_AFTER_S: Final = 40.0
WINDOW_S: Final = 60.0
UP_TIMEOUT_S: Final = 300.0
#: Longer than the whole run: nobody hangs up.
TALK_MS: Final = 900_000


def measure(calls: int = CALLS, calls_per_second: float = CALLS_PER_SECOND) -> dict[str, float]:
    """The figures of `calls` that are up at once."""
    with ExitStack() as stack:
        folder, _, url = stack.enter_context(place())
        conn = stack.enter_context(connected(url))
        furnish(conn)
        accounts = [f"--account={account_id}" for account_id in range(1001, 1001 + ACCOUNTS)]
        simulate = ["simulate", "--port=0", f"--calls-per-second={calls_per_second}", f"--calls={calls}",
                    f"--talk-ms={TALK_MS}", "--talk-exactly", "--to=442079460000", *accounts]  # fmt: skip
        switch = stack.enter_context(process(simulate, folder / "switch.log", {}))
        environment = {
            "ESL_AGENT_DATABASE_URL": url,
            "ESL_AGENT_SWITCH_PORT": said(folder / "switch.log", r"127\.0\.0\.1:(\d+)", switch),
            "ESL_AGENT_LOG_FORMAT": "plain",
            "ESL_AGENT_LOG_LEVEL": "warning",
            "ESL_AGENT_JOURNAL_FOLDER": str(folder / "journal"),
            "ESL_AGENT_TRAFFIC_WATCH": "false",  # these are a dialer's calls; traffic.py measures it
            "ESL_AGENT_ADMISSION_OUTBOUND_PORT": "0",
            "ESL_AGENT_ADMISSION_LOCAL_SOCKET": "",
        }
        agent = stack.enter_context(process(["run"], folder / "agent.log", environment))
        idle_kb = _memory_kb(agent.pid)
        _wait_up(conn, calls)
        sleep(STEADY_AFTER_S)
        return _window(conn, agent.pid, calls, idle_kb)


def _wait_up(conn: Connection, calls: int) -> None:
    until = monotonic() + UP_TIMEOUT_S
    while _up(conn) < calls:
        if monotonic() > until:
            raise TimeoutError(f"{_up(conn)} of {calls} calls are up")
        sleep(1)


def _window(conn: Connection, pid: int, calls: int, idle_kb: int) -> dict[str, float]:
    up, extended = _up(conn), _extended(conn)
    begun, cpu_s = monotonic(), _cpu_s(pid)
    sleep(WINDOW_S)
    took_s, used_s = monotonic() - begun, _cpu_s(pid) - cpu_s
    extensions = _extended(conn) - extended
    if _up(conn) != up:
        raise RuntimeError(f"{up} calls were up, and {_up(conn)} at the end")
    return {
        "live_calls": calls,
        "live_agent_cpu_percent": round(100 * used_s / took_s, 1),
        "live_agent_bytes_per_call": round((_memory_kb(pid) - idle_kb) * 1024 / calls),
        "live_extensions_per_s": round(extensions / took_s, 1),
    }


def _up(conn: Connection) -> int:
    row: Any = conn.execute("SELECT sum(calls_up)::int FROM accounts").fetchone()
    return int(row[0])


def _extended(conn: Connection) -> int:
    """Every extension writes its reservation's row."""
    row: Any = conn.execute(
        "SELECT n_tup_upd FROM pg_stat_user_tables WHERE relname = 'reservations'"
    ).fetchone()
    return int(row[0])


def _memory_kb(pid: int) -> int:
    [line] = [text for text in Path(f"/proc/{pid}/status").read_text().splitlines() if "VmRSS" in text]
    return int(line.split()[1])


if __name__ == "__main__":
    print(json.dumps(measure(*(int(argument) for argument in sys.argv[1:3]))))
