"""What it costs to go through the switch's CDR files, at 100 calls a second and when many wait.

Run it with `python -m tests.benchmarks.cdr_files`.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402
import os  # noqa: E402
import time  # noqa: E402
from decimal import Decimal  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any, Final  # noqa: E402

from gevent.event import Event  # noqa: E402

from esl_agent.agent.admission.rehearsal import OneConnection  # noqa: E402
from esl_agent.agent.book import Book  # noqa: E402
from esl_agent.agent.database import Database  # noqa: E402
from esl_agent.agent.files.cdr_folder import ThreadedCdrFolder  # noqa: E402
from esl_agent.agent.files.cdr_sweeper import CdrSweeper  # noqa: E402
from esl_agent.agent.files.reconciliation import Reconciler  # noqa: E402
from esl_agent.agent.pricing import Pricing  # noqa: E402
from esl_agent.config import CdrFilesConfig, Config, numbering_of, parse  # noqa: E402
from esl_agent.simulator.config import SimulatorConfig  # noqa: E402
from esl_agent.simulator.core import Core  # noqa: E402
from esl_agent.simulator.plan import CallPlan  # noqa: E402
from esl_agent.store.accounts import NewAccount, add_account, top_up  # noqa: E402
from esl_agent.store.migrations import migrate  # noqa: E402
from esl_agent.store.pool import connected, open_pool  # noqa: E402
from tests.benchmarks.database import place  # noqa: E402

CALLS_PER_S: Final = 100
NOW_US: Final = 1_795_400_040_000_000
#: Calls whose files are there: those of a pass, and those that are too young for it.
SECTION: Final = CdrFilesConfig()
CALLS: Final = CALLS_PER_S * (SECTION.every_s + SECTION.settle_after_s)
DECK: Final = """
    WITH made AS (
        INSERT INTO deck_versions (deck, version, currency, effective_from, rates, source, imported_by)
        VALUES ('standard', 1, 'CAD', '2020-01-01', 1, 'benchmark', 'benchmark') RETURNING deck_version_id
    )
    INSERT INTO rates (deck_version_id, prefix, destination, rate_per_minute, connection_fee)
    SELECT deck_version_id, '44', 'United Kingdom', 0.0125, 0 FROM made
"""


class NoDesk:
    """Nothing is live."""

    live: Final[dict[str, object]] = {}

    def leg_ended(self, *told: object) -> None:
        pass


def measure() -> dict[str, float]:
    """CPU of one pass at 100 calls a second, and files a second where legs are settled from them."""
    with place() as (folder, _, url):
        files = folder / "json_cdr"
        config = parse({"cdr_files": {"folder": str(files)}}, {}, source="the benchmark")
        _write(files)
        settle_s = _settle(url, config)
        sweep_s, sweep_cpu_s = _sweep(url, config)
    swept = 2 * CALLS_PER_S * SECTION.every_s
    return {
        "cdr_files_settled_per_s": round(2 * CALLS / settle_s),
        "cdr_files_swept_per_s": round(swept / sweep_s),
        "cdr_sweep_cpu_percent_at_100_cps": round(100 * sweep_cpu_s / SECTION.every_s, 2),
    }


def _write(folder: Path) -> None:
    core = Core(SimulatorConfig(cdr_dir=folder, heartbeat_s=0), NOW_US)
    for _ in range(CALLS):
        core.place(CallPlan(number="442079460000", ring_ms=20, talk_ms=1_000))
        core.advance(core.now_us + 1_000_000 // CALLS_PER_S)
    core.advance(core.now_us + 10_000_000)
    _date(folder, old_calls=CALLS)


def _date(folder: Path, old_calls: int) -> None:
    """The files of so many calls are old, the others new."""
    names = sorted(os.listdir(folder), key=lambda name: name.removeprefix("a_"))
    then = time.time() - 2 * SECTION.settle_after_s
    for number, name in enumerate(names):
        os.utime(folder / name, (then, then) if number < 2 * old_calls else None)


def _settle(url: str, config: Config) -> float:
    """Seconds to settle every leg from its file, as `esl-agent reconcile` does."""
    with connected(url) as conn:
        migrate(conn)
        conn.execute(DECK)
        new = NewAccount(account_id=1001, name="", plan="standard", by="benchmark", terms_version="1")
        add_account(conn, new)
        top_up(conn, 1001, Decimal("1000.0000"), "first")
        began = time.perf_counter()
        report = Reconciler(
            conn, OneConnection(conn), ThreadedCdrFolder.of(config), config, is_dry=False
        ).run(None)
        took = time.perf_counter() - began
    assert len(report.owed) == CALLS, report
    assert not any(leg.uncollected for leg in report.owed)
    return took


def _sweep(url: str, config: Config) -> tuple[float, float]:
    """Seconds, and seconds of this process's CPU, of a pass in which every leg is settled already."""
    folder = ThreadedCdrFolder.of(config)
    assert folder.folder is not None
    _date(folder.folder, old_calls=CALLS_PER_S * SECTION.every_s)

    def log(word: str, **fields: Any) -> None:
        raise AssertionError(word, fields)

    with open_pool(url, 2) as pool:
        database = Database(pool, url, log)
        pricing = Pricing(Book(numbering_of(config), database))
        pricing.book.load()
        sweeper = CdrSweeper(
            SECTION, folder, pricing=pricing, desk=NoDesk(), database=database, unsettled=lambda: 0, log=log
        )  # type: ignore[arg-type]
        began, began_cpu = time.perf_counter(), time.process_time()
        sweeper.sweep(Event())
        took = time.perf_counter() - began, time.process_time() - began_cpu
    assert len(os.listdir(folder.folder)) == 2 * CALLS_PER_S * SECTION.settle_after_s
    return took


if __name__ == "__main__":
    print(json.dumps(measure()))
