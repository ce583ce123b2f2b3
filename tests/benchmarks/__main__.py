"""`make bench`: every figure, as a table, and kept in results.json and RESULTS.md.

    python -m tests.benchmarks [NAME …]

runs all benchmarks, or those named; figures of others stay as they were.  Each
runs in a process of its own, so that none warms or burdens the next.
"""

from __future__ import annotations

import json
import platform
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

HERE: Final = Path(__file__).parent
RESULTS: Final = HERE / "results.json"
REPORT: Final = HERE / "RESULTS.md"
TIMEOUT_S: Final = 900

#: In this order: the quick ones first.
BENCHMARKS: Final = (
    *("events", "metrics", "rating", "deck_import", "cdr_files", "settle", "journal", "admission", "api"),
    *("cuts", "traffic", "takeover", "whole_calls", "outage", "live_calls"),
)
#: What the project aims at: figure, target, whether more is better.
TARGETS: Final[dict[str, tuple[float, bool]]] = {
    "events_ratio_vs_greenswitch": (15, True),
    "ratings_per_s": (300_000, True),
    "deck_import_200k_s": (3, False),
    "whole_calls_per_s": (1_500, True),
    "cdr_lag_p99_ms": (250, False),
    "cdrs_lost": (0, False),
    "outage_cdrs_lost": (0, False),
    "outage_backlog_written_s": (10, False),
    "admission_p99_ms": (5, False),
    "cut_late": (0, False),
    "cut_early_p99_ms": (100, False),
    "overspend": (0, False),
    "takeover_max_s": (3, False),
    "bytes_per_live_call": (4_096, False),
    "agent_cpu_percent_at_100_cps": (10, False),
    "traffic_cpu_percent_at_1000_cps": (15, False),
    "traffic_bytes_per_busy_account": (32_768, False),
}


def main() -> None:
    results: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    console = Console(highlight=False)
    for name in sys.argv[1:] or BENCHMARKS:
        console.print(f"[bold]{name}[/] …")
        figures = _run(name)
        results |= {key: value for key, value in figures.items() if key in TARGETS}
        results.setdefault("details", {})[name] = figures
        results["machine"] = _machine()
        RESULTS.write_text(json.dumps(results, indent=2, sort_keys=True) + "\n")
    console.print(_table(results))
    REPORT.write_text(_report(results))


def _run(name: str) -> dict[str, Any]:
    code = f"import json; from tests.benchmarks.{name} import measure; print(json.dumps(measure()))"
    done = subprocess.run(
        [sys.executable, "-c", f"from gevent import monkey; monkey.patch_all()\n{code}"],
        cwd=HERE.parents[1], capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"the benchmark {name} failed:\n{done.stderr}")
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def _machine() -> dict[str, str]:
    cpuinfo = Path("/proc/cpuinfo").read_text()
    named = re.search(r"^model name\s*: (.+)$", cpuinfo, re.MULTILINE)
    return {
        "cores": str(cpuinfo.count("processor\t")),
        "cpu": named[1] if named else platform.machine(),
        "python": platform.python_version(),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
    }


def _verdict(name: str, value: float) -> str:
    target, more_is_better = TARGETS[name]
    is_met = value >= target if more_is_better else value <= target
    sign = "at least" if more_is_better else "at most"
    return f"{sign} {target:,g}: {'reached' if is_met else 'missed'}"


def _rows(results: dict[str, Any]) -> list[tuple[str, str, str]]:
    aimed_at = [(key, f"{results[key]:,}", _verdict(key, results[key])) for key in TARGETS if key in results]
    others = [
        (f"{name}: {key}", f"{value:,}", "")
        for name, figures in sorted(results["details"].items())
        for key, value in figures.items()
        if key not in TARGETS
    ]
    return aimed_at + others


def _table(results: dict[str, Any]) -> Table:
    table = Table("figure", "measured", "target")
    for row in _rows(results):
        table.add_row(*row)
    return table


def _report(results: dict[str, Any]) -> str:
    machine = results["machine"]
    lines = [
        "# What was measured",
        "",
        f"`make bench` on {machine['date']}: {machine['cores']} cores ({machine['cpu']}),",
        f"Python {machine['python']}; agent, Postgres and load share them.",
        "Ratios hold elsewhere, absolute figures do not.",
        "",
        "| figure | measured | target |",
        "|---|---:|---|",
        *(f"| `{name}` | {value} | {verdict} |" for name, value, verdict in _rows(results)),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
