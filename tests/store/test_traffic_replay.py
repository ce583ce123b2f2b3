"""`esl-agent traffic replay` says what rules would have done, and changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fixtures.commands import Command
from fixtures.records import S, a_cdr, an_account

from esl_agent.core.tariff import Plan
from esl_agent.store.cdrs import CdrRow, ensure_partitions, insert_cdrs, to_us
from esl_agent.store.plans import add_plan
from esl_agent.store.pool import Connection

BEGAN = datetime(2026, 5, 4, 14, tzinfo=UTC)
ONE = """
[[rule]]
name = "a-month"
when = [{ measure = "attempts", window = "30d", at_least = 13 }]
do = "alert"

[[override]]
plan = "wholesale"
rule = "a-month"
enabled = false
"""


def unanswered(account_id: int, count: int, began: datetime) -> Iterable[CdrRow]:
    """So many calls to people who don't answer, one after the other to the same few."""
    for n in range(count):
        created_us = to_us(began + timedelta(seconds=20 * n))
        yield a_cdr(
            account_id, f"{account_id}-{began:%m%d}-{n}", usage="0", number=f"1514555{n % 3:04}",
            created_us=created_us, answered_us=None, ended_us=created_us + 15 * S, duration_us=0,
            hangup_cause="NO_ANSWER",
        )  # fmt: skip


@pytest.fixture
def past(conn: Connection) -> None:
    """1001 dials 15 numbers in a row on 4 May; 1002 has a few calls a week; 1003 is on another plan."""
    add_plan(conn, Plan("wholesale", "standard"))
    for account_id, plan in ((1001, "standard"), (1002, "standard"), (1003, "wholesale")):
        an_account(conn, account_id, "5.0000", plan=plan)
    ensure_partitions(conn, datetime(2026, 3, 1, tzinfo=UTC))
    dialer = [
        a_cdr(1001, f"d-{n}", usage="0", number=f"1418655{n:04}", created_us=to_us(BEGAN) + n * 9 * S,
              answered_us=None, ended_us=to_us(BEGAN) + n * 9 * S + 6 * S, duration_us=0)
        for n in range(15)
    ]  # fmt: skip
    insert_cdrs(conn, dialer)
    for weeks in range(4):
        for account_id in (1002, 1003):
            insert_cdrs(conn, list(unanswered(account_id, 4, BEGAN - timedelta(weeks=weeks))))
    conn.execute("UPDATE cdrs SET recorded_at = ended_at")


def replayed(told: Command, *arguments: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(told("traffic", "replay", *arguments, "--json"))
    return found


def test_the_shipped_rules_are_tried_by_themselves(told: Command, past: None) -> None:
    [verdict] = replayed(told, "--since", "2026-05-01")

    assert (verdict["account_id"], verdict["rule"], verdict["action"]) == (
        1001, "dialer-sequence", "suspend_outbound",
    )  # fmt: skip
    assert verdict["at"] == "2026-05-04T14:01:27Z"  # the tenth call's end


def test_the_thirty_days_before_are_counted_and_say_nothing(
    told: Command, past: None, tmp_path: Path
) -> None:
    rules = tmp_path / "traffic.toml"
    rules.write_text(ONE)
    tried = ["--rules", str(rules)]

    found = replayed(told, "--since", "2026-05-04", *tried)
    assert {each["account_id"] for each in found} == {1001, 1002}  # and not 1003, whose plan has it off
    assert replayed(told, "--since", "2026-05-05", *tried) == []
    assert replayed(told, "--since", "2026-05-04", "--account", "1003", *tried) == []
    assert replayed(told, "--since", "2026-04-20", "--until", "2026-05-04T14:00", *tried) == []


def test_a_table_says_when_who_which_rule_and_why(told: Command, conn: Connection, past: None) -> None:
    text = told("traffic", "replay", "--since", "2026-05-01")
    assert "2026-05-04 14:01:27" in text
    assert "dialer-sequence" in text
    assert "sequential_run 1h 10 (at least 10) of 10" in text
    assert conn.execute("SELECT count(*) FROM restrictions").fetchone() == (0,)


def test_rules_that_are_wrong_are_told_in_a_line_each(refused: Command, past: None, tmp_path: Path) -> None:
    rules = tmp_path / "traffic.toml"
    rules.write_text("[[rule]]\nname = 'x'\n")
    error = refused("traffic", "replay", "--since", "2026-05-01", "--rules", rules)
    assert f"{rules} can't be used" in error
    assert "[[rule]] 1 (x): when is missing" in error
