"""What is sent by those who mean no good, or by machines that are broken: it is answered, and calls go on."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable
from http import HTTPStatus
from http.client import HTTPException

import gevent
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from esl_agent.store.pool import Connection
from esl_agent.store.tokens import revoke_token
from esl_agent.web import bearers, server

from .client import BASE, LOOPBACK, PATIENCE_S, Client, raw, rest_of
from .conftest import Served
from .test_tokens import wait_for

STATUS = f"GET {BASE}/status HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\r\n\r\n", 400),
        (b"GET\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),  # TLS
        (b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n", 400),
        (b"GET / HTTP/x\r\nHost: localhost\r\n\r\n", 400),
        (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET /api/v1/accounts?cursor=" + b"a" * 9_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nA: " + b"b" * 80_000 + b"\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon here\r\nHost: localhost\r\n\r\n", 421),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: many\r\n\r\n", 400),
        (b"GET /\xff\xfe%ff%00 HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
        (b"GET /api/v1/live-calls/%ff%00%0d%0a HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
        (b"GET /api/v1/accounts?search=%ff%fe%00 HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
        (b"GET /api/v1/accounts?search=a&search=b HTTP/1.1\r\nHost: localhost\r\n\r\n", 422),
        (b"GET /api/v1/accounts?cursor=AAAA HTTP/1.1\r\nHost: localhost\r\n\r\n", 422),
        (b"GET /api/v1/accounts?no_such=1 HTTP/1.1\r\nHost: localhost\r\n\r\n", 422),
        (b"GET /api/v1/cdrs?since=0001-01-01T00:00:00%2B14:00 HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
        (b"GET /api/v1/cdrs?until=9999-12-31T23:59:59-14:00 HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
        (b"DELETE /api/v1/accounts/1001 HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
        (b"TRACE /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
        (b"FETCH /api/v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"GET http://elsewhere.test/api/v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
        (b"POST /api/v1/status HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 411),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 411),
        (b"POST / HTTP/1.1\r\nHost: evil.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
    ],
)
def test_what_is_no_good_request_is_answered_so(served: Served, sent: bytes, status: int) -> None:
    answer = raw(served.port, sent)
    assert status_of(answer) == status, answer
    assert b"Traceback" not in answer
    assert served.journal.of("WEB_FAILED") == []
    assert served.anonymous.get("/status").status == 200


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sent=st.binary(max_size=400)
    | st.binary(max_size=200).map(
        lambda tail: b"GET /api/v1/" + tail + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"
    )
)
def test_any_bytes_get_no_answer_of_a_fault(served: Served, sent: bytes) -> None:
    with socket.create_connection((LOOPBACK, served.port), PATIENCE_S) as sock:
        sock.sendall(sent + b"\r\n\r\n")
        sock.shutdown(socket.SHUT_WR)
        answer = rest_of(sock)
    assert not answer or status_of(answer) < HTTPStatus.INTERNAL_SERVER_ERROR
    assert served.journal.of("WEB_FAILED") == []


def test_a_body_that_is_too_large_is_refused_and_not_kept(served: Served) -> None:
    path = f"{BASE}/accounts/1001/payments"
    just = b'{"amount":"1.00","reference":"a"' + b" " * (server.BODY_BYTES_MAX - 34) + b"}"
    headers = {"Content-Type": "application/json"}
    assert served.office.send("POST", path, just, headers).status == 200
    assert served.office.send("POST", path, just + b" " * 34, headers).status == 413
    # A gigabyte that is announced, and of which a part comes.
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {served.office.token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {2**30}\r\n\r\n"
    )
    assert status_of(raw(served.port, head.encode() + b"x" * (server.BODY_BYTES_MAX + 1))) == 413


@pytest.mark.parametrize("size", [server.BODY_BYTES_MAX + 1, server.DRAIN_BYTES_MAX // 2])
def test_whoever_sends_a_body_that_is_too_large_gets_the_answer(served: Served, size: int) -> None:
    """All of it is sent before anything is read, and no reset takes the answer away."""
    headers = {"Content-Type": "application/json"}
    answer = served.office.send("POST", f"{BASE}/accounts/1001/payments", b"x" * size, headers)
    assert (answer.status, answer.headers["connection"]) == (413, "close")


#: Sends a head, and then the same piece again and again until it is hung up on, or so many bytes have gone.
#: It says how many went, and the first line that came back.
FLOOD = """
import socket, sys
port, head, piece, most = int(sys.argv[1]), sys.argv[2].encode(), sys.argv[3].encode(), int(sys.argv[4])
sent, lump = 0, piece * (65_536 // len(piece))
with socket.create_connection(("127.0.0.1", port), 30) as sock:
    sock.sendall(head)
    answer = b""
    try:
        while sent < most:
            sent += sock.send(lump[sent % len(piece):])
            if not answer:
                sock.setblocking(False)
                try:
                    answer = sock.recv(200)
                except BlockingIOError:
                    pass
                sock.settimeout(30)
    except ConnectionError:
        pass
print(sent, answer.partition(b"\\r")[0].decode())
"""
FLOOD_BYTES = 128 * 1024 * 1024
#: What may be under way in the sockets' buffers, and what is thrown away.
TAKEN_BYTES_MAX = FLOOD_BYTES // 4


@pytest.mark.parametrize(
    ("path", "header", "piece", "status"),
    [
        (f"{BASE}/status", "Transfer-Encoding: chunked", "400\r\n" + "x" * 1024 + "\r\n", 411),
        (f"{BASE}/accounts/1001/payments", "Transfer-Encoding: chunked", "1\r\nx\r\n", 411),
        (f"{BASE}/accounts/1001/payments", f"Content-Length: {10**12}", "x", 401),
        ("/", f"Content-Length: {10**12}", "x", 405),
    ],
)
def test_a_body_without_an_end_is_answered_and_hung_up_on(
    served: Served, path: str, header: str, piece: str, status: int
) -> None:
    """It is sent by another process: from this one it would only come as fast as the daemon lets it."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{header}\r\n\r\n"
    arguments = [str(served.port), head, piece, str(FLOOD_BYTES)]
    done = subprocess.run(
        [sys.executable, "-c", FLOOD, *arguments], stdout=subprocess.PIPE, text=True, check=True
    )
    sent, _, line = done.stdout.strip().partition(" ")
    assert int(sent) < TAKEN_BYTES_MAX
    assert line.split(" ")[1] == str(status)
    assert served.anonymous.get("/status").status == 200
    assert served.journal.of("WEB_FAILED") == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b"[" * 30_000, 400),
        (b'{"reason": "\xff"}', 400),
        (b'{"reason": "\\ud800"}', 400),
        (b'{"reason": 1e999}', 400),
        (b'{"reason": {"$ne": 1}}', 422),
        (b'{"reason": null}', 422),
    ],
)
def test_a_body_that_is_no_json_or_no_good_one_is_told_so(served: Served, body: bytes, status: int) -> None:
    path = f"{BASE}/accounts/1001/suspend"
    answer = served.office.send("POST", path, body, {"Content-Type": "application/json"})
    assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_what_a_form_on_another_site_can_send_is_no_request(served: Served, kind: str) -> None:
    path = f"{BASE}/accounts/1001/suspend"
    answer = served.office.send("POST", path, b'{"reason": "x"}', {"Content-Type": kind})
    assert answer.status == 415


@pytest.mark.parametrize("host", ["evil.test", "evil.test:8085", "localhost.evil.test", "", "[::1].evil"])
def test_a_name_that_is_not_ours_is_turned_away(served: Served, host: str) -> None:
    """A page of evil.test whose name was made to point here reads nothing (DNS rebinding)."""
    assert served.anonymous.get("/live-calls", headers={"Host": host}).status == 421
    assert served.admin.get("/live-calls", headers={"Host": host}).status == 421


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:8085", "[::1]:8085", "noc.example"])
def test_our_own_names_are_taken(serve: Callable[..., Served], host: str) -> None:
    assert serve(hosts=["noc.example"]).anonymous.get("/status", headers={"Host": host}).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.test"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_nothing_is_changed_for_another_sites_page(served: Served, headers: dict[str, str]) -> None:
    answer = served.admin.post("/accounts/1001/suspend", {"reason": "x"}, headers=headers)
    assert answer.status == 403
    assert served.admin.get("/accounts/1001").json["state"] == "active"


def test_a_cookie_is_no_token(served: Served) -> None:
    """A browser would send it along with what another site's page asks."""
    cookie = {"Cookie": f"esl_agent_token={served.admin.token}"}
    refused = served.anonymous.post("/accounts/1001/suspend", {"reason": "x"}, headers=cookie)
    assert refused.status == 401


def test_no_answer_says_what_serves_it_and_each_is_kept_to_itself(served: Served) -> None:
    for answer in (
        served.anonymous.get("/status"),
        served.anonymous.get("/nothing"),
        served.anonymous.get("/quote"),
    ):
        assert "server" not in answer.headers
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert "access-control-allow-origin" not in answer.headers


def test_more_requests_than_are_allowed_are_told_to_wait(serve: Callable[..., Served]) -> None:
    served = serve(requests_per_second=5)
    statuses = [served.noc.get("/status").status for _ in range(40)]
    refused = served.noc.get("/status")
    assert statuses[0] == 200
    assert 429 in statuses
    if refused.status == 429:
        assert refused.headers["retry-after"] == "1"
    assert served.admin.get("/status").status == 200  # one token's haste is not another's
    wait_for(lambda: served.noc.get("/status").status == 200)


def test_who_has_a_good_token_is_not_kept_out_by_those_without_at_the_same_address(
    serve: Callable[..., Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As behind a proxy.  The database is asked about the token each time."""
    monkeypatch.setattr(bearers, "FRESH_S", -1.0)
    served = serve(requests_per_second=5)
    assert served.noc.get("/status").status == 200
    for _ in range(5):
        while served.anonymous.get("/status").status != 429:
            pass
        assert served.noc.get("/status").status == 200


def test_a_token_that_was_revoked_draws_on_its_address_again(
    serve: Callable[..., Served], conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bearers, "FRESH_S", -1.0)
    served = serve(requests_per_second=5)
    assert served.noc.get("/status").status == 200
    revoke_token(conn, "noc", "the test")
    assert {served.noc.get("/status").status for _ in range(40)} == {401, 429}


def test_guesses_are_slowed_down_before_the_database_is_asked(serve: Callable[..., Served]) -> None:
    served = serve(requests_per_second=5)
    guesses = [Client(served.port, f"esl_{number}").get("/status").status for number in range(40)]
    assert set(guesses) == {401, 429}
    assert guesses.count(401) <= 30
    assert len(served.journal.of("API_REFUSED")) <= 12


def test_the_slow_and_the_silent_are_sent_away(
    serve: Callable[..., Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "ASK_TIMEOUT_S", 0.5)
    served = serve()
    silent = socket.create_connection((LOOPBACK, served.port), PATIENCE_S)
    slow = socket.create_connection((LOOPBACK, served.port), PATIENCE_S)
    head = f"POST {BASE}/live-calls/x/kill HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n12345"
    slow_body = socket.create_connection((LOOPBACK, served.port), PATIENCE_S)
    slow_body.sendall(head.encode())
    dripping = gevent.spawn(drip, slow, STATUS)
    assert rest_of(silent) == b""
    assert rest_of(slow_body) == b""
    dripping.join(PATIENCE_S)
    assert dripping.ready()
    assert rest_of(slow) == b""
    assert served.anonymous.get("/status").status == 200
    for sock in (silent, slow, slow_body):
        sock.close()


def drip(sock: socket.socket, data: bytes) -> None:
    """A byte now and then, until the other side hangs up."""
    try:
        for byte in data:
            sock.sendall(bytes([byte]))
            gevent.sleep(0.05)
    except OSError:
        pass


def test_a_crowd_of_the_silent_does_not_keep_out_who_speaks(serve: Callable[..., Served]) -> None:
    served = serve(connections_max=20)
    crowd = [socket.create_connection((LOOPBACK, served.port), PATIENCE_S) for _ in range(60)]
    wait_for(lambda: answers(served.anonymous))
    for sock in crowd:
        sock.close()


def answers(client: Client) -> bool:
    try:
        return client.get("/status").status == 200
    except (OSError, HTTPException):
        return False


def test_one_who_takes_nothing_of_an_answer_is_sent_away(
    serve: Callable[..., Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "STALL_MAX_S", 0.3)
    served = serve()
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        sock.connect((LOOPBACK, served.port))
        sock.sendall(STATUS)
        wait_for(lambda: len(served.daemon._web._server.peers) == 0)
    assert served.journal.of("WEB_FAILED") == []


def test_calls_are_metered_while_the_api_is_asked_without_end(served: Served) -> None:
    asking = [gevent.spawn(ask_on, served.noc) for _ in range(8)]
    handle = served.call(talk_ms=300)
    assert handle.wait_ended(PATIENCE_S)
    served.journal.wait_for("CALL_RATED")
    gevent.killall(asking)


def ask_on(client: Client) -> None:
    while True:
        client.get("/live-calls")
        client.get("/cdrs")
