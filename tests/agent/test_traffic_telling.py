"""Who is told of a verdict: a command, and a receiver that answers well, wrongly, slowly or not at all."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
import pytest
import standardwebhooks
from fixtures.verdicts import a_verdict
from gevent.pywsgi import WSGIServer

from esl_agent.agent.clock import wall_us
from esl_agent.agent.daemon import Daemon
from esl_agent.agent.traffic.telling import HookTeller, WebhookTeller
from esl_agent.core.traffic.verdict import Action
from esl_agent.lab.ports import LOOPBACK
from esl_agent.noc.hook import HookError, run_hook
from esl_agent.noc.webhook import Webhook, WebhookError
from esl_agent.store.pool import Connection
from esl_agent.store.restrictions import list_restrictions

from .conftest import PATIENCE_S, Journal
from .twins import a_switch

SECRET = "whsec_" + "c2l4dGVlbiBhbmQgZWlnaHQgYnl0ZXMgb2YgaXQ="
ABOUT: dict[str, object] = {"restriction": 7, "account": 1001}


class Receiver:
    """Takes messages as `answers` say, one after the other, then with 204; checks each one's signature."""

    def __init__(self) -> None:
        self.answers: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.bodies: list[dict[str, object]] = []
        self.redirected = 0
        self._server = WSGIServer((LOOPBACK, 0), self._take, log=None, error_log=None)
        self._server.start()

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self._server.server_port}/traffic?of=esl-agent"

    def _take(self, environ: dict[str, object], start_response: Callable[..., object]) -> list[bytes]:
        if environ["PATH_INFO"] == "/elsewhere":
            self.redirected += 1
        names = ("webhook-id", "webhook-timestamp", "webhook-signature")
        headers = {name: str(environ[f"HTTP_{name.upper().replace('-', '_')}"]) for name in names}
        body = environ["wsgi.input"].read()  # type: ignore[attr-defined]
        standardwebhooks.Webhook(SECRET).verify(body, headers)
        self.headers.append(headers)
        self.bodies.append(json.loads(body))
        status = self.answers.pop(0) if self.answers else "204 No Content"
        if status == "never":
            gevent.sleep(1)
            status = "204 No Content"
        start_response(status, [("location", "/elsewhere"), ("content-type", "text/plain")])
        return [b"what nobody reads \r\nCALL_FORGED x=1"] if not status.startswith("204") else []

    def wait_for(self, count: int) -> None:
        with gevent.Timeout(PATIENCE_S, AssertionError(f"{count} messages did not come: {self.bodies}")):
            while len(self.bodies) < count:
                gevent.sleep(0.01)

    def stop(self) -> None:
        self._server.stop(timeout=0)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    running = Receiver()
    yield running
    running.stop()


@pytest.fixture
def teller(receiver: Receiver, journal: Journal) -> Iterator[WebhookTeller]:
    """One that does not wait long between two tries, for a receiver that checks."""
    telling = WebhookTeller(
        Webhook(receiver.url, SECRET, timeout_s=0.5), journal, give_up_s=60, pause_min_s=0.05, messages_max=3
    )
    running = gevent.spawn(telling.run)
    yield telling
    running.kill()


def test_a_message_is_signed_and_taken_once(teller: WebhookTeller, receiver: Receiver) -> None:
    teller.put('{"n":1}', ABOUT)
    teller.put('{"n":2}', ABOUT)
    receiver.wait_for(2)
    assert receiver.bodies == [{"n": 1}, {"n": 2}]
    assert len({each["webhook-id"] for each in receiver.headers}) == 2


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ("500 Not Now", "answered 500: not taken"),
        ("404 Not Here", "answered 404: not taken"),
        ("302 Found", "answered 302: a redirect, which is not followed"),
        ("never", "no answer within 0.5 s"),
    ],
)
def test_a_wrong_answer_or_none_is_told_once_and_the_message_tried_again_under_its_id(
    teller: WebhookTeller, receiver: Receiver, journal: Journal, answer: str, error: str
) -> None:
    receiver.answers = [answer] * 2
    teller.put('{"n":1}', ABOUT)
    receiver.wait_for(3)
    journal.wait_for("TRAFFIC_WEBHOOK_UP")
    assert journal.of("TRAFFIC_WEBHOOK_DOWN") == [{"error": error}]
    assert len({each["webhook-id"] for each in receiver.headers}) == 1
    assert receiver.redirected == 0
    assert "nobody reads" not in str(journal.lines)


def test_one_that_is_not_taken_does_not_keep_the_others_waiting(
    teller: WebhookTeller, receiver: Receiver
) -> None:
    receiver.answers = ["400 Bad Request"]
    for number in (1, 2, 3):
        teller.put(json.dumps({"n": number}), ABOUT)
    receiver.wait_for(4)
    assert [body["n"] for body in receiver.bodies] == [1, 2, 3, 1]


def test_what_is_never_taken_is_given_up_and_said(journal: Journal) -> None:
    with socket.create_server((LOOPBACK, 0)) as closed:
        port = closed.getsockname()[1]
    webhook = Webhook(f"http://{LOOPBACK}:{port}/", SECRET)
    teller = WebhookTeller(webhook, journal, give_up_s=0.3, pause_min_s=0.05)
    running = gevent.spawn(teller.run)
    teller.put("{}", ABOUT)
    (untold,) = journal.wait_for("TRAFFIC_UNTOLD")
    assert untold == {**ABOUT, "error": "Connection refused"}
    assert len(journal.of("TRAFFIC_WEBHOOK_DOWN")) == 1
    running.kill()


def test_only_so_many_messages_wait_and_what_is_left_at_the_end_is_said(
    receiver: Receiver, journal: Journal
) -> None:
    teller = WebhookTeller(Webhook(receiver.url, SECRET), journal, give_up_s=60, messages_max=2)
    for _ in range(3):
        teller.put("{}", ABOUT)
    assert journal.of("QUEUE_FULL") == [{"queue": "traffic webhook", "limit": 2}]
    teller.give_up()
    errors = [line["error"] for line in journal.of("TRAFFIC_UNTOLD")]
    assert errors == ["too many messages wait", "the daemon ends", "the daemon ends"]


@pytest.mark.parametrize(
    "said",
    [
        b"SSH-2.0-nothing\r\n",
        b"HTTP/1.1 banana\r\n\r\n",
        b"HTTP/1.1 200 " + b"x" * 100_000,
        b"\x00" * 70_000,
        b"",
    ],
)
def test_what_is_no_http_is_an_error_that_repeats_nothing_of_it(said: bytes) -> None:
    with socket.create_server((LOOPBACK, 0)) as server:

        def answer() -> None:
            peer, _ = server.accept()
            with peer:
                peer.recv(65_536)
                peer.sendall(said)

        running = gevent.spawn(answer)
        webhook = Webhook(f"http://{LOOPBACK}:{server.getsockname()[1]}/", SECRET, timeout_s=5)
        with pytest.raises(WebhookError) as caught:
            webhook.post("msg_1", "{}")
        running.kill()
    assert "banana" not in str(caught.value)
    assert "SSH" not in str(caught.value)
    assert len(str(caught.value)) < 100


@pytest.mark.parametrize("host", ["a" * 80 + ".example", "a..example", "nobody.invalid"])
def test_a_name_that_is_none_is_an_error(host: str) -> None:
    with pytest.raises(WebhookError):
        Webhook(f"https://{host}/", SECRET).post("msg_1", "{}")


def test_a_receiver_whose_certificate_nobody_vouches_for_is_told_nothing(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost",
         "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    heard: list[object] = []
    server = WSGIServer(
        (LOOPBACK, 0), lambda environ, _: heard.append(environ), log=None, error_log=None, ssl_context=tls
    )
    server.start()
    with pytest.raises(WebhookError, match="certificate verify failed"):
        Webhook(f"https://localhost:{server.server_port}/", SECRET).post("msg_1", "{}")
    server.stop(timeout=0)
    assert heard == []


def test_a_receiver_that_drips_is_left(journal: Journal) -> None:
    with socket.create_server((LOOPBACK, 0)) as server:

        def drip() -> None:
            peer, _ = server.accept()
            with peer:
                peer.recv(65_536)
                for byte in b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 1_000:
                    peer.sendall(bytes([byte]))
                    gevent.sleep(0.05)

        running = gevent.spawn(drip)
        webhook = Webhook(f"http://{LOOPBACK}:{server.getsockname()[1]}/", SECRET, timeout_s=0.3)
        with pytest.raises(WebhookError, match="no answer within"):
            webhook.post("msg_1", "{}")
        running.kill(block=False)


# A command.


def a_script(folder: Path, body: str) -> str:
    script = folder / "told"
    script.write_text(f"#!/bin/sh\n{body}\n")
    script.chmod(0o755)
    return str(script)


def test_a_command_reads_the_message_on_its_input(tmp_path: Path, journal: Journal) -> None:
    teller = HookTeller([a_script(tmp_path, f'cat > "{tmp_path}/$1"'), "got it; rm -rf $HOME"], journal)
    running = gevent.spawn(teller.run)
    teller.put('{"n":1}\n', ABOUT)
    got = tmp_path / "got it; rm -rf $HOME"
    with gevent.Timeout(PATIENCE_S, AssertionError("the command did not run")):
        while not got.exists() or not got.read_text():
            gevent.sleep(0.01)
    assert got.read_text() == '{"n":1}\n'
    running.kill()


@pytest.mark.parametrize(
    ("body", "error"), [("exit 3", "it ended with status 3"), (None, "[Errno 2] No such file or directory")]
)
def test_a_command_that_fails_is_said_with_how(
    tmp_path: Path, journal: Journal, body: str | None, error: str
) -> None:
    command = str(tmp_path / "nowhere") if body is None else a_script(tmp_path, body)
    teller = HookTeller([command], journal)
    running = gevent.spawn(teller.run)
    teller.put("{}" * 100_000, ABOUT)
    (said,) = journal.wait_for("TRAFFIC_HOOK_FAILED")
    assert said["account"] == 1001
    assert str(said["error"]).startswith(error)
    running.kill()


@pytest.mark.parametrize("first", ["cat >/dev/null", ":"])
def test_a_command_that_takes_too_long_is_ended_with_what_it_started(tmp_path: Path, first: str) -> None:
    script = a_script(tmp_path, f"{first}\nsleep 600 &\necho $! > {tmp_path}/child\nsleep 600")
    with pytest.raises(HookError, match=r"longer than 1 s"):
        run_hook([script], "{}" * 100_000, timeout_s=1)
    child = int((tmp_path / "child").read_text())
    with gevent.Timeout(PATIENCE_S, AssertionError("what it started goes on")):
        while is_alive(child):
            gevent.sleep(0.01)


def is_alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


# The daemon.


def test_a_verdict_is_told_by_log_webhook_and_command_with_its_evidence(
    conn: Connection,
    customers: None,
    start_daemon: Callable[..., Daemon],
    journal: Journal,
    receiver: Receiver,
    tmp_path: Path,
) -> None:
    switch = a_switch()
    traffic = {
        "webhook_url": receiver.url,
        "webhook_secret": SECRET,
        "hook": [a_script(tmp_path, f"cat > {tmp_path}/out")],
    }
    daemon = start_daemon(switch.port, traffic=traffic, log={"mask_numbers": True})
    daemon.traffic.enforcer.enforce(a_verdict(at_us=wall_us(), did="15145550100"))
    daemon.traffic.enforcer.enforce(a_verdict(at_us=wall_us(), action=Action.ALERT))
    receiver.wait_for(2)
    restricted, alert = receiver.bodies
    assert (restricted["type"], alert["type"]) == ("traffic.restricted", "traffic.alert")
    data: dict[str, object] = restricted["data"]  # type: ignore[assignment]
    kept = list_restrictions(conn)[-1].restriction
    assert (data["restriction"], data["account_id"], data["rule"]) == (kept.restriction, 1001, "dialer")
    assert data["did"] == "xxxxxxx0100"
    assert data["figures"] == [
        {"measure": "short_share", "window": "24h", "value": "0.1523", "sample": 120, "threshold": "0.15"}
    ]
    assert data["calls"] == [
        {"leg_uuid": "a leg", "at": "2026-03-01T12:00:00Z", "number": "xxxxxxxx0000", "talk_us": 2_000_000}
    ]
    with gevent.Timeout(PATIENCE_S, AssertionError("the command was not told")):
        while not (tmp_path / "out").exists() or '"traffic.alert"' not in (tmp_path / "out").read_text():
            gevent.sleep(0.01)
    switch.stop()
