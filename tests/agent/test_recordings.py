"""A daemon hears of recordings from a simulated switch: each is written down, a missing one is an alarm."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import gevent
import pytest
from fixtures.records import a_cdr

from esl_agent.agent.daemon import Daemon
from esl_agent.agent.database import Database
from esl_agent.agent.recording.recordings import Recordings
from esl_agent.config import RecordingConfig
from esl_agent.core.admission.decide import TAG_TO_RECORD
from esl_agent.lab.child import wait_until
from esl_agent.lab.ports import LOOPBACK, free_port
from esl_agent.simulator.plan import Kind, Outcome
from esl_agent.simulator.simulator import Simulator
from esl_agent.store.cdrs import Source
from esl_agent.store.departments import Department, put_department, remove_department
from esl_agent.store.pool import Connection, connected, open_pool
from esl_agent.store.recordings import Recording, newest
from esl_agent.switch.events import RecordingEvent, decode_event

from .conftest import PATIENCE_S, Journal
from .exchange import UK, Exchange, put_carriers
from .twins import a_switch

SUPPORT = Department(UK, "support", days=30)
DESK = Department("15145550100", "desk")
Start = Callable[..., Exchange]
NAME = "f7072568-ca1f-4ebc-9243-7e3e0cf03433"


@pytest.fixture
def start(
    conn: Connection, customers: None, start_daemon: Callable[..., Daemon], journal: Journal
) -> Iterator[Start]:
    """Starts a switch and its daemon; support is a department."""
    put_carriers(conn)
    put_department(conn, SUPPORT, "test")
    switches: list[Simulator] = []

    def begin(*, records: bool = True, **recording: object) -> Exchange:
        port = free_port()
        switch = a_switch(admission=f"{LOOPBACK}:{port}", records=records)
        switches.append(switch)
        daemon = start_daemon(switch.port, admission={"outbound_port": port}, recording=recording)
        journal.wait_for("NOTICES_HEARD")
        return Exchange(switch, daemon, journal, conn)

    yield begin
    for switch in switches:
        switch.stop()


def recorded(conn: Connection, count: int = 1) -> list[Recording]:
    """What is written of recordings, when that many have stopped."""

    def stopped() -> list[Recording]:
        return [row for row in newest(conn, None, None, None, 100) if row.stopped_at]

    wait_until(lambda: len(stopped()) >= count, f"{count} recordings are written", PATIENCE_S)
    return stopped()


def test_a_call_to_support_is_written_down_from_its_answer_to_its_end(start: Start, conn: Connection) -> None:
    exchange = start()
    call = exchange.call(talk_ms=500)
    [cdr] = exchange.cdrs(1)
    [row] = recorded(conn)
    assert (row.account_id, row.leg_uuid, row.caller_leg_uuid) == (1001, cdr.leg_uuid, call.caller_uuid)
    assert (row.path, row.department, row.told) == (f"{cdr.leg_uuid}.wav", UK, "caller")
    assert row.stopped_at is not None
    lasted = row.stopped_at - row.started_at
    assert timedelta(0) <= lasted - timedelta(milliseconds=row.duration_ms or 0) < timedelta(milliseconds=1)
    assert row.delete_after - row.started_at == timedelta(days=30)
    assert (cdr.recording, cdr.tags) == (row.path, (TAG_TO_RECORD,))
    assert cdr.recorded_us is not None
    assert cdr.recorded_us[1] == cdr.ended_us
    assert call.heard == ["recording_notice.wav"]
    [begun] = exchange.journal.of("RECORDING_STARTED")
    assert begun == {
        "leg": cdr.leg_uuid,
        "account": 1001,
        "department": UK,
        "told": "caller",
        "file": row.path,
    }
    assert exchange.journal.of("RECORDING_STOPPED")[0]["seconds"] == (row.duration_ms or 0) / 1_000


def test_a_call_that_costs_something_costs_the_same_recorded(start: Start, conn: Connection) -> None:
    exchange = start()
    exchange.call(talk_ms=300)
    remove_department(conn, UK)
    _wait_until_known(exchange, set())
    exchange.call(talk_ms=300)
    first, second = exchange.cdrs(2)
    assert (first.recording, second.recording) == (f"{first.leg_uuid}.wav", None)
    assert (first.charge, first.charged) == (second.charge, second.charged)


def test_a_department_is_known_as_soon_as_it_is_added(start: Start, conn: Connection) -> None:
    exchange = start()
    put_department(conn, DESK, "test")
    _wait_until_known(exchange, {UK, DESK.number})
    exchange.call(number="12125550147")
    [row] = recorded(conn)
    assert (row.department, row.told) == (DESK.number, "called")


def test_a_departments_number_that_is_called_and_one_that_is_forwarded(
    start: Start, conn: Connection
) -> None:
    exchange = start()
    put_department(conn, DESK, "test")
    _wait_until_known(exchange, {UK, DESK.number})
    called = exchange.call(kind=Kind.INBOUND, caller="12125550147", did=DESK.number)
    forwarded = exchange.call(
        kind=Kind.FORWARDED, caller="12125550147", did=DESK.number, number="12125550148"
    )
    assert {(row.caller_leg_uuid, row.told) for row in recorded(conn, 2)} == {
        (called.caller_uuid, "caller"),
        (forwarded.caller_uuid, "caller"),
    }
    assert forwarded.heard == ["recording_notice.wav"]  # once, though it asked twice
    exchange.cdrs(3)
    assert {row.recording is None for row in exchange.cdrs(3)} == {False}


def test_other_calls_leave_nothing(start: Start, conn: Connection) -> None:
    exchange = start()
    exchange.call(number="12125550147")
    exchange.call(number=UK, outcome=Outcome.BUSY)
    exchange.call(number="911")
    exchange.cdrs(2)
    assert not exchange.journal.of("RECORDING_STARTED")
    assert newest(conn, None, None, None, 10) == []


def test_a_call_that_is_not_recorded_is_an_alarm_however_short_it_was(start: Start, conn: Connection) -> None:
    exchange = start(records=False)
    exchange.call()
    [cdr] = exchange.cdrs(1)
    [failed] = exchange.journal.wait_for("RECORDING_FAILED")
    assert failed == {"leg": cdr.leg_uuid, "department": UK, "reason": "never began"}
    assert cdr.refused is None


def test_one_that_goes_on_unrecorded_is_an_alarm_while_it_does_and_only_once(start: Start) -> None:
    exchange = start(records=False, start_max_s=1)
    call = exchange.place(talk_ms=60_000)
    [failed] = exchange.journal.wait_for("RECORDING_FAILED")
    assert failed["reason"] == "has not begun"
    exchange.simulator.core.api("uuid_kill", call.outbound_uuids[0])
    exchange.cdrs(1)
    assert len(exchange.journal.of("RECORDING_FAILED")) == 1


def test_where_nothing_can_be_written_departments_calls_are_refused_if_the_operator_wants_that(
    start: Start, tmp_path: Path
) -> None:
    folder = tmp_path / "recordings"
    folder.write_text("in the way")
    exchange = start(folder=str(folder), when_failed="refuse", free_min_mb=0)
    exchange.journal.wait_for("RECORDING_FOLDER_FAILED")
    exchange.call()
    [refused] = exchange.journal.wait_for("CALL_REFUSED")
    assert (refused["reason"], refused["rule"]) == ("not_recordable", "recordable")
    exchange.call(number="12125550147")
    exchange.cdrs(1)

    folder.unlink()
    exchange.journal.wait_for("RECORDING_FOLDER_GOOD")
    exchange.call()
    exchange.journal.wait_for("RECORDING_STARTED")


def test_the_file_is_measured_where_it_is_seen(start: Start, conn: Connection, tmp_path: Path) -> None:
    exchange = start(folder=str(tmp_path), free_min_mb=0)
    call = exchange.place(talk_ms=300)
    assert call.wait_answered(PATIENCE_S)
    (tmp_path / f"{call.outbound_uuids[0]}.wav").write_bytes(b"sound")
    [row] = recorded(conn)
    assert (row.bytes, row.sha256) == (5, hashlib.sha256(b"sound").hexdigest())


# Without a switch: what is rare, or hostile.


def a_recording(**changes: str) -> RecordingEvent:
    told = {
        "Event-Name": "RECORD_START",
        "Event-Date-Timestamp": "1772366400000000",
        "Unique-ID": NAME,
        "Record-File-Path": f"/var/recordings/{NAME}.wav",
        "variable_esl_recorded_for": UK,
        "variable_esl_recorded_account": "1001",
        "variable_esl_recorded_tell": "caller",
        "variable_esl_recorded_caller": "334f4db6-d353-469d-90bb-41436a2b85c0",
    }
    body = ",".join(f'"{name}":"{value}"' for name, value in (told | changes).items())
    event = decode_event(f"{{{body}}}".encode())
    assert isinstance(event, RecordingEvent)
    return event


@pytest.fixture
def listening(database_url: str, conn: Connection, journal: Journal) -> Iterator[Recordings]:
    """What hears and writes, with a pool of its own."""
    pool = open_pool(database_url, 2, name="recordings", connect_timeout_s=2)
    database = Database(pool, database_url, journal)
    recordings = Recordings(RecordingConfig(), database, dict, journal, lambda: 0)
    running = gevent.spawn(recordings.run)
    yield recordings
    running.kill()
    pool.close()


def test_one_whose_beginning_was_missed_is_written_when_it_stops(
    listening: Recordings, conn: Connection
) -> None:
    listening.heard(a_recording(**{"Event-Name": "RECORD_STOP", "variable_record_ms": "2500"}))
    [row] = recorded(conn)
    assert row.stopped_at is not None
    assert row.stopped_at - row.started_at == timedelta(seconds=2.5)
    assert row.delete_after - row.started_at == timedelta(days=180)  # of a number that is no department's now


def test_what_is_heard_twice_is_written_once(listening: Recordings, conn: Connection) -> None:
    for _ in range(2):
        listening.heard(a_recording())
        listening.heard(a_recording(**{"Event-Name": "RECORD_STOP", "variable_record_ms": "2500"}))
    assert len(recorded(conn)) == 1


@pytest.mark.parametrize("path", ["/etc/passwd", "../../x.wav", f"{NAME}.mp3", "", f"/a/{NAME}.wav/../b"])
def test_a_file_that_is_no_recording_of_ours_is_not_written_down(
    path: str, listening: Recordings, journal: Journal
) -> None:
    listening.heard(a_recording(**{"Record-File-Path": path}))
    [bad] = journal.of("SWITCH_EVENT_BAD")
    assert "no recording of ours" in str(bad["error"])
    assert not journal.of("RECORDING_STARTED")


def test_a_recording_that_somebody_else_makes_on_the_switch_is_nobodys_business(
    listening: Recordings, journal: Journal
) -> None:
    listening.heard(a_recording(variable_esl_recorded_for="", **{"Record-File-Path": "/tmp/mine.wav"}))
    assert journal.lines == []


def test_while_the_database_is_frozen_it_waits_and_is_written_when_that_is_back(
    listening: Recordings, conn: Connection, database_url: str, journal: Journal
) -> None:
    with connected(database_url) as other, other.transaction():
        other.execute("LOCK TABLE recordings")
        listening.heard(a_recording())
        pid = _backend_that_waits(conn)
        conn.execute("SELECT pg_terminate_backend(%s)", [pid])
        journal.wait_for("DB_DOWN")
    listening.heard(a_recording(**{"Event-Name": "RECORD_STOP", "variable_record_ms": "2500"}))
    assert len(recorded(conn)) == 1


@pytest.mark.parametrize(
    ("changes", "is_told"),
    [
        ({"source": Source.SWITCH_FILE}, True),
        ({"source": Source.RECOVERED}, True),
        ({"source": Source.LIVE}, False),  # its events were heard
        ({"source": Source.SWITCH_FILE, "recording": f"{NAME}.wav"}, False),
        ({"source": Source.SWITCH_FILE, "tags": ()}, False),
        (
            {"source": Source.SWITCH_FILE, "duration_us": 5_000_000},
            False,
        ),  # it may have ended while it was told
    ],
)
def test_a_call_that_nobody_saw_and_that_has_no_recording_is_an_alarm(
    changes: dict[str, object], is_told: bool, listening: Recordings, journal: Journal
) -> None:
    settled: list[object] = []
    settle = listening.watching(lambda row, heir: settled.append((row, heir)))
    row = a_cdr(1001, "leg", **{"tags": (TAG_TO_RECORD,)} | changes)
    settle(row, "heir")
    assert settled == [(row, "heir")]
    assert bool(journal.of("RECORDING_FAILED")) == is_told


def _backend_that_waits(conn: Connection) -> int:
    with gevent.Timeout(PATIENCE_S, AssertionError("nobody waits for the table")):
        while not (
            row := conn.execute(
                "SELECT pid FROM pg_stat_activity WHERE application_name = 'recordings'"
                " AND wait_event_type = 'Lock' AND datname = current_database()"
            ).fetchone()
        ):
            gevent.sleep(0.02)
    return int(row[0])


def _wait_until_known(exchange: Exchange, numbers: set[str]) -> None:
    book = exchange.daemon.parts.book
    wait_until(lambda: set(book.departments) == numbers, "the daemon knows the department", PATIENCE_S)
