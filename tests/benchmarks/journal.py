"""Records a second that the journal keeps on disk, what that costs, and how much slower settling is with it.

Run it with `python -m tests.benchmarks.journal`.  Batches are as large as the
daemon makes them under load; each is synced.  Settling is by one connection to
an embedded Postgres that syncs its commits, once with each batch kept in the
journal first and once without, in turns.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402
from collections.abc import Callable, Sequence  # noqa: E402
from functools import partial  # noqa: E402
from pathlib import Path  # noqa: E402
from time import perf_counter  # noqa: E402
from typing import Final, TypeVar  # noqa: E402

from esl_agent.store.cdrs import CdrRow  # noqa: E402
from esl_agent.store.journal import MB, Journal, JournalLimits  # noqa: E402
from esl_agent.store.journal_records import Record, Settlement, decode, encode  # noqa: E402
from esl_agent.store.pool import Connection, connected  # noqa: E402
from esl_agent.store.settle import settle_many  # noqa: E402
from tests.benchmarks.database import place  # noqa: E402
from tests.benchmarks.settle import ACCOUNTS, furnish, hold, some_row  # noqa: E402

Result = TypeVar("Result")

#: Alone, as few calls a second leave them, and as many do.
BATCHES: Final = (1, 30, 300)
RECORDS: Final = 30_000
SETTLED_BATCH: Final = 30
SETTLED_BATCHES: Final = 200


def measure() -> dict[str, float]:
    with place() as (folder, _, url), connected(url) as conn:
        return _coding() | _keeping(folder) | _settling(conn, folder)


def _rows(count: int) -> list[CdrRow]:
    return [some_row(each % ACCOUNTS + 1) for each in range(count)]


def _coding() -> dict[str, float]:
    records: list[Record] = [Settlement(row) for row in _rows(RECORDS)]
    encoding_s, lines = _timed(lambda: [encode(record) for record in records])
    decoding_s, _ = _timed(lambda: [decode(line) for line in lines])
    return {
        "bytes_per_record": len(lines[0]),
        "encode_us_per_record": round(encoding_s / RECORDS * 1e6, 1),
        "decode_us_per_record": round(decoding_s / RECORDS * 1e6, 1),
    }


def _keeping(folder: Path) -> dict[str, float]:
    """By one after the other: the daemon keeps one batch while the next gathers."""
    lines = [encode(Settlement(row)) for row in _rows(RECORDS)]
    figures: dict[str, float] = {}
    for batch in BATCHES:
        journal = _journal(folder / f"journal {batch}")
        some = lines[: min(RECORDS, batch * 2_000)]
        took_s, _ = _timed(partial(_keep, journal, some, batch))
        figures[f"synced_records_per_s_by_{batch}"] = round(len(some) / took_s)
        figures[f"sync_us_by_{batch}"] = round(took_s / (len(some) / batch) * 1e6)
        if batch == BATCHES[-1]:
            reading_s, read = _timed(partial(journal.read, journal.begins, journal.ends, RECORDS))
            figures["read_back_records_per_s"] = round(len(read.records) / reading_s)
        journal.close(journal.ends)
    return figures


def _journal(folder: Path) -> Journal:
    journal = Journal(folder, JournalLimits(1_024 * MB, 0, 16 * MB))
    journal.open()
    return journal


def _keep(journal: Journal, lines: Sequence[bytes], batch: int) -> None:
    for start in range(0, len(lines), batch):
        journal.append(lines[start : start + batch])


def _settling(conn: Connection, folder: Path) -> dict[str, float]:
    furnish(conn)
    journal = _journal(folder / "journal")
    took_s = {"with": 0.0, "without": 0.0}
    for number in range(SETTLED_BATCHES):
        for how in took_s:
            rows = _rows(SETTLED_BATCH)
            hold(conn, rows)
            began = perf_counter()
            if how == "with":
                journal.append([encode(Settlement(row)) for row in rows])
            settle_many(conn, rows)
            took_s[how] += perf_counter() - began
        if number % 20 == 0:
            journal.upkeep(journal.ends)
    journal.close(journal.ends)
    settled = SETTLED_BATCHES * SETTLED_BATCH
    return {
        "settle_batch": SETTLED_BATCH,
        "settlements_per_s_without": round(settled / took_s["without"]),
        "settlements_per_s_with": round(settled / took_s["with"]),
        "settle_ratio": round(took_s["without"] / took_s["with"], 2),
    }


def _timed(work: Callable[[], Result]) -> tuple[float, Result]:
    began = perf_counter()
    result = work()
    return perf_counter() - began, result


if __name__ == "__main__":
    print(json.dumps(measure()))
