"""`esl-agent journal`: a look at what waits, and what was refused written after all."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from fixtures.journals import a_journal
from fixtures.records import NOON_US, a_cdr, an_account, money

from esl_agent.cli.main import cli
from esl_agent.store.journal import Journal
from esl_agent.store.journal_records import Release, Settlement, encode
from esl_agent.store.pool import Connection
from esl_agent.store.unwritable import Refused, set_aside

Run = Callable[..., Result]


@pytest.fixture
def kept(tmp_path: Path) -> Journal:
    return a_journal(tmp_path)


@pytest.fixture
def run(database_url: str, kept: Journal) -> Run:
    environment = {"ESL_AGENT_DATABASE_URL": database_url, "ESL_AGENT_JOURNAL_FOLDER": str(kept.folder)}
    return lambda *arguments: CliRunner().invoke(cli, ["journal", *arguments], env=environment)


def put(kept: Journal, *legs: str) -> None:
    """These calls wait, and a release, in a journal that is closed again."""
    kept.open()
    kept.append([encode(Settlement(a_cdr(1001, leg))) for leg in legs] + [encode(Release(1001, "planned"))])
    kept.close(kept.begins)


def legs(conn: Connection) -> set[str]:
    return {row[0] for row in conn.execute("SELECT leg_uuid FROM cdrs").fetchall()}


def test_what_waits_is_shown_while_the_daemon_is_at_work(run: Run, kept: Journal) -> None:
    kept.open()
    earlier = replace(a_cdr(1001, "two"), ended_us=NOON_US)
    kept.append([encode(Settlement(row)) for row in (a_cdr(1001, "one"), earlier)])
    kept.append([b"torn"])
    set_aside(kept.folder, [Refused(Release(1001, "leg \x1b[2J"), "out of range")])
    found = json.loads(run("show", "--json").output)
    kept.close(kept.begins)
    assert (found["settlements"], found["releases"], found["broken"], found["unwritable"]) == (2, 0, 1, 1)
    assert (found["cost"], found["oldest_us"]) == ("0.0250", NOON_US)
    shown = run("show").output
    assert "2026-03-01 12:00:00" in shown
    assert "out of range" in shown
    assert "\x1b" not in shown


def test_a_folder_that_is_not_there_is_said_in_a_line(run: Run, kept: Journal) -> None:
    for command in ("show", "replay"):
        assert str(kept.folder) in str(run(command).exception)
    assert not kept.folder.exists()


def test_what_a_dead_daemon_left_is_written_once(run: Run, kept: Journal, conn: Connection) -> None:
    an_account(conn, 1001, "5")
    put(kept, "one", "two")
    result = run("replay")
    assert (result.exit_code, result.output.splitlines()[0]) == (0, "3 records were waiting")
    assert legs(conn) == {"one", "two"}
    assert money(conn, 1001) == ("4.9750", "0.0000")
    assert run("replay").output.startswith("0 records were waiting")
    assert list(kept.folder.glob("segment-*")) == []


def test_what_postgres_refuses_of_it_is_set_aside(run: Run, kept: Journal, conn: Connection) -> None:
    an_account(conn, 1001, "5")
    put(kept, "one", "bad\0leg", "two")
    result = run("replay")
    assert result.exit_code == 1
    assert "0 of 1 records that were set aside are written" in result.output
    assert legs(conn) == {"one", "two"}
    assert list(kept.folder.glob("segment-*")) == []
    assert len(list(kept.folder.glob("unwritable-*"))) == 1


def test_what_was_refused_is_written_when_it_has_been_mended(
    run: Run, kept: Journal, conn: Connection
) -> None:
    an_account(conn, 1001, "5")
    kept.open()  # a daemon is at work
    bad = a_cdr(1001, "bad\0leg")
    path = set_aside(
        kept.folder,
        [Refused(Settlement(bad), "NUL"), Refused(Settlement(a_cdr(1001, "good")), "who knows")],
    )
    result = run("replay")
    assert result.exit_code == 1
    assert "1 of 2 records that were set aside are written" in result.output
    assert "at work" in result.output
    assert legs(conn) == {"good"}
    (line,) = path.read_text().splitlines()
    assert "NUL" in json.loads(line)["error"]

    path.write_text(line.replace("bad\\u0000leg", "mended") + "\n")
    assert run("replay").exit_code == 0
    assert legs(conn) == {"good", "mended"}
    assert not path.exists()
    kept.close(kept.begins)


def test_a_line_that_was_mended_badly_stays(run: Run, kept: Journal) -> None:
    kept.open()
    path = set_aside(kept.folder, [Refused(Release(1001, "leg"), "no")])
    kept.close(kept.begins)
    path.write_text(path.read_text().replace("1001", "many"))
    assert "mend the line" in str(run("replay").exception)
    assert path.exists()
    assert run("show").exit_code == 0
