"""Legs that were not seen, and end while Postgres is away: they are billed when it is back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from esl_agent.agent.daemon import Daemon
from esl_agent.simulator.config import SimulatorConfig
from esl_agent.simulator.plan import CallPlan
from esl_agent.simulator.simulator import Simulator
from esl_agent.store.cdrs import CdrFilter, CdrRow, Source, iterate_cdrs
from esl_agent.store.embedded import EmbeddedPostgres
from esl_agent.store.ledger import check
from esl_agent.store.pool import Connection, connected

from .conftest import PATIENCE_S, Journal
from .exchange import UK

Away = Callable[[], AbstractContextManager[None]]


@pytest.fixture
def away(postgres: EmbeddedPostgres, conn: Connection, journal: Journal) -> Away:
    """The daemon's database lets nobody in, and ends who is; afterwards it is back, and the daemon knows."""
    name, own = conn.info.dbname, conn.info.backend_pid

    @contextmanager
    def outage() -> Iterator[None]:
        with connected(postgres.url("postgres")) as other:
            other.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
            ends = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> %s"
            other.execute(ends, [name, own])
            try:
                journal.wait_for("DB_DOWN")
                yield
            finally:
                other.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        journal.wait_for("DB_UP")

    return outage


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[Simulator]:
    """A switch whose dialplan names the payer itself."""
    simulator = Simulator(SimulatorConfig(port=0, cdr_dir=tmp_path / "json_cdr")).start()
    yield simulator
    simulator.stop()


def billed(conn: Connection, simulator: Simulator, account_id: int) -> CdrRow:
    """The one CDR there is, which has to be right."""
    [row] = iterate_cdrs(conn, CdrFilter())
    [leg] = [leg for leg in simulator.legs_ended() if leg.is_outbound]
    assert (row.leg_uuid, row.duration_us, row.account_id) == (leg.uuid, leg.duration_us, account_id)
    assert (row.refused, row.charged, row.uncollected) == (None, Decimal("0.0013"), 0)
    assert not check(conn)
    return row


def test_a_leg_whose_payer_cannot_be_told_waits_for_its_price(
    start_daemon: Callable[..., Daemon], simulator: Simulator, journal: Journal, conn: Connection, away: Away
) -> None:
    start_daemon(simulator.port)
    simulator.faults.drop_events(10, ("CHANNEL_CREATE", "CHANNEL_ANSWER"))
    with away():
        call = simulator.place_call(CallPlan(number=UK, account="1002", ring_ms=20, talk_ms=200))
        assert call.wait_ended(PATIENCE_S)
    journal.wait_for("CALL_RATED")
    assert billed(conn, simulator, 1002).source is Source.LIVE


def test_a_leg_whose_end_is_missed_too_is_found_in_its_file(
    start_daemon: Callable[..., Daemon],
    simulator: Simulator,
    journal: Journal,
    conn: Connection,
    away: Away,
    tmp_path: Path,
) -> None:
    folder = tmp_path / "json_cdr"
    start_daemon(simulator.port, cdr_files={"folder": str(folder), "every_s": 1, "settle_after_s": 1})
    simulator.faults.drop_events(100)
    with away():
        call = simulator.place_call(CallPlan(number=UK, account="1002", ring_ms=20, talk_ms=200))
        assert call.wait_ended(PATIENCE_S)
        assert len(list(folder.iterdir())) == 2
    journal.wait_for("CALL_RATED")
    assert billed(conn, simulator, 1002).source is Source.SWITCH_FILE
