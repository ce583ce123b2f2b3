"""A request that is sent again is carried out once, whatever broke off in between."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import gevent
import pytest
from faults.proxy import Proxy

from esl_agent.store import api_answers
from esl_agent.store.accounts import NewAccount, add_account, get_account
from esl_agent.store.api_answers import Key, begin, forget_old
from esl_agent.store.pool import Connection

from .client import PATIENCE_S
from .conftest import Served

PAYMENTS = "/accounts/1001/payments"


def payment(amount: str, reference: str) -> dict[str, str]:
    return {"amount": amount, "reference": reference}


def test_the_same_request_is_answered_as_the_first_time(served: Served, conn: Connection) -> None:
    first = served.office.post(PAYMENTS, payment("5.00", "a"), key="one")
    served.office.post(PAYMENTS, payment("7.00", "b"))
    again = served.office.post(PAYMENTS, payment("5.00", "a"), key="one")
    assert again.body == first.body
    assert (first.headers.get("idempotency-replayed"), again.headers["idempotency-replayed"]) == (
        None,
        "true",
    )
    assert get_account(conn, 1001).balance == Decimal("22.0000")
    assert len(served.journal.of("API_ACTED")) == 2


def test_a_key_stands_for_one_request_of_one_token(served: Served) -> None:
    assert served.office.post(PAYMENTS, payment("5.00", "a"), key="one").status == 200
    other = served.office.post(PAYMENTS, payment("6.00", "a"), key="one")
    assert (other.status, other.json["where"]) == (409, "Idempotency-Key")
    elsewhere = served.office.post("/accounts/1002/payments", payment("5.00", "a"), key="one")
    assert elsewhere.status == 409
    by_another = served.admin.post("/accounts/1002/payments", payment("5.00", "a"), key="one")
    assert (by_another.status, by_another.json["credited_now"]) == (200, True)


def test_a_refusal_is_remembered_too(served: Served) -> None:
    first = served.office.post("/accounts/1001/resume", {"reason": "x"}, key="one")
    served.office.post("/accounts/1001/suspend", {"reason": "x"})
    again = served.office.post("/accounts/1001/resume", {"reason": "x"}, key="one")
    assert (first.status, again.status, again.body) == (409, 409, first.body)
    assert again.headers["content-type"] == "application/problem+json"


def test_many_at_once_are_one(served: Served, conn: Connection) -> None:
    before = get_account(conn, 1001).balance
    asking = [gevent.spawn(served.office.post, PAYMENTS, payment("5.00", "a"), key="one") for _ in range(30)]
    gevent.joinall(asking, PATIENCE_S)
    bodies = {greenlet.value.body for greenlet in asking}
    assert {greenlet.value.status for greenlet in asking} == {200}
    assert len(bodies) == 1
    assert get_account(conn, 1001).balance == before + 5
    assert len(served.journal.of("API_ACTED")) == 1


def test_one_that_broke_off_is_carried_out_after_a_while_and_no_sooner(
    served: Served, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("esl_agent.web.idempotency.WAIT_S", 0.1)
    sent = payment("5.00", "a")
    served.office.post(PAYMENTS, sent, key="one")
    conn.execute("UPDATE api_answers SET status = NULL, content_type = NULL, body = NULL")
    early = served.office.post(PAYMENTS, sent, key="one")
    assert (early.status, early.headers["retry-after"]) == (409, "60")
    conn.execute("UPDATE api_answers SET asked_at = now() - interval '61 seconds'")
    late = served.office.post(PAYMENTS, sent, key="one")
    assert (late.status, late.json["credited_now"]) == (200, False)
    assert get_account(conn, 1001).balance == Decimal("15.0000")


def test_what_could_not_be_done_may_be_sent_again_at_once(
    serve: Callable[..., Served], database_url: str, conn: Connection
) -> None:
    served = serve(database_url=f"{database_url}&options=-c%20role%3Desl_agent_noc")
    assert served.office.post(PAYMENTS, payment("5.00", "a"), key="one").status == 503
    assert conn.execute("SELECT count(*) FROM api_answers").fetchone() == (0,)


def test_what_was_not_found_may_be_sent_again_when_it_is_there(served: Served, conn: Connection) -> None:
    path, sent = "/accounts/1003/payments", payment("5.00", "a")
    assert served.office.post(path, sent, key="one").status == 404
    add_account(conn, NewAccount(account_id=1003, name="", plan="standard", by="test", terms_version="1"))
    answer = served.office.post(path, sent, key="one")
    assert (answer.status, "idempotency-replayed" in answer.headers) == (200, False)


def test_a_key_is_nothing_while_the_database_is_away(serve: Callable[..., Served], way: Proxy) -> None:
    served = serve(way)
    assert served.office.get("/status").status == 200
    way.refuse()
    assert served.office.post(PAYMENTS, payment("5.00", "a"), key="one").status == 503


@pytest.mark.parametrize("key", ["x" * 201, "é", "a\tb"])
def test_a_key_that_is_none_is_refused(served: Served, key: str) -> None:
    answer = served.office.post(PAYMENTS, payment("5.00", "a"), key=key)
    assert (answer.status, answer.json["where"]) == (422, "Idempotency-Key")


def test_answers_are_forgotten_after_a_day(conn: Connection) -> None:
    for name in ("old", "young"):
        assert begin(conn, Key("t", name, b"x")) is None
    conn.execute(
        "UPDATE api_answers SET asked_at = now() - make_interval(hours => %s) WHERE idempotency_key = 'old'",
        [api_answers.KEPT_HOURS + 1],
    )
    assert (forget_old(conn), forget_old(conn)) == (1, 0)
    assert begin(conn, Key("t", "old", b"y")) is None
