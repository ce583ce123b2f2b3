"""What the API tells, and to whom how much of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from fixtures.records import S, a_cdr, an_account

from esl_agent import __version__
from esl_agent.store.accounts import suspend
from esl_agent.store.cdrs import insert_cdrs, to_us
from esl_agent.store.pool import Connection

from .conftest import CALLER, UK, Served

NOW_US = to_us(datetime.now(UTC)) - 3_600 * S


def lately(account_id: int, leg_uuid: str, minutes: int, **changes: Any) -> Any:
    """A CDR of a call that began so many minutes after an hour ago."""
    began_us = NOW_US + minutes * 60 * S
    values = {"created_us": began_us, "answered_us": began_us + S, "ended_us": began_us + 61 * S}
    return a_cdr(account_id, leg_uuid, **values | {"charged": Decimal("0.0125")} | changes)


def test_the_status_says_what_the_daemon_is_connected_to(served: Served) -> None:
    status = served.anonymous.get("/status").json
    assert status["version"] == __version__
    assert (status["switch_state"], status["database_state"], status["twin_state"]) == ("up", "up", "alone")
    assert (status["journal_has_room"], status["can_act_on_money"]) == (True, True)


def test_accounts_are_listed_in_pages_and_found_by_number_name_and_telephone(
    served: Served, conn: Connection
) -> None:
    for account_id in range(2001, 2008):
        an_account(conn, account_id, "0", name=f"Garage 100% no. {account_id}")
    office = served.office
    assert [each["account_id"] for each in office.pages("/accounts", "accounts", limit=2)] == [
        1001, 1002, *range(2001, 2008),
    ]  # fmt: skip

    def found(text: str) -> list[int]:
        return [each["account_id"] for each in office.get("/accounts", search=text).json["accounts"]]

    assert found("2003") == [2003]
    assert found("+15145550199") == [1002]
    assert found("garage 100%") == list(range(2001, 2008))
    assert found("garage _00") == []
    assert found("%") == list(range(2001, 2008))
    assert found("9" * 90) == []


def test_an_account_is_shown_with_its_money_limits_and_ledger(served: Served, conn: Connection) -> None:
    suspend(conn, 1002, "unpaid", "the office")
    shown = served.office.get("/accounts/1002").json
    assert (shown["balance"], shown["available"], shown["state"]) == ("10.0000", "10.0000", "suspended")
    assert shown["limits"]["caller_id_policy"] == "refuse"
    assert [(line["kind"], line["change"]) for line in shown["ledger"]] == [("top_up", "10.0000")]
    missing = served.office.get("/accounts/4711")
    assert (missing.status, missing.json["where"]) == (404, "account_id")


def test_noc_sees_what_accounts_have_and_not_whose_they_are(served: Served, conn: Connection) -> None:
    an_account(conn, 2001, "5", name="A garage")
    suspend(conn, 2001, "owes us for March", "the office")
    for client in (served.noc, served.anonymous):
        shown = client.get("/accounts/2001")
        assert (shown.json["name"], shown.json["state_reason"], shown.json["ledger"]) == (None, None, None)
        assert shown.json["balance"] == "5.0000"
        assert client.get("/accounts", search="garage").json["accounts"] == []
        assert b"garage" not in shown.body


def test_live_calls_are_shown_with_cost_and_time_left(served: Served) -> None:
    served.call()
    served.call(number="15145550147")
    calls = served.admin.get("/live-calls").json["calls"]
    # The switch's clock moves in steps: both may have begun at once.
    [second, first] = sorted(calls, key=lambda call: call["number"])
    assert (first["account_id"], first["number"], first["caller"]) == (1001, UK, CALLER)
    assert (first["phase"], first["currency"], first["rate_per_minute"]) == ("talking", "CAD", "0.012500")
    assert Decimal(first["cost"]) >= Decimal("0.0013")
    assert 0 < first["funded_s"] <= 3_600
    assert datetime.fromisoformat(first["funded_until"]) > datetime.now(UTC) - timedelta(seconds=5)
    assert served.admin.get(f"/live-calls/{second['leg_uuid']}").json["number"] == "15145550147"
    by_number = served.admin.get("/live-calls", number="+15145550147").json
    assert (by_number["up"], len(by_number["calls"])) == (2, 1)
    assert served.admin.get("/live-calls", account_id=1002).json["calls"] == []
    assert served.admin.get("/live-calls/nothing").status == 404


def test_live_calls_are_paged_and_none_is_told_twice_or_left_out(served: Served) -> None:
    for _ in range(7):
        served.call()
    first = served.admin.get("/live-calls", limit=3).json
    served.admin.post(f"/live-calls/{first['calls'][2]['leg_uuid']}/kill", {"reason": "a test"})
    served.journal.wait_for("CALL_RATED")
    served.call()
    second = served.admin.get("/live-calls", limit=10, cursor=first["next_cursor"]).json
    told = [call["leg_uuid"] for call in first["calls"] + second["calls"]]
    assert len(told) == len(set(told)) == 8
    assert second["next_cursor"] is None


def test_cdrs_are_found_by_account_number_period_and_cause(served: Served, conn: Connection) -> None:
    insert_cdrs(
        conn,
        [
            lately(1001, "busy", 1, hangup_cause="USER_BUSY"),
            lately(1001, "to mexico", 2, number="525512345678"),
            lately(1002, "other", 3, caller="15145550199"),
            lately(1001, "old", -60 * 24 * 60),
        ],
    )

    def legs(**query: object) -> list[str]:
        return [row["leg_uuid"] for row in served.office.get("/cdrs", **query).json["cdrs"]]

    assert legs() == ["other", "to mexico", "busy"]
    assert legs(account_id=1001) == ["to mexico", "busy"]
    assert legs(number="525512345678") == ["to mexico"]
    assert legs(number="15145550199") == ["other"]
    assert legs(hangup_cause="USER_BUSY") == ["busy"]
    assert legs(refused="true") == []
    assert "old" in legs(since="2020-01-01T00:00:00Z")
    assert legs(until="2021-01-01T00:00:00Z") == []


def test_a_page_of_cdrs_goes_on_where_the_one_before_ended_while_rows_come(
    served: Served, conn: Connection
) -> None:
    insert_cdrs(conn, [lately(1001, f"leg {minute:02}", minute) for minute in range(9)])
    first = served.office.get("/cdrs", limit=4).json
    insert_cdrs(conn, [lately(1002, "newer", 30), lately(1001, "older", -5)])
    rest, cursor = [], first["next_cursor"]
    while cursor:
        page = served.office.get("/cdrs", limit=4, cursor=cursor).json
        rest += page["cdrs"]
        cursor = page["next_cursor"]
    told = [row["leg_uuid"] for row in first["cdrs"] + rest]
    assert told == [*(f"leg {minute:02}" for minute in reversed(range(9))), "older"]


def test_a_refusal_comes_with_what_to_do(served: Served, conn: Connection) -> None:
    insert_cdrs(
        conn,
        [
            lately(1001, "poor", 1, refused="no_funds", rule="funds"),
            lately(0, "stranger", 2, refused="unknown_account"),
            lately(1001, "fine", 3),
        ],
    )
    told = served.noc.get("/refusals").json["refusals"]
    assert [(each["reason"], each["account_id"]) for each in told] == [
        ("unknown_account", 0),
        ("no_funds", 1001),
    ]
    assert all(each["meaning"] and each["action"] for each in told)
    only = served.noc.get("/refusals", reason="no_funds").json["refusals"]
    assert [each["leg_uuid"] for each in only] == ["poor"]
    assert served.noc.get("/refusals", reason="because").status == 422


def test_a_quote_says_what_a_call_would_cost(served: Served) -> None:
    quote = served.noc.get("/quote", account_id=1001, to="+525512345678", seconds=61).json
    assert (quote["billed_seconds"], quote["total"], quote["currency"]) == (120, "0.0400", "CAD")
    assert served.noc.get("/quote", account_id=1001, to="8005550123").json["is_free"] is True
    for dialled in ("not a number", "+8835100012345"):
        assert served.noc.get("/quote", account_id=1001, to=dialled).status == 409
    assert served.noc.get("/quote", account_id=4711, to=UK).status == 404


def test_admission_is_rehearsed_and_leaves_nothing_behind(served: Served, conn: Connection) -> None:
    told = served.office.get("/admission", account_id=1001, to="+442079460000").json
    assert (told["reason"], told["admitted"]) == ("no_route", False)
    assert told["action"]
    assert served.office.get("/admission", account_id=4711, to=UK).json["reason"] == "unknown_account"
    emergency = served.office.get("/admission", account_id=1001, to="911").json
    assert (emergency["admitted"], emergency["held"]) == (True, "0.0000")
    assert served.office.get("/admission", to=UK).status == 422
    assert served.office.get("/admission", product="forwarding", to=UK).status == 422
    assert conn.execute("SELECT count(*) FROM reservations").fetchone() == (0,)


@pytest.mark.parametrize(
    "path",
    ["/live-calls", "/cdrs", "/refusals", "/accounts/1001", "/admission?account_id=1001&to=442079460000"],
)
def test_noc_never_reads_a_whole_number(served: Served, conn: Connection, path: str) -> None:
    forwarded = {"forwarded_from": "15145550100", "recording": "/var/rec/15145550100.wav"}
    insert_cdrs(conn, [lately(1001, "leg", 1, caller=CALLER, **forwarded)])
    insert_cdrs(conn, [lately(1001, "refused", 2, caller=CALLER, refused="no_funds", number="")])
    conn.execute("INSERT INTO account_limits (account_id, default_caller_id) VALUES (1001, '15145550100')")
    served.call()
    for client in (served.noc, served.anonymous):
        answer = client.get(path)
        assert answer.status == 200, answer.body
        text = json.dumps(answer.json)
        assert not any(number in text for number in (UK, CALLER, CALLER.removeprefix("1"), "011442079460000"))
    seen = served.office.get(path).body.decode()
    assert UK in seen or CALLER in seen
