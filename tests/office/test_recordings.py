"""Recordings are all there, or it is said which are not; they go when they were kept for their time."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import wave
import zipfile
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import CliRunner
from fixtures.commands import Command
from fixtures.postgres import as_role
from fixtures.records import NOON_US, S, a_cdr, an_account

from esl_agent.cli.main import cli
from esl_agent.office import recording_check as office
from esl_agent.office import recording_retention
from esl_agent.office.disclosure import Demand, Kind, Scope, disclose
from esl_agent.office.recording_check import Fault, Found
from esl_agent.office.retention import RetentionError, RetentionPolicy, run
from esl_agent.store.cdrs import to_time
from esl_agent.store.departments import Department, put_department
from esl_agent.store.pool import Connection
from esl_agent.store.recording_files import Measure, RecordingFiles
from esl_agent.store.recordings import Begun, newest, put_begun, put_stopped
from esl_agent.store.settle import settle_many

PAYER: Final = 1001
SUPPORT: Final = "15145550199"
LEG: Final = "f7072568-ca1f-4ebc-9243-7e3e0cf0343{}".format
NOW: Final = datetime(2026, 3, 5, tzinfo=UTC)
MARCH: Final = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def payer(conn: Connection) -> None:
    an_account(conn, PAYER, "5")


@pytest.fixture
def files(tmp_path: Path) -> RecordingFiles:
    folder = tmp_path / "recordings"
    folder.mkdir()
    return RecordingFiles(folder)


def path_of(files: RecordingFiles, number: int) -> Path:
    return files.folder / f"{LEG(number)}.wav"


def a_file(files: RecordingFiles, number: int, seconds: int = 2, stopped_us: int = NOON_US + 10 * S) -> Path:
    path = path_of(files, number)
    with wave.open(str(path), "wb") as sound:
        sound.setparams((2, 2, 8_000, 0, "NONE", ""))
        sound.writeframes(bytes(4 * 8_000 * seconds))
    os.utime(path, ns=(stopped_us * 1_000, stopped_us * 1_000))
    return path


def a_row(
    conn: Connection, number: int, *, days: int = 30, started_us: int = NOON_US, **changes: Any
) -> None:
    begun = Begun(
        account_id=PAYER, leg_uuid=LEG(number), caller_leg_uuid=None, path=f"{LEG(number)}.wav",
        department=SUPPORT, told="caller", told_us=started_us - S, started_us=started_us, days=days,
    )  # fmt: skip
    put_begun(conn, begun)
    if changes.get("stopped", True):
        measure = Measure(5, "0" * 64, started_us, None)
        put_stopped(conn, PAYER, LEG(number), started_us + S, 1_000, changes.get("measure", measure))


def a_call(conn: Connection, number: int, *, names: bool = True, **changes: Any) -> None:
    recording = f"{LEG(number)}.wav" if names else None
    settle_many(
        conn, [a_cdr(PAYER, LEG(number), recording=recording, number=SUPPORT, tags=("to_record",), **changes)]
    )


def faults(conn: Connection, files: RecordingFiles, **options: bool) -> list[tuple[Fault, str | None]]:
    return [(each.fault, each.leg_uuid and each.leg_uuid[-1]) for each in found(conn, files, **options)]


def found(conn: Connection, files: RecordingFiles, **options: bool) -> list[Found]:
    return list(office.check(conn, files, office.look(conn, files), MARCH, NOW, talk_min_s=30, **options))


class TestCheck:
    def test_all_is_well(self, conn: Connection, files: RecordingFiles) -> None:
        a_row(conn, 1)
        a_file(files, 1)
        a_call(conn, 1)
        assert faults(conn, files) == []

    def test_what_is_up_has_not_stopped(self, conn: Connection, files: RecordingFiles) -> None:
        a_row(conn, 1, started_us=NOON_US + 3 * 86_400 * S, stopped=False)
        a_file(files, 1)
        assert faults(conn, files) == []

    def test_a_file_is_missing(self, conn: Connection, files: RecordingFiles) -> None:
        a_row(conn, 1)
        a_call(conn, 2)
        assert faults(conn, files) == [(Fault.FILE_MISSING, "1"), (Fault.FILE_MISSING, "2")]

    def test_a_file_that_was_deleted_in_time_is_not_missing(
        self, conn: Connection, files: RecordingFiles
    ) -> None:
        a_row(conn, 1, days=1)
        a_call(conn, 1)
        assert sum(each.row_count for each in delete(conn, files) if each.kind == "recordings") == 1
        assert faults(conn, files) == []
        a_file(files, 1)
        assert faults(conn, files) == [(Fault.NOT_DELETED, "1")]

    def test_a_file_that_nothing_tells_of(self, conn: Connection, files: RecordingFiles) -> None:
        a_file(files, 1)
        (files.folder / "notes.txt").write_text("nothing of ours")
        assert found(conn, files) == [Found(Fault.UNKNOWN_FILE, f"{LEG(1)}.wav")]

    def test_a_file_that_is_not_as_it_was(self, conn: Connection, files: RecordingFiles) -> None:
        path = a_file(files, 1)
        a_row(conn, 1, measure=files.measure(path.name))
        assert faults(conn, files, hashes=True) == []
        path.write_bytes(path.read_bytes() + b"x")
        assert faults(conn, files) == []
        assert faults(conn, files, hashes=True) == [(Fault.CHANGED, "1")]

    def test_a_call_that_was_to_be_recorded(self, conn: Connection, files: RecordingFiles) -> None:
        a_call(conn, 1, names=False)
        a_call(conn, 2, names=False, duration_us=5 * S)  # it may have ended while it was told
        a_call(conn, 3, names=False, created_us=NOON_US - 40 * 86_400 * S)
        assert faults(conn, files) == [(Fault.NOT_RECORDED, "1")]


class TestMend:
    def mended(self, conn: Connection, files: RecordingFiles) -> list[bool]:
        shelf = office.look(conn, files)
        return [office.mend(conn, files, shelf, each) for each in found(conn, files)]

    def test_a_row_is_made_of_the_cdr_and_the_file(self, conn: Connection, files: RecordingFiles) -> None:
        put_department(conn, Department(SUPPORT, "support", days=7), "test")
        path = a_file(files, 1, seconds=3)
        a_call(conn, 1)
        assert self.mended(conn, files) == [True]
        assert faults(conn, files) == []
        [row] = newest(conn, None, None, None, 10)
        assert (row.account_id, row.leg_uuid, row.caller_leg_uuid) == (PAYER, LEG(1), f"a-{LEG(1)}")
        assert (row.department, row.told, row.duration_ms) == (SUPPORT, None, 3_000)
        assert row.started_at == to_time(NOON_US + 7 * S)  # three seconds before it was last written to
        assert row.stopped_at == to_time(NOON_US + 10 * S)
        assert row.delete_after - row.started_at == timedelta(days=7)
        assert row.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()

    def test_of_a_call_that_came_in_the_cdr_is_the_callers(
        self, conn: Connection, files: RecordingFiles
    ) -> None:
        a_file(files, 1)
        caller = "334f4db6-d353-469d-90bb-41436a2b85c0"
        cdr = a_cdr(PAYER, caller, recording=f"{LEG(1)}.wav", number=SUPPORT, product="inbound")
        settle_many(conn, [cdr])
        assert self.mended(conn, files) == [True]
        [row] = newest(conn, None, None, None, 10)
        assert (row.leg_uuid, row.caller_leg_uuid) == (LEG(1), caller)

    def test_a_recording_that_was_not_heard_to_stop(self, conn: Connection, files: RecordingFiles) -> None:
        a_row(conn, 1, stopped=False)
        a_file(files, 1)
        assert faults(conn, files) == [(Fault.NOT_STOPPED, "1")]
        assert self.mended(conn, files) == [True]
        [row] = newest(conn, None, None, None, 10)
        assert (row.stopped_at, row.duration_ms) == (to_time(NOON_US + 10 * S), 2_000)

    def test_one_that_does_not_play_is_entered_all_the_same(
        self, conn: Connection, files: RecordingFiles
    ) -> None:
        """The switch died: the head of its file says nothing."""
        path_of(files, 1).write_bytes(b"RIFF\0\0\0\0WAVE")
        a_call(conn, 1)
        assert self.mended(conn, files) == [True]
        assert newest(conn, None, None, None, 10)[0].duration_ms is None

    def test_nothing_else_is_touched(self, conn: Connection, files: RecordingFiles) -> None:
        a_file(files, 1)
        a_row(conn, 2)
        assert self.mended(conn, files) == [False, False]
        assert path_of(files, 1).exists()


def delete(
    conn: Connection, files: RecordingFiles | None, on: str = "2026-03-05", **options: bool
) -> list[Any]:
    return list(run(conn, RetentionPolicy(), date.fromisoformat(on), "office", recordings=files, **options))


class TestRetention:
    def test_a_recording_goes_when_its_days_are_over_with_an_entry_in_the_register(
        self, conn: Connection, files: RecordingFiles
    ) -> None:
        for number, days in ((1, 3), (2, 4)):
            a_row(conn, number, days=days)
            a_file(files, number)
        assert delete(conn, files, dry_run=True)[-1].row_count == 1
        assert path_of(files, 1).exists()

        assert delete(conn, files)[-1].row_count == 1
        assert [path.exists() for path in (path_of(files, 1), path_of(files, 2))] == [False, True]
        assert conn.execute("SELECT run_by, kind, before, row_count FROM retention_runs").fetchall() == [
            ("office", "recordings", date(2026, 3, 5), 1)
        ]
        assert [(row.leg_uuid[-1], row.deleted_by) for row in newest(conn, None, None, None, 10)] == [
            ("1", "office"),
            ("2", None),
        ]
        assert delete(conn, files)[-1].row_count == 0

    def test_a_run_that_was_stopped_between_file_and_row_is_made_good_by_the_next(
        self, conn: Connection, files: RecordingFiles
    ) -> None:
        a_row(conn, 1, days=1)
        a_file(files, 1).unlink()
        assert delete(conn, files)[-1].row_count == 1
        assert newest(conn, None, None, None, 10)[0].deleted_by == "office"

    def test_a_file_that_cant_be_deleted_is_not_said_to_be(
        self, conn: Connection, files: RecordingFiles
    ) -> None:
        a_row(conn, 1, days=1)
        path_of(files, 1).mkdir()  # not even for root
        with pytest.raises(RetentionError, match="can't be deleted"):
            delete(conn, files)
        assert newest(conn, None, None, None, 10)[0].deleted_at is None

    def test_a_file_that_cant_be_deleted_holds_up_no_other_one_and_is_named(
        self, conn: Connection, files: RecordingFiles, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(recording_retention, "BATCH_ROWS", 2)
        for number in range(1, 8):
            a_row(conn, number, days=1 + number % 2)
            a_file(files, number)
        for number in (2, 5, 6):
            path_of(files, number).unlink()
            path_of(files, number).mkdir()

        with pytest.raises(RetentionError) as caught:
            delete(conn, files)

        assert [f"{LEG(number)}.wav (Is a directory)" in str(caught.value) for number in (2, 5, 6)] == [
            True
        ] * 3
        assert str(caught.value).endswith("can't be deleted; 4 others were")
        rows = newest(conn, None, None, None, 10)
        assert {row.leg_uuid[-1] for row in rows if row.deleted_at is None} == {"2", "5", "6"}
        assert not any(path_of(files, number).exists() for number in (1, 3, 4, 7))
        assert conn.execute("SELECT sum(row_count) FROM retention_runs").fetchone() == (4,)

    @pytest.mark.parametrize("holds_up", [False, True])
    def test_what_is_known_of_one_goes_though_nothing_else_is_due_or_can_go(
        self, conn: Connection, files: RecordingFiles, holds_up: bool
    ) -> None:
        a_row(conn, 1, days=1)
        delete(conn, files)
        if holds_up:
            a_row(conn, 2, days=2)
            path_of(files, 2).mkdir()
            with pytest.raises(RetentionError, match="can't be deleted; 0 others were"):
                delete(conn, files, "2028-05-01")
        else:
            delete(conn, None, "2028-05-01")
        assert [row.leg_uuid[-1] for row in newest(conn, None, None, None, 10)] == ["2"] * holds_up

    def test_more_than_are_deleted_at_a_time(self, conn: Connection, files: RecordingFiles) -> None:
        conn.execute(
            "INSERT INTO recordings (account_id, leg_uuid, path, department, started_at, delete_after)"
            " SELECT 1001, leg, leg || '.wav', '15145550199', '2026-01-01', '2026-02-01'"
            " FROM (SELECT gen_random_uuid()::text AS leg FROM generate_series(1, 450)) AS legs"
        )
        assert delete(conn, files)[-1].row_count == 450
        assert conn.execute("SELECT sum(row_count), count(*) FROM retention_runs").fetchone() == (450, 3)

    def test_where_the_folder_is_not_seen_nothing_is_said_to_be_deleted(self, conn: Connection) -> None:
        assert delete(conn, None)[-1].row_count == 0
        a_row(conn, 1, days=1)
        with pytest.raises(RetentionError, match="folder is not set"):
            delete(conn, None)
        assert newest(conn, None, None, None, 10)[0].deleted_at is None

    def test_what_is_known_of_one_goes_with_the_cdrs_of_its_time(
        self, conn: Connection, files: RecordingFiles
    ) -> None:
        a_row(conn, 1, days=1)
        delete(conn, files)
        a_row(conn, 2, days=10_000)
        a_row(conn, 3, days=700)
        assert delete(conn, files, "2028-05-01")[-1].row_count == 1
        assert [row.leg_uuid[-1] for row in newest(conn, None, None, None, 10)] == ["2"]


def test_which_recordings_there_are_is_handed_over_with_their_hashes(
    conn: Connection, tmp_path: Path
) -> None:
    a_row(conn, 1)
    a_row(conn, 2, started_us=NOON_US + 86_400 * S)
    scope = Scope((PAYER,), (), date(2026, 3, 1), date(2026, 3, 2), (Kind.RECORDINGS,))
    disclose(conn, scope, Demand("A court", "order 500-17-1", "office"), tmp_path / "handed.zip", NOW)
    with zipfile.ZipFile(tmp_path / "handed.zip") as archive:
        [row] = csv.DictReader(io.StringIO(archive.read("recordings.csv").decode()))
    assert (row["leg_uuid"], row["path"], row["sha256"]) == (LEG(1), f"{LEG(1)}.wav", "0" * 64)


@pytest.fixture
def command(database_url: str, files: RecordingFiles) -> Callable[..., tuple[int, str]]:
    environment = {"ESL_AGENT_DATABASE_URL": database_url, "ESL_AGENT_RECORDING_FOLDER": str(files.folder)}

    def run(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(cli, arguments, env=environment)
        return result.exit_code, result.output

    return run


def test_the_commands(
    conn: Connection,
    files: RecordingFiles,
    command: Callable[..., tuple[int, str]],
    told: Command,
    refused: Command,
) -> None:
    a_file(files, 1)
    a_call(conn, 1)
    since = ("--since", "2026-03-01")
    code, said = command("recording", "check", *since)
    assert (code, "row missing" in said, "1 faults left" in said) == (1, True, True)
    assert command("recording", "check", *since, "--mend")[0] == 0
    code, said = command("recording", "check", *since, "--json")
    assert (code, json.loads(said)) == (0, {"files": 1, "mended": [], "faults": []})
    assert f"{LEG(1)}.wav" in told("recording", "list", "--account", PAYER)
    assert json.loads(told("recording", "list", "--until", "2026-01-01", "--json")) == []
    assert "[recording] folder is not set" in refused("recording", "check")

    code, said = command("retention", "run", "--on", "2027-01-01", "--by", "owner", "--json")
    assert {"kind": "recordings", "before": "2027-01-01", "row_count": 1} in json.loads(said)["removed"]
    assert "deleted" in told("recording", "list")


def test_a_folder_that_is_not_there_is_a_sentence(
    files: RecordingFiles,
    command: Callable[..., tuple[int, str]],
    refused: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    files.folder.rmdir()
    monkeypatch.setenv("ESL_AGENT_RECORDING_FOLDER", str(files.folder))
    assert "can't be read: No such file or directory" in refused("recording", "check")


def test_the_daemons_login_mends_and_the_offices_does_not(
    conn: Connection,
    files: RecordingFiles,
    database_url: str,
    told: Command,
    refused: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ESL_AGENT_RECORDING_FOLDER", str(files.folder))
    a_file(files, 1)
    a_call(conn, 1)
    mend = ("recording", "check", "--mend", "--since", "2026-03-01", "--database-url")
    assert "use the daemon's" in refused(*mend, as_role(database_url, "esl_agent_office"))
    assert "1 mended, 0 faults left" in told(*mend, as_role(database_url, "esl_agent_daemon"))


def test_nobody_but_the_owner_says_that_a_recording_was_deleted(
    conn: Connection,
    files: RecordingFiles,
    database_url: str,
    refused: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    a_row(conn, 1, days=1)
    monkeypatch.setenv("ESL_AGENT_RECORDING_FOLDER", str(files.folder))
    a_file(files, 1)
    office_url = as_role(database_url, "esl_agent_office")
    assert "only the owner" in refused("retention", "run", "--on", "2026-04-01", "--database-url", office_url)
    assert path_of(files, 1).exists()
