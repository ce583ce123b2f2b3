"""Carriers, routes and limits, as an operator types them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fixtures.commands import Command, row_of
from fixtures.records import an_account

from esl_agent.core.admission.limits import NO_LIMITS, CallerIdPolicy, Limits, TollFree
from esl_agent.core.money import amount
from esl_agent.core.numbering import NumberClass
from esl_agent.store.limits import get_limits
from esl_agent.store.pool import Connection

LIMITS = ("account", "limits", 1001)


def routes(told: Command, *arguments: object) -> list[tuple[Any, ...]]:
    return [tuple(each.values()) for each in json.loads(told("route", "list", *arguments, "--json"))]


def test_a_carrier_is_added_disabled_and_enabled(told: Command, refused: Command) -> None:
    [alpha] = json.loads(told("carrier", "add", "alpha", "--capacity", 30, "--json"))
    assert (alpha["dial_template"], alpha["capacity"]) == ("sofia/gateway/alpha/{number}", 30)
    bravo = ("--dial", "sofia/external/{number}@192.0.2.7", "--number-format", "plus", "--prepend", "99")
    assert row_of(told("carrier", "add", "bravo", *bravo), "bravo")[2:5] == ["plus", "0", "99"]

    told("carrier", "disable", "alpha")
    assert row_of(told("carrier", "list"), "alpha")[-1] == "disabled"
    told("carrier", "enable", "alpha")
    assert [each["is_enabled"] for each in json.loads(told("carrier", "list", "--json"))] == [True, True]

    assert "no carrier 'charlie'" in refused("carrier", "disable", "charlie")
    assert "what the switch would take apart" in refused(
        "carrier", "add", "x", "--dial", "sofia/{number}|sofia/y"
    )


def test_routes_are_added_listed_and_removed(told: Command, refused: Command) -> None:
    for name in ("alpha", "bravo"):
        told("carrier", "add", name)
    told("route", "add", "any", "--carrier", "bravo")
    told("route", "add", "+1514", "--carrier", "alpha", "--priority", 2, "--weight", 30)

    added = told("route", "add", "1514", "--carrier", "bravo")
    assert ["1514", "bravo", "1", "1"] in [line.split() for line in added.splitlines()]
    assert routes(told) == [("", "bravo", 1, 1), ("1514", "bravo", 1, 1), ("1514", "alpha", 2, 30)]
    assert routes(told, "--prefix", "15", "--carrier", "alpha") == [("1514", "alpha", 2, 30)]
    assert row_of(told("route", "list"), "any")[1] == "bravo"

    told("route", "remove", "any", "--carrier", "bravo")
    assert "no route for any by bravo" in refused("route", "remove", "any", "--carrier", "bravo")
    assert "no carrier 'charlie'" in refused("route", "add", "44", "--carrier", "charlie")
    assert "'4x' is not a number" in refused("route", "add", "4x", "--carrier", "alpha")


def test_a_file_of_routes_is_imported_whole_or_not_at_all(
    told: Command, refused: Command, tmp_path: Path
) -> None:
    told("carrier", "add", "alpha")
    told("route", "add", "33", "--carrier", "alpha")
    path = tmp_path / "routes.csv"
    path.write_text("prefix;carrier\n44;alpha\nany;alpha\n")

    assert "2 routes could be imported" in told("route", "import", path, "--dry-run")
    assert len(routes(told)) == 1
    assert "2 routes were imported" in told("route", "import", path)
    assert [prefix for prefix, *_ in routes(told)] == ["", "33", "44"]
    told("route", "import", path, "--replace")
    assert [prefix for prefix, *_ in routes(told)] == ["", "44"]

    path.write_text("prefix,carrier\n7,alpha\n8,alp ha\n")
    said = refused("route", "import", path, "--replace")
    assert said.splitlines()[0] == f"nothing was imported from {path}:"
    assert said.splitlines()[1].startswith("line 3: 'alp ha'")
    path.write_bytes("prefix,carrier\n7,Québec\n".encode("latin-1"))
    assert "isn't UTF-8 text" in refused("route", "import", path)
    assert len(routes(told)) == 2


def test_limits_are_set_shown_and_taken_away(told: Command, conn: Connection) -> None:
    an_account(conn, 1001, "0")
    told("number", "add", "514 555 0123", "--account", 1001)

    told(
        *LIMITS, "--max-calls", 2, "--calls-per-second", 1, "--spend-per-day", "25", "--spend-per-call", "1.5"
    )
    told(*LIMITS, "--blocked-classes", "premium,mexico", "--blocked-countries", "jm, CU")
    told(*LIMITS, "--blocked-prefixes", "+1876,44", "--default-caller", "(514) 555-0123")
    told(*LIMITS, "--caller-id-policy", "replace", "--toll-free", "off")

    assert get_limits(conn, 1001) == Limits(
        max_calls=2,
        calls_per_second=1,
        spend_per_day=amount("25"),
        spend_per_call=amount("1.5"),
        blocked_classes=frozenset({NumberClass.PREMIUM, NumberClass.MEXICO}),
        blocked_countries=frozenset({"JM", "CU"}),
        blocked_prefixes=("1876", "44"),
        default_caller_id="15145550123",
        caller_id_policy=CallerIdPolicy.REPLACE,
        toll_free=TollFree.OFF,
    )
    assert ["blocked", "countries", "CU,", "JM"] in [line.split() for line in told(*LIMITS).splitlines()]
    shown = json.loads(told("account", "show", 1001, "--json"))["limits"]
    assert (shown["spend_per_day"], shown["blocked_classes"]) == ("25.0000", ["mexico", "premium"])
    assert ["max", "calls", "2"] in [line.split() for line in told("account", "show", 1001).splitlines()]

    lists = ("--blocked-classes", "none", "--blocked-countries", "none", "--blocked-prefixes", "none")
    counts = ("--max-calls", "none", "--calls-per-second", "none", "--spend-per-call", "none")
    told(
        *LIMITS, *lists, *counts, "--spend-per-day", "none", "--default-caller", "none", "--toll-free", "free"
    )
    shown = told(*LIMITS, "--caller-id-policy", "refuse")
    assert get_limits(conn, 1001) == NO_LIMITS
    assert ["max", "calls", "none"] in [line.split() for line in shown.splitlines()]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--max-calls", "many"], "neither a whole number nor none"),
        (["--max-calls", "-1"], "neither a whole number nor none"),
        (["--calls-per-second", "0"], "calls per second: 0 is below 1"),
        (["--spend-per-day", "1.23456"], "more than 4 decimals"),
        (["--blocked-classes", "mars"], "there are: emergency, crisis"),
        (["--blocked-classes", "emergency"], "always pass"),
        (["--blocked-countries", "Jamaica"], "country 'JAMAICA'"),
        (["--blocked-prefixes", "abc"], "prefix 'abc'"),
        (["--default-caller", "5145550199"], "15145550199 is not a number of account 1001"),
        (["--toll-free", "maybe"], "'maybe' is not one of"),
    ],
)
def test_limits_typed_wrong_are_told_in_a_line(
    refused: Command, conn: Connection, options: list[str], text: str
) -> None:
    an_account(conn, 1001, "0")

    assert text in refused(*LIMITS, *options)
    assert get_limits(conn, 1001) == NO_LIMITS


def test_limits_of_nobody(refused: Command) -> None:
    assert "no account 9999" in refused("account", "limits", 9999)
    assert "no account 9999" in refused("account", "limits", 9999, "--max-calls", 1)
