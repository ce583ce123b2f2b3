"""What was written since the start is read once, and soon, whatever the database's clock does meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Final

from fixtures.records import NOON_US, S, a_cdr

from esl_agent.agent.database import Connects
from esl_agent.agent.traffic.feed import LOOK_BACK_EVERY_US, Tail
from esl_agent.store.cdrs import ensure_partitions, insert_cdrs, to_time
from esl_agent.store.pool import Connection

#: Less than that later it is not looked far back again.
SOON: Final = LOOK_BACK_EVERY_US - 2 * S


class One(Connects):
    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        ensure_partitions(conn, to_time(NOON_US))

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        yield self._conn

    def writes(self, leg_uuid: str, recorded_us: int) -> None:
        insert_cdrs(self._conn, [a_cdr(1001, leg_uuid, charged=Decimal("0.0125"))])
        self._conn.execute(
            "UPDATE cdrs SET recorded_at = %s WHERE leg_uuid = %s", [to_time(recorded_us), leg_uuid]
        )


def polled(tail: Tail, database: Connects, now_us: int) -> list[str]:
    return [call.leg_uuid for calls in tail.poll(database, now_us) for call in calls]


def test_with_a_row_from_the_future_those_of_the_present_come_at_the_next_look(conn: Connection) -> None:
    """However long after the last one that is."""
    database, tail = One(conn), Tail(NOON_US)
    database.writes("future", NOON_US + 600 * S)
    assert polled(tail, database, NOON_US + 61 * S) == ["future"]
    assert polled(tail, database, NOON_US + 62 * S) == []

    database.writes("present", NOON_US + 63 * S)

    assert polled(tail, database, NOON_US + 61 * S + SOON) == ["present"]
    assert polled(tail, database, NOON_US + 62 * S + SOON) == []


def test_what_is_written_after_the_clock_was_set_back_comes_at_the_next_look(conn: Connection) -> None:
    database, tail = One(conn), Tail(NOON_US)
    database.writes("before", NOON_US + 100 * S)
    assert polled(tail, database, NOON_US + 101 * S) == ["before"]

    database.writes("since", NOON_US + 62 * S)

    assert polled(tail, database, NOON_US + 62 * S) == ["since"]
    assert polled(tail, database, NOON_US + 63 * S) == []


def test_a_slice_that_was_not_taken_comes_again(conn: Connection) -> None:
    database, tail = One(conn), Tail(NOON_US)
    database.writes("leg", NOON_US + 61 * S)
    left = tail.poll(database, NOON_US + 62 * S)
    assert [call.leg_uuid for call in next(left)] == ["leg"]
    left.close()  # type: ignore[attr-defined]

    assert polled(tail, database, NOON_US + 63 * S) == ["leg"]
    assert polled(tail, database, NOON_US + 64 * S) == []
