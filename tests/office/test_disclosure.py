"""What is handed over is exactly what was asked for, and entered before it leaves (terms 15)."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

import pytest
from fixtures.commands import Command
from fixtures.records import NOON_US, S, a_cdr, an_account

from esl_agent.office.disclosure import (
    Demand,
    DisclosureError,
    Kind,
    Scope,
    broken_entries,
    disclose,
    register,
)
from esl_agent.store.pool import Connection
from esl_agent.store.settle import settle_many

PAYER: Final = 1001
OTHER: Final = 1002
NOW: Final = datetime(2026, 3, 5, tzinfo=UTC)
DEMAND: Final = Demand("A court", "order 500-17-1", "office")
SCOPE: Final = Scope((PAYER,), (), date(2026, 3, 1), date(2026, 3, 2), (Kind.CALLS,))
DAY_US: Final = 86_400 * S


@pytest.fixture(autouse=True)
def calls(conn: Connection) -> None:
    """Of two accounts, on 1 and 2 March."""
    for payer, number in ((PAYER, "442079460000"), (OTHER, "33142685300")):
        an_account(conn, payer, "5", name=f"customer {payer}")
        for day in range(2):
            created_us = NOON_US + day * DAY_US
            cdr = a_cdr(
                payer, f"{payer} {day}", created_us=created_us, ended_us=created_us + 60 * S, number=number
            )
            settle_many(conn, [cdr])


def rows(file: Path, kind: Kind) -> list[dict[str, str]]:
    with zipfile.ZipFile(file) as archive:
        return list(csv.DictReader(io.StringIO(archive.read(f"{kind}.csv").decode())))


def handed_over(conn: Connection, file: Path, scope: Scope) -> list[str]:
    disclose(conn, scope, DEMAND, file, NOW)
    return [row["leg_uuid"] for row in rows(file, Kind.CALLS)]


@pytest.mark.parametrize(
    ("scope", "legs"),
    [
        (SCOPE, ["1001 0"]),
        (replace(SCOPE, until=date(2026, 3, 3)), ["1001 0", "1001 1"]),
        (replace(SCOPE, accounts=(PAYER, OTHER)), ["1001 0", "1002 0"]),
        (replace(SCOPE, accounts=(), numbers=("33142685300",)), ["1002 0"]),
        (replace(SCOPE, numbers=("33142685300",)), []),  # that account never called it
        (replace(SCOPE, since=date(2027, 1, 1), until=date(2027, 2, 1)), []),
    ],
    ids=["a day", "two days", "two accounts", "a number", "a number of an account", "no calls"],
)
def test_exactly_the_scope(conn: Connection, tmp_path: Path, scope: Scope, legs: list[str]) -> None:
    assert handed_over(conn, tmp_path / "out.zip", scope) == legs


def test_every_kind_and_no_secret(conn: Connection, tmp_path: Path, told: Command) -> None:
    told("number", "add", "15145550101", "--account", PAYER)
    told("credential", "add", "--user", "desk", "--domain", "example.com", "--account", PAYER)
    file = tmp_path / "out.zip"

    disclose(conn, replace(SCOPE, kinds=tuple(Kind)), DEMAND, file, NOW)

    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        everything = b"".join(map(archive.read, names)).decode()
    assert sorted(names) == sorted(["scope.json", *(f"{kind}.csv" for kind in Kind)])
    assert rows(file, Kind.ACCOUNT)[0]["name"] == "customer 1001"
    assert rows(file, Kind.PHONES)[0]["sip_user"] == "desk"
    assert "a1_hash" not in everything
    assert "customer 1002" not in everything


def test_nothing_leaves_without_an_entry(conn: Connection, tmp_path: Path) -> None:
    file = tmp_path / "out.zip"
    first = disclose(conn, SCOPE, DEMAND, file, NOW)
    disclose(conn, SCOPE, DEMAND, tmp_path / "again.zip", NOW)

    assert [entry.disclosure for entry in register(conn)] == [1, 2]
    assert register(conn)[0] == first
    assert (first.authority, first.legal_reference, first.row_count) == ("A court", "order 500-17-1", 1)
    assert json.loads(first.scope)["kinds"] == ["calls"]
    assert first.file_sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert file.stat().st_mode & 0o077 == 0
    assert broken_entries(conn) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again.zip", "out.zip"]


def test_what_can_not_be_entered_does_not_leave(conn: Connection, tmp_path: Path) -> None:
    conn.execute("DROP TABLE disclosures")
    with pytest.raises(Exception, match="disclosures"):
        disclose(conn, SCOPE, DEMAND, tmp_path / "out.zip", NOW)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE disclosures SET authority = 'nobody' WHERE disclosure = 1",
        "UPDATE disclosures SET made_at = made_at + interval '1 second' WHERE disclosure = 1",
        "DELETE FROM disclosures WHERE disclosure = 1",
    ],
)
def test_an_entry_that_was_changed_or_removed_shows(conn: Connection, tmp_path: Path, tampering: str) -> None:
    for name in ("one.zip", "two.zip"):
        disclose(conn, SCOPE, DEMAND, tmp_path / name, NOW)
    conn.execute(tampering.encode())
    assert broken_entries(conn) != []


@pytest.mark.parametrize(
    ("scope", "why"),
    [
        (replace(SCOPE, accounts=()), "name an account or a number"),
        (replace(SCOPE, kinds=()), "say what is to be handed over"),
        (replace(SCOPE, until=SCOPE.since), "is empty"),
        (replace(SCOPE, accounts=(), numbers=("1",), kinds=(Kind.LEDGER,)), "ledger: name the account"),
    ],
)
def test_what_is_not_handed_over(conn: Connection, tmp_path: Path, scope: Scope, why: str) -> None:
    with pytest.raises(DisclosureError, match=why):
        disclose(conn, scope, DEMAND, tmp_path / "out.zip", NOW)
    assert register(conn) == []


def test_the_commands(told: Command, refused: Command, tmp_path: Path) -> None:
    file = tmp_path / "out.zip"
    ask = ("disclose", file, "--authority", "A court", "--reference", "order 1", "--account", PAYER,
           "--since", "2026-03-01", "--until", "2026-03-02", "--kind", "calls",
           "--kind", "account")  # fmt: skip
    assert "disclosure 1: 2 rows in" in told(*ask)
    assert "is there already" in refused(*ask)
    assert "A court" in told("disclosures", "list")
    stranger = tmp_path / "stranger.zip"
    stranger.write_bytes(b"x")
    checked = told("disclosures", "check", file, stranger)
    assert "out.zip: disclosure 1" in checked
    assert "stranger.zip: in no entry" in checked
    assert "1 entries, as they were written" in checked
    assert "can't be written" in refused(*ask[:1], tmp_path / "nowhere" / "out.zip", *ask[2:])
