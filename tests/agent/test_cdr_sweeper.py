"""What the daemon missed is settled from the switch's own files, once; what is settled is cleared away."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from esl_agent.agent.daemon import Daemon
from esl_agent.agent.files.cdr_folder import BROKEN, BROKEN_AFTER_S, DONE
from esl_agent.core.tariff import Plan
from esl_agent.lab.child import wait_until
from esl_agent.lab.ports import free_port
from esl_agent.simulator.config import SimulatorConfig
from esl_agent.simulator.plan import CallPlan
from esl_agent.simulator.simulator import CallHandle, Simulator
from esl_agent.store.accounts import change_plan, get_account
from esl_agent.store.cdrs import CdrFilter, CdrRow, Source, iterate_cdrs
from esl_agent.store.ledger import check
from esl_agent.store.plans import add_plan
from esl_agent.store.pool import Connection

from .conftest import PATIENCE_S, Journal
from .exchange import UK, Exchange, put_carriers

ENDS = ("CHANNEL_HANGUP_COMPLETE",)
WAITING = 500
FEW = 20
STALL_S = 60.0
LONG_MS = 60_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "json_cdr"


@pytest.fixture
def simulator(folder: Path) -> Iterator[Simulator]:
    """A switch that writes files, and whose dialplan names the payer itself."""
    simulator = Simulator(SimulatorConfig(port=0, cdr_dir=folder)).start()
    yield simulator
    simulator.stop()


@pytest.fixture
def start(start_daemon: Callable[..., Daemon], simulator: Simulator, folder: Path) -> Callable[..., Daemon]:
    """Starts a daemon that looks at the files every second, at those that are a second old."""

    def start(**section: object) -> Daemon:
        files = {"folder": str(folder), "every_s": 1, "settle_after_s": 1} | section
        return start_daemon(simulator.port, cdr_files=files)

    return start


def call(simulator: Simulator, **plan: object) -> None:
    defaults = {"number": UK, "ring_ms": 20, "talk_ms": 200}
    handle = simulator.place_call(CallPlan(**defaults | plan))  # type: ignore[arg-type]
    assert handle.wait_ended(PATIENCE_S)


def hang_up(simulator: Simulator, handle: CallHandle) -> None:
    simulator.core.api("uuid_kill", handle.outbound_uuids[0])
    assert handle.wait_ended(PATIENCE_S)


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("*.cdr.json")}


def cdrs(conn: Connection) -> list[CdrRow]:
    return list(iterate_cdrs(conn, CdrFilter()))


def talked(simulator: Simulator) -> dict[str, int]:
    """What the legs that are paid for really lasted."""
    return {leg.uuid: leg.duration_us for leg in simulator.legs_ended() if leg.is_outbound}


def durations(rows: list[CdrRow]) -> dict[str, int]:
    return {row.leg_uuid: row.duration_us for row in rows}


@pytest.mark.parametrize("carriers_refusing", [0, 1])
def test_a_leg_whose_end_was_missed_is_settled_once_from_its_file(
    start: Callable[..., Daemon],
    simulator: Simulator,
    journal: Journal,
    conn: Connection,
    folder: Path,
    carriers_refusing: int,
) -> None:
    start()
    simulator.faults.drop_events(3, ENDS)
    call(simulator, carriers_refusing=carriers_refusing)
    journal.wait_for("CALL_RATED", 1 + carriers_refusing)
    wait_until(lambda: not names_in(folder), "the files are cleared away", PATIENCE_S)

    rows = cdrs(conn)
    assert {row.source for row in rows} == {Source.SWITCH_FILE}
    assert durations(rows) == talked(simulator)
    assert get_account(conn, 1001).balance == Decimal("9.9987")
    assert not check(conn)


def test_an_end_that_is_heard_after_its_file_was_read_changes_nothing(
    start: Callable[..., Daemon], simulator: Simulator, journal: Journal, conn: Connection, folder: Path
) -> None:
    start()
    handle = simulator.place_call(CallPlan(number=UK, ring_ms=20, talk_ms=LONG_MS))
    journal.wait_for("CALL_ANSWERED")
    simulator.faults.stall(STALL_S)
    hang_up(simulator, handle)
    journal.wait_for("CALL_RATED")
    simulator.faults.stall(0)
    call(simulator)  # what was held back is heard before this
    journal.wait_for("CALL_RATED", 2)

    first, second = cdrs(conn)
    assert (first.source, second.source) == (Source.SWITCH_FILE, Source.LIVE)
    assert durations([first, second]) == talked(simulator)
    assert get_account(conn, 1001).balance == Decimal("9.9974")
    assert not check(conn)


def test_a_leg_that_was_settled_live_is_not_settled_again(
    start: Callable[..., Daemon], simulator: Simulator, journal: Journal, conn: Connection, folder: Path
) -> None:
    start(when_done="keep")
    call(simulator)
    journal.wait_for("CALL_RATED")
    wait_until(lambda: not names_in(folder), "the files are moved", PATIENCE_S)

    (row,) = cdrs(conn)
    assert row.source is Source.LIVE
    assert names_in(folder / DONE) == {
        f"{'' if leg.is_outbound else 'a_'}{leg.uuid}.cdr.json" for leg in simulator.legs_ended()
    }
    assert not journal.of("CDR_DIFFERS")


def test_a_thousand_files_wait_when_it_starts(
    start: Callable[..., Daemon], simulator: Simulator, journal: Journal, conn: Connection, folder: Path
) -> None:
    handles = [simulator.place_call(CallPlan(number=UK, ring_ms=20, talk_ms=100)) for _ in range(WAITING)]
    assert all(handle.wait_ended(PATIENCE_S) for handle in handles)
    assert len(names_in(folder)) == 2 * WAITING

    start(files_max=300)
    journal.wait_for("CALL_RATED", WAITING)
    wait_until(lambda: not names_in(folder), "the files are cleared away", PATIENCE_S)
    rows = cdrs(conn)
    assert len(rows) == WAITING
    assert durations(rows) == talked(simulator)
    assert get_account(conn, 1001).balance == 10 - WAITING * Decimal("0.0013")
    assert not check(conn)


def test_a_part_of_a_file_is_waited_for_and_set_aside_when_it_is_old(
    start: Callable[..., Daemon], simulator: Simulator, journal: Journal, conn: Connection, folder: Path
) -> None:
    simulator.faults.truncate_cdr_files(2)
    call(simulator)
    call(simulator)
    halves = sorted(names_in(folder), key=lambda name: (folder / name).stat().st_size)[:2]
    start()
    journal.wait_for("CALL_RATED")
    wait_until(lambda: names_in(folder) == set(halves), "the whole files are cleared away", PATIENCE_S)
    assert not (folder / BROKEN).exists()

    long_ago = time.time() - BROKEN_AFTER_S
    for name in halves:
        os.utime(folder / name, (long_ago, long_ago))
    told = journal.wait_for("CDR_FILE_BROKEN", 2)
    assert {fields["file"] for fields in told} == names_in(folder / BROKEN) == set(halves)
    assert not names_in(folder)


def test_what_is_no_file_of_the_switchs_is_left_alone_or_set_aside(
    start: Callable[..., Daemon], journal: Journal, folder: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("keep me")
    link = folder / "link.cdr.json"
    link.symlink_to(secret)
    long_ago = time.time() - BROKEN_AFTER_S
    os.utime(link, (long_ago, long_ago), follow_symlinks=False)
    (folder / "README").write_text("not a CDR")
    (folder / "old.cdr.json").mkdir()
    start()
    (told,) = journal.wait_for("CDR_FILE_BROKEN")
    assert told == {"file": "link.cdr.json", "error": "it is no plain file"}
    assert secret.read_text() == "keep me"
    assert {path.name for path in folder.iterdir()} == {"README", "old.cdr.json", BROKEN}


def test_another_duration_than_the_switchs_own_is_told_and_nothing_is_changed(
    start: Callable[..., Daemon], simulator: Simulator, journal: Journal, conn: Connection, folder: Path
) -> None:
    start(when_done="keep")
    call(simulator)
    (row,) = journal.wait_for("CALL_RATED")
    name = f"{row['leg']}.cdr.json"
    wait_until((folder / DONE / name).exists, "the file is moved", PATIENCE_S)
    conn.execute("UPDATE cdrs SET duration_us = 7000000 WHERE leg_uuid = %s", [row["leg"]])
    (folder / DONE / name).rename(folder / name)
    (told,) = journal.wait_for("CDR_DIFFERS")
    assert (told["leg"], told["account"], told["billed_s"]) == (row["leg"], 1001, "7.000000")
    assert told["file_s"] == f"{talked(simulator)[str(row['leg'])] / 1_000_000:.6f}"
    wait_until(lambda: not names_in(folder), "the files are cleared away", PATIENCE_S)
    assert [row.duration_us for row in cdrs(conn)] == [7_000_000]


def test_a_folder_that_is_missing_is_said_once_and_again_when_it_is_there(
    start: Callable[..., Daemon], simulator: Simulator, journal: Journal, folder: Path
) -> None:
    start()
    gone = folder.rename(folder.with_name("unmounted"))
    journal.wait_for("CDR_FOLDER_FAILED")
    gone.rename(folder)
    journal.wait_for("CDR_FOLDER_READ")
    assert len(journal.of("CDR_FOLDER_FAILED")) == 1


def test_files_that_cannot_be_cleared_away_keep_no_leg_from_being_settled(
    start: Callable[..., Daemon], simulator: Simulator, journal: Journal, folder: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (folder / DONE).symlink_to(elsewhere)
    handles = [simulator.place_call(CallPlan(number=UK, ring_ms=20, talk_ms=100)) for _ in range(2 * FEW)]
    assert all(handle.wait_ended(PATIENCE_S) for handle in handles)

    start(when_done="keep", files_max=FEW)
    journal.wait_for("CALL_RATED", 2 * FEW)
    (told,) = journal.of("CDR_FOLDER_FAILED")
    assert "a link, which is not followed" in str(told["error"])
    assert not list(elsewhere.iterdir())


def test_a_file_that_names_another_payer_than_ours_is_nobodys(
    start: Callable[..., Daemon], simulator: Simulator, journal: Journal, conn: Connection, folder: Path
) -> None:
    """Every value in it may be anything: the leg is settled under no account, and the file cleared away."""
    call(simulator)
    for path in folder.glob("*.cdr.json"):
        content = json.loads(path.read_text())
        if "esl_account" in content["variables"]:
            content["variables"]["esl_account"] = "999999"
            path.write_text(json.dumps(content))
    start()
    wait_until(lambda: not names_in(folder), "the files are cleared away", PATIENCE_S)
    (row,) = cdrs(conn)
    assert (row.account_id, row.refused, row.charged) == (0, "unknown_account", 0)


def test_a_call_that_ended_while_the_daemon_was_down_is_billed_as_it_was_admitted(
    conn: Connection,
    customers: None,
    start_daemon: Callable[..., Daemon],
    journal: Journal,
    folder: Path,
) -> None:
    put_carriers(conn)
    port = free_port()
    simulator = Simulator(SimulatorConfig(port=0, admission=f"127.0.0.1:{port}", cdr_dir=folder)).start()
    files = {"folder": str(folder), "every_s": 1, "settle_after_s": 1}
    sections = {"admission": {"outbound_port": port}, "cdr_files": files}
    daemon = start_daemon(simulator.port, **sections)
    exchange = Exchange(simulator, daemon, journal, conn)
    handle = exchange.place(talk_ms=LONG_MS)
    journal.wait_for("CALL_ANSWERED")
    daemon.stop()
    journal.wait_for("AGENT_STOPPED")
    hang_up(simulator, handle)
    add_plan(conn, Plan("another", "without rates"))
    change_plan(conn, 1001, "another")

    exchange.daemon = start_daemon(simulator.port, **sections)
    (row,) = exchange.cdrs(1)
    assert (row.source, row.refused, row.price.rate_per_minute) == (
        Source.SWITCH_FILE, None, Decimal("0.012500"),
    )  # fmt: skip
    assert row.duration_us == talked(simulator)[row.leg_uuid]
    assert (row.rule, row.carrier, row.charged) == ("funds", "alpha", Decimal("0.0013"))
    wait_until(lambda: not names_in(folder), "the files are cleared away", PATIENCE_S)
    assert exchange.nothing_is_reserved()
    simulator.stop()
