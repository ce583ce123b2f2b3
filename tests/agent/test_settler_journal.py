"""Settlements on their way into Postgres: what waits, what memory has no room for, what Postgres refuses."""

from __future__ import annotations

import json
import resource
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import gevent
import pytest
from fixtures.journals import a_journal
from fixtures.records import a_cdr, an_account, money
from gevent.monkey import get_original

from esl_agent.agent.database import Database
from esl_agent.agent.money.settler import Settler
from esl_agent.lab.child import wait_until
from esl_agent.store.journal import Journal as DiskJournal
from esl_agent.store.journal import JournalError
from esl_agent.store.pool import Connection, Pool, open_pool
from esl_agent.store.segments import Position

from .conftest import PATIENCE_S, Journal

Start = Callable[..., Settler]


@pytest.fixture
def pool(database_url: str) -> Iterator[Pool]:
    with open_pool(database_url, 2) as pool:
        yield pool


@pytest.fixture
def start(pool: Pool, database_url: str, journal: Journal, tmp_path: Path) -> Iterator[Start]:
    """Starts a settler on always the same folder; the one before it is killed."""
    running: list[tuple[gevent.Greenlet[..., None], Settler]] = []

    def kill() -> None:
        if running:
            running[-1][0].kill()
            running[-1][1].close()

    def begin(
        database: Database | None = None, kept: DiskJournal | None = None, **changes: object
    ) -> Settler:
        kill()
        limits = {"queue_max": 1_000, "batch_max": 5, "retry_max_s": 1, "switch": "montreal", **changes}
        settler = Settler(
            database or Database(pool, database_url, journal),
            kept or a_journal(tmp_path),
            lambda: None,  # type: ignore[arg-type, return-value]  (the database's date)
            journal,
            **limits,  # type: ignore[arg-type]
        )
        settler.open()
        running.append((gevent.spawn(settler.run), settler))
        return settler

    yield begin
    kill()


class Nowhere(Database):
    """A database that is away until it is told to be back."""

    def __init__(self, pool: Pool, url: str, log: Journal) -> None:
        super().__init__(pool, url, log)
        self._live, self._dead = pool, open_pool("postgresql://nobody@127.0.0.1:1/nothing", 2)
        self._pool = self._dead

    def come_back(self) -> None:
        self._pool = self._live

    def close(self) -> None:
        self._dead.close()


@pytest.fixture
def away(pool: Pool, database_url: str, journal: Journal) -> Iterator[Nowhere]:
    database = Nowhere(pool, database_url, journal)
    yield database
    database.close()


def legs_by_time(conn: Connection) -> list[str]:
    """The legs that have a CDR, in the order in which they were written."""
    rows = conn.execute("SELECT leg_uuid FROM cdrs ORDER BY recorded_at, leg_uuid").fetchall()
    return [row[0] for row in rows]


def settle(settler: Settler, count: int, since: int = 0) -> list[str]:
    legs = [f"leg {number:04}" for number in range(since, since + count)]
    for leg in legs:
        settler.settle(a_cdr(1001, leg, "0.0001"))
    return legs


def test_what_waited_when_the_daemon_was_killed_is_written_at_the_next_start(
    start: Start, away: Nowhere, conn: Connection, journal: Journal
) -> None:
    an_account(conn, 1001, "5")
    settler = start(away)
    legs = settle(settler, 12)
    wait_until(lambda: settler.unkept == 0, "it is on disk", PATIENCE_S)
    assert legs_by_time(conn) == []

    again = start()
    assert again.wait_empty(PATIENCE_S)
    assert legs_by_time(conn) == legs
    (replayed,) = journal.of("JOURNAL_REPLAYED")
    assert (replayed["since"], replayed["records"]) == ("start", 12)


def test_what_was_written_before_the_kill_is_not_written_twice(
    start: Start, conn: Connection, tmp_path: Path, journal: Journal
) -> None:
    an_account(conn, 1001, "5")
    settler = start()
    legs = settle(settler, 7)
    assert settler.wait_empty(PATIENCE_S)
    note = a_journal(tmp_path).folder / "written"
    segments = {path: path.read_bytes() for path in note.parent.glob("segment-*")}
    start()
    # As if the power had gone before anything of this was noted.
    note.unlink()
    for path, text in segments.items():
        path.write_bytes(text)
    again = start()
    assert journal.wait_for("JOURNAL_REPLAYED")[0]["records"] == 7
    assert again.wait_empty(PATIENCE_S)
    assert legs_by_time(conn) == legs
    assert len(journal.of("CALL_RATED")) == 7
    assert money(conn, 1001) == ("4.9993", "0.0000")


def test_more_than_memory_holds_is_read_back_in_order(
    start: Start, away: Nowhere, conn: Connection, journal: Journal
) -> None:
    an_account(conn, 1001, "5")
    settler = start(away, in_memory_max=8)
    legs = settle(settler, 40)
    wait_until(lambda: settler.unkept == 0, "it is on disk", PATIENCE_S)
    assert len(settler) == 40
    away.come_back()
    more = settle(settler, 10, since=40)
    assert settler.wait_empty(PATIENCE_S)
    assert legs_by_time(conn) == legs + more
    assert journal.wait_for("JOURNAL_REPLAYED")[0]["since"] == "outage"


def test_what_was_damaged_on_disk_meanwhile_holds_up_nothing_else(
    start: Start, away: Nowhere, conn: Connection, journal: Journal, tmp_path: Path
) -> None:
    an_account(conn, 1001, "5")
    settler = start(away, in_memory_max=5)
    legs = settle(settler, 20)
    wait_until(lambda: settler.unkept == 0, "it is on disk", PATIENCE_S)
    (segment,) = a_journal(tmp_path).folder.glob("segment-*")
    segment.write_bytes(segment.read_bytes().replace(b"leg 0012", b"leg 9999"))
    away.come_back()
    assert settler.wait_empty(PATIENCE_S)
    assert legs_by_time(conn) == [leg for leg in legs if leg != "leg 0012"]
    (broken,) = journal.of("JOURNAL_BROKEN")
    assert broken["problem"] == "the checksum differs"
    assert b"leg 9999" in (segment.parent / str(broken["file"])).read_bytes()


def test_those_whose_calls_left_money_are_told_after_an_outage_too(
    start: Start, away: Nowhere, conn: Connection
) -> None:
    an_account(conn, 1001, "5")
    told: list[int] = []

    def freed(account_ids: Collection[int]) -> None:
        told.extend(account_ids)

    settler = start(away, freed=freed)
    settle(settler, 1)
    settler.release(1002, "planned")
    away.come_back()
    assert settler.wait_empty(PATIENCE_S)
    assert set(told) == {1001, 1002}


# Answers.


def answers(conn: Connection) -> list[str]:
    return [leg for (leg,) in conn.execute("SELECT leg_uuid FROM answers ORDER BY leg_uuid")]


def test_an_answer_that_was_kept_when_the_daemon_was_killed_is_known_at_the_next_start(
    start: Start, away: Nowhere, conn: Connection
) -> None:
    an_account(conn, 1001, "5")
    settler = start(away)
    settler.answer(1001, "talks", "{}")
    wait_until(lambda: settler.unkept == 0, "it is on disk", PATIENCE_S)
    settle(settler, 1)
    assert answers(conn) == []

    assert start(switch="another").wait_empty(PATIENCE_S)
    assert conn.execute("SELECT leg_uuid, switch FROM answers").fetchall() == [("talks", "montreal")]


def test_the_answer_of_a_call_that_is_over_in_the_same_moment_is_not_kept(
    start: Start, away: Nowhere, conn: Connection, tmp_path: Path
) -> None:
    an_account(conn, 1001, "5")
    settler = start(away)
    settler.answer(1001, "leg 0000", "{}")
    (leg,) = settle(settler, 1)
    wait_until(lambda: settler.unkept == 0, "it is on disk", PATIENCE_S)
    assert len(settler) == 1
    away.come_back()
    assert settler.wait_empty(PATIENCE_S)
    assert (legs_by_time(conn), answers(conn)) == ([leg], [])


def test_where_the_journal_has_no_room_to_spare_what_calls_cost_takes_all_of_it(
    start: Start, away: Nowhere, conn: Connection, journal: Journal, tmp_path: Path
) -> None:
    an_account(conn, 1001, "5")
    settler = start(away, a_journal(tmp_path, size_max=50_000, segment=2_000))
    for number in range(23):  # nearly all but the tenth that is left for the ends of calls
        settler.answer(1001, f"talks {number:04}", json.dumps({"caller": "1" * 1_900}))
    journal.wait_for("JOURNAL_FULL")
    wait_until(lambda: settler.unkept == 0, "it is on disk", PATIENCE_S)
    kept = len(settler)
    settler.answer(1001, "talks 9999", "{}")
    settle(settler, 1)
    wait_until(lambda: settler.unkept == 0, "what it cost is on disk", PATIENCE_S)
    assert len(settler) == kept + 1
    away.come_back()
    assert settler.wait_empty(PATIENCE_S)
    assert legs_by_time(conn) == ["leg 0000"]
    assert "talks 9999" not in answers(conn)


def test_a_queue_of_answers_holds_up_nobody(start: Start, journal: Journal) -> None:
    settler = start(queue_max=10)
    for number in range(20):  # nobody else runs meanwhile
        settler.answer(1001, f"talks {number:04}", "{}")
    assert settler.unkept == 5
    (said,) = journal.of("QUEUE_FULL")
    assert (said["queue"], said["limit"]) == ("answers", 5)


# What Postgres refuses.


def test_a_row_that_postgres_refuses_is_set_aside_and_holds_up_no_other(
    start: Start, conn: Connection, journal: Journal, tmp_path: Path
) -> None:
    an_account(conn, 1001, "5")
    settler = start()
    first = settle(settler, 3)
    settler.settle(a_cdr(1001, "nul\0", "0.0001"))
    settler.settle(a_cdr(1001, "x" * 10_000, "0.0001"))  # too large for an index
    settler.release(2**63, "no such account can be")
    rest = settle(settler, 3, since=3)
    assert settler.wait_empty(PATIENCE_S)
    assert sorted(legs_by_time(conn)) == first + rest
    told = journal.of("CDR_UNWRITABLE")
    assert [len(str(line["leg"])) for line in told] == [4, 10_000, 22]
    lines = [
        json.loads(line)
        for name in dict.fromkeys(line["file"] for line in told)
        for line in (a_journal(tmp_path).folder / str(name)).read_text().splitlines()
    ]
    assert [line["record"] for line in lines] == ["settlement", "settlement", "release"]
    assert [line["error"] for line in lines] == [line["error"] for line in told]
    assert lines[0]["row"]["leg_uuid"] == "nul\0"


def test_a_database_that_lacks_something_is_waited_for(
    start: Start, conn: Connection, journal: Journal
) -> None:
    an_account(conn, 1001, "5")
    conn.execute("ALTER TABLE reservations RENAME TO gone")
    settler = start()
    legs = settle(settler, 3)
    (refused,) = journal.wait_for("DB_REFUSED")
    assert "reservations" in str(refused["error"])
    conn.execute("ALTER TABLE gone RENAME TO reservations")
    assert settler.wait_empty(PATIENCE_S)
    assert legs_by_time(conn) == legs
    assert journal.of("CDR_UNWRITABLE") == []


# The journal takes no more.


def test_a_full_journal_accepts_no_new_call_until_it_has_room_again(
    start: Start, away: Nowhere, conn: Connection, journal: Journal, tmp_path: Path
) -> None:
    an_account(conn, 1001, "5")
    settler = start(away, a_journal(tmp_path, size_max=20_000, segment=2_000))
    assert settler.is_accepting
    legs = settle(settler, 30)
    assert journal.wait_for("JOURNAL_FULL")[0]["lacking"] == "size"
    assert not settler.is_accepting
    assert settler.unkept > 0  # in memory, and not lost
    away.come_back()
    assert settler.wait_empty(PATIENCE_S)
    journal.wait_for("JOURNAL_HAS_ROOM")
    # What waited in memory may fill it once more on its way to Postgres.
    wait_until(lambda: settler.is_accepting, "new calls are accepted", PATIENCE_S)
    assert legs_by_time(conn) == legs


@contextmanager
def disk_that_takes_nothing() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_with_a_disk_that_fails_calls_are_still_settled(
    start: Start, conn: Connection, journal: Journal
) -> None:
    an_account(conn, 1001, "5")
    settler = start()
    first = settle(settler, 3)
    assert settler.wait_empty(PATIENCE_S)
    with disk_that_takes_nothing():
        second = settle(settler, 3, since=3)
        assert "too large" in str(journal.wait_for("JOURNAL_FAILED")[0]["error"])
        assert not settler.is_accepting
        assert settler.wait_empty(PATIENCE_S)
        assert legs_by_time(conn) == first + second
        assert not settler.is_accepting
    journal.wait_for("JOURNAL_HAS_ROOM")
    assert settler.is_accepting
    third = settle(settler, 3, since=6)
    assert settler.wait_empty(PATIENCE_S)
    assert legs_by_time(conn) == first + second + third


class HangingJournal(DiskJournal):
    """On a disk that hangs while `gate` is held; a lock that gevent knows nothing of, as such a disk."""

    gate = get_original("_thread", "allocate_lock")()

    def append(self, lines: Sequence[bytes]) -> list[Position]:
        with self.gate:
            return super().append(lines)


def test_with_a_disk_that_hangs_calls_are_still_settled(
    start: Start, conn: Connection, journal: Journal, tmp_path: Path
) -> None:
    an_account(conn, 1001, "5")
    whole = a_journal(tmp_path)
    kept = HangingJournal(whole.folder, whole._limits)
    settler = start(kept=kept, disk_patience_s=0.5)
    first = settle(settler, 3)
    assert settler.wait_empty(PATIENCE_S)
    with kept.gate:
        second = settle(settler, 3, since=3)
        assert journal.wait_for("JOURNAL_FAILED")[0]["error"] == "the disk does not answer"
        assert not settler.is_accepting
        assert settler.wait_empty(PATIENCE_S)
        assert legs_by_time(conn) == first + second
    journal.wait_for("JOURNAL_HAS_ROOM")
    third = settle(settler, 3, since=6)
    assert settler.wait_empty(PATIENCE_S)
    again = start()  # what was written by the way, and kept later, is settled once
    assert again.wait_empty(PATIENCE_S)
    assert legs_by_time(conn) == first + second + third
    assert money(conn, 1001) == ("4.9991", "0.0000")


def test_one_daemon_has_one_journal(start: Start, tmp_path: Path) -> None:
    start()
    with pytest.raises(JournalError, match="in use"):
        a_journal(tmp_path).open()
