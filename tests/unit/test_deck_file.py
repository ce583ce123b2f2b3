"""Decks as carriers send them: what is understood, and what every bad line is told."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from esl_agent.core import deck_file
from esl_agent.core.deck_file import DeckError, ParsedDeck, parse_deck
from esl_agent.core.tariff import Rate


def parse(text: str) -> ParsedDeck:
    return parse_deck(text.splitlines(keepends=True))


def rates(text: str) -> list[Rate]:
    parsed = parse(text)
    assert parsed.errors == []
    return [row.rate for row in parsed.rows]


def errors(text: str) -> list[DeckError]:
    return parse(text).errors


def only_error(text: str) -> str:
    (error,) = errors(text)
    return error.text


def test_every_column() -> None:
    assert rates(
        "prefix,destination,rate per minute,minimum,step,connection fee\n1514,Montreal,0.0052,30,6,0.01\n"
    ) == [Rate("1514", "Montreal", Decimal("0.005200"), 30, 6, Decimal("0.0100"))]


def test_the_two_columns_that_are_needed() -> None:
    assert rates("prefix,rate\n44,1\n") == [Rate("44", "", Decimal(1), None, None, Decimal(0))]


@pytest.mark.parametrize(
    "header",
    [
        "Prefix,Destination,Rate,Minimum,Step",
        "Code,Country,Price,Min,Increment",
        "Dial Code,Description,Rate/Min (CAD),Initial,Sub",
        "DIALCODE,Destination Name,Cost,Interval_1,Interval_N",
        "\ufeffdial_code,Country,price per minute,minimum_s,step_s",
    ],
)
def test_headers_that_carriers_use(header: str) -> None:
    assert rates(f"{header}\n44,UK,0.0125,30,6\n") == [Rate("44", "UK", Decimal("0.0125"), 30, 6)]


def test_the_more_telling_column_wins() -> None:
    assert rates("Country,Destination,Code,Prefix,Rate\nUK,London,GB,4420,1\n")[0].destination == "London"


@pytest.mark.parametrize(
    ("cell", "minimum_s", "step_s"), [("6/6", 6, 6), ("60 / 30", 60, 30), ("0/1", 0, 1), ("", None, None)]
)
def test_increments_in_one_column(cell: str, minimum_s: int | None, step_s: int | None) -> None:
    (rate,) = rates(f"prefix,rate,billing increments\n52,1,{cell}\n")
    assert (rate.minimum_s, rate.step_s) == (minimum_s, step_s)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters(delimiter: str) -> None:
    lines = [["prefix", "destination", "rate"], ["44", '"London, ; and | others"', "0.0125"]]
    (rate,) = rates("\n".join(delimiter.join(cells) for cells in lines))
    assert rate == Rate("44", "London, ; and | others", Decimal("0.0125"))


def test_a_decimal_comma_where_the_comma_is_no_delimiter() -> None:
    assert rates("prefix;rate\n1514;0,0052\n")[0].rate_per_minute == Decimal("0.0052")
    assert only_error('prefix,rate\n1514,"0,0052"\n') == "'0,0052' is not a rate: write it like 12.5"


def test_harmless_differences_are_taken() -> None:
    text = "prefix , rate , notes\n+1 514, $0.00520000 ,x\n\n , , \n44,1,x\n45,1E-2,x"
    assert [(rate.prefix, rate.rate_per_minute) for rate in rates(text)] == [
        ("1514", Decimal("0.0052")),
        ("44", Decimal(1)),
        ("45", Decimal("0.01")),
    ]


def test_lines_before_the_header_may_be_blank() -> None:
    parsed = parse("\n\nprefix,rate\n44,1\nx,1\n")
    assert len(parsed.rows) == 1
    assert parsed.errors[0].line_number == 5


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (",London,1,,", "the prefix is empty"),
        ("0044,London,1,,", "prefix '0044' begins with 0: write it from the country code on"),
        ("44-45,London,1,,", "prefix '44-45' isn't 1 to 15 digits"),
        ("4.4E+10,London,1,,", "prefix '4.4E+10' isn't 1 to 15 digits"),
        ("4444444444444444,London,1,,", "prefix '4444444444444444' isn't 1 to 15 digits"),
        ("44,London,,,", "'' is not a rate: write it like 12.5"),
        ("44,London,n/a,,", "'n/a' is not a rate: write it like 12.5"),
        ("44,London,-1,,", "'-1' is below zero"),
        ("44,London,0.1234567,,", "'0.1234567' has more than 6 decimals"),
        ("44,London,NaN,,", "'NaN' is not a rate between -999999.999999 and 999999.999999"),
        ("44,London,1,0,", "step '0' isn't whole seconds from 1 to 3600"),
        ("44,London,1,6/x,", "step 'x' isn't whole seconds from 1 to 3600"),
        ("44,London,1,6.5/6,", "minimum '6.5' isn't whole seconds from 0 to 3600"),
        ("44,London,1,3601/6,", "minimum '3601' isn't whole seconds from 0 to 3600"),
        ("44,London,1,,31/12/2026", "effective date '31/12/2026' isn't a day written YYYY-MM-DD"),
        ("44,London,1,,2026-02-30", "effective date '2026-02-30' isn't a day written YYYY-MM-DD"),
        ("44,London,1,", "4 cells, where the header has 5"),
        ("44,London,0,0125,,", "6 cells, where the header has 5"),
        ("44,Lon\x07don,1,,", "destination 'Lon\\x07don' holds control characters"),
        (f"44,{'L' * 201},1,,", f"destination '{'L' * 40}…' is over 200 characters"),
        (f"44,London,{'1' * 41},,", f"'{'1' * 40}…' is too long for an amount"),
    ],
)
def test_a_bad_line_is_told_with_its_number(line: str, told: str) -> None:
    text = f"prefix,destination,rate,increments,effective date\n45,Denmark,1,,\n{line}\n46,Sweden,1,,\n"
    parsed = parse(text)
    assert parsed.errors == [DeckError(3, told)]
    assert [row.rate.prefix for row in parsed.rows] == ["45", "46"]


def test_two_columns_may_not_contradict_each_other() -> None:
    assert rates("prefix,rate,minimum,increment\n44,1,30,30/6\n")[0].minimum_s == 30
    told = only_error("prefix,rate,minimum,increment\n44,1,60,30/6\n")
    assert told == "minimum is 60 in one column and 30 in another"


def test_a_prefix_stands_once() -> None:
    assert errors("prefix,rate\n44,1\n45,1\n+44,2\n") == [DeckError(4, "prefix 44 stands on line 2 already")]


def test_a_prefix_stands_once_for_each_effective_date() -> None:
    text = "prefix,rate,effective date\n44,1,\n44,2,2027-01-01\n44,3,2027-02-01\n45,1,2027-01-01\n"
    parsed = parse(text)
    assert parsed.errors == []
    assert [row.effective_date for row in parsed.rows] == [
        None,
        date(2027, 1, 1),
        date(2027, 2, 1),
        date(2027, 1, 1),
    ]
    in_effect = {
        day: {rate.prefix: int(rate.rate_per_minute) for rate in parsed.rates_on(date.fromisoformat(day))}
        for day in ("2026-12-31", "2027-01-01", "2027-03-01")
    }
    assert in_effect == {
        "2026-12-31": {"44": 1},
        "2027-01-01": {"44": 2, "45": 1},
        "2027-03-01": {"44": 3, "45": 1},
    }
    again = parse(text + "44,4,2027-01-01\n").errors
    assert again == [DeckError(6, "prefix 44 stands on line 3 already")]


def test_a_header_without_a_needed_column_is_told() -> None:
    (error,) = errors("destination,rate\nUK,1\n")
    assert error.line_number == 1
    assert error.text.startswith("the header names no prefix column; it may be called: prefix")
    assert only_error("").startswith("the header names no prefix column")
    assert only_error("prefix,rate,rate\n44,1,1\n") == "two columns are called 'rate'"


def test_only_the_first_bad_lines_are_told_and_all_are_counted() -> None:
    lines = ["prefix,rate\n", *["x,1\n"] * 500]
    parsed = parse_deck(lines, error_limit=10)
    assert [error.line_number for error in parsed.errors] == list(range(2, 12))
    assert parsed.error_count == 500


def test_a_quote_that_never_ends_is_told() -> None:
    assert only_error('prefix,rate\n44,"1\n45,1\n') == "unexpected end of data"


def test_a_quoted_cell_may_hold_a_line_end() -> None:
    parsed = parse('prefix,destination,rate\n44,"London\nand others",1\nx,,1\n')
    assert [error.line_number for error in parsed.errors] == [3, 4]


def test_rows_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deck_file, "ROWS_MAX", 3)
    parsed = parse_deck(["prefix,rate\n", *(f"44{n},1\n" for n in range(100))])
    assert parsed.errors == [DeckError(5, "more than 3 rows: split the file")]
