"""The audit finds what is wrong with the books: else all the scenarios would prove nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fixtures.records import NOON_US, S, a_cdr, an_account

from esl_agent.simulator.truth import Truth
from esl_agent.store.cdrs import Source
from esl_agent.store.holds import HoldRequest, hold_many
from esl_agent.store.pool import Connection
from esl_agent.store.settle import settle_many

from .audit import audit, legs_on_file


def a_leg(uuid: str, **changes: Any) -> Truth:
    """As `a_cdr` has it."""
    values: dict[str, Any] = {
        "caller_leg_uuid": f"a-{uuid}",
        "is_outbound": True,
        "account": "1001",
        "product": "termination",
        "number": "442079460000",
        "carrier": "a",
        "created_us": NOON_US,
        "answered_us": NOON_US + 4 * S,
        "ended_us": NOON_US + 63 * S + 20_003,
        "cause": "NORMAL_CLEARING",
        "ended_by": "caller",
    }
    return Truth(uuid=uuid, **values | changes)


def test_books_that_are_right(conn: Connection) -> None:
    an_account(conn, 1001, "1.0000")
    settle_many(conn, [a_cdr(1001, "b"), a_cdr(1001, "c", source=Source.RECOVERED)])
    nobodys, callers = a_leg("d", account=""), a_leg("a", is_outbound=False)

    found = audit(conn, [a_leg("b"), a_leg("c"), nobodys, callers])

    assert found.problems() == []
    assert (found.legs, found.cdrs, found.recovered) == (2, 2, 1)


def test_a_leg_that_is_lost_one_that_never_was_and_one_that_lasted_otherwise(conn: Connection) -> None:
    an_account(conn, 1001, "1.0000")
    settle_many(conn, [a_cdr(1001, "longer", duration_us=60 * S), a_cdr(1001, "invented")])

    found = audit(conn, [a_leg("longer"), a_leg("lost")])

    assert found.lost == ["lost"]
    assert found.invented == ["invented"]
    assert found.differing == [f"longer {60 * S} for {59 * S + 20_003}"]
    assert len(found.problems(allowed=["lost"])) == 2


def test_a_leg_that_is_billed_to_two(conn: Connection) -> None:
    for account_id in (1001, 1002):
        an_account(conn, account_id, "1.0000")
    settle_many(conn, [a_cdr(1001, "b"), a_cdr(1002, "b")])

    assert audit(conn, [a_leg("b")]).doubled == ["b"]


def test_money_that_is_held_for_a_leg_that_is_over(conn: Connection) -> None:
    an_account(conn, 1001, "1.0000")
    hold_many(conn, [HoldRequest(1001, "b", a_cdr(1001, "b").charge.total, a_cdr(1001, "b").charge.total)])

    found = audit(conn, [])

    assert found.held == ["b"]
    assert [line for line in found.unbalanced if line.startswith("account 1001")]


def test_money_that_was_taken_from_nowhere(conn: Connection) -> None:
    an_account(conn, 1001, "0.0000")
    settle_many(conn, [a_cdr(1001, "b", usage="0.5000")])
    assert audit(conn, [a_leg("b")]).uncollected == {"b": a_cdr(1001, "b", usage="0.5000").charge.total}

    conn.execute("UPDATE accounts SET balance = -0.25")

    found = audit(conn, [a_leg("b")])
    assert str(found.overdrawn) == "0.2500"
    assert found.unbalanced


def test_a_charge_that_is_not_what_the_cdr_says(conn: Connection) -> None:
    an_account(conn, 1001, "1.0000")
    settle_many(conn, [a_cdr(1001, "b")])
    conn.execute("UPDATE ledger SET amount = amount + 1 WHERE reference = 'b'")

    assert audit(conn, [a_leg("b")]).mischarged == ["b"]


def test_a_duration_is_the_last_that_was_known_where_the_switch_left_no_file(
    conn: Connection, tmp_path: Path
) -> None:
    an_account(conn, 1001, "1.0000")
    settle_many(conn, [a_cdr(1001, leg, duration_us=60 * S) for leg in ("whole", "half", "none")])
    (tmp_path / "done").mkdir()
    (tmp_path / "done" / "whole.cdr.json").write_text('{"callflow":[{}]}\n')
    (tmp_path / "half.cdr.json").write_text('{"callflow":[{')

    truth = [a_leg("whole"), a_leg("half"), a_leg("none")]
    found = audit(conn, truth, on_file=legs_on_file(tmp_path))

    assert [line.partition(" ")[0] for line in found.differing] == ["whole"]
    assert [line.partition(" ")[0] for line in found.estimated] == ["half", "none"]


def test_a_call_that_was_cut_though_there_was_money(conn: Connection) -> None:
    for account_id in (1001, 2001):
        an_account(conn, account_id, "1.0000")
    settle_many(conn, [a_cdr(1001, "b"), a_cdr(2001, "c"), a_cdr(1001, "d")])
    cut = {"cause": "ALLOTTED_TIMEOUT", "ended_by": "switch"}

    truth = [a_leg("b", **cut), a_leg("c", account="2001", **cut), a_leg("d")]

    assert audit(conn, truth, rich=[1001]).cut == ["b"]


def test_a_leg_of_which_neither_a_file_nor_a_daemon_tells_is_none_that_was_lost(
    conn: Connection, tmp_path: Path
) -> None:
    (tmp_path / "on_file.cdr.json").write_text('{"callflow":[{}]}\n')

    truth = [a_leg("on_file"), a_leg("heard"), a_leg("nobody")]
    found = audit(conn, truth, on_file=legs_on_file(tmp_path), heard_of=["heard"])

    assert (found.lost, found.untold) == (["heard", "on_file"], ["nobody"])
