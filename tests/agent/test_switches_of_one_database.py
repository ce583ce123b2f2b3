"""Two switches, a daemon each, one database: accounts are shared, and neither touches the other's legs."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from esl_agent.lab.child import wait_until
from esl_agent.lab.ports import LOOPBACK, free_port
from esl_agent.simulator.plan import CallPlan
from esl_agent.simulator.simulator import CallHandle
from esl_agent.store.accounts import NewAccount, add_account, get_account, top_up
from esl_agent.store.cdrs import CdrFilter, CdrRow, iterate_cdrs
from esl_agent.store.ledger import check
from esl_agent.store.numbers import OwnedNumber, add_number
from esl_agent.store.pool import Connection

from .conftest import PATIENCE_S
from .exchange import UK, put_carriers
from .twins import TwinProcess, a_switch

#: Four steps of six seconds to the United Kingdom, at 0.0013 for the first of a call.
POOR = 1003
POOR_BALANCE = Decimal("0.0052")


class Place:
    """A switch and its daemon."""

    def __init__(self, name: str, url: str, folder: Path) -> None:
        port = free_port()
        self.switch = a_switch(admission=f"{LOOPBACK}:{port}")
        self._environment = {
            "ESL_AGENT_SWITCH_NAME": name,
            "ESL_AGENT_SWITCH_PORT": str(self.switch.port),
            "ESL_AGENT_ADMISSION_OUTBOUND_PORT": str(port),
            "ESL_AGENT_ADMISSION_LOCAL_SOCKET": "",
            "ESL_AGENT_JOURNAL_FOLDER": str(folder / f"{name} journal"),
        }
        self.daemon = TwinProcess(name, url, folder, self._environment).start()

    def call(self, **plan: Any) -> CallHandle:
        defaults = {"number": UK, "caller": "15145550100", "ring_ms": 20, "talk_ms": 60_000}
        return self.switch.place_call(CallPlan(**defaults | plan))

    def poor_call(self) -> CallHandle:
        return self.call(account=str(POOR), caller="15145550133")

    def is_up(self, call: CallHandle) -> bool:
        return self.switch.core.api("uuid_exists", call.outbound_uuids[0]) == "true"

    def close(self) -> None:
        self.daemon.close()
        self.switch.stop()


@pytest.fixture
def places(
    database_url: str, customers: None, conn: Connection, tmp_path: Path
) -> Iterator[tuple[Place, Place]]:
    put_carriers(conn)
    add_account(conn, NewAccount(account_id=POOR, name="", plan="standard", by="test", terms_version="1"))
    top_up(conn, POOR, POOR_BALANCE, "first")
    add_number(conn, OwnedNumber("15145550133", POOR))
    both = Place("montreal", database_url, tmp_path), Place("quebec", database_url, tmp_path)
    for place in both:
        place.daemon.wait_for("SWITCH_CONNECTED")
    yield both
    for place in both:
        place.close()


def rows_of(conn: Connection, account_id: int, is_wanted: Callable[[CdrRow], bool]) -> list[CdrRow]:
    return [row for row in iterate_cdrs(conn, CdrFilter()) if row.account_id == account_id and is_wanted(row)]


def test_an_account_that_calls_on_both_spends_what_it_has_and_no_cent_more(
    places: tuple[Place, Place], conn: Connection
) -> None:
    calls = [place.poor_call() for _ in range(3) for place in places]
    assert all(call.wait_ended(2 * PATIENCE_S) for call in calls)
    wait_until(lambda: get_account(conn, POOR).reserved == 0, "nothing is reserved", PATIENCE_S)

    answered = rows_of(conn, POOR, lambda row: row.answered_us is not None)
    charged = sum((row.charged for row in answered), Decimal(0))
    account = get_account(conn, POOR)
    assert charged + account.balance == POOR_BALANCE
    assert 0 <= account.balance < Decimal("0.0013")
    assert all(row.uncollected == 0 for row in answered)
    assert check(conn) == []


def test_one_that_recovers_leaves_the_others_calls_alone(
    places: tuple[Place, Place], conn: Connection
) -> None:
    montreal, quebec = places
    here, there = montreal.call(), quebec.call()
    for place in places:
        place.daemon.wait_for("CALL_ANSWERED")
    quebec.daemon.send(signal.SIGKILL)
    montreal.daemon.send(signal.SIGKILL)
    assert montreal.daemon.ended() == quebec.daemon.ended() == -signal.SIGKILL
    montreal.daemon.start().wait_for("RECOVERY_DONE", 2)

    held = dict(conn.execute("SELECT leg_uuid, switch FROM reservations WHERE state = 'held'").fetchall())
    assert held == {here.outbound_uuids[0]: "montreal", there.outbound_uuids[0]: "quebec"}
    assert there.outbound_uuids[0] not in montreal.daemon.text()
    assert montreal.is_up(here)
    assert quebec.is_up(there)

    quebec.daemon.start().wait_for("RECOVERY_DONE", 2)
    for place in places:
        place.switch.core.api("hupall", "NORMAL_CLEARING")
    wait_until(lambda: get_account(conn, 1001).reserved == 0, "nothing is reserved", PATIENCE_S)
    assert len(rows_of(conn, 1001, lambda row: row.answered_us is not None)) == 2
    assert check(conn) == []
