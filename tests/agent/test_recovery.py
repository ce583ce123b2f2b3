"""The daemon is killed with calls up and started again: every leg has one CDR, and no money stays held."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from fixtures.records import a_price, an_account

from esl_agent.agent.calls.known import remember
from esl_agent.agent.pricing import Priced
from esl_agent.config import parse, switch_name_of
from esl_agent.core.admission.carriers import Carrier
from esl_agent.core.leg import Direction, Leg, Product
from esl_agent.core.numbering.number import Number, NumberClass
from esl_agent.lab.child import wait_until
from esl_agent.lab.ports import free_port
from esl_agent.simulator.config import SimulatorConfig
from esl_agent.simulator.plan import CallPlan
from esl_agent.simulator.simulator import CallHandle, Simulator
from esl_agent.store.accounts import suspend
from esl_agent.store.carriers import put_carrier
from esl_agent.store.cdrs import CdrFilter, CdrRow, Source, iterate_cdrs
from esl_agent.store.holds import HoldRequest, hold_many
from esl_agent.store.ledger import check
from esl_agent.store.limits import change_limits
from esl_agent.store.numbers import OwnedNumber, add_number
from esl_agent.store.pool import Connection

from .exchange import UK, put_carriers
from .killable import PATIENCE_S, Killable

#: As long as anybody could want to talk; the test hangs up.
LONG_MS = 600_000
#: A customer whose calls are paid for by single increments: never rich.
POOR = {"account": "1003", "caller": "15145550177"}


class Scene:
    """A switch with calls, a daemon that may die, and the books."""

    def __init__(self, folder: Path, database_url: str, conn: Connection, *, files: bool) -> None:
        self.conn = conn
        self._files = folder / "cdr" if files else None
        self._door = free_port()
        self.simulator = Simulator(
            SimulatorConfig(port=0, admission=f"127.0.0.1:{self._door}", cdr_dir=self._files, heartbeat_s=1.0)
        ).start()
        sections: dict[str, dict[str, object]] = {
            "database": {"url": database_url},
            "switch": {"port": self.simulator.port, "gone_patience_s": 2, "audit_every_s": 1},
            "admission": {"outbound_port": self._door, "local_socket": ""},
            "journal": {"folder": str(folder / "journal")},
            "limits": {"drain_s": 1, "account_cache_s": 1},
            "log": {"format": "plain", "level": "debug"},
        }
        if self._files is not None:
            sections["cdr_files"] = {"folder": str(self._files), "every_s": 3_600}
        self.switch_name = switch_name_of(parse({"switch": {"port": self.simulator.port}}, {}, source="test"))
        self.agent = Killable(folder, sections)

    def close(self) -> None:
        self.agent.close()
        self.simulator.stop()

    # Calls

    def place(self, count: int = 1, **plan: object) -> list[CallHandle]:
        values = {"number": UK, "caller": "15145550100", "ring_ms": 20, "talk_ms": LONG_MS} | plan
        return [self.simulator.place_call(CallPlan(**values)) for _ in range(count)]  # type: ignore[arg-type]

    def talking(self, count: int = 1, **plan: object) -> list[CallHandle]:
        calls = self.place(count, **plan)
        assert all(call.wait_answered(PATIENCE_S) for call in calls)
        return calls

    def hang_up(self, calls: list[CallHandle]) -> None:
        """End the calls, and return when they are over."""
        for call in calls:
            self.end(call.caller_uuid, "NORMAL_CLEARING")
        assert all(call.wait_ended(PATIENCE_S) for call in calls)

    def end(self, leg_uuid: str, cause: str) -> None:
        self.simulator.runner.catch_up()
        self.simulator.core.api("uuid_kill", f"{leg_uuid} {cause}")
        self.simulator.runner.wake()

    # The books

    def cdrs(self, count: int) -> list[CdrRow]:
        """All rows there are, once there are `count`, oldest first."""
        wait_until(lambda: len(self._cdrs()) >= count, f"{count} CDRs", PATIENCE_S)
        return self._cdrs()

    def _cdrs(self) -> list[CdrRow]:
        return list(iterate_cdrs(self.conn, CdrFilter()))

    def audit(self, count: int) -> Counter[Source]:
        """Each of the `count` billed legs that the switch had has one CDR, with the switch's own times."""
        rows = self.cdrs(count)
        truth = {leg.uuid: leg for leg in self.simulator.legs_ended() if leg.is_outbound}
        assert sorted(row.leg_uuid for row in rows) == sorted(truth)
        for row in rows:
            leg = truth[row.leg_uuid]
            assert (row.answered_us, row.ended_us, row.duration_us, row.carrier) == (
                leg.answered_us,
                leg.ended_us,
                leg.duration_us,
                leg.carrier,
            )
            assert row.uncollected == 0
        self.nothing_is_reserved()
        return Counter(row.source for row in rows)

    def nothing_is_reserved(self) -> None:
        sums = "SELECT sum(reserved), sum(calls_up) FROM accounts"
        wait_until(lambda: self.conn.execute(sums).fetchone() == (0, 0), "nothing is reserved", PATIENCE_S)
        assert check(self.conn) == []


@pytest.fixture
def set_scene(
    database_url: str, conn: Connection, customers: None, tmp_path: Path
) -> Iterator[Callable[..., Scene]]:
    put_carriers(conn)
    an_account(conn, 1003, "0.0600")
    add_number(conn, OwnedNumber(POOR["caller"], 1003))
    scenes: list[Scene] = []

    def set_one(*, files: bool = True) -> Scene:
        scenes.append(Scene(tmp_path, database_url, conn, files=files))
        scenes[-1].agent.start()
        return scenes[-1]

    yield set_one
    for scene in scenes:
        scene.close()


@pytest.fixture
def scene(set_scene: Callable[..., Scene]) -> Scene:
    """A daemon that can read the switch's CDR files."""
    return set_scene()


def test_killed_with_calls_up_of_which_half_end_meanwhile(scene: Scene) -> None:
    ending, staying = scene.talking(15), scene.talking(15)
    scene.agent.kill()
    scene.hang_up(ending)
    scene.agent.start()
    assert len(scene.agent.wait_says("CALL_RECOVERED", 15)) == 15
    scene.cdrs(15)
    scene.hang_up(staying)
    assert scene.audit(30) == {Source.SWITCH_FILE: 15, Source.LIVE: 15}


def test_stopped_for_an_upgrade_no_call_is_cut_however_little_was_held_for_it(scene: Scene) -> None:
    calls = scene.talking(3, **POOR)
    scene.agent.stop()
    held = scene.conn.execute("SELECT min(held) FROM reservations WHERE state = 'held'").fetchone()
    assert held
    assert held[0] >= Decimal("0.0125")  # a minute
    scene.agent.start()
    scene.agent.wait_says("CALL_RECOVERED", 3)
    scene.hang_up(calls)
    assert scene.audit(3) == {Source.LIVE: 3}
    assert not scene.agent.said("CALL_CUT")


@pytest.mark.parametrize("when", ["while it was down", "afterwards"])
def test_calls_of_an_account_that_is_suspended_end_though_they_began_before(scene: Scene, when: str) -> None:
    """A free one too, which asks for nothing; and nobody else's."""
    calls = [*scene.talking(), *scene.talking(number="18005550123")]
    others = scene.talking(account="1002", caller="15145550199")
    scene.agent.kill()
    if when == "while it was down":
        suspend(scene.conn, 1001, "stolen", "noc")
    scene.agent.start()
    scene.agent.wait_says("CALL_RECOVERED", 3)
    if when == "afterwards":
        suspend(scene.conn, 1001, "stolen", "noc")
    assert all(call.wait_ended(PATIENCE_S) for call in calls)
    rows = scene.cdrs(2)
    assert [(row.account_id, row.hangup_cause) for row in rows] == [(1001, "MANAGER_REQUEST")] * 2
    scene.hang_up(others)
    scene.audit(3)


def test_free_calls_are_taken_up_too_and_never_metered(scene: Scene) -> None:
    calls = [*scene.talking(number="911"), *scene.talking(number="18005550123")]
    scene.agent.kill()
    scene.agent.start()
    scene.agent.wait_says("CALL_RECOVERED", 2)
    scene.hang_up(calls)
    assert scene.audit(2) == {Source.LIVE: 2}
    assert sum(row.charge.total for row in scene.cdrs(2)) == 0


def test_what_is_up_counts_at_once_among_the_carriers_and_the_accounts_calls(
    set_scene: Callable[..., Scene], conn: Connection
) -> None:
    put_carrier(
        conn, Carrier(name="alpha", dial_template="sofia/carrier/{number}@127.0.0.1:5090", capacity=1)
    )
    change_limits(conn, 1001, lambda limits: replace(limits, max_calls=2))
    scene = set_scene()
    first = scene.talking()
    scene.agent.kill()
    scene.agent.start()
    scene.agent.wait_says("CALL_RECOVERED")
    second = scene.talking()
    (third,) = scene.place()
    assert third.wait_ended(PATIENCE_S)
    scene.hang_up([*first, *second])
    rows = scene.cdrs(3)
    assert sorted(row.carrier or str(row.refused) for row in rows) == ["alpha", "beta", "too_many_calls"]
    scene.nothing_is_reserved()


@pytest.mark.parametrize("end", [Killable.kill, Killable.stop])
def test_the_next_carrier_is_tried_after_a_restart_with_the_money_of_the_first(
    scene: Scene, end: Callable[[Killable], None]
) -> None:
    (call,) = scene.place(ring_ms=LONG_MS)
    scene.agent.wait_says("CALL_TRYING")
    end(scene.agent)
    scene.agent.start()
    scene.agent.wait_says("CALL_RECOVERED")
    scene.end(call.outbound_uuids[0], "NORMAL_TEMPORARY_FAILURE")
    scene.agent.wait_says("CALL_TRYING", 2)
    beta = call.outbound_uuids[1]
    held = "SELECT leg_uuid FROM reservations WHERE state = 'held'"
    wait_until(lambda: scene.conn.execute(held).fetchall() == [(beta,)], "the hold is handed on", PATIENCE_S)
    scene.hang_up([call])
    assert scene.audit(2) == {Source.LIVE: 2}


def test_carriers_that_were_tried_while_nobody_listened_are_all_billed_as_they_were(scene: Scene) -> None:
    (call,) = scene.place(carriers_refusing=1, setup_ms=500, talk_ms=300)
    scene.agent.wait_says("CALL_TRYING")
    scene.agent.kill()
    assert call.wait_ended(PATIENCE_S)
    scene.agent.start()
    assert scene.audit(2) == {Source.SWITCH_FILE: 2}
    assert [str(row.charged) for row in scene.cdrs(2)] == ["0.0000", "0.0013"]


def test_without_files_a_leg_is_charged_to_where_it_was_last_known_to_talk(
    set_scene: Callable[..., Scene],
) -> None:
    scene = set_scene(files=False)
    talked, rang = scene.talking(**POOR), scene.place(ring_ms=LONG_MS)
    scene.agent.wait_says("CALL_EXTENDED")
    scene.agent.kill()
    scene.hang_up([*talked, *rang])
    scene.agent.start()
    rows = {row.leg_uuid: row for row in scene.cdrs(2)}
    truth = {leg.uuid: leg for leg in scene.simulator.legs_ended()}
    long, short = rows[talked[0].outbound_uuids[0]], rows[rang[0].outbound_uuids[0]]
    assert {long.source, short.source} == {Source.RECOVERED}
    assert 0 < long.duration_us <= truth[long.leg_uuid].duration_us
    assert (long.answered_us, long.uncollected) == (truth[long.leg_uuid].answered_us, 0)
    assert (short.answered_us, short.charged) == (None, 0)
    scene.nothing_is_reserved()


def test_without_files_a_leg_that_was_just_answered_is_charged_from_its_answer(
    set_scene: Callable[..., Scene],
) -> None:
    scene = set_scene(files=False)
    paid, free = scene.talking(2), [*scene.talking(number="911"), *scene.talking(number="18005550123")]
    answers = "SELECT count(*) FROM answers"
    wait_until(lambda: scene.conn.execute(answers).fetchone() == (4,), "the answers are kept", PATIENCE_S)
    scene.agent.kill()
    scene.hang_up([*paid, *free])
    scene.agent.start()
    rows = {row.leg_uuid: row for row in scene.cdrs(4)}
    for leg in scene.simulator.legs_ended():
        if leg.is_outbound:
            row = rows[leg.uuid]
            assert (row.answered_us, row.source) == (leg.answered_us, Source.RECOVERED)
            assert row.duration_us <= leg.duration_us
    assert [str(rows[call.outbound_uuids[0]].charged) for call in [*paid, *free]] == [
        "0.0013", "0.0013", "0.0000", "0.0000",
    ]  # fmt: skip
    scene.nothing_is_reserved()
    assert scene.conn.execute(answers).fetchone() == (0,)


def test_what_is_held_for_a_leg_that_never_came_is_free_again(scene: Scene) -> None:
    scene.agent.kill()
    caller, leg_uuid = "334f4db6-d353-469d-90bb-41436a2b85c0", "f7072568-ca1f-4ebc-9243-7e3e0cf03433"
    number = Number(UK, UK, "GB", NumberClass.WORLD)
    leg = Leg(
        caller, Direction.INBOUND, 1, 1001, Product.TERMINATION, UK, UK, "15145550100", None, None, None,
        is_loopback=False,
    )  # fmt: skip
    priced = Priced(leg, 1001, number, a_price(), "CAD", rule="funds")
    # The switch, which has just begun, tells to the second when that was.
    as_of_us = time.time_ns() // 1_000 + 1_000_000
    known = remember(priced, caller, [(leg_uuid, "alpha")], as_of_us=as_of_us)
    cent = Decimal("0.0100")
    hold_many(scene.conn, [HoldRequest(1001, leg_uuid, cent, cent, switch=scene.switch_name, known=known)])
    hold_many(scene.conn, [HoldRequest(1002, leg_uuid, cent, cent, switch="another", known=known)])
    scene.agent.start()
    scene.agent.wait_says("CALL_NEVER_CAME")
    wait_until(lambda: _reserved(scene.conn, 1001) == 0, "the hold is free", PATIENCE_S)
    assert _reserved(scene.conn, 1002) == cent  # another switch's
    assert scene._cdrs() == []


def _reserved(conn: Connection, account_id: int) -> Decimal:
    row = conn.execute("SELECT reserved FROM accounts WHERE account_id = %s", [account_id]).fetchone()
    assert row
    return Decimal(row[0])


def test_a_daemon_that_is_killed_again_and_again_loses_and_doubles_nothing(scene: Scene) -> None:
    placed = 0
    for talk_ms in (200, 900, 1_700, 2_500):
        scene.talking(4, talk_ms=talk_ms)
        placed += 4
        scene.agent.kill()
        scene.agent.start()
    assert scene.simulator.wait_quiet(PATIENCE_S)
    assert sum(scene.audit(placed).values()) == placed


def test_the_switch_is_restarted_and_its_calls_are_settled_from_what_is_known(scene: Scene) -> None:
    calls = scene.talking(3)
    scene.simulator.faults.restart(down_s=0.3)
    rows = scene.cdrs(3)
    assert sorted(row.leg_uuid for row in rows) == sorted(call.outbound_uuids[0] for call in calls)
    assert {row.source for row in rows} == {Source.RECOVERED}
    assert all(row.duration_us < 60_000_000 for row in rows)
    assert {(str(row.charged), row.uncollected) for row in rows} == {("0.0013", 0)}
    scene.nothing_is_reserved()
    again = scene.talking()
    scene.hang_up(again)
    assert len(scene.cdrs(4)) == 4


def test_ends_that_were_missed_are_found_when_the_connection_is_back(scene: Scene) -> None:
    calls = scene.talking(4)
    scene.simulator.faults.drop_events(1_000, ["CHANNEL_HANGUP_COMPLETE"])
    scene.hang_up(calls)
    scene.simulator.faults.drop_events(0)
    scene.simulator.faults.disconnect()
    assert scene.audit(4) == {Source.SWITCH_FILE: 4}
    assert len(scene.agent.said("CALL_GONE")) == 4


def test_ends_that_were_missed_are_found_though_nothing_seems_amiss(scene: Scene) -> None:
    calls = scene.talking(2)
    scene.simulator.faults.drop_events(1_000, ["CHANNEL_HANGUP_COMPLETE"])
    scene.hang_up(calls)
    scene.simulator.faults.drop_events(0)
    assert scene.audit(2) == {Source.SWITCH_FILE: 2}


def test_an_answer_that_was_missed_counts_from_when_it_was(scene: Scene) -> None:
    scene.simulator.faults.drop_events(1_000, ["CHANNEL_ANSWER"])
    calls = scene.talking(2)
    scene.simulator.faults.drop_events(0)
    scene.agent.wait_says("CALL_ANSWERED", 2)
    scene.hang_up(calls)
    assert scene.audit(2) == {Source.LIVE: 2}
