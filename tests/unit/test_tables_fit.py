"""Tables that are looked at all day fit the terminals they are looked at on."""

from __future__ import annotations

from decimal import Decimal

from fixtures.records import a_cdr, a_price
from rich.console import Console

from esl_agent.cli import cdr, live
from esl_agent.cli.output import table_of

#: Long ones, as they may well be.
CALL = {
    "account": 100_001, "to": "442079460000123", "product": "termination", "phase": "talking",
    "since": "2026-03-01T12:00:00+00:00", "talked_s": 86_400, "cost": "1234.1234", "held": "1234.1234",
    "funded_until": "2026-03-01T12:00:00+00:00", "funded_s": 86_400,
}  # fmt: skip


def width(columns: tuple[str, ...], row: list[object], numbers: tuple[str, ...]) -> int:
    table = table_of(columns, [row], numbers=numbers)
    return Console(width=1_000).measure(table).maximum


def test_a_bookkeeper_lists_calls_in_120_columns() -> None:
    row = cdr.listed(
        a_cdr(
            100_001,
            "leg",
            number="4420794600001",
            hangup_cause="NORMAL_TEMPORARY_FAILURE",
            price=a_price(rate_per_minute=Decimal("2.123456")),
            uncollected=Decimal("1234.1234"),
        )
    )
    assert width(cdr.LISTED, [row[name] for name in cdr.LISTED], cdr.NUMBERS) <= 120
    assert row.keys() == set(cdr.LISTED_WIDE)


def test_live_calls_fit_80_columns_and_show_all_where_there_is_room() -> None:
    for columns, limit in ((live.columns_for(80), 80), (live.columns_for(124), live.WIDTH_OF_ALL)):
        [row] = live.rows_of({"calls": [CALL]}, columns)
        assert width(columns, row, live.NUMBERS) <= limit
