"""A file of routes is read whole, or refused with every bad line."""

from __future__ import annotations

import pytest

from esl_agent.core.admission.route_file import ERRORS_TOLD_MAX, Route, RouteError, parse_routes, read_prefix


def parse(text: str) -> list[Route]:
    return parse_routes(text.splitlines(keepends=True))


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_columns_go_by_their_names(delimiter: str) -> None:
    text = "\ufeffCarrier,prefix,Weight,priority\nalpha, +44 ,30,2\n\nbravo,any,,\n".replace(",", delimiter)

    assert parse(text) == [Route("44", "alpha", 2, 30), Route("", "bravo", 1, 1)]


def test_priority_and_weight_may_be_left_out() -> None:
    assert parse("prefix,carrier\n1,alpha\n") == [Route("1", "alpha", 1, 1)]


def test_every_bad_line_is_told() -> None:
    text = (
        "prefix,carrier,priority,weight\n"
        "44,alpha,1,1\n"
        ",alpha,1,1\n"  # 3
        "4x,alpha,1,1\n"
        "44,alpha,2,1\n"  # 5: as line 2
        "44,al pha,1,1\n"
        "44,bravo,one,1\n"  # 7
        "44,bravo,1,1001\n"
        "44,bravo,1\n"  # 9
    )

    with pytest.raises(RouteError) as raised:
        parse(text)

    told = str(raised.value).splitlines()
    assert [line.split(":")[0] for line in told] == [f"line {number}" for number in range(3, 10)]
    for number, words in {
        3: "the prefix is empty",
        5: "44 by alpha stands on a line before",
        8: "1001",
    }.items():
        assert words in told[number - 3]


def test_more_bad_lines_than_anybody_reads_are_counted() -> None:
    with pytest.raises(RouteError) as raised:
        parse("prefix,carrier\n" + "x,alpha\n" * (ERRORS_TOLD_MAX + 7))

    told = str(raised.value).splitlines()
    assert (len(told), told[-1]) == (ERRORS_TOLD_MAX + 1, "and 7 more")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "names no column prefix"),
        ("prefix,carrier\n", "no routes in it"),
        ("prefix,rate\n44,0.01\n", "column 'rate'"),
        ("prefix,carrier,carrier\n", "column 'carrier'"),
        ("carrier\nalpha\n", "names no column prefix"),
        ('prefix,carrier\n44,"alpha\n', "line 2"),
    ],
)
def test_what_is_no_file_of_routes(text: str, words: str) -> None:
    with pytest.raises(RouteError, match=words):
        parse(text)


@pytest.mark.parametrize(("typed", "prefix"), [("any", ""), ("ANY", ""), ("+44", "44"), (" 1514 ", "1514")])
def test_a_prefix_as_people_type_it(typed: str, prefix: str) -> None:
    assert read_prefix(typed) == prefix


@pytest.mark.parametrize(
    ("prefix", "carrier", "priority", "weight"),
    [
        ("44a", "alpha", 1, 1),
        ("4" * 16, "alpha", 1, 1),
        ("44", "", 1, 1),
        ("44", "alpha|bravo", 1, 1),
        ("44", "alpha", -1, 1),
        ("44", "alpha", 1, -1),
        ("44", "alpha", 1_001, 1),
    ],
)
def test_routes_that_cannot_be(prefix: str, carrier: str, priority: int, weight: int) -> None:
    with pytest.raises(RouteError):
        Route(prefix, carrier, priority, weight)
