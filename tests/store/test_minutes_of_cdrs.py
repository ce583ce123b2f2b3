"""What the CDRs tell of each minute."""

from __future__ import annotations

from decimal import Decimal

from fixtures.records import NOON_US, a_cdr

from esl_agent.store.cdrs import ensure_partitions, insert_cdrs, to_time
from esl_agent.store.minutes import CountedMinute, count_minutes
from esl_agent.store.pool import Connection

MINUTE_US = 60_000_000


def test_calls_are_counted_in_the_minute_when_they_began(conn: Connection) -> None:
    ensure_partitions(conn, to_time(NOON_US))
    cost = Decimal("0.0125")
    insert_cdrs(
        conn,
        [
            a_cdr(1001, "one", charged=cost),
            a_cdr(
                1002, "two", charged=cost, created_us=NOON_US + MINUTE_US - 1, hangup_cause="ALLOTTED_TIMEOUT"
            ),
            a_cdr(1001, "rang", "0", answered_us=None, created_us=NOON_US + 1),
            a_cdr(1001, "refused", "0", answered_us=None, refused="no_funds"),
            a_cdr(1001, "later", charged=cost, created_us=NOON_US + MINUTE_US),
            a_cdr(1001, "too late", charged=cost, created_us=NOON_US + 2 * MINUTE_US),
        ],
    )
    counted = sorted(
        count_minutes(conn, NOON_US, NOON_US + 2 * MINUTE_US),
        key=lambda each: (each.begins_us, each.refused or ""),
    )
    assert counted == [
        CountedMinute(NOON_US, None, "CAD", 3, 2, 1, 2 * cost),
        CountedMinute(NOON_US, "no_funds", "CAD", 1, 0, 0, Decimal("0.0000")),
        CountedMinute(NOON_US + MINUTE_US, None, "CAD", 1, 1, 0, cost),
    ]
