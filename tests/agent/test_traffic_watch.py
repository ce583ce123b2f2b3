"""Traffic is counted once, whichever daemon wrote a CDR and whenever, and verdicts reach the enforcer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import gevent
import psycopg
import pytest
from fixtures.records import S, a_cdr, an_account
from psycopg_pool import PoolTimeout

from esl_agent.agent.database import Connects
from esl_agent.agent.traffic import standing
from esl_agent.agent.traffic.watch import TrafficWatch
from esl_agent.config import TrafficConfig
from esl_agent.core.traffic.restriction import restriction_of
from esl_agent.core.traffic.verdict import EVIDENCE_CALLS_MAX, Action, Verdict
from esl_agent.store import traffic_calls
from esl_agent.store.cdrs import CdrRow, ensure_partitions, insert_cdrs, to_time, to_us
from esl_agent.store.pool import Connection, connect_to_listen, connected
from esl_agent.store.restrictions import clear, get_restriction, restrict

from .conftest import PATIENCE_S, Journal

PAYER = 1001
RULES = """
[[rule]]
name = "many"
when = [{ measure = "attempts", window = "1h", at_least = 5 }]
do = "suspend_outbound"

[[rule]]
name = "many-in-a-month"
when = [{ measure = "attempts", window = "30d", at_least = 12 }]
do = "alert"
"""


class Room:
    """A watch over the test's database, whose verdicts are written as the enforcer writes them."""

    def __init__(self, url: str, folder: Path, journal: Journal) -> None:
        self.url = url
        self.journal = journal
        self.verdicts: list[Verdict] = []
        self.written = 0
        self.may_act = True
        self.at_verdict: Callable[[], None] = lambda: None
        self.rules = folder / "traffic.toml"
        self.rules.write_text(RULES)
        self.watches: list[TrafficWatch] = []
        self.database = OwnConnections(url)
        self._running: list[gevent.Greenlet[..., None]] = []

    def start(self) -> TrafficWatch:
        watch = TrafficWatch(
            TrafficConfig(rules_file=str(self.rules)), self.database, self.journal,
            enforce=self._enforce, may_act=lambda: self.may_act,
        )  # fmt: skip
        self.watches.append(watch)
        self._running.append(gevent.spawn(watch.run))
        return watch

    def stop(self) -> None:
        gevent.killall(self._running)

    def _enforce(self, verdict: Verdict) -> None:
        self.verdicts.append(verdict)
        self.at_verdict()
        with connected(self.url) as conn:
            restrict(conn, restriction_of(verdict), verdict.figures, verdict.calls)
        self.written += 1

    def wait(self, holds: Callable[[], bool]) -> None:
        with gevent.Timeout(PATIENCE_S, AssertionError(f"never came: {self.verdicts} {self.journal.lines}")):
            while not holds():
                gevent.sleep(0.02)

    def wait_looked(self) -> None:
        """Until it has looked, from beginning to end, for what is written by now."""
        [watch] = self.watches[-1:]
        looks = watch.looks
        self.wait(lambda: watch.looks >= looks + 2)

    def wait_verdicts(self, *rules: str) -> None:
        """Until these are given and written, and no others."""
        self.wait(lambda: self.written == len(self.verdicts) == len(rules))
        assert sorted(verdict.rule for verdict in self.verdicts) == sorted(rules)


class OwnConnections(Connects):
    """What Postgres says comes as it says it, as from the daemon's pool."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.is_cut_off = False
        self.refused = 0

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        if self.is_cut_off:
            self.refused += 1
            raise PoolTimeout("no connection in time")
        with connect_to_listen(self._url) as conn:
            yield conn


@pytest.fixture
def room(database_url: str, conn: Connection, tmp_path: Path, journal: Journal) -> Iterator[Room]:
    ensure_partitions(conn, datetime.now(UTC) - timedelta(days=62))
    an_account(conn, PAYER, "10.0000")
    room = Room(database_url, tmp_path, journal)
    yield room
    room.stop()


def calls(
    conn: Connection, count: int, ago: timedelta = timedelta(minutes=2), name: str = "leg"
) -> list[CdrRow]:
    """So many calls that ended then; written now."""
    ended_us = to_us(datetime.now(UTC) - ago)
    rows = [
        a_cdr(
            PAYER, f"{name}-{number}-{ago}", number=f"4420794600{number:02}",
            created_us=ended_us - 70 * S, answered_us=ended_us - 60 * S, ended_us=ended_us,
            charged=Decimal("0.0125"),
        )
        for number in range(count)
    ]  # fmt: skip
    insert_cdrs(conn, rows)
    return rows


def written_long_ago(conn: Connection) -> None:
    conn.execute("UPDATE cdrs SET recorded_at = ended_at")


def test_calls_of_before_the_start_and_since_count_together_and_once(conn: Connection, room: Room) -> None:
    calls(conn, 3, timedelta(minutes=20), "old")
    written_long_ago(conn)
    calls(conn, 1, timedelta(minutes=3), "just before")
    room.start()
    room.journal.wait_for("TRAFFIC_COUNTED")
    assert room.verdicts == []

    calls(conn, 1, name="since")

    room.wait_verdicts("many")
    [verdict] = room.verdicts
    [figure] = verdict.figures
    assert (figure.value, figure.sample, figure.window) == ("5", 5, "1h")
    assert verdict.action is Action.SUSPEND_OUTBOUND
    assert [call.leg_uuid.split("-")[0] for call in verdict.calls] == [
        "since",
        "just before",
        "old",
        "old",
        "old",
    ]


def test_a_commit_that_is_seen_late_is_counted(conn: Connection, room: Room, database_url: str) -> None:
    room.start()
    room.journal.wait_for("TRAFFIC_COUNTED")
    with connected(database_url) as slow, slow.transaction():
        calls(slow, 3, name="slow")
        calls(conn, 1, name="quick")
        room.wait_looked()  # the quick one, which began later, is read first
    calls(conn, 1, name="later")

    room.wait_verdicts("many")
    assert room.verdicts[0].figures[0].value == "5"


def test_the_evidence_is_the_latest_calls(conn: Connection, room: Room) -> None:
    room.start()
    room.journal.wait_for("TRAFFIC_COUNTED")

    calls(conn, EVIDENCE_CALLS_MAX + 5)

    room.wait(lambda: bool(room.verdicts))
    assert len(room.verdicts[0].calls) == EVIDENCE_CALLS_MAX


def test_a_month_of_calls_is_counted_at_the_start_and_no_more(conn: Connection, room: Room) -> None:
    calls(conn, 8, timedelta(days=28), "month")
    calls(conn, 12, timedelta(days=31), "longer")
    written_long_ago(conn)
    room.start()
    room.journal.wait_for("TRAFFIC_COUNTED")

    calls(conn, 4, timedelta(hours=3))

    room.wait_verdicts("many-in-a-month")
    assert room.verdicts[0].figures[0].value == "12"


def test_a_daemon_that_may_not_act_counts_and_says_nothing(conn: Connection, room: Room) -> None:
    room.may_act = False
    room.start()
    room.journal.wait_for("TRAFFIC_COUNTED")
    calls(conn, 6)
    room.wait_looked()
    assert room.verdicts == []

    room.may_act = True
    calls(conn, 1, timedelta(minutes=1))

    room.wait_verdicts("many")
    assert room.verdicts[0].figures[0].value == "7"


def test_what_stood_before_a_restart_is_not_told_again(conn: Connection, room: Room) -> None:
    room.start()
    room.journal.wait_for("TRAFFIC_COUNTED")
    calls(conn, 6)
    room.wait_verdicts("many")
    room.stop()

    room.start()
    room.journal.wait_for("TRAFFIC_COUNTED", 2)
    calls(conn, 1, timedelta(minutes=1))
    room.wait_looked()

    room.wait_verdicts("many")


@pytest.mark.parametrize("is_restarted", [False, True])
def test_an_operator_who_clears_a_restriction_has_only_calls_after_it_counted(
    conn: Connection, room: Room, is_restarted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing, "LOOK_EVERY_US", 0)
    room.start()
    room.journal.wait_for("TRAFFIC_COUNTED")
    calls(conn, 6)
    room.wait_verdicts("many")
    [number] = conn.execute("SELECT restriction FROM restrictions").fetchone() or [0]
    clear(conn, number, "a fund-raiser", "noc")
    cleared_us = get_restriction(conn, number).ended_us or 0
    if is_restarted:
        room.stop()
        room.start()
        room.journal.wait_for("TRAFFIC_COUNTED", 2)

    insert_cdrs(conn, [after(cleared_us, number) for number in range(4)])
    room.wait_looked()
    room.wait_verdicts("many")

    insert_cdrs(conn, [after(cleared_us, 4)])

    room.wait_verdicts("many", "many")
    assert room.verdicts[-1].figures[0].value == "5"


def after(moment_us: int, number: int) -> CdrRow:
    """A call that ended just after it."""
    times = {"created_us": moment_us - 9 * S, "answered_us": moment_us - 3 * S, "ended_us": moment_us + 1_000}
    return a_cdr(PAYER, f"after-{number}", number=f"4420794600{number}", charged=Decimal("0.0125"), **times)


def test_what_was_cleared_while_a_daemon_was_cut_off_is_not_made_again_by_it(
    conn: Connection, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another daemon's verdict: this one has neither heard of it nor seen the calls."""
    monkeypatch.setattr(standing, "LOOK_EVERY_US", 0)
    room.start()
    room.journal.wait_for("TRAFFIC_COUNTED")
    calls(conn, 2)
    room.wait_looked()
    room.database.is_cut_off = True
    room.wait(lambda: room.database.refused >= 1)
    calls(conn, 3, timedelta(minutes=1))
    others = Verdict(
        account_id=PAYER, rule="many", action=Action.SUSPEND_OUTBOUND, at_us=to_us(datetime.now(UTC))
    )
    kept = restrict(conn, restriction_of(others))
    assert kept is not None
    cleared_us = clear(conn, kept.restriction.restriction or 0, "a fund-raiser", "noc").ended_us or 0

    room.database.is_cut_off = False
    insert_cdrs(conn, [after(cleared_us, number) for number in range(4)])
    room.wait_looked()
    assert room.verdicts == []

    insert_cdrs(conn, [after(cleared_us, 4)])
    room.wait_verdicts("many")
    assert room.verdicts[0].figures[0].value == "5"


def test_a_call_that_ends_while_it_is_looked_counts_whatever_mark_lies_between(
    conn: Connection, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a look that takes long: what time it is was asked ten minutes before."""
    clock = traffic_calls.now_us
    monkeypatch.setattr(traffic_calls, "now_us", lambda conn: clock(conn) - 600 * S)
    room.start()
    room.journal.wait_for("TRAFFIC_COUNTED")

    calls(conn, 5)

    room.wait_verdicts("many")
    assert room.verdicts[0].figures[0].value == "5"


def test_a_call_of_a_switch_whose_clock_is_fast_counts_at_a_start(conn: Connection, room: Room) -> None:
    """By the switch it begins in two hours, but it was written before the start."""
    calls(conn, 4, timedelta(hours=-2))
    conn.execute("UPDATE cdrs SET recorded_at = now() - interval '10 minutes'")
    room.start()
    room.journal.wait_for("TRAFFIC_COUNTED")

    calls(conn, 1)

    room.wait_verdicts("many")
    assert room.verdicts[0].figures[0].value == "5"


@pytest.mark.parametrize("set_back_s", [40, 600])
def test_calls_count_once_though_the_databases_clock_is_set_back(
    conn: Connection, room: Room, monkeypatch: pytest.MonkeyPatch, set_back_s: int
) -> None:
    """It was fast until now, and what was written then is from the future."""
    clock, fast_us = traffic_calls.now_us, [set_back_s * S]
    monkeypatch.setattr(traffic_calls, "now_us", lambda conn: clock(conn) + fast_us[0])
    room.start()
    room.journal.wait_for("TRAFFIC_COUNTED")
    with conn.transaction():
        calls(conn, 2)
        conn.execute("UPDATE cdrs SET recorded_at = recorded_at + make_interval(secs => %s)", [set_back_s])
    room.wait_looked()

    fast_us[0] = 0
    room.wait_looked()
    calls(conn, 2, timedelta(minutes=1))
    room.wait_looked()
    assert room.verdicts == []
    calls(conn, 1, timedelta(minutes=3))

    room.wait_verdicts("many")
    assert room.verdicts[0].figures[0].value == "5"


def test_rules_are_read_again_and_wrong_ones_leave_those_in_force(conn: Connection, room: Room) -> None:
    watch = room.start()
    room.journal.wait_for("TRAFFIC_COUNTED")
    room.rules.write_text("[[rule]]\nname = 'x'")
    watch.reload()
    assert "when is missing" in str(room.journal.of("CONFIG_REJECTED"))

    room.rules.write_text(RULES.replace("at_least = 5", "at_least = 3"))
    watch.reload()
    calls(conn, 3)

    room.wait_verdicts("many")


@pytest.mark.parametrize(
    "others",
    [
        RULES.replace('"many', '"not-yet').replace("at_least = 5", "at_least = 99"),
        RULES.replace('"attempts", window = "1h"', '"sequential_run", direction = "in", window = "1h"')
        + RULES.replace('"many', '"new-many').replace('window = "1h"', 'window = "24h"'),
    ],
    ids=["with a rule gone", "that ask for more"],
)
def test_rules_that_are_read_in_the_middle_of_a_look_are_in_force_from_the_next_on(
    conn: Connection, room: Room, others: str
) -> None:
    """`many` is broken by the third of five calls that are read at once, the other rule by the last one."""
    room.rules.write_text(
        RULES.replace("at_least = 5", "at_least = 3").replace("at_least = 12", "at_least = 5")
    )
    watch = room.start()
    room.journal.wait_for("TRAFFIC_COUNTED")

    def reload() -> None:
        room.rules.write_text(others)
        watch.reload()

    room.at_verdict = reload
    calls(conn, 5)

    room.wait(lambda: len(room.verdicts) >= 2)
    room.wait_looked()
    assert [verdict.rule for verdict in room.verdicts[:2]] == ["many", "many-in-a-month"]


def once(error: Exception, work: Callable[..., Any]) -> Callable[..., Any]:
    """`work`, which fails at the first try."""
    failed: list[bool] = []

    def works(*arguments: object) -> Any:
        if failed:
            return work(*arguments)
        failed.append(True)
        raise error

    return works


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("plans_of", PoolTimeout("no connection in time")),
        ("of_account", psycopg.errors.InsufficientPrivilege("permission denied")),
    ],
)
def test_calls_that_could_not_be_judged_at_the_first_try_count_once(
    conn: Connection, room: Room, monkeypatch: pytest.MonkeyPatch, name: str, error: Exception
) -> None:
    """Neither where their plans can't be had, nor where the evidence for the third one's verdict can't."""
    by_plan = '[[override]]\nplan = "wholesale"\nrule = "many"\nenabled = false'
    room.rules.write_text(
        RULES.replace("at_least = 5", "at_least = 3").replace("at_least = 12", "at_least = 5") + by_plan
    )
    room.start()
    room.journal.wait_for("TRAFFIC_COUNTED")
    monkeypatch.setattr(traffic_calls, name, once(error, getattr(traffic_calls, name)))

    calls(conn, 5)

    room.wait(lambda: room.written == 2)
    figures = [figure for verdict in room.verdicts for figure in verdict.figures]
    assert [(verdict.rule, figure.value) for verdict, figure in zip(room.verdicts, figures, strict=True)] == [
        ("many", "3"),
        ("many-in-a-month", "5"),
    ]


def test_rules_that_ask_for_more_have_everything_counted_anew(conn: Connection, room: Room) -> None:
    watch = room.start()
    room.journal.wait_for("TRAFFIC_COUNTED")
    calls(conn, 4)
    room.rules.write_text(RULES.replace('"attempts", window = "1h"', '"numbers", window = "24h"'))
    watch.reload()
    room.journal.wait_for("TRAFFIC_COUNTED", 2)
    insert_cdrs(conn, [after(to_us(datetime.now(UTC)) - S, 4)])

    room.wait_verdicts("many")
    assert to_time(room.verdicts[0].at_us) <= datetime.now(UTC)
