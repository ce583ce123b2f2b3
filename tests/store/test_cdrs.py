"""A CDR comes back as it went in, finds its month, and is listed in the order of time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from fixtures.records import NOON_US, S, a_cdr, a_charge, a_price

from esl_agent.core.leg import Quality
from esl_agent.core.price import UNPRICED, LineKind
from esl_agent.store.cdrs import (
    COLUMNS,
    PARTITION_MONTHS_AHEAD,
    CdrFilter,
    CdrRow,
    Source,
    ensure_partitions,
    insert_cdrs,
    iterate_cdrs,
    newest_cdrs,
    to_time,
    to_us,
)
from esl_agent.store.embedded import EmbeddedPostgres
from esl_agent.store.migrations import migrate
from esl_agent.store.pool import Connection, connected

EVERYTHING = CdrFilter()
DAY_US = 86_400 * S


def stored(conn: Connection, row: CdrRow) -> CdrRow:
    insert_cdrs(conn, [row])
    [back] = newest_cdrs(conn, EVERYTHING, 10)
    return back


def legs(rows: list[CdrRow]) -> list[str]:
    return [row.leg_uuid for row in rows]


def test_every_field_comes_back_exactly(conn: Connection) -> None:
    charge = a_charge(
        {LineKind.USAGE: "0.0125", LineKind.FORWARDING: "0.0150", LineKind.PAYPHONE: "0.2500"},
        billed_seconds=60,
    )
    row = a_cdr(
        1001,
        "leg",
        product="forwarding",
        forwarded_from="15145550199",
        price=a_price(
            forwarding_rate_per_minute=Decimal("0.015000"), grace_ms=20, payphone_surcharge=Decimal("0.2500")
        ),
        charge=charge,
        charged=Decimal("0.2775"),
        created_us=NOON_US + 1,
        answered_us=NOON_US + 999_999,
        recording="/recordings/leg.wav",
        source=Source.SWITCH_FILE,
        rule="payphone",
        tags=("payphone", "emergency"),
    )

    assert stored(conn, row) == row


def test_a_refused_call_has_a_row_with_the_reason_and_no_charge(conn: Connection) -> None:
    refused = a_cdr(
        0,
        "never made",
        price=UNPRICED,
        charge=a_charge({}, billed_seconds=0),
        answered_us=None,
        duration_us=0,
        refused="unknown_account",
        carrier=None,
        quality=Quality(None, None, None),
        sip_code=None,
    )

    assert stored(conn, refused) == refused


def test_writing_a_refused_call_again_changes_nothing(conn: Connection) -> None:
    row = a_cdr(1001, "leg", refused="no_funds", usage="0.0000")
    insert_cdrs(conn, [row])
    insert_cdrs(conn, [replace(row, refused="another_reason"), a_cdr(1001, "other", "0.0000")])

    assert {row.leg_uuid: row.refused for row in iterate_cdrs(conn, EVERYTHING)} == {
        "leg": "no_funds",
        "other": None,
    }


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("evil\0name", "evilname"),
        ("half \ud800 pair", "half ? pair"),
        ("x" * 5000, "x" * 256),
        ("'); DROP TABLE cdrs; --", "'); DROP TABLE cdrs; --"),
        ('{"a": "\\u0000"}', '{"a": "\\u0000"}'),
        ("Éléonore 🦆", "Éléonore 🦆"),
    ],
)
def test_what_a_phone_sends_can_neither_stop_nor_swell_a_row(conn: Connection, sent: str, kept: str) -> None:
    row = stored(conn, a_cdr(1001, "leg", caller=sent, dialled=sent, forwarded_from=sent, usage="0.0000"))

    assert (row.caller, row.dialled, row.forwarded_from) == (kept, kept, kept)


@pytest.mark.parametrize("measured", ["nan", "Infinity", "4,5", "-1", "1e999", "", "9" * 40])
def test_a_measurement_that_is_none_is_left_out(conn: Connection, measured: str) -> None:
    row = stored(conn, a_cdr(1001, "leg", quality=Quality(measured, measured, "12.5"), usage="0.0000"))

    assert row.quality == Quality(None, None, "12.5")


def test_charged_and_uncollected_have_to_add_up_to_the_total(conn: Connection) -> None:
    with pytest.raises(Exception, match="cdrs"):
        insert_cdrs(conn, [a_cdr(1001, "leg", usage="0.0125")])


def test_the_table_has_the_columns_that_are_written(conn: Connection) -> None:
    names = [
        name
        for (name,) in conn.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = 'cdrs'::regclass AND attnum > 0"
        )
    ]

    assert sorted(names) == sorted([*COLUMNS, "recorded_at"])


def test_times_are_exact_to_the_microsecond() -> None:
    for us in (0, 1, NOON_US + 1, 253_402_300_799_999_999):
        assert to_us(to_time(us)) == us


@pytest.fixture
def days(conn: Connection) -> Connection:
    """Three calls on each of three days, of two accounts, some in the same microsecond."""
    for day in range(3):
        at = NOON_US + day * DAY_US
        rows = [
            a_cdr(2, f"{day} b", "0.0000", created_us=at),
            a_cdr(1, f"{day} c", "0.0000", created_us=at),
            a_cdr(1, f"{day} a", "0.0000", created_us=at),
        ]
        insert_cdrs(conn, rows)
    return conn


def test_the_newest_come_first(days: Connection) -> None:
    assert legs(newest_cdrs(days, EVERYTHING, 4)) == ["2 b", "2 c", "2 a", "1 b"]
    assert legs(newest_cdrs(days, CdrFilter(account_id=1), 3)) == ["2 c", "2 a", "1 c"]


@pytest.mark.parametrize("page_rows", [1, 2, 3, 4, 100])
def test_pages_of_any_size_give_each_row_once_in_order(days: Connection, page_rows: int) -> None:
    assert legs(list(iterate_cdrs(days, EVERYTHING, page_rows))) == [
        f"{day} {leg}" for day in range(3) for leg in ("a", "c", "b")
    ]


def test_a_filter_takes_the_first_moment_and_leaves_the_last(days: Connection) -> None:
    second_day = CdrFilter(since_us=NOON_US + DAY_US, until_us=NOON_US + 2 * DAY_US)

    assert legs(list(iterate_cdrs(days, second_day, 2))) == ["1 a", "1 c", "1 b"]
    assert legs(list(iterate_cdrs(days, CdrFilter(1, NOON_US + DAY_US), 1))) == ["1 a", "1 c", "2 a", "2 c"]


def partitions_with_rows(conn: Connection) -> dict[str, int]:
    return dict(
        conn.execute("SELECT tableoid::regclass::text, count(*)::int FROM cdrs GROUP BY 1").fetchall()
    )


def test_each_month_has_its_partition_ahead_of_time(postgres: EmbeddedPostgres) -> None:
    with connected(postgres.ensure_database("months", template="template0")) as conn:
        migrate(conn)
        now = datetime(2031, 11, 30, 23, 59, 59, tzinfo=UTC)

        assert ensure_partitions(conn, now) == PARTITION_MONTHS_AHEAD + 1
        assert ensure_partitions(conn, now) == 0
        assert ensure_partitions(conn, now + timedelta(seconds=1)) == 1

        for month, (year, number) in {"2031_12": (2031, 12), "2032_02": (2032, 2)}.items():
            first = to_us(datetime(year, number, 1, tzinfo=UTC))
            insert_cdrs(conn, [a_cdr(1, f"first of {month}", "0.0000", created_us=first)])
        assert partitions_with_rows(conn) == {"cdrs_2031_12": 1, "cdrs_2032_02": 1}


def test_months_begin_at_midnight_utc_wherever_the_server_is(postgres: EmbeddedPostgres) -> None:
    with connected(postgres.ensure_database("montreal", template="template0")) as conn:
        conn.execute("SET timezone TO 'America/Montreal'")
        migrate(conn)
        ensure_partitions(conn, datetime(2031, 6, 15, tzinfo=UTC))
        midnight_us = to_us(datetime(2031, 7, 1, tzinfo=UTC))

        insert_cdrs(conn, [a_cdr(1, f"{us}", "0.0000", created_us=midnight_us + us) for us in (-1, 0)])

        assert partitions_with_rows(conn) == {"cdrs_2031_06": 1, "cdrs_2031_07": 1}


def test_a_stray_date_is_kept_and_moves_home_when_its_month_is_made(postgres: EmbeddedPostgres) -> None:
    with connected(postgres.ensure_database("strays", template="template0")) as conn:
        migrate(conn)
        late = to_us(datetime(2041, 5, 31, 23, tzinfo=UTC))
        insert_cdrs(
            conn, [a_cdr(1, "1970", "0.0000", created_us=0), a_cdr(1, "2041", "0.0000", created_us=late)]
        )
        assert partitions_with_rows(conn) == {"cdrs_stray": 2}

        ensure_partitions(conn, datetime(2041, 5, 1, tzinfo=UTC))

        assert partitions_with_rows(conn) == {"cdrs_stray": 1, "cdrs_2041_05": 1}
        assert legs(list(iterate_cdrs(conn, EVERYTHING))) == ["1970", "2041"]
