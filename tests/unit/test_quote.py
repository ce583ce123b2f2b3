"""`esl-agent quote`: the worked examples, and what it says when it can't answer."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from esl_agent.cli.main import cli
from esl_agent.cli.quote import QuoteError
from esl_agent.config import ConfigError
from esl_agent.core.numbering import NumberError
from esl_agent.core.tariff import NoRate

VECTORS = Path(__file__).parents[1] / "vectors" / "rating.csv"
DECK = """\
prefix;destination;rate;increments;connection fee;effective date
1;North America;0,01;;;
1514;Montreal;0,0052;6/6;;
44;United Kingdom;0,0125;30/6;0,0100;
44;United Kingdom;9,0000;30/6;0,0100;2199-01-01
52;Mexico;0,02;;;
"""


def worked_examples() -> list[dict[str, str]]:
    with VECTORS.open(newline="") as file:
        return list(csv.DictReader(file))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["quote", *arguments])


def quoted(*arguments: str) -> dict[str, Any]:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


@pytest.fixture
def deck(tmp_path: Path) -> str:
    path = tmp_path / "retail.csv"
    path.write_text(DECK, encoding="utf-8-sig")
    return str(path)


@pytest.mark.parametrize("row", worked_examples(), ids=lambda row: f"row {row['id']}: {row['why']}")
def test_worked_example(row: dict[str, str]) -> None:
    options = ["--forwarded"] if row["forwarded"] == "yes" else []
    options += ["--unanswered"] if row["answered"] == "no" else []
    rate = row["rate_per_minute"]
    quote = quoted(row["number"], "--seconds", row["seconds"], "--rate-per-minute", rate, *options)
    assert quote["billed_seconds"] == int(row["billed_seconds"])
    assert quote["lines"]["usage"] == row["usage"]
    assert quote["lines"].get("forwarding", "0.0000") == row["surcharge"]
    assert quote["total"] == row["total"]
    assert Decimal(quote["rate_per_minute"]) == Decimal(rate)


def test_everything_about_a_call(deck: str) -> None:
    assert quoted("011 44 20 7946 0000", "--seconds", "31", "--forwarded", "--deck", deck) == {
        "dialled": "011 44 20 7946 0000",
        "number": "442079460000",
        "country": "GB",
        "class": "world",
        "deck": "retail.csv",
        "prefix": "44",
        "destination": "United Kingdom",
        "rate_per_minute": "0.0125",
        "minimum_s": 30,
        "step_s": 6,
        "billed_seconds": 36,
        "lines": {"usage": "0.0075", "connection": "0.0100", "forwarding": "0.0090"},
        "total": "0.0265",
        "is_free": False,
    }


def test_seconds_are_exact_to_the_microsecond(deck: str) -> None:
    seconds_billed = {
        seconds: quoted("5148761234", "--seconds", seconds, "--deck", deck)["billed_seconds"]
        for seconds in ("0", "0.2", "6", "6.000001", "12.000000")
    }
    assert seconds_billed == {"0": 6, "0.2": 6, "6": 6, "6.000001": 12, "12.000000": 12}


def test_a_rate_given_stands_in_for_the_decks(deck: str) -> None:
    quote = quoted("+525512345678", "--seconds", "7", "--deck", deck, "--rate-per-minute", "0.123456")
    assert (quote["rate_per_minute"], quote["prefix"], quote["total"]) == ("0.123456", "52", "0.1235")


@pytest.mark.parametrize("number", ["911", "933", "988", "18002345678"])
def test_free_calls_need_no_rate(number: str) -> None:
    quote = quoted(number, "--seconds", "600")
    assert (quote["is_free"], quote["billed_seconds"], quote["total"]) == (True, 600, "0.0000")


def test_a_person_reads_what_and_why(deck: str) -> None:
    result = run("310-2355", "--seconds", "61", "--forwarded", "--deck", deck)
    assert result.exit_code == 0
    lines = [" ".join(line.split()) for line in result.stdout.splitlines() if line.strip()]
    assert lines == [
        "number 15143102355 dialled 310-2355",
        "class domestic CA",
        "prefix 1514 Montreal, in retail.csv",
        "rate a minute 0.0052 from the deck",
        "increments 6/6 at least 6 s, then whole steps of 6 s",
        "billed seconds 66 of 61 s talked",
        "usage 0.0057 66 s at 0.0052 a minute",
        "forwarding 0.0165 66 s at 0.0150 a minute",
        "total 0.0222",
    ]


def test_what_was_dialled_is_shown_as_text(deck: str) -> None:
    result = run("<sip:[bold]5148761234@x>", "--seconds", "1", "--deck", deck)
    assert isinstance(result.exception, NumberError)
    assert (
        "dialled sip:5148761234;x=[bold]"
        in run("sip:5148761234;x=[bold]", "--seconds", "1", "--deck", deck).stdout
    )


def test_home_comes_from_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    overrides = tmp_path / "overrides.csv"
    overrides.write_text("prefix,country,class,note\n1238,CA,,new\n")
    config = tmp_path / "esl-agent.toml"
    config.write_text(f'[numbering]\nhome_area = "438"\noverrides_file = "{overrides}"\n')
    monkeypatch.setenv("ESL_AGENT_NUMBERING_HOME_AREA", "819")
    with_config = ["--config", str(config), "--seconds", "6", "--rate-per-minute", "1"]
    assert quoted("310-2355", *with_config)["number"] == "18193102355"
    assert quoted("+12382345678", *with_config)["class"] == "domestic"


@pytest.mark.parametrize(
    ("arguments", "error", "told"),
    [
        (["alice", "--seconds", "1"], NumberError, "'alice' isn't a telephone number"),
        (["+442079460000", "--seconds", "1"], QuoteError, "isn't free: give --rate-per-minute, or --deck"),
        (["+33123456789", "--seconds", "1", "--deck", "DECK"], NoRate, "deck 'retail.csv' has no rate for"),
        (["911", "--seconds", "1", "--config", "DECK"], ConfigError, "it is not TOML"),
    ],
)
def test_what_cannot_be_quoted_says_why(
    arguments: list[str], error: type[Exception], told: str, deck: str
) -> None:
    result = run(*(deck if argument == "DECK" else argument for argument in arguments))
    assert isinstance(result.exception, error)
    assert told in str(result.exception)


def test_every_bad_line_of_a_deck_is_told(tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text("prefix,rate\n44,x\n" + "0044,1\n" * 60)
    result = run("911", "--seconds", "1", "--deck", str(path))
    assert isinstance(result.exception, QuoteError)
    told = str(result.exception).splitlines()
    assert told[1] == "  line 2: 'x' is not a rate: write it like 12.5"
    assert told[-1] == "  and 11 more"
    path.write_bytes(b"prefix,destination,rate\n1514,Montr\xe9al,1\n")
    assert "isn't UTF-8 text" in str(run("911", "--seconds", "1", "--deck", str(path)).exception)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["911"],
        *(["911", "--seconds", seconds] for seconds in ("-1", "x", "nan", "1e9", "0.0000001")),
        *(["911", "--seconds", "1", "--rate-per-minute", rate] for rate in ("-1", "x", "0.0000001")),
        ["911", "--seconds", "1", "--deck", "/does/not/exist.csv"],
    ],
)
def test_wrong_usage(arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert "Error: " in result.stderr


def test_as_a_command_without_a_database(deck: str) -> None:
    command = [sys.executable, "-m", "esl_agent", "quote", "5148761234", "--seconds", "61", "--deck", deck]
    environment = {**os.environ, "ESL_AGENT_DATABASE_URL": "postgresql://127.0.0.1:9/none"}
    answer = subprocess.run([*command, "--json"], capture_output=True, env=environment, check=True)
    assert json.loads(answer.stdout)["total"] == "0.0057"
    refused = subprocess.run([*command[:-2]], capture_output=True, env=environment, check=False)
    assert refused.returncode == 1
    assert refused.stderr.startswith(b"esl-agent: a call to 15148761234 (domestic) isn't free")
    assert b"Traceback" not in refused.stderr
