"""Postgres stopped for a minute under calls: what is lost (nothing), and how soon the backlog is written.

Run it with `python -m tests.benchmarks.outage [SECONDS [CALLS_PER_SECOND]]`.  The
simulated switch asks the daemon about each call; Postgres is stopped a while
after the first and started again SECONDS later, with calls coming all along:
once where the operator lets calls out on the last known balance meanwhile, and
once where they are refused.  Every leg that the switch had is then held against
the CDRs.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402
import re  # noqa: E402
import signal  # noqa: E402
import sys  # noqa: E402
from contextlib import ExitStack  # noqa: E402
from dataclasses import replace  # noqa: E402
from datetime import UTC, datetime  # noqa: E402
from functools import partial  # noqa: E402
from pathlib import Path  # noqa: E402
from time import sleep  # noqa: E402
from typing import Any, Final  # noqa: E402

from esl_agent.core.admission.carriers import Carrier  # noqa: E402
from esl_agent.core.admission.limits import CallerIdPolicy  # noqa: E402
from esl_agent.core.admission.route_file import Route  # noqa: E402
from esl_agent.lab.ports import free_port  # noqa: E402
from esl_agent.store.carriers import put_carrier  # noqa: E402
from esl_agent.store.embedded import EmbeddedPostgres  # noqa: E402
from esl_agent.store.limits import change_limits  # noqa: E402
from esl_agent.store.numbers import OwnedNumber, add_number  # noqa: E402
from esl_agent.store.pool import Connection, connected  # noqa: E402
from esl_agent.store.routes import put_routes  # noqa: E402
from tests.benchmarks.database import place  # noqa: E402
from tests.benchmarks.whole_calls import ACCOUNTS, FINISH_TIMEOUT_S, audit, furnish, process, said  # noqa: E402

SECONDS: Final = 60
CALLS_PER_SECOND: Final = 100
TALK_MS: Final = 2_000
BEFORE_S: Final = 8
AFTER_S: Final = 12

AUDITED: Final = (
    "calls", "cdrs", "cdrs_lost", "cdrs_doubled", "cdrs_wrong", "uncollected", "ledger_differences",
)  # fmt: skip

#: How long after Postgres was back the last was written of what had ended by then; and how much that was.
BACKLOG: Final = """
    SELECT coalesce(extract(epoch FROM max(recorded_at) - %(back)s), 0), count(*), count(refused)
    FROM cdrs WHERE ended_at BETWEEN %(gone)s AND %(back)s
"""


def measure(seconds: float = SECONDS, calls_per_second: float = CALLS_PER_SECOND) -> dict[str, float]:
    """Figures of both policies; the targets are of the one that has more to write."""
    cached = _measure("cached", seconds, calls_per_second)
    refusing = _measure("refuse", seconds, calls_per_second)
    return {
        "outage_cdrs_lost": cached["cdrs_lost"] + refusing["cdrs_lost"],
        "outage_backlog_written_s": max(cached["backlog_written_s"], refusing["backlog_written_s"]),
        "seconds_away": seconds,
        **{f"cached_{name}": value for name, value in cached.items()},
        **{f"refuse_{name}": value for name, value in refusing.items()},
    }


def _measure(policy: str, seconds: float, calls_per_second: float) -> dict[str, float]:
    with ExitStack() as stack:
        folder, server, url = stack.enter_context(place())
        with connected(url) as conn:
            _furnish(conn)
        gone, back = _run(folder, server, url, policy, seconds, calls_per_second)
        with connected(url) as conn:
            figures = audit(conn, folder / "truth.jsonl")
            return {name: figures[name] for name in AUDITED} | _backlog(conn, gone, back) | _told(folder)


def _furnish(conn: Connection) -> None:
    """Customers who call with whatever number, and a carrier for all they call."""
    furnish(conn)
    for account_id in range(1001, 1001 + ACCOUNTS):
        number = f"1514556{account_id:04}"
        add_number(conn, OwnedNumber(number, account_id))
        replaces = {"caller_id_policy": CallerIdPolicy.REPLACE, "default_caller_id": number}
        change_limits(conn, account_id, partial(replace, **replaces))
    put_carrier(conn, Carrier(name="alpha", dial_template="sofia/gateway/alpha/{number}"))
    put_routes(conn, [Route("", "alpha", 1)])


def _run(
    folder: Path, server: EmbeddedPostgres, url: str, policy: str, seconds: float, calls_per_second: float
) -> tuple[datetime, datetime]:
    """From when to when Postgres was away."""
    door = free_port()
    accounts = [f"--account={account_id}" for account_id in range(1001, 1001 + ACCOUNTS)]
    simulate = [
        "simulate", "--port=0", f"--admission=127.0.0.1:{door}", f"--calls-per-second={calls_per_second}",
        f"--duration={BEFORE_S + seconds + AFTER_S}", f"--talk-ms={TALK_MS}", "--talk-exactly",
        f"--truth={folder / 'truth.jsonl'}", "--busy=0.05", "--cancelled=0.05", *accounts,
    ]  # fmt: skip
    with process(simulate, folder / "switch.log", {}) as switch:
        environment = {
            "ESL_AGENT_DATABASE_URL": url,
            "ESL_AGENT_SWITCH_PORT": said(folder / "switch.log", r"127\.0\.0\.1:(\d+)", switch),
            "ESL_AGENT_ADMISSION_OUTBOUND_PORT": str(door),
            "ESL_AGENT_ADMISSION_DATABASE_DOWN": policy,
            "ESL_AGENT_ADMISSION_CACHED_CALL_MAX": "0.0500",
            "ESL_AGENT_ADMISSION_CACHED_ACCOUNT_MAX": "100.0000",
            "ESL_AGENT_JOURNAL_FOLDER": str(folder / "journal"),
            "ESL_AGENT_TRAFFIC_WATCH": "false",  # these are a dialer's calls; traffic.py measures it
            "ESL_AGENT_LOG_FORMAT": "plain",
        }
        with process(["run"], folder / "agent.log", environment) as agent:
            said(folder / "switch.log", "(placing)", switch)
            sleep(BEFORE_S)
            server.stop()
            gone = datetime.now(UTC)
            sleep(seconds)
            server.start()
            back = datetime.now(UTC)
            switch.wait(AFTER_S + FINISH_TIMEOUT_S)
            said(folder / "agent.log", "(JOURNAL_REPLAYED)", agent)
            agent.send_signal(signal.SIGTERM)
            agent.wait(FINISH_TIMEOUT_S)
    return gone, back


def _backlog(conn: Connection, gone: datetime, back: datetime) -> dict[str, float]:
    row: Any = conn.execute(BACKLOG, {"gone": gone, "back": back}).fetchone()
    return {
        "backlog_written_s": round(float(row[0]), 2),
        "ended_while_away": row[1],
        "refused_while_away": row[2],
    }


def _told(folder: Path) -> dict[str, float]:
    words = re.findall(r"^\S+ (?:WARNING|ERROR) +(\w+)", (folder / "agent.log").read_text(), re.MULTILINE)
    return {"log_errors_other_than_outage": len([word for word in words if word not in EXPECTED])}


EXPECTED: Final = frozenset({"DB_DOWN", "NOTICES_LOST", "CALL_REFUSED", "SWITCH_LOST"})


if __name__ == "__main__":
    print(json.dumps(measure(*(float(argument) for argument in sys.argv[1:3]))))
