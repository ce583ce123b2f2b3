"""Every call asks first: the dialplan's question, the answer, and what becomes of the call and its money."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal

import pytest

from esl_agent.agent.daemon import Daemon
from esl_agent.core.call_signals import ArmSwitchCut
from esl_agent.lab.ports import free_port
from esl_agent.simulator.config import SimulatorConfig
from esl_agent.simulator.plan import Kind, Outcome
from esl_agent.simulator.simulator import Simulator
from esl_agent.store.accounts import change_credit_limit, get_account, suspend
from esl_agent.store.limits import change_limits
from esl_agent.store.pool import Connection

from .conftest import PATIENCE_S, Journal
from .exchange import UK, Exchange, put_carriers


@pytest.fixture
def carriers(conn: Connection, customers: None) -> None:
    put_carriers(conn)


@pytest.fixture
def exchange(
    conn: Connection, carriers: None, start_daemon: Callable[..., Daemon], journal: Journal
) -> Iterator[Exchange]:
    port = free_port()
    config = SimulatorConfig(port=0, admission=f"127.0.0.1:{port}")
    simulator = Simulator(config).start()
    daemon = start_daemon(simulator.port, admission={"outbound_port": port, "allow_premium": False})
    yield Exchange(simulator, daemon, journal, conn)
    simulator.stop()


def test_an_admitted_call_is_held_for_before_it_goes_out_and_billed_on_its_carriers_leg(
    exchange: Exchange, conn: Connection
) -> None:
    exchange.call()
    (row,) = exchange.cdrs(1)
    assert (row.account_id, row.number, row.carrier, row.rule) == (1001, UK, "alpha", "funds")
    assert row.charged == Decimal("0.0013")
    words = [word for word, _ in exchange.journal.lines if word.startswith("CALL_")]
    assert words.index("CALL_ADMITTED") < words.index("CALL_ANSWERED") < words.index("CALL_RATED")
    assert get_account(conn, 1001).balance == Decimal("9.9987")
    assert exchange.nothing_is_reserved()


def test_a_refusing_carriers_hold_goes_on_to_the_next(exchange: Exchange) -> None:
    exchange.call(carriers_refusing=1)
    rows = exchange.cdrs(2)
    assert sorted((row.carrier, row.answered_us is not None, row.charged) for row in rows) == [
        ("alpha", False, Decimal(0)),
        ("beta", True, Decimal("0.0013")),
    ]
    assert exchange.nothing_is_reserved()


def test_a_caller_who_hangs_up_while_it_rings_leaves_nothing_held(exchange: Exchange) -> None:
    exchange.call(outcome=Outcome.CANCELLED)
    (row,) = exchange.cdrs(1)
    assert (row.answered_us, row.charged) == (None, 0)
    assert exchange.nothing_is_reserved()


def test_the_agent_ends_a_call_that_the_account_cannot_pay_further(
    exchange: Exchange, conn: Connection
) -> None:
    conn.execute("UPDATE rates SET rate_per_minute = 99 WHERE prefix = '44'")
    exchange.daemon.reload()
    exchange.call(talk_ms=20_000)  # 9.90 an increment, 10.00 on the account
    (row,) = exchange.cdrs(1)
    assert (row.hangup_cause, row.ended_by, row.charge.billed_seconds) == ("ALLOTTED_TIMEOUT", "agent", 6)
    assert 5_800_000 <= row.duration_us <= 6_000_000
    assert get_account(conn, 1001).balance == Decimal("0.1000")


@pytest.mark.parametrize(
    ("plan", "reason", "sip_code"),
    [
        ({"number": "12"}, "number_not_understood", 484),
        ({"number": "19005551234"}, "premium_blocked", 403),
        ({"number": "8816123456789"}, "blocked_by_operator", 403),
        ({"number": "3901"}, "number_not_understood", 484),
        ({"number": "390655512345"}, "no_rate", 404),
        ({"caller": "15145550199"}, "caller_id_not_owned", 403),
        ({"account": "4242"}, "unknown_account", 403),
        ({"account": "x; drop table"}, "unknown_account", 403),
    ],
)
def test_a_refusal_has_its_reason_a_sip_answer_and_a_cdr_and_holds_nothing(
    exchange: Exchange, plan: dict[str, str], reason: str, sip_code: int
) -> None:
    exchange.call(**plan)
    (row,) = exchange.cdrs(1)
    assert (row.refused, row.sip_code, row.charged) == (reason, sip_code, 0)
    (line,) = exchange.journal.of("CALL_REFUSED")
    assert (line["reason"], line["rule"]) == (reason, row.rule)
    assert exchange.nothing_is_reserved()


def test_without_money_nothing_goes_out(exchange: Exchange, conn: Connection) -> None:
    conn.execute("UPDATE accounts SET balance = 0.0012 WHERE account_id = 1001")
    exchange.call()
    (row,) = exchange.cdrs(1)
    assert (row.refused, row.sip_code, row.rule) == ("no_funds", 402, "funds")
    assert not exchange.journal.of("CALL_ANSWERED")


def test_a_suspended_accounts_call_is_refused_and_its_emergency_call_is_not(
    exchange: Exchange, conn: Connection
) -> None:
    suspend(conn, 1001, "unpaid", "test")
    exchange.daemon.reload()
    exchange.call()
    exchange.call(number="911", caller="15145550199")
    emergency, refused = sorted(exchange.cdrs(2), key=lambda row: row.number)[::-1]
    assert refused.refused == "account_suspended"
    assert (emergency.refused, emergency.number_class, emergency.charged) == (None, "emergency", 0)
    assert emergency.answered_us is not None


def test_as_many_calls_at_a_time_as_the_account_may(exchange: Exchange, conn: Connection) -> None:
    change_limits(conn, 1001, lambda limits: replace(limits, max_calls=2))
    handles = [exchange.place(talk_ms=600) for _ in range(3)]
    assert all(handle.wait_ended(PATIENCE_S) for handle in handles)
    rows = exchange.cdrs(3)
    assert sorted(str(row.refused) for row in rows) == ["None", "None", "too_many_calls"]
    assert exchange.nothing_is_reserved()


def test_two_calls_at_once_on_one_calls_money_admit_one(exchange: Exchange, conn: Connection) -> None:
    conn.execute("UPDATE accounts SET balance = 0.0013 WHERE account_id = 1001")
    handles = [exchange.place(talk_ms=300) for _ in range(2)]
    assert all(handle.wait_ended(PATIENCE_S) for handle in handles)
    rows = exchange.cdrs(2)
    assert sorted(str(row.refused) for row in rows) == ["None", "no_funds"]
    assert get_account(conn, 1001).balance == 0


def test_a_forwarded_call_is_paid_by_the_dids_owner_with_the_surcharge(exchange: Exchange) -> None:
    exchange.call(kind=Kind.FORWARDED, number=UK, did="15145550199", caller="14165550111", account="1001")
    rows = exchange.cdrs(2)
    (row,) = [row for row in rows if row.product == "forwarding"]
    assert (row.account_id, row.forwarded_from) == (1002, "15145550199")
    assert {line.kind: str(line.amount) for line in row.charge.lines} == {
        "usage": "0.0013",
        "forwarding": "0.0015",
    }


def test_toll_free_calls_are_free_and_count_as_calls(exchange: Exchange, conn: Connection) -> None:
    change_limits(conn, 1001, lambda limits: replace(limits, max_calls=1))
    handles = [exchange.place(number="18005550123", talk_ms=500) for _ in range(2)]
    assert all(handle.wait_ended(PATIENCE_S) for handle in handles)
    rows = exchange.cdrs(2)
    assert sorted(str(row.refused) for row in rows) == ["None", "too_many_calls"]
    assert sum(row.charged for row in rows) == 0


def test_the_switch_itself_would_cut_if_the_agent_were_gone(exchange: Exchange, conn: Connection) -> None:
    """Armed on answer by the dial string, before any event reaches the agent."""
    conn.execute("UPDATE accounts SET balance = 0.0026 WHERE account_id = 1001")
    conn.execute("UPDATE rates SET rate_per_minute = 0.013 WHERE prefix = '44'")
    exchange.daemon.reload()
    exchange.daemon.parts.timers.set = lambda *_: None  # type: ignore[method-assign]  # the agent never cuts
    exchange.daemon.desk._switchboard = Deaf()  # type: ignore[assignment]
    exchange.call(talk_ms=20_000)
    (row,) = exchange.cdrs(1)
    assert row.hangup_cause == "ALLOTTED_TIMEOUT"
    assert row.uncollected == 0


class Deaf:
    """A switchboard whose commands go nowhere."""

    round_trip_us = 0
    command_us = 0.0

    def kill(self, leg_uuid: str, cause: str) -> None: ...
    def arm_cut(self, leg_uuid: str, arm: ArmSwitchCut) -> None: ...
    def disarm_cut(self, leg_uuid: str) -> None: ...


def test_a_credit_limit_is_money_too(exchange: Exchange, conn: Connection) -> None:
    conn.execute("UPDATE accounts SET balance = 0 WHERE account_id = 1001")
    change_credit_limit(conn, 1001, Decimal("0.0013"))
    exchange.call()
    (row,) = exchange.cdrs(1)
    assert row.refused is None
    assert get_account(conn, 1001).balance == Decimal("-0.0013")
