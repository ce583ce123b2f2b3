"""A leg that was answered is known of until it is settled, whatever is held for it (store/answers.py)."""

from __future__ import annotations

from decimal import Decimal

from fixtures.records import a_cdr, an_account

from esl_agent.store.answers import keep_answers
from esl_agent.store.holds import HoldRequest, hold_many
from esl_agent.store.journal_records import Answer, Record, Release, Settlement
from esl_agent.store.open_holds import OpenHold, open_holds
from esl_agent.store.pool import Connection
from esl_agent.store.record_writer import write_records
from esl_agent.store.release import release_many

PAYER = 1001
CENT = Decimal("0.0100")
NOTHING = Decimal(0)


def an_answer(leg: str, known: str = '{"a": "\\u0000"}', account_id: int = PAYER) -> Answer:
    return Answer(account_id, leg, "montreal", known)


def kept(conn: Connection) -> list[str]:
    return [leg for (leg,) in conn.execute("SELECT leg_uuid FROM answers ORDER BY leg_uuid")]


def test_it_stands_beside_what_is_known_of_the_hold(conn: Connection) -> None:
    an_account(conn, PAYER, "1")
    hold_many(conn, [HoldRequest(PAYER, "leg", CENT, CENT, switch="montreal", known="[1]")])
    keep_answers(conn, [an_answer("leg")])

    assert open_holds(conn, "montreal") == [OpenHold(PAYER, "leg", CENT, "[1]", '{"a": "\\u0000"}')]
    assert open_holds(conn, "toronto") == []


def test_a_leg_that_nothing_is_held_for_is_found_after_those_that_something_is(conn: Connection) -> None:
    an_account(conn, PAYER, "1")
    keep_answers(conn, [an_answer("emergency", account_id=0), an_answer("on trust")])
    hold_many(conn, [HoldRequest(PAYER, "held", CENT, CENT, switch="montreal", known="[1]")])

    found = open_holds(conn, "montreal")
    assert [(each.leg_uuid, each.held, each.is_held) for each in found] == [
        ("held", CENT, True), ("emergency", NOTHING, False), ("on trust", NOTHING, False),
    ]  # fmt: skip
    assert [each.leg_uuid for each in open_holds(conn, "montreal", older_than_s=60)] == [
        "emergency",
        "on trust",
    ]


def test_one_that_was_given_up_and_talks_all_the_same_is_found(conn: Connection) -> None:
    an_account(conn, PAYER, "1")
    release_many(conn, [(PAYER, "late")])
    keep_answers(conn, [an_answer("late")])

    assert [each.leg_uuid for each in open_holds(conn, "montreal")] == ["late"]


def test_it_goes_with_the_settlement_of_its_leg(conn: Connection) -> None:
    an_account(conn, PAYER, "1")
    write_records(conn, [an_answer("short"), an_answer("long"), Settlement(a_cdr(PAYER, "short", "0.0100"))])
    assert kept(conn) == ["long"]

    write_records(conn, [Settlement(a_cdr(PAYER, "long", "0.0100"))])
    assert kept(conn) == []


def test_what_is_replayed_changes_nothing(conn: Connection) -> None:
    an_account(conn, PAYER, "1")
    records: list[Record] = [
        an_answer("talks"),
        an_answer("over"),
        Settlement(a_cdr(PAYER, "over", "0.0100")),
        Release(PAYER, "planned"),
    ]
    write_records(conn, records)
    first = open_holds(conn, "montreal")

    for record in records:  # each in a batch of its own: the answer after the settlement
        write_records(conn, [record])
    assert open_holds(conn, "montreal") == first


def test_of_a_leg_that_was_kept_ringing_the_answer_is_kept_that_came_later(conn: Connection) -> None:
    keep_answers(conn, [an_answer("leg", "[1]")])
    keep_answers(conn, [an_answer("leg", "[2]"), an_answer("leg", "[3]")])
    assert [each.answer for each in open_holds(conn, "montreal")] == ["[3]"]


def test_one_that_was_kept_while_its_leg_was_settled_elsewhere_is_of_no_open_leg(conn: Connection) -> None:
    an_account(conn, PAYER, "1")
    write_records(conn, [Settlement(a_cdr(PAYER, "leg", "0.0100"))])
    conn.execute(
        "INSERT INTO answers (account_id, leg_uuid, switch, known) VALUES (1001, 'leg', 'montreal', '[]')"
    )
    assert open_holds(conn, "montreal") == []
