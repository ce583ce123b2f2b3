"""The commands over the store, as an operator types them."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from fixtures.commands import Command, row_of
from fixtures.records import NOON_US, S, a_cdr, an_account

from esl_agent.cli.main import cli
from esl_agent.store.cdrs import CdrFilter, iterate_cdrs
from esl_agent.store.decks import list_versions
from esl_agent.store.holds import HoldRequest, hold_many
from esl_agent.store.pool import Connection
from esl_agent.store.settle import settle_many

DECK = """\
Prefix;Destination;Rate/Min;Increments;Effective Date
1;North America;0,01;6/6;
44;United Kingdom;0,0125;;
52;Mexico;0,03;60/60;
44;United Kingdom;0,02;;2199-01-01
"""


@pytest.fixture
def deck_file(tmp_path: Path) -> Path:
    path = tmp_path / "retail.csv"
    path.write_text(DECK, encoding="utf-8-sig")
    return path


def words(line: str) -> list[str]:
    return line.split()


def test_a_customer_from_first_day_to_last(told: Command, refused: Command) -> None:
    added = json.loads(told("account", "add", "--id", 1001, "--name", "Roy", "--json"))
    assert (added["state"], added["plan"], added["balance"]) == ("pending", "standard", "0.0000")

    assert "active (terms 2026-01 accepted)" in told(
        "account", "accept-terms", 1001, "2026-01", "--by", "noc"
    )
    top_up = ("account", "top-up", 1001, "20", "--reference", "cheque 7")
    assert told(*top_up) == "account 1001: 20.0000 credited; balance 20.0000 CAD\n"
    assert "was credited before: nothing changed; balance 20.0000" in told(*top_up)
    assert json.loads(told(*top_up, "--json"))["credited_now"] is False

    assert json.loads(told("account", "set-credit", 1001, "5", "--json"))["available"] == "25.0000"
    assert "suspended (late)" in told("account", "suspend", 1001, "--reason", "late")
    assert "active (paid)" in told("account", "resume", 1001, "--reason", "paid")
    assert "closed (left)" in told("account", "close", 1001, "--reason", "left", "--by", "noc")
    assert row_of(told("account", "list"), "1001")[:5] == ["1001", "Roy", "standard", "closed", "20.0000"]
    assert "for good" in refused("account", "resume", 1001, "--reason", "back")


def test_an_account_is_shown_with_what_is_held_and_what_moved(told: Command, conn: Connection) -> None:
    an_account(conn, 1001, "5.00")
    hold_many(conn, [HoldRequest(1001, leg, Decimal("0.50"), Decimal("0.50")) for leg in ("leg-1", "leg-2")])
    settle_many(conn, [a_cdr(1001, "leg-1", "0.0125")])

    shown = told("account", "show", 1001)
    assert words("available     4.4875") in [line.split() for line in shown.splitlines()]
    assert row_of(shown, "leg-2")[1] == "0.5000"
    assert ["usage", "-0.0125", "leg-1"] in [line.split()[2:] for line in shown.splitlines()]

    as_json = json.loads(told("account", "show", 1001, "--json"))
    assert (as_json["balance"], as_json["reserved"], as_json["available"]) == ("4.9875", "0.5000", "4.4875")
    assert [each["leg_uuid"] for each in as_json["open_reservations"]] == ["leg-2"]
    assert [each["kind"] for each in as_json["last_entries"]] == ["usage", "top_up"]


def test_a_name_can_t_colour_or_clear_the_operator_s_terminal(told: Command) -> None:
    told("account", "add", "--id", 1001, "--name", "[red]Roy[/red]")

    assert "[red]Roy[/red]" in told("account", "list")
    assert "[red]Roy[/red]" in told("account", "show", 1001)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["account", "show", "9999"], "there is no account 9999"),
        (["account", "show", "0"], "isn't an account's number"),
        (["account", "show", "Roy"], "isn't an account's number"),
        (["account", "top-up", "1001", "1.23456", "--reference", "r"], "more than 4 decimals"),
        (["account", "top-up", "1001", "1e30", "--reference", "r"], "not an amount between"),
        (["account", "top-up", "1001", "NaN", "--reference", "r"], "not an amount between"),
        (["account", "top-up", "1001", "ten", "--reference", "r"], "write it like 12.5"),
        (["account", "top-up", "1001", "0", "--reference", "r"], "more than zero"),
        (["account", "top-up", "1001", "--reference", "r", "--", "-5"], "below zero"),
        (["account", "top-up", "1001", "5", "--reference", " "], "printable characters"),
        (["account", "top-up", "1001", "5"], "Missing option '--reference'"),
        (["account", "add", "--id", "7", "--name", "x\x1b[2J"], "printable characters"),
        (["account", "add", "--id", "7", "--name", "x", "--currency", "dollars"], "three capital letters"),
        (["account", "add", "--id", "1001", "--name", "x"], "there is an account 1001 already"),
        (["account", "set-plan", "1001", "tin"], "there is no plan 'tin'"),
        (["plan", "add", "gold", "--increment", "mexico=60"], "isn't written like mexico=60/60"),
        (["plan", "add", "gold", "--increment", "mars=60/60"], "the classes are emergency"),
        (["plan", "add", "gold", "--increment", "mexico=60/0"], "mexico=60/0: seconds"),
        (["plan", "add", "gold", "--inbound-rate", "0.0000001"], "more than 6 decimals"),
        (["number", "add", "abc", "--account", "1001"], "isn't a telephone number"),
        (["number", "add", "5145550123", "--account", "9999"], "there is no account 9999"),
        (
            ["number", "add", "5145550123", "--account", "1001", "--payphone-policy", "reject"],
            "is not toll-free",
        ),
        (["number", "remove", "5145550123"], "15145550123 belongs to no account"),
        (["deck", "show", "tin"], "deck 'tin' has no version"),
        (["deck", "import", "no such file.csv"], "does not exist"),
        (["cdr", "list", "--since", "yesterday"], "isn't a time written 2026-03-01"),
        (["cdr", "export", "--output", "/no/such/folder/x.csv"], "can't write /no/such/folder/x.csv"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_typed_wrong_is_told_in_a_line(
    refused: Command, conn: Connection, arguments: list[str], text: str
) -> None:
    an_account(conn, 1001, "0")

    assert text in refused(*arguments)


def test_plans_are_made_shown_and_pointed_to_a_deck(told: Command) -> None:
    told("plan", "add", "gold", "--increment", "mexico=30/6", "--inbound-rate", "0.01", "--no-free-toll-free")
    told("plan", "set-deck", "gold", "wholesale")

    shown = told("plan", "show", "gold")
    for line in (
        "deck wholesale",
        "toll-free calls as the deck says",
        "increment, mexico 30/6",
        "increment, world 6/6",
    ):
        assert words(line) in [each.split() for each in shown.splitlines()]
    as_json = json.loads(told("plan", "show", "gold", "--json"))
    assert (as_json["inbound_rate_per_minute"], as_json["increments"]) == ("0.010000", {"mexico": [30, 6]})
    assert [each["name"] for each in json.loads(told("plan", "list", "--json"))] == ["gold", "standard"]


def test_numbers_are_taken_as_they_are_dialled_at_home(told: Command, conn: Connection) -> None:
    an_account(conn, 1001, "0")
    told("number", "add", "(514) 555-0123", "--account", 1001)
    told(
        *("number", "add", "1 800 555 0123", "--account", 1001, "--forward-to", "011 44 20 7946 0000"),
        *("--payphone-policy", "surcharge", "--payphone-surcharge", "0.35"),
    )

    assert json.loads(told("number", "list", "--json")) == [
        {
            "number": "15145550123",
            "account_id": 1001,
            "kind": "did",
            "forward_to": None,
            "forward_when": "never",
            "payphone_policy": "allow",
            "payphone_surcharge": "0.0000",
        },
        {
            "number": "18005550123",
            "account_id": 1001,
            "kind": "toll_free",
            "forward_to": "442079460000",
            "forward_when": "always",
            "payphone_policy": "surcharge",
            "payphone_surcharge": "0.3500",
        },
    ]
    assert row_of(told("number", "list"), "18005550123")[-2:] == ["surcharge", "0.3500"]
    told("number", "remove", "5145550123")
    assert "15145550123" not in told("number", "list", "--account", 1001)


def test_a_deck_is_imported_shown_and_updated(told: Command, deck_file: Path, tmp_path: Path) -> None:
    assert (
        told("deck", "import", deck_file)
        .splitlines()[0]
        .startswith("deck standard version 1 has 3 rates from")
    )

    rates = json.loads(told("deck", "show", "standard", "--prefix", "4", "--json"))["rates"]
    assert [(rate["prefix"], rate["rate_per_minute"]) for rate in rates] == [("44", "0.012500")]
    assert "0.020000" in row_of(told("deck", "show", "standard", "--version", 2), "44")

    update = tmp_path / "update.csv"
    update.write_text("code,price\n33,0.04\n")
    said = told("deck", "import", update, "--update")
    assert "version 3 has 4 rates" in said
    assert "version 2 replaces it on 2199-01-01" in said
    assert [each["version"] for each in json.loads(told("deck", "list", "--json"))] == [3]


def test_a_dry_run_says_what_it_would_do_and_does_nothing(
    told: Command, conn: Connection, deck_file: Path
) -> None:
    said = told("deck", "import", deck_file, "--dry-run")

    assert "version 1 would have 3 rates" in said
    assert "version 2 would have 3 rates from 2199-01-01 00:00 UTC on" in said
    assert list_versions(conn, "standard") == []


def test_a_bad_deck_is_refused_whole_with_each_bad_line(
    refused: Command, conn: Connection, tmp_path: Path
) -> None:
    path = tmp_path / "bad.csv"
    path.write_text("prefix,rate\n44,0.01\n4x,0.01\n33,-1\n44,0.02\n")

    said = refused("deck", "import", path)

    assert said.splitlines()[0] == f"nothing was imported from {path}:"
    assert [line.split(":")[0].strip() for line in said.splitlines()[1:]] == ["line 3", "line 4", "line 5"]
    assert list_versions(conn, "standard") == []


def test_a_deck_that_is_no_text_or_begins_in_the_past_is_refused(refused: Command, deck_file: Path) -> None:
    assert "that day is over" in refused("deck", "import", deck_file, "--effective", "2020-01-01")
    deck_file.write_bytes("prefix,destination,rate\n44,Québec,0.01\n".encode("latin-1"))
    assert "isn't UTF-8 text" in refused("deck", "import", deck_file)


@pytest.fixture
def calls(conn: Connection) -> list[str]:
    """Three calls a minute apart, by two accounts; the last one refused."""
    an_account(conn, 1001, "5.00")
    rows = [
        a_cdr(1001, "first", "0.0125", caller="=HYPERLINK(1)"),
        a_cdr(1002, "second", "0.0500", created_us=NOON_US + 60 * S),
        a_cdr(1001, "third", "0.0000", created_us=NOON_US + 120 * S, refused="no_funds"),
    ]
    settle_many(conn, rows)
    return [row.leg_uuid for row in rows]


def test_calls_are_listed_the_latest_first(told: Command, calls: list[str]) -> None:
    listed: list[dict[str, Any]] = json.loads(told("cdr", "list", "--json"))
    assert [each["leg_uuid"] for each in listed] == ["third", "second", "first"]
    assert (listed[1]["total"], listed[1]["charged"], listed[1]["uncollected"]) == (
        "0.0500",
        "0.0000",
        "0.0500",
    )
    assert listed[2]["created_at"] == "2026-03-01T12:00:00Z"
    assert listed[2]["lines"] == [{"kind": "usage", "rate_per_minute": "0.012500", "amount": "0.0125"}]

    table = told("cdr", "list", "--account", 1001, "--since", "2026-03-01T07:01-05:00")
    assert "no_funds" in table
    assert "carrier_a" not in table
    assert "carrier_a" in told("cdr", "list", "--wide")
    assert "NORMAL_CLEARING" not in table
    assert len(json.loads(told("cdr", "list", "--limit", 1, "--json"))) == 1


def test_calls_are_exported_in_the_order_of_time(told: Command, calls: list[str], tmp_path: Path) -> None:
    lines = tmp_path / "calls.jsonl"
    told("cdr", "export", "--format", "jsonl", "--output", lines)
    assert [json.loads(line)["leg_uuid"] for line in lines.read_text().splitlines()] == calls

    table = tmp_path / "calls.csv"
    told("cdr", "export", "--account", 1001, "--until", "2026-03-01T12:02", "--output", table)
    with table.open(newline="") as file:
        [row] = csv.DictReader(file)
    assert (row["leg_uuid"], row["usage"], row["connection"], row["total"]) == (
        "first",
        "0.0125",
        "",
        "0.0125",
    )
    assert row["created_at"] == "2026-03-01T12:00:00+00:00"
    assert row["caller"] == "'=HYPERLINK(1)", "a spreadsheet must not take a caller's name for a formula"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["calls.csv", "calls.jsonl"]

    assert told("cdr", "export").splitlines()[0].startswith("account_id,created_at,leg_uuid")


def test_the_ledger_adds_up_until_somebody_changes_it(
    told: Command, database_url: str, conn: Connection, calls: list[str]
) -> None:
    assert told("ledger", "check").startswith("every balance")
    assert json.loads(told("ledger", "check", "--json")) == {"differences": []}
    charged = sum(row.charged for row in iterate_cdrs(conn, CdrFilter(account_id=1001)))
    assert json.loads(told("account", "show", 1001, "--json"))["balance"] == str(Decimal("5.0000") - charged)

    conn.execute("UPDATE accounts SET balance = 6 WHERE account_id = 1001")

    result = CliRunner().invoke(cli, ["ledger", "check", "--database-url", database_url])
    assert result.exit_code == 1
    assert row_of(result.stdout, "1001") == ["1001", "balance", "6.0000", str(Decimal("5.0000") - charged)]


def test_migrate_says_what_it_did(told: Command, refused: Command, conn: Connection) -> None:
    assert told("migrate") == "the database has every migration already\n"
    assert told("migrate", "--check") == "the database has every migration\n"

    conn.execute("DELETE FROM schema_migrations WHERE version = (SELECT max(version) FROM schema_migrations)")

    assert "run `esl-agent migrate`" in refused("migrate", "--check")


def test_which_database_option_environment_or_file(told: Command, database_url: str, tmp_path: Path) -> None:
    nowhere = "postgresql://nobody@127.0.0.1:1/nowhere"
    config = tmp_path / "agent.toml"
    config.write_text(f'[database]\nurl = "{database_url}"\n')
    run = CliRunner().invoke

    for arguments, environment in (
        (["--config", str(config)], {"ESL_AGENT_DATABASE_URL": None}),
        (["--config", str(config)], {"ESL_AGENT_DATABASE_URL": database_url}),
        (["--database-url", database_url], {"ESL_AGENT_DATABASE_URL": nowhere}),
    ):
        assert run(cli, ["ledger", "check", *arguments], env=environment).exit_code == 0
    away = run(cli, ["ledger", "check", "--config", str(config)], env={"ESL_AGENT_DATABASE_URL": nowhere})
    assert "can't reach the database at host=127.0.0.1" in str(away.exception)


def test_an_error_is_a_line_on_standard_error_and_exit_code_1_or_2(database_url: str) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "esl_agent", *arguments, "--database-url", database_url]
        return subprocess.run(command, check=False, capture_output=True, text=True)

    unknown = run("account", "show", "9999")
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert unknown.stderr.startswith("esl-agent: there is no account 9999")
    assert len(unknown.stderr.splitlines()) == 1
    assert run("account", "show", "Roy").returncode == 2
