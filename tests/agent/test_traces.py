"""Every trace of a real switch, driven through the whole daemon: its bytes in, CDRs and ledger out.

What is expected here are the facts of the traces' README.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import pytest
from fixtures.scripted_switch import ScriptedSwitch

from esl_agent.agent.daemon import Daemon
from esl_agent.core.price import LineKind
from esl_agent.store.cdrs import CdrFilter, CdrRow, iterate_cdrs
from esl_agent.store.ledger import check
from esl_agent.store.pool import Connection

from .conftest import Journal

TRACES = Path(__file__).parents[1] / "traces"
#: The recording's own names of the variables that say who pays.
RECORDED_NAMES = {"account": "billed_account", "product": "billed_product"}


class Cdr(NamedTuple):
    """What of a CDR a trace settles."""

    account: int
    product: str
    number: str
    duration_us: int
    billed_s: int
    total: str
    cause: str = "NORMAL_CLEARING"
    ended_by: str = "caller"


UK, US, MX, MTL = "442079460000", "12125550147", "525512345678", "15145550123"

EXPECTED: dict[str, list[Cdr]] = {
    "emergency_911": [Cdr(1001, "termination", "911", 2_539_991, 6, "0.0000")],
    "forwarded_did": [
        Cdr(1002, "forwarding", US, 3_040_024, 6, "0.0025"),
        Cdr(1002, "inbound", "15145550199", 3_019_992, 6, "0.0000"),
    ],
    "inbound_did_answered": [Cdr(1001, "inbound", "15145550100", 2_520_007, 6, "0.0000")],
    "inbound_tollfree_from_payphone": [Cdr(1001, "inbound", "18005550100", 1_519_969, 6, "0.0000")],
    "outbound_blind_transfer": [
        Cdr(1001, "termination", US, 880_001, 6, "0.0010"),
        Cdr(1001, "termination", UK, 3_920_034, 6, "0.0013"),
    ],
    "outbound_busy": [
        Cdr(1001, "termination", MTL, 0, 0, "0.0000", "USER_BUSY", "callee"),
        Cdr(1001, "termination", MTL, 0, 0, "0.0000", "NORMAL_TEMPORARY_FAILURE", "callee"),
    ],
    "outbound_cancelled_while_ringing": [Cdr(1001, "termination", MTL, 0, 0, "0.0000", "ORIGINATOR_CANCEL")],
    "outbound_cut_by_scheduled_kill": [
        Cdr(1001, "termination", UK, 3_880_010, 6, "0.0013", "ALLOTTED_TIMEOUT", "agent")
    ],
    "outbound_cut_rescheduled": [
        Cdr(1001, "termination", UK, 5_420_024, 6, "0.0013", "ALLOTTED_TIMEOUT", "agent")
    ],
    "outbound_early_media": [Cdr(1001, "termination", UK, 2_039_986, 6, "0.0013")],
    "outbound_failover_second_carrier": [
        Cdr(1001, "termination", UK, 0, 0, "0.0000", "NORMAL_TEMPORARY_FAILURE", "callee"),
        Cdr(1001, "termination", UK, 2_040_002, 6, "0.0013"),
    ],
    "outbound_hold_unhold": [Cdr(1001, "termination", US, 720_055, 6, "0.0010")],
    "outbound_hostile_caller_name": [Cdr(1001, "termination", US, 1_040_028, 6, "0.0010")],
    "outbound_mexico_short": [Cdr(1001, "termination", MX, 1_223_754, 60, "0.0200")],
    "outbound_redirected_302_refused": [
        Cdr(1001, "termination", MTL, 0, 0, "0.0000", "REQUESTED_CHAN_UNAVAIL", "callee"),
        Cdr(1001, "termination", MTL, 1_040_018, 6, "0.0005"),
    ],
    "outbound_sched_hangup": [
        Cdr(1001, "termination", UK, 3_880_028, 6, "0.0013", "ALLOTTED_TIMEOUT", "agent")
    ],
    "outbound_us_caller_hangup": [Cdr(1001, "termination", US, 3_540_013, 6, "0.0010")],
    "tollfree_outbound": [Cdr(1001, "termination", "18002345678", 1_540_697, 6, "0.0000")],
}


def told(row: CdrRow) -> Cdr:
    return Cdr(
        row.account_id,
        row.product,
        row.number,
        row.duration_us,
        row.charge.billed_seconds,
        str(row.charge.total),
        row.hangup_cause,
        row.ended_by,
    )


class Replay:
    """Plays a trace to a daemon and waits for the CDRs."""

    def __init__(
        self, switch: ScriptedSwitch, start: Callable[..., Daemon], journal: Journal, conn: Connection
    ) -> None:
        self._switch, self._start, self._journal, self._conn = switch, start, journal, conn

    def __call__(self, trace: bytes, cdrs: int) -> list[CdrRow]:
        self._start(self._switch.port, variables=RECORDED_NAMES)
        self._switch.next_peer("CHANNEL_ANSWER").send(trace)
        self._journal.wait_for("CALL_RATED", cdrs)
        return list(iterate_cdrs(self._conn, CdrFilter()))


@pytest.fixture
def replay(
    switch: ScriptedSwitch, start_daemon: Callable[..., Daemon], journal: Journal, conn: Connection
) -> Replay:
    return Replay(switch, start_daemon, journal, conn)


def money_is_right(conn: Connection, rows: list[CdrRow]) -> bool:
    """What the CDRs charged is what the ledger took, nothing stays reserved, and every balance adds up."""
    taken = conn.execute("SELECT coalesce(sum(amount), 0) FROM ledger WHERE debit = 'customer'").fetchone()
    reserved = conn.execute("SELECT sum(reserved) FROM accounts").fetchone()
    assert taken
    assert reserved
    return taken[0] == sum(row.charged for row in rows) and reserved[0] == 0 and not check(conn)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_trace_becomes_the_cdrs_that_it_should(name: str, replay: Replay, conn: Connection) -> None:
    expected = EXPECTED[name]
    rows = replay((TRACES / name / "events.json.esl").read_bytes(), len(expected))
    assert sorted(map(told, rows)) == sorted(expected)
    assert money_is_right(conn, rows)
    assert all(row.uncollected == 0 for row in rows)


def test_every_trace_is_expected() -> None:
    folders = {folder.name for folder in TRACES.iterdir() if folder.is_dir()}
    assert folders == {*EXPECTED, "burst_50_calls"}


def test_a_burst_of_50_calls_loses_and_doubles_none(replay: Replay, conn: Connection) -> None:
    rows = replay(gzip.decompress((TRACES / "burst_50_calls" / "events.json.esl.gz").read_bytes()), 50)
    assert len({row.leg_uuid for row in rows}) == 50
    assert {(row.account_id, row.charge.total) for row in rows} == {(1001, Decimal("0.0013"))}
    assert money_is_right(conn, rows)


def test_events_told_twice_and_backwards_bill_once(replay: Replay, conn: Connection) -> None:
    trace = (TRACES / "outbound_failover_second_carrier" / "events.json.esl").read_bytes()
    frames = [b"Content-Length" + part for part in trace.split(b"Content-Length") if part]
    rows = replay(b"".join([*reversed(frames), *frames]), 2)
    assert sorted(map(told, rows)) == sorted(EXPECTED["outbound_failover_second_carrier"])
    assert money_is_right(conn, rows)


def test_a_forwarded_calls_surcharge_is_a_line_of_its_own(replay: Replay, conn: Connection) -> None:
    rows = replay((TRACES / "forwarded_did" / "events.json.esl").read_bytes(), 2)
    (row,) = [row for row in rows if row.product == "forwarding"]
    assert {line.kind: str(line.amount) for line in row.charge.lines} == {
        LineKind.USAGE: "0.0010",
        LineKind.FORWARDING: "0.0015",
    }
