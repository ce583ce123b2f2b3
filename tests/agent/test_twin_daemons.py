"""Two daemons for one switch, as processes: one acts, the other takes over, and never do both."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from time import monotonic
from typing import Any

import gevent
import pytest

from esl_agent.lab.child import wait_until
from esl_agent.lab.ports import LOOPBACK, free_port
from esl_agent.simulator.plan import CallPlan
from esl_agent.simulator.server import ADMISSION_ADDRESS
from esl_agent.simulator.simulator import CallHandle, Simulator
from esl_agent.store.accounts import NewAccount, add_account, top_up
from esl_agent.store.cdrs import CdrFilter, CdrRow, iterate_cdrs
from esl_agent.store.lease import connect_to_lease, lock, who_has
from esl_agent.store.ledger import check
from esl_agent.store.numbers import OwnedNumber, add_number
from esl_agent.store.pool import Connection

from .conftest import PATIENCE_S
from .exchange import UK, put_carriers
from .twins import Record, TwinProcess, a_switch

#: Long enough that a busy machine is no frozen one.
LEASE_MS = 3_000
SWITCH = "montreal"

Start = Callable[..., TwinProcess]


@pytest.fixture
def doors() -> dict[str, int]:
    return {name: free_port() for name in ("one", "two")}


@pytest.fixture
def simulator(doors: dict[str, int], tmp_path: Path) -> Iterator[Simulator]:
    """It asks whichever of the twins has its door open."""
    asks = "|".join(f"{LOOPBACK}:{port}" for port in doors.values())
    simulator = a_switch(admission=asks, cdr_dir=tmp_path / "cdr")
    yield simulator
    simulator.stop()


@pytest.fixture
def record(simulator: Simulator) -> Record:
    return Record(simulator)


@pytest.fixture
def start(
    database_url: str, customers: None, conn: Connection, simulator: Simulator, doors: dict[str, int],
    tmp_path: Path,
) -> Iterator[Start]:  # fmt: skip
    """Starts a twin; whatever still runs afterwards is ended."""
    put_carriers(conn)
    started: list[TwinProcess] = []

    def start_one(name: str, **settings: str) -> TwinProcess:
        environment = {
            "ESL_AGENT_SWITCH_NAME": SWITCH,
            "ESL_AGENT_SWITCH_PORT": str(simulator.port),
            "ESL_AGENT_TWIN_ENABLED": "true",
            "ESL_AGENT_TWIN_LEASE_MS": str(LEASE_MS),
            "ESL_AGENT_TWIN_DOOR": f"{LOOPBACK}:{doors[name]}",
            "ESL_AGENT_ADMISSION_OUTBOUND_PORT": str(doors[name]),
            "ESL_AGENT_ADMISSION_LOCAL_SOCKET": "",
            "ESL_AGENT_CDR_FILES_FOLDER": str(tmp_path / "cdr"),
            "ESL_AGENT_LIMITS_DRAIN_S": "5",
            "ESL_AGENT_LOG_LEVEL": "debug",
            "ESL_AGENT_JOURNAL_FOLDER": str(tmp_path / f"{name} journal"),
            "ESL_AGENT_LIMITS_RETRY_MAX_S": "1",
        }
        started.append(TwinProcess(name, database_url, tmp_path, environment | settings))
        return started[-1].start()

    yield start_one
    for twin in started:
        twin.close()


@pytest.fixture
def pair(start: Start, record: Record) -> tuple[TwinProcess, TwinProcess]:
    """The first is active, the second in standby; all that they tell the switch is put down."""
    one = start("one")
    one.wait_for("TWIN_ACTIVE")
    two = start("two")
    two.wait_for(f"TWIN_STANDBY .*active=[^ ]*/{one.pid}/")
    two.wait_for("SWITCH_CONNECTED")
    return one, two


def place(simulator: Simulator, **plan: Any) -> CallHandle:
    defaults = {"number": UK, "caller": "15145550100", "ring_ms": 20, "talk_ms": 200}
    return simulator.place_call(CallPlan(**defaults | plan))


def call(simulator: Simulator) -> None:
    """A call from beginning to end."""
    assert place(simulator).wait_ended(PATIENCE_S)


def call_with_little_money(conn: Connection, simulator: Simulator, active: TwinProcess) -> CallHandle:
    """A call of account 1003's, with money for 18 seconds, of which 12 are held."""
    add_account(conn, NewAccount(account_id=1003, name="", plan="standard", by="test", terms_version="1"))
    top_up(conn, 1003, Decimal("0.0038"), "first")
    add_number(conn, OwnedNumber("15145550133", 1003))
    up = place(simulator, account="1003", caller="15145550133", talk_ms=60_000)
    active.wait_for("CALL_EXTENDED")
    return up


def cdrs_of(conn: Connection, count: int) -> list[CdrRow]:
    """All there are of legs that were answered, once there are so many."""

    def answered() -> list[CdrRow]:
        return [row for row in iterate_cdrs(conn, CdrFilter()) if row.answered_us is not None]

    with gevent.Timeout(PATIENCE_S, AssertionError(f"not {count} CDRs: {answered()}")):
        while len(answered()) < count:
            gevent.sleep(0.05)
    return answered()


def nothing_is_reserved(conn: Connection) -> bool:
    row = conn.execute("SELECT sum(reserved), min(balance) >= 0 FROM accounts").fetchone()
    return row == (0, True) and not check(conn)


def test_one_acts_and_the_other_stands_by_with_its_doors_closed(
    pair: tuple[TwinProcess, TwinProcess], simulator: Simulator, record: Record, conn: Connection
) -> None:
    one, two = pair
    call(simulator)
    cdrs_of(conn, 1)
    one.wait_for("CALL_RATED")
    assert two.said("CALL_ADMITTED") == []
    assert record.effects(one.pid) == record.effects() != []
    assert who_has(conn, SWITCH).is_twin
    assert nothing_is_reserved(conn)


def test_the_other_goes_on_after_kill_9(
    pair: tuple[TwinProcess, TwinProcess], simulator: Simulator, record: Record, conn: Connection
) -> None:
    one, two = pair
    call(simulator)
    one.wait_for("CALL_RATED")
    began = monotonic()
    one.send(signal.SIGKILL)
    two.wait_for("TWIN_ACTIVE")
    print(f"took over {monotonic() - began:.2f} s after the kill, with a lease of {LEASE_MS} ms")
    two.wait_for("TWIN_OPEN")
    call(simulator)
    two.wait_for("CALL_RATED")
    assert len(cdrs_of(conn, 2)) == 2
    assert record.strangers() == []


def test_calls_that_are_up_are_taken_up_and_end_with_their_money(
    pair: tuple[TwinProcess, TwinProcess], simulator: Simulator, record: Record, conn: Connection
) -> None:
    """One ends while nobody acts, one later, and one has money for 18 seconds."""
    one, two = pair
    poor = call_with_little_money(conn, simulator, one)
    for talk_ms in (2_000, 8_000):
        place(simulator, talk_ms=talk_ms)
    one.wait_for("CALL_ANSWERED", 3)
    one.send(signal.SIGKILL)
    assert poor.wait_ended(2 * PATIENCE_S)
    rows = {row.leg_uuid: row for row in cdrs_of(conn, 3)}

    truths = [truth for truth in simulator.legs_ended() if truth.is_outbound]
    assert {truth.uuid: truth.duration_us for truth in truths} == {
        leg_uuid: row.duration_us for leg_uuid, row in rows.items()
    }
    (cut,) = (row for row in rows.values() if row.account_id == 1003)
    assert (cut.hangup_cause, cut.charge.billed_seconds, cut.uncollected) == ("ALLOTTED_TIMEOUT", 18, 0)
    assert any(line.startswith(f"api uuid_kill {cut.leg_uuid}") for line in record.effects(two.pid))
    assert record.strangers() == []
    wait_until(lambda: nothing_is_reserved(conn), "nothing is reserved", PATIENCE_S)


def test_one_that_was_frozen_does_nothing_when_it_thaws(
    pair: tuple[TwinProcess, TwinProcess], simulator: Simulator, record: Record, conn: Connection,
    doors: dict[str, int],
) -> None:  # fmt: skip
    """A call that the frozen one would have to cut at once when it thaws; new ones don't ask it."""
    one, two = pair
    up = call_with_little_money(conn, simulator, one)
    one.send(signal.SIGSTOP)
    two.wait_for("TWIN_ACTIVE")
    asked = simulator.core.globals
    wait_until(lambda: asked.get(ADMISSION_ADDRESS) == f"{LOOPBACK}:{doors['two']}", "it is told", PATIENCE_S)
    call(simulator)
    assert up.wait_ended(2 * PATIENCE_S)
    (row,) = (row for row in cdrs_of(conn, 2) if row.account_id == 1003)
    assert (row.hangup_cause, row.charge.billed_seconds) == ("ALLOTTED_TIMEOUT", 18)
    thawed = monotonic()
    one.send(signal.SIGCONT)
    one.wait_for("TWIN_LOST")
    one.wait_for(f"TWIN_STANDBY .*active=[^ ]*/{two.pid}/")
    assert len(one.said(f"AGENT_STARTED .*pid={one.pid}")) == 2
    assert record.effects(one.pid, since=thawed) == []
    assert two.said("TWIN_LOST") == []
    assert record.strangers() == []


def test_one_that_loses_the_database_alone_hears_the_other_and_stands_down(
    pair: tuple[TwinProcess, TwinProcess], simulator: Simulator, record: Record, conn: Connection
) -> None:
    one, two = pair
    one.to_postgres.stall()
    two.wait_for("TWIN_ACTIVE")
    one.wait_for("TWIN_LOST .*another is active")
    two.wait_for("TWIN_OPEN")
    call(simulator)
    two.wait_for("CALL_RATED")
    one.to_postgres.heal()
    one.wait_for(f"TWIN_STANDBY .*active=[^ ]*/{two.pid}/")
    assert record.strangers() == []


def test_while_both_are_without_a_database_the_active_one_stays_so(
    pair: tuple[TwinProcess, TwinProcess], simulator: Simulator, conn: Connection
) -> None:
    one, two = pair
    up = place(simulator, talk_ms=4 * LEASE_MS)
    one.wait_for("CALL_ANSWERED")
    for twin in pair:
        twin.to_postgres.refuse()
    assert up.wait_ended(PATIENCE_S)
    for twin in reversed(pair):
        twin.to_postgres.heal()
    one.wait_for("CALL_RATED")
    two.wait_for("NOTICES_HEARD", 2)
    assert one.said("TWIN_LOST") == two.said("TWIN_TAKING") == []
    assert nothing_is_reserved(conn)


def test_a_switch_that_was_away_for_long_has_one_of_them_again(
    pair: tuple[TwinProcess, TwinProcess], simulator: Simulator, record: Record, conn: Connection
) -> None:
    one, two = pair
    simulator.faults.restart(down_s=8.0)
    one.wait_for("TWIN_LOST .*it has no switch")
    one.wait_for("SWITCH_CONNECTED", 2)
    two.wait_for("SWITCH_CONNECTED", 2)

    def opened() -> int:
        return len(one.said("TWIN_OPEN")) + len(two.said("TWIN_OPEN"))

    wait_until(lambda: opened() == 2, "one of them is active again", PATIENCE_S)
    call(simulator)
    cdrs_of(conn, 1)
    assert record.strangers() == []


def test_one_that_is_stopped_hands_over_at_once(
    pair: tuple[TwinProcess, TwinProcess], simulator: Simulator, conn: Connection
) -> None:
    one, two = pair
    up = place(simulator, talk_ms=60_000)
    one.wait_for("CALL_ANSWERED")
    one.send(signal.SIGTERM)
    assert one.ended() == 0
    two.wait_for("TWIN_ACTIVE")
    assert simulator.core.api("uuid_exists", up.outbound_uuids[0]) == "true"
    assert two.said("TWIN_LOST") == one.said("TWIN_LOST") == []


def test_a_standby_ends_when_it_is_told_to(pair: tuple[TwinProcess, TwinProcess]) -> None:
    one, two = pair
    two.send(signal.SIGTERM)
    assert two.ended() == 0
    assert one.said("TWIN_LOST") == []


def test_twins_have_to_know_which_switch_they_are_twins_for(start: Start) -> None:
    nameless = start("one", ESL_AGENT_SWITCH_NAME="")
    assert nameless.ended() == 2
    assert "[twin] enabled needs [switch] name" in nameless.text()


def test_a_twin_that_may_not_write_the_row_says_so(start: Start, conn: Connection) -> None:
    conn.execute("ALTER TABLE leases RENAME TO loans")
    start("one").wait_for("DB_REFUSED statement=lease .*leases")


# Daemons that are no twins.


def test_a_second_daemon_that_is_no_twin_is_refused(start: Start) -> None:
    first = start("one", ESL_AGENT_TWIN_ENABLED="false")
    first.wait_for("SWITCH_CONNECTED")
    second = start("two", ESL_AGENT_TWIN_ENABLED="false")
    assert second.ended() == 1
    said = second.text()
    assert "TWIN_ALREADY_ACTIVE" in said
    assert "another daemon is active for the switch 'montreal'" in said
    assert "Traceback" not in said


def test_a_twin_beside_a_daemon_that_is_none_stays_in_standby(start: Start, conn: Connection) -> None:
    alone = start("one", ESL_AGENT_TWIN_ENABLED="false")
    alone.wait_for("SWITCH_CONNECTED")
    twin = start("two")
    twin.wait_for("TWIN_ALREADY_ACTIVE")
    assert twin.said("TWIN_ACTIVE") == []
    alone.send(signal.SIGTERM)
    assert alone.ended() == 0
    twin.wait_for("TWIN_ACTIVE")


def test_a_daemon_that_lost_the_switch_to_another_ends(
    start: Start, conn: Connection, database_url: str
) -> None:
    """As after an outage of Postgres, during which another one was started."""
    alone = start("one", ESL_AGENT_TWIN_ENABLED="false")
    alone.wait_for("SWITCH_CONNECTED")
    session = who_has(conn, SWITCH).lock_pid
    with connect_to_lease(database_url) as other:
        conn.execute("SELECT pg_terminate_backend(%s)", [session])
        wait_until(lambda: lock(other, SWITCH) is None, "the lock is free", PATIENCE_S)
        assert alone.ended() == 0
    assert "TWIN_ALREADY_ACTIVE" in alone.text()


def test_after_kill_9_a_daemon_that_is_alone_can_be_started_at_once(start: Start) -> None:
    first = start("one", ESL_AGENT_TWIN_ENABLED="false")
    first.wait_for("SWITCH_CONNECTED")
    first.send(signal.SIGKILL)
    start("two", ESL_AGENT_TWIN_ENABLED="false").wait_for("SWITCH_CONNECTED")
