"""What the live page is served as, and its stream over real HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from http.client import HTTPConnection, HTTPResponse
from typing import Any

import gevent
import pytest
from faults.proxy import Proxy
from fixtures.live_feed import events_in
from fixtures.records import a_cdr
from gevent.event import Event

from esl_agent.agent.clock import wall_us
from esl_agent.agent.web import page as page_module
from esl_agent.agent.web import serving
from esl_agent.noc.minutes import MINUTE_US
from esl_agent.store.cdrs import insert_cdrs
from esl_agent.store.pool import Connection
from esl_agent.web.live import feed as feed_module
from esl_agent.web.ports import Books

from .client import LOOPBACK, PATIENCE_S
from .conftest import CALLER, UK, Served
from .test_tokens import wait_for


@contextmanager
def stream(served: Served, **headers: str) -> Iterator[HTTPResponse]:
    connection = HTTPConnection(LOOPBACK, served.port, timeout=PATIENCE_S)
    connection.request(
        "GET", "/page/events", headers={name.replace("_", "-"): text for name, text in headers.items()}
    )
    answer = connection.getresponse()
    yield answer
    answer.close()
    connection.close()


def read_until(answer: HTTPResponse, event: str) -> list[tuple[str, Any, str]]:
    """The events up to that one."""
    events: list[tuple[str, Any, str]] = []
    lines = b""
    while not events or events[-1][0] != event:
        line = answer.readline()
        assert line, "the stream ended"
        lines += line
        if line == b"\n":
            events += events_in(lines)
            lines = b""
    return events


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/page/style.css", "text/css; charset=utf-8"),
        ("/page/js/main.js", "text/javascript; charset=utf-8"),
        ("/page/js/views/calls.js", "text/javascript; charset=utf-8"),
        ("/page/js/lang/fr.js", "text/javascript; charset=utf-8"),
        ("/page/favicon.svg", "image/svg+xml"),
    ],
)
def test_the_files_ask_for_no_token_and_may_do_little(served: Served, path: str, content_type: str) -> None:
    answer = served.anonymous.send("GET", path)
    assert (answer.status, answer.headers["content-type"]) == (200, content_type)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
    assert "unsafe" not in policy
    again = served.anonymous.send("GET", path, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize(
    "path",
    ["/page/nothing.js", "/page/../server.py", "/page/__init__.py", "/page/%2e%2e/server.py", "/page/"],
)
def test_nothing_else_is_served(served: Served, path: str) -> None:
    assert served.anonymous.send("GET", path).status in (400, 404)


def test_words_and_reasons_are_explained(served: Served) -> None:
    told = served.anonymous.send("GET", "/page/words").json
    assert "Bring Postgres back." in told["words"]["DB_DOWN"]["action"]
    assert told["reasons"]["no_funds"]["action"] == "The customer has to top up."


def test_a_stream_begins_with_everything_and_goes_on_with_what_changes(served: Served) -> None:
    served.call()
    with stream(served) as answer:
        assert answer.getheader("Content-Type") == "text/event-stream"
        events = read_until(answer, "ready")
        assert events[0][0] == "snapshot"
        (calls,) = (data["rows"] for name, data, _ in events if name == "rows" and data["table"] == "calls")
        assert (calls[0][1], calls[0][3]) == ("1001", f"xxxxxxx{CALLER[-4:]}")
        last_id = events[-1][2]
        served.call()
        while not any("calls" in data["tables"] for _, data, _ in events if "tables" in data):
            events = read_until(answer, "delta")
    with stream(served, Last_Event_ID=last_id) as answer:
        assert read_until(answer, "delta")[0][0] == "delta"


def test_whole_numbers_are_for_those_who_may_see_them(served: Served) -> None:
    served.call()
    for client, shown in (
        (served.noc, f"xxxxxxx{CALLER[-4:]}"),
        (served.office, CALLER),
        (served.admin, CALLER),
    ):
        with stream(served, Authorization=f"Bearer {client.token}") as answer:
            events = read_until(answer, "ready")
            (calls,) = (
                data["rows"] for name, data, _ in events if name == "rows" and data["table"] == "calls"
            )
            assert calls[0][3] == shown


def test_what_people_wrote_is_for_those_who_may_see_it_in_the_api(served: Served) -> None:
    say, written = served.daemon.parts.log, "lives at 12 Main St"
    say("CALL_REFUSED", account=1001, caller=CALLER, to=UK, reason="blocked", detail=written)
    say("TRAFFIC_RESTRICTED", account=1001, number=UK, action="suspend_did", reason=written)
    for client, is_shown in ((served.anonymous, False), (served.noc, False), (served.office, True)):
        token = {"Authorization": f"Bearer {client.token}"} if client.token else {}
        with stream(served, **token) as answer:
            events = read_until(answer, "ready")
        tables = {data["table"]: data["rows"] for name, data, _ in events if name == "rows"}
        [refused], alerts = tables["refusals"], {row[1]: row[-1] for row in tables["alerts"]}
        assert refused[5:] == ["blocked", written if is_shown else ""]
        restricted = alerts["TRAFFIC_RESTRICTED"]
        assert (restricted["action"], restricted.get("reason")) == (
            "suspend_did",
            written if is_shown else None,
        )
        assert (written in str(events)) == is_shown


def test_a_stream_needs_a_token_where_reading_does(serve: Callable[..., Served]) -> None:
    served = serve(read_without_token=False)
    with stream(served) as answer:
        assert answer.status == 401
    with stream(served, Authorization="Bearer wrong") as answer:
        assert answer.status == 401
    assert served.anonymous.send("GET", "/").status == 200


def test_one_more_than_may_look_on_is_told_to_come_back(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = served.daemon._web._page.feed
    monkeypatch.setattr(feed, "_viewers_max", 1)
    with stream(served) as first:
        read_until(first, "ready")
        with stream(served) as second:
            assert (second.status, second.getheader("Retry-After")) == (503, "10")
        served.journal.wait_for("PAGE_FULL")


def test_an_event_id_without_an_end_takes_nobodys_place(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = served.daemon._web._page.feed
    monkeypatch.setattr(feed, "_viewers_max", 2)
    for _ in range(5):
        with stream(served) as first:
            run = read_until(first, "ready")[-1][2].partition("-")[0]
            with stream(served, Last_Event_ID=f"{run}-{'9' * 5_000}") as second:
                assert read_until(second, "ready")[0][0] == "snapshot"
        wait_for(lambda: feed.viewers == 0)
    assert served.journal.of("WEB_FAILED") == []


def test_a_feed_that_failed_is_told_of_and_begins_again(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "RETRY_S", 0.1)
    monkeypatch.setattr(feed_module, "KEEP_ALIVE_S", 0.5)
    [calls] = [table for table in served.daemon._web._page.feed._tables if table.name == "calls"]
    read = calls._read
    with stream(served) as answer:
        read_until(answer, "ready")

        def fail() -> Any:
            monkeypatch.setattr(calls, "_read", read)
            raise RuntimeError("a fault of ours")

        monkeypatch.setattr(calls, "_read", fail)
        [failed] = served.journal.wait_for("WEB_FAILED")
        assert (failed["path"], "a fault of ours" in str(failed["error"])) == ("/page/events", True)
        served.call()
        events = read_until(answer, "ready")
        assert "snapshot" in [name for name, _, _ in events]
    assert served.journal.of("AGENT_CRASHED") == []


def test_the_minutes_of_before_the_start_come_from_the_cdrs(
    serve: Callable[..., Served], conn: Connection
) -> None:
    began_us = (wall_us() // MINUTE_US - 10) * MINUTE_US
    cost = Decimal("0.0125")
    insert_cdrs(
        conn,
        [
            a_cdr(1001, "one", created_us=began_us, charged=cost),
            a_cdr(1001, "two", "0", created_us=began_us, answered_us=None, refused="no_funds"),
        ],
    )
    assert minute_told(serve(), began_us) == [began_us, 1, 1, {"no_funds": 1}, 0, 1, {"CAD": "0.0125"}, None]


def test_the_minutes_of_before_come_when_the_database_is_back(
    serve: Callable[..., Served], way: Proxy, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_module, "FILL_RETRY_S", 0.2)
    asked, ask = Event(), page_module.Page._is_filled

    def asking(page: page_module.Page, books: Books) -> bool:
        is_filled = ask(page, books)
        asked.set()
        return is_filled

    monkeypatch.setattr(page_module.Page, "_is_filled", asking)
    began_us = (wall_us() // MINUTE_US - 10) * MINUTE_US
    insert_cdrs(conn, [a_cdr(1001, "one", created_us=began_us, charged=Decimal("0.0125"))])
    way.refuse()
    starting = gevent.spawn(serve, way)
    assert asked.wait(PATIENCE_S)
    way.heal()
    assert minute_told(starting.get(timeout=PATIENCE_S), began_us)[1] == 1


def minute_told(served: Served, began_us: int) -> list[Any]:
    """The row of that minute, once it is told of."""
    told: list[list[Any]] = []
    with stream(served) as answer, gevent.Timeout(PATIENCE_S, AssertionError("it was not told of")):
        while not told:
            for _, data, _ in read_until(answer, "delta"):
                rows = data.get("rows", []) if data.get("table") == "minutes" else []
                rows += data.get("tables", {}).get("minutes", {}).get("rows", [])
                told += [row for row in rows if row[0] == began_us]
    return told[0]
