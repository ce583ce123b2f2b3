"""Seconds to import a deck of 200,000 rates from its CSV file, commit included, as `deck import` does it.

Run it with `python -m tests.benchmarks.deck_import`.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402
import random  # noqa: E402
from datetime import UTC, datetime  # noqa: E402
from pathlib import Path  # noqa: E402
from time import perf_counter  # noqa: E402
from typing import Final  # noqa: E402

from esl_agent.cli.deck import read_deck, write_deck  # noqa: E402
from esl_agent.store.decks import DeckImport, load_deck_history  # noqa: E402
from esl_agent.store.migrations import migrate  # noqa: E402
from esl_agent.store.pool import Connection, connected  # noqa: E402
from tests.benchmarks.database import place  # noqa: E402

ROWS: Final = 200_000
ROUNDS: Final = 3


def measure() -> dict[str, float]:
    """The best of a few imports, each a new version, and of as many loads into memory."""
    with place() as (folder, _, url), connected(url) as conn:
        file = folder / "deck.csv"
        _write(file)
        migrate(conn)
        imports = [_import(conn, file) for _ in range(ROUNDS)]
        loads = [_load(conn) for _ in range(ROUNDS)]
    return {
        "deck_rows": ROWS,
        "deck_import_200k_s": round(min(imports), 2),
        "deck_load_200k_s": round(min(loads), 2),
    }


def _import(conn: Connection, file: Path) -> float:
    began = perf_counter()
    order = DeckImport(
        deck="bench",
        rows=read_deck(file).rows,
        effective_from=datetime.now(UTC),
        currency="CAD",
        source=file.name,
        by="bench",
    )
    [version] = write_deck(conn, order)
    took = perf_counter() - began
    assert version.rates == ROWS
    return took


def _load(conn: Connection) -> float:
    began = perf_counter()
    load_deck_history(conn, "bench")
    return perf_counter() - began


def _write(file: Path) -> None:
    randomly = random.Random(20260101)
    prefixes: set[int] = set()
    while len(prefixes) < ROWS:
        prefixes.add(randomly.randrange(1, 10 ** randomly.choice((3, 5, 7, 7, 7))))
    lines = ["Prefix,Destination,Rate per minute,Increments,Connection fee"]
    for number, prefix in enumerate(sorted(prefixes, key=str)):
        rate = randomly.randrange(20, 40_000) / 100_000
        lines.append(f"{prefix},Destination {number % 2000} - mobile,{rate:.5f},6/6,0")
    file.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    print(json.dumps(measure()))
