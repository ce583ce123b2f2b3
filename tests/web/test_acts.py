"""What is done through the API: money, states, and the end of a call."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import gevent
import pytest

from esl_agent.core.traffic.restriction import Restriction
from esl_agent.core.traffic.verdict import Action, Figure
from esl_agent.office.payments import list_payments
from esl_agent.store.accounts import close, get_account
from esl_agent.store.cdrs import CdrFilter, newest_cdrs
from esl_agent.store.ledger import check
from esl_agent.store.pool import Connection
from esl_agent.store.restrictions import restrict

from .client import PATIENCE_S
from .conftest import Served


def payment(**changes: Any) -> dict[str, Any]:
    return {"amount": "25.00", "reference": "receipt 1", "method": "card"} | changes


def test_a_payment_is_credited_once_and_the_books_name_the_token(served: Served, conn: Connection) -> None:
    taken = served.office.post("/accounts/1001/payments", payment(received_on="2026-03-01"))
    assert (taken.status, taken.json["credited_now"]) == (200, True)
    assert taken.json["account"]["balance"] == "35.0000"
    again = served.office.post("/accounts/1001/payments", payment(received_on="2026-03-01"))
    assert (again.status, again.json["credited_now"]) == (200, False)
    [booked, *_] = list_payments(conn, 1001)
    assert (booked.amount, booked.recorded_by, str(booked.received_on)) == (
        Decimal("25.0000"), "api office", "2026-03-01",
    )  # fmt: skip
    assert get_account(conn, 1001).balance == Decimal("35.0000")
    assert check(conn) == []
    [first, second] = served.journal.of("API_ACTED")
    assert (first["act"], first["token"], first["account"], first["reference"]) == (
        "payment", "office", 1001, "receipt 1",
    )  # fmt: skip
    assert (first["credited_now"], second["credited_now"]) == (True, False)


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (payment(amount=25), "amount"),
        (payment(amount="-1"), "amount"),
        (payment(amount="1.00001"), "amount"),
        (payment(amount="1e3"), "amount"),
        (payment(amount="NaN"), "amount"),
        (payment(amount="99999999999999999999"), "amount"),
        (payment(reference=""), "reference"),
        (payment(reference="a\r\nb"), "reference"),
        (payment(reference="a\u0000b"), "reference"),
        (payment(reference="a" * 201), "reference"),
        (payment(method="barter"), "method"),
        (payment(received_on="yesterday"), "received_on"),
        (payment(account_id=1002), "account_id"),
        (payment(more=1), ""),
        ({"amount": "1"}, ""),
        ([], ""),
        (7, ""),
    ],
)
def test_what_is_no_payment_is_told_where_and_changes_nothing(
    served: Served, conn: Connection, body: Any, where: str
) -> None:
    answer = served.office.post("/accounts/1001/payments", body)
    assert answer.status == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json.get("where", "") == where
    assert answer.json["detail"]
    assert get_account(conn, 1001).balance == Decimal("10.0000")


def test_what_an_account_is_in_no_state_for_is_a_conflict(served: Served, conn: Connection) -> None:
    close(conn, 1002, "moved away", "the test")
    for path, body in (
        ("/accounts/1002/payments", payment()),
        ("/accounts/1002/suspend", {"reason": "x"}),
        ("/accounts/1001/resume", {"reason": "x"}),
        ("/accounts/1001/payments", payment(amount="0")),
    ):
        answer = served.office.post(path, body)
        assert (answer.status, bool(answer.json["detail"])) == (409, True), answer
    served.office.post("/accounts/1001/payments", payment())
    other = served.office.post("/accounts/1001/payments", payment(amount="26"))
    assert other.status == 409
    assert "another reference" in other.json["detail"]
    assert served.office.post("/accounts/4711/payments", payment()).status == 404


def test_suspending_ends_the_calls_that_are_up_and_resuming_lets_new_ones_out(
    served: Served, conn: Connection
) -> None:
    handle = served.call()
    suspended = served.office.post("/accounts/1001/suspend", {"reason": "asked by telephone"})
    assert (suspended.status, suspended.json["state"]) == (200, "suspended")
    assert handle.wait_ended(PATIENCE_S)
    assert get_account(conn, 1001).state_by == "api office"
    assert served.office.post("/accounts/1001/resume", {"reason": "talked"}).json["state"] == "active"
    assert [line["act"] for line in served.journal.of("API_ACTED")] == ["suspend", "resume"]


def test_noc_ends_a_call_and_its_cdr_is_written(served: Served, conn: Connection) -> None:
    handle = served.call()
    [call] = served.noc.get("/live-calls").json["calls"]
    killed = served.noc.post(f"/live-calls/{call['leg_uuid']}/kill", {"reason": "a loop"})
    assert (killed.status, killed.json["state"]) == (202, "ending")
    assert handle.wait_ended(PATIENCE_S)
    served.journal.wait_for("CALL_RATED")
    [cdr] = newest_cdrs(conn, CdrFilter(), 2)
    assert cdr.leg_uuid == call["leg_uuid"]
    assert cdr.charge.total > 0
    [ended] = served.journal.of("CALL_ENDED")
    [acted] = served.journal.of("API_ACTED")
    assert (ended["reason"], acted["act"], acted["leg"]) == ("killed", "kill", call["leg_uuid"])
    assert served.noc.post(f"/live-calls/{call['leg_uuid']}/kill", {"reason": "again"}).status == 404


def test_a_call_is_no_unknown_one_while_the_switch_has_not_told_which_are_up(
    served: Served, conn: Connection
) -> None:
    served.simulator.stop()
    served.journal.wait_for("SWITCH_LOST")
    answer = served.noc.post("/live-calls/one/kill", {"reason": "a loop"}, key="one")
    assert (answer.status, answer.headers["retry-after"]) == (503, "2")
    assert conn.execute("SELECT count(*) FROM api_answers").fetchone() == (0,)


def test_a_restriction_is_listed_with_its_evidence_and_lifted(served: Served, conn: Connection) -> None:
    for did in ("", "15145550199"):
        made = Restriction(
            account_id=1002,
            did=did,
            rule="dialer",
            action=Action.SUSPEND_OUTBOUND,
            since_us=1,
            ends_calls=True,
        )
        restrict(conn, made, [Figure(measure="asr", window="1h", value="0.1", sample=90, threshold="0.2")])
    [second, first] = served.noc.pages("/restrictions", "restrictions", limit=1, account_id=1002)
    assert (first["action"], first["figures"][0]["threshold"]) == ("suspend_outbound", "0.2")
    assert second["did"] == "xxxxxxx0199"
    path = f"/restrictions/{first['restriction']}/clear"
    assert served.noc.post(path, {"reason": "x"}).status == 403
    cleared = served.office.post(path, {"reason": "talked to them"})
    assert (cleared.status, cleared.json["cleared_by"]) == (200, "api office")
    assert served.office.post(path, {"reason": "again"}).status == 409
    assert served.office.post("/restrictions/4711/clear", {"reason": "x"}).status == 404
    assert [each["did"] for each in served.office.get("/restrictions").json["restrictions"]] == [
        "15145550199"
    ]
    assert len(served.office.get("/restrictions", ended="true").json["restrictions"]) == 2


def test_an_emergency_call_is_never_ended(served: Served) -> None:
    handle = served.call(number="911")
    [call] = served.admin.get("/live-calls").json["calls"]
    answer = served.admin.post(f"/live-calls/{call['leg_uuid']}/kill", {"reason": "a mistake"})
    assert (answer.status, answer.json["detail"]) == (409, "an emergency call is never ended")
    assert not handle.wait_ended(0.3)
    assert served.journal.of("API_ACTED") == []


def test_without_the_offices_login_acts_say_what_to_set(serve: Callable[..., Served]) -> None:
    served = serve(database_url="")
    assert served.anonymous.get("/status").json["can_act_on_money"] is False
    answer = served.admin.post("/accounts/1001/payments", payment())
    assert (answer.status, "[web] database_url" in answer.json["to_do"]) == (501, True)


def test_a_login_that_may_not_is_told_of_and_nothing_of_the_database_is_shown(
    serve: Callable[..., Served], database_url: str, conn: Connection
) -> None:
    served = serve(database_url=f"{database_url}&options=-c%20role%3Desl_agent_noc")
    answer = served.office.post("/accounts/1001/payments", payment())
    assert answer.status == 503
    assert "doctor" in answer.json["to_do"]
    assert b"permission denied" not in answer.body
    [refused] = served.journal.of("DB_REFUSED")
    assert "permission denied" in str(refused["error"])
    assert get_account(conn, 1001).balance == Decimal("10.0000")


def test_many_payments_at_once_are_each_credited_once(served: Served, conn: Connection) -> None:
    bodies = [payment(reference=f"receipt {number % 20}", amount="1.00") for number in range(60)]
    answers = [gevent.spawn(served.office.post, "/accounts/1001/payments", body) for body in bodies]
    gevent.joinall(answers, PATIENCE_S)
    assert {greenlet.value.status for greenlet in answers} == {200}
    assert sum(greenlet.value.json["credited_now"] for greenlet in answers) == 20
    assert get_account(conn, 1001).balance == Decimal("30.0000")
    assert check(conn) == []
