"""Whole calls a second through agent and Postgres: placed, answered, metered, ended, CDR committed.

Run it with `python -m tests.benchmarks.whole_calls [CALLS_PER_SECOND [SECONDS]]`.  The
simulated switch and the daemon are processes of their own; Postgres is the
embedded one and syncs its commits.  Every leg that the switch had is held
against the CDRs: lost, doubled, or charged other than what it talked.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402
import os  # noqa: E402
import re  # noqa: E402
import signal  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from contextlib import ExitStack, contextmanager  # noqa: E402
from datetime import UTC, datetime  # noqa: E402
from decimal import Decimal  # noqa: E402
from pathlib import Path  # noqa: E402
from tempfile import TemporaryDirectory  # noqa: E402
from time import monotonic, sleep  # noqa: E402
from typing import Any, Final  # noqa: E402

from esl_agent.core.deck_file import parse_deck  # noqa: E402
from esl_agent.store.accounts import NewAccount, add_account, top_up  # noqa: E402
from esl_agent.store.decks import DeckImport, import_deck  # noqa: E402
from esl_agent.store.embedded import EmbeddedPostgres  # noqa: E402
from esl_agent.store.ledger import check  # noqa: E402
from esl_agent.store.migrations import migrate  # noqa: E402
from esl_agent.store.numbers import OwnedNumber, add_number  # noqa: E402
from esl_agent.store.pool import Connection, connected  # noqa: E402

CALLS_PER_SECOND: Final = 1_500
SECONDS: Final = 60
ACCOUNTS: Final = 200
TALK_MS: Final = 2_000
DECK: Final = Path(__file__).parents[2] / "demo" / "deck.csv"
FINISH_TIMEOUT_S: Final = 120
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
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="esl-agent-bench-")))
        folder.chmod(0o755)
        server = EmbeddedPostgres(folder)
        stack.callback(server.remove)
        server.start()
        url = server.ensure_database("bench")
        with connected(url) as conn:
            _furnish(conn)
            figures = _load(folder, url, calls_per_second, seconds)
            return figures | _audit(conn, folder / "truth.jsonl")


def _furnish(conn: Connection) -> None:
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


def _load(folder: Path, url: str, calls_per_second: float, seconds: float) -> dict[str, float]:
    accounts = [f"--account={account_id}" for account_id in range(1001, 1001 + ACCOUNTS)]
    simulate = [
        "simulate", "--port=0", f"--calls-per-second={calls_per_second}", f"--duration={seconds}",
        f"--talk-ms={TALK_MS}", "--talk-exactly",
        f"--truth={folder / 'truth.jsonl'}", "--failover=0.05", "--busy=0.05",
        "--cancelled=0.05", "--forwarded=0.05", *accounts,
    ]  # fmt: skip
    with _process(simulate, folder / "switch.log", {}) as switch:
        port = _port_of(folder / "switch.log", switch)
        environment = {
            "ESL_AGENT_DATABASE_URL": url,
            "ESL_AGENT_SWITCH_PORT": str(port),
            "ESL_AGENT_JOURNAL_FOLDER": str(folder / "journal"),
            "ESL_AGENT_LOG_FORMAT": "plain",
        }
        with _process(["run"], folder / "agent.log", environment) as agent:
            begun = monotonic()
            switch.wait(seconds + FINISH_TIMEOUT_S)
            took_s = monotonic() - begun
            cpu_s, memory_kb = _used(agent.pid)
            agent.send_signal(signal.SIGTERM)
            agent.wait(FINISH_TIMEOUT_S)
    words = re.findall(r"^\S+ (?:WARNING|ERROR) +(\w+)", (folder / "agent.log").read_text(), re.MULTILINE)
    return {
        "agent_cpu_share": round(cpu_s / took_s, 2),
        "agent_memory_mb": round(memory_kb / 1024),
        "agent_warnings": len(words),
        "seconds": round(took_s, 1),
    }


def _audit(conn: Connection, truth_file: Path) -> dict[str, float]:
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
def _process(
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


def _port_of(log: Path, process: subprocess.Popen[bytes]) -> int:
    until = monotonic() + 30
    while monotonic() < until and process.poll() is None:
        found = re.search(r"127\.0\.0\.1:(\d+)", log.read_text())
        if found:
            return int(found[1])
        sleep(0.05)
    raise RuntimeError(f"the simulated switch did not start: {log.read_text()}")


def _used(pid: int) -> tuple[float, int]:
    """CPU seconds and peak memory of a process that is still there."""
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    status = Path(f"/proc/{pid}/status").read_text()
    peak = re.search(r"VmHWM:\s+(\d+) kB", status)
    return (int(stat[11]) + int(stat[12])) / CLOCK_TICKS, int(peak[1]) if peak else 0


if __name__ == "__main__":
    print(json.dumps(measure(*(float(argument) for argument in sys.argv[1:3]))))
