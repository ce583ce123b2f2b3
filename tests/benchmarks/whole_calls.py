"""Whole calls a second through agent and Postgres: placed, answered, metered, ended, CDR committed.

Run it with `python -m tests.benchmarks.whole_calls [CALLS_PER_SECOND [SECONDS]]`.  The
simulated switch and the daemon are processes of their own, whose CPU time is
told apart; Postgres is the embedded one and syncs its commits.  Every leg that the switch had is held
against the CDRs: lost, doubled, or charged other than what it talked.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402
import os  # noqa: E402
import re  # noqa: E402
import resource  # noqa: E402
import signal  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from contextlib import ExitStack, contextmanager  # noqa: E402
from datetime import UTC, datetime  # noqa: E402
from decimal import Decimal  # noqa: E402
from pathlib import Path  # noqa: E402
from time import monotonic, sleep  # noqa: E402
from typing import Any, Final  # noqa: E402

from esl_agent.core.deck_file import parse_deck  # noqa: E402
from esl_agent.store.accounts import NewAccount, add_account, top_up  # noqa: E402
from esl_agent.store.decks import DeckImport, import_deck  # noqa: E402
from esl_agent.store.ledger import check  # noqa: E402
from esl_agent.store.migrations import migrate  # noqa: E402
from esl_agent.store.numbers import OwnedNumber, add_number  # noqa: E402
from esl_agent.store.pool import Connection, connected  # noqa: E402
from tests.benchmarks.database import place  # noqa: E402

CALLS_PER_SECOND: Final = 1_500
SECONDS: Final = 60
ACCOUNTS: Final = 200
TALK_MS: Final = 2_000
DECK: Final = Path(__file__).parents[2] / "demo" / "deck.csv"
START_TIMEOUT_S: Final = 30
FINISH_TIMEOUT_S: Final = 180
CLOCK_TICKS: Final = os.sysconf("SC_CLK_TCK")

LAG: Final = """
    SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY lag),
           percentile_disc(0.99) WITHIN GROUP (ORDER BY lag), max(lag)
    FROM (SELECT extract(epoch FROM recorded_at - ended_at) * 1000 AS lag FROM cdrs) AS lags
"""

#: Calls written a second, without the first and the last seconds.
RAMP_S: Final = 4
STEADY: Final = """
    WITH span AS (
        SELECT min(recorded_at) + make_interval(secs => %s) AS since,
               max(recorded_at) - make_interval(secs => %s) AS until
        FROM cdrs
    )
    SELECT count(DISTINCT other_leg_uuid) / extract(epoch FROM until - since)
    FROM cdrs, span WHERE recorded_at BETWEEN since AND until GROUP BY since, until
"""


def measure(calls_per_second: float = CALLS_PER_SECOND, seconds: float = SECONDS) -> dict[str, float]:
    """What was reached, and what every leg's record says."""
    with ExitStack() as stack:
        folder, _, url = stack.enter_context(place())
        with connected(url) as conn:
            furnish(conn)
            return _load(folder, url, calls_per_second, seconds, conn)


def furnish(conn: Connection) -> None:
    migrate(conn)
    rows = parse_deck(DECK.read_text(encoding="utf-8").splitlines()).rows
    began = datetime(2020, 1, 1, tzinfo=UTC)
    import_deck(
        conn,
        DeckImport(
            deck="standard", rows=rows, effective_from=began, currency="CAD", source=DECK.name, by="bench"
        ),
    )
    for account_id in range(1001, 1001 + ACCOUNTS):
        new = NewAccount(account_id=account_id, name="", plan="standard", by="bench", terms_version="1")
        add_account(conn, new)
        top_up(conn, account_id, Decimal(1_000_000), "bench")
    add_number(conn, OwnedNumber("15145550199", 1001))


def _load(
    folder: Path, url: str, calls_per_second: float, seconds: float, conn: Connection
) -> dict[str, float]:
    accounts = [f"--account={account_id}" for account_id in range(1001, 1001 + ACCOUNTS)]
    simulate = [
        "simulate", "--port=0", f"--calls-per-second={calls_per_second}", f"--duration={seconds}",
        f"--talk-ms={TALK_MS}", "--talk-exactly",
        f"--truth={folder / 'truth.jsonl'}", "--failover=0.05", "--busy=0.05",
        "--cancelled=0.05", "--forwarded=0.05", *accounts,
    ]  # fmt: skip
    switch_log = folder / "switch.log"
    with process(simulate, switch_log, {}) as switch:
        environment = {
            "ESL_AGENT_DATABASE_URL": url,
            "ESL_AGENT_SWITCH_PORT": said(switch_log, r"127\.0\.0\.1:(\d+)", switch),
            "ESL_AGENT_JOURNAL_FOLDER": str(folder / "journal"),
            "ESL_AGENT_TRAFFIC_WATCH": "false",  # these are a dialer's calls; traffic.py measures it
            "ESL_AGENT_LOG_FORMAT": "plain",
        }
        with process(["run"], folder / "agent.log", environment) as agent:
            said(switch_log, "(placing)", switch)
            pids = {"agent": [agent.pid], "switch": [switch.pid], "postgres": _postgres_pids(conn)}
            before_s = {name: sum(map(_cpu_s, those)) for name, those in pids.items()}
            ended_s, began = _ended_cpu_s(), monotonic()
            switch.wait(seconds + FINISH_TIMEOUT_S)
            took_s = monotonic() - began
            pids["postgres"] = _postgres_pids(conn)
            used_s = {name: sum(map(_cpu_s, those)) - before_s[name] for name, those in pids.items()}
            used_s["switch"] += _ended_cpu_s() - ended_s
            memory_mb = _peak_memory_mb(agent.pid)
            agent.send_signal(signal.SIGTERM)
            agent.wait(FINISH_TIMEOUT_S)
    words = re.findall(r"^\S+ (?:WARNING|ERROR) +(\w+)", (folder / "agent.log").read_text(), re.MULTILINE)
    figures = audit(conn, folder / "truth.jsonl")
    per_call = {f"{name}_cpu_us_per_call": round(s * 1e6 / figures["calls"]) for name, s in used_s.items()}
    return {
        **figures,
        **per_call,
        "agent_cpu_share": round(used_s["agent"] / took_s, 2),
        "agent_memory_mb": memory_mb,
        "agent_warnings": len(words),
        "seconds": round(took_s, 1),
    }


def audit(conn: Connection, truth_file: Path) -> dict[str, float]:
    """Hold the CDRs against what the switch knows of its legs."""
    truth = [json.loads(line) for line in truth_file.read_text().splitlines()]
    billed = {leg["uuid"]: leg for leg in truth if leg["is_outbound"] and leg["account"]}
    rows: Any = conn.execute(
        "SELECT leg_uuid, duration_us, charged, uncollected FROM cdrs WHERE product <> 'inbound'"
    )
    cdrs: dict[str, int] = {}
    doubled = 0
    for leg_uuid, duration_us, _charged, _uncollected in rows:
        doubled += leg_uuid in cdrs
        cdrs[leg_uuid] = duration_us
    wrong = sum(cdrs[uuid] != _talk_us(leg) for uuid, leg in billed.items() if uuid in cdrs)
    steady: Any = conn.execute(STEADY, [RAMP_S, RAMP_S]).fetchone()
    calls: Any = conn.execute("SELECT count(DISTINCT other_leg_uuid) FROM cdrs").fetchone()
    lag: Any = conn.execute(LAG).fetchone()
    sums: Any = conn.execute("SELECT sum(uncollected) FROM cdrs").fetchone()
    return {
        "calls": calls[0],
        "whole_calls_per_s": round(float(steady[0] or 0)),
        "cdrs": len(cdrs),
        "cdrs_lost": len(billed.keys() - cdrs.keys()),
        "cdrs_doubled": doubled,
        "cdrs_wrong": wrong,
        "cdr_lag_p50_ms": round(float(lag[0])),
        "cdr_lag_p99_ms": round(float(lag[1])),
        "cdr_lag_max_ms": round(float(lag[2])),
        "uncollected": float(sums[0]),
        "ledger_differences": len(check(conn)),
    }


def _talk_us(leg: dict[str, Any]) -> int:
    return leg["ended_us"] - leg["answered_us"] if leg["answered_us"] else 0


@contextmanager
def process(
    arguments: list[str], log: Path, environment: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "esl_agent", *arguments],
            stdout=output, stderr=subprocess.STDOUT, env=os.environ | environment,
        )  # fmt: skip
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def said(log: Path, pattern: str, process: subprocess.Popen[bytes]) -> str:
    """What the group in `pattern` stands for, as soon as the process has said it."""
    until = monotonic() + START_TIMEOUT_S
    while monotonic() < until and process.poll() is None:
        found = re.search(pattern, log.read_text())
        if found:
            return found[1]
        sleep(0.05)
    raise RuntimeError(f"it did not say {pattern!r}: {log.read_text()}")


def _postgres_pids(conn: Connection) -> list[int]:
    """The server and those that work for it now."""
    [(folder,)] = conn.execute("SHOW data_directory")
    server = (Path(folder) / "postmaster.pid").read_text().split()[0]
    children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
    return [int(server), *map(int, children)]


def _cpu_s(pid: int) -> float:
    """CPU seconds of a process and of those children of it that have ended; 0 where it has ended itself."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return 0.0
    return sum(map(int, fields[11:15])) / CLOCK_TICKS


def _ended_cpu_s() -> float:
    """CPU seconds of our own processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _peak_memory_mb(pid: int) -> int:
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(peak[1]) // 1024 if peak else 0


if __name__ == "__main__":
    print(json.dumps(measure(*(float(argument) for argument in sys.argv[1:3]))))
