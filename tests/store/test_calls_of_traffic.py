"""CDRs are read in order, page by page, each once, and by an index even where the planner knows nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from fixtures.records import NOON_US, S, a_cdr
from psycopg import sql

from esl_agent.core.traffic.call import CdrFacts
from esl_agent.store import traffic_calls as store
from esl_agent.store.cdrs import ensure_partitions, insert_cdrs, to_time
from esl_agent.store.pool import Connection

NOON: Final = to_time(NOON_US)
BEFORE: Final = NOON - timedelta(days=31)
COUNT: Final = 40
PAGE: Final = 7


@pytest.fixture(autouse=True)
def month(conn: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls of two accounts, four a second, which were written a minute later."""
    monkeypatch.setattr(store, "PAGE_ROWS", PAGE)
    ensure_partitions(conn, datetime(2026, 2, 1, tzinfo=UTC))
    rows = [
        a_cdr(
            1001 + n % 2, f"leg-{n:02}", usage="0", created_us=NOON_US + n // 4 * S, ended_us=NOON_US + 60 * S
        )
        for n in range(COUNT)
    ]
    insert_cdrs(conn, rows)
    conn.execute("UPDATE cdrs SET recorded_at = created_at + interval '1 minute'")


def legs(page: store.Rows) -> list[CdrFacts]:
    return [facts for rows in page.slices() for facts in rows]


def test_as_they_were_written(conn: Connection) -> None:
    found: list[CdrFacts] = []
    recorded_us, leg_uuid = 0, ""
    while True:
        page = store.recorded_after(conn, recorded_us, leg_uuid, 0)
        found += legs(page)
        if not page.is_full:
            break
        recorded_us, leg_uuid = found[-1].recorded_us, found[-1].leg_uuid
    assert [facts.leg_uuid for facts in found] == [f"leg-{n:02}" for n in range(COUNT)]


def test_backwards_but_for_those_that_were_written_since(conn: Connection) -> None:
    found: list[CdrFacts] = []
    place = store.LAST
    while True:
        page = store.before(conn, place, 0, NOON_US + 65 * S)
        found += legs(page)
        if not page.is_full:
            break
        place = store.place_of(found[-1])
    assert sorted(facts.leg_uuid for facts in found) == [f"leg-{n:02}" for n in range(20)]
    assert [store.place_of(facts) for facts in found] == sorted(map(store.place_of, found), reverse=True)


def test_in_the_order_of_their_beginning(conn: Connection) -> None:
    found = list(store.in_order(conn, NOON_US, NOON_US + 5 * S))
    assert [store.place_of(facts) for facts in found] == sorted(map(store.place_of, found))
    assert len(found) == 20
    assert {facts.account_id for facts in store.in_order(conn, 0, NOON_US + 60 * S, 1002)} == {1002}


@pytest.mark.parametrize(
    ("query", "values"),
    [
        (store._RECORDED, [BEFORE, NOON, NOON, "", PAGE]),
        (store._BEFORE, [BEFORE, NOON, NOON, 1001, "", NOON, PAGE]),
        (store._SINCE, [BEFORE, NOON, BEFORE, 1001, "", None, None, PAGE]),
        (store._OF_ACCOUNT, [1001, BEFORE, PAGE]),
    ],
    ids=["written", "backwards", "in order", "of an account"],
)
def test_no_page_reads_or_sorts_a_whole_month(
    conn: Connection, query: sql.Composed, values: list[object]
) -> None:
    with conn.transaction():
        conn.execute(store._BY_INDEX)
        plan = "\n".join(row[0] for row in conn.execute(sql.SQL("EXPLAIN ") + query, values))
    assert "Seq Scan" not in plan
    assert "Bitmap" not in plan
    assert "->  Sort" not in plan
    assert not plan.startswith("Sort")
