"""How exactly calls end with their money, a thousand in the same second; and what live calls cost the daemon.

Run it with `python -m tests.benchmarks.cuts`.  The daemon is a process of its
own, the switch a simulated one in this process, whose clock knows when each leg
really ended.  Every account has five calls and money for twelve seconds of each.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
import tracemalloc  # noqa: E402
from collections.abc import Callable, Iterator  # noqa: E402
from contextlib import contextmanager  # noqa: E402
from datetime import UTC, datetime  # noqa: E402
from decimal import Decimal  # noqa: E402
from pathlib import Path  # noqa: E402
from time import monotonic  # noqa: E402
from typing import Any, Final, cast  # noqa: E402
from uuid import uuid4  # noqa: E402

import gevent  # noqa: E402

from esl_agent.agent.calls.desk import Desk  # noqa: E402
from esl_agent.agent.calls.timers import Timers  # noqa: E402
from esl_agent.agent.clock import monotonic_us  # noqa: E402
from esl_agent.agent.pricing import Priced, Pricing  # noqa: E402
from esl_agent.core.call import CallPolicy  # noqa: E402
from esl_agent.core.call_signals import ArmSwitchCut, Event, Held, HoldMoney  # noqa: E402
from esl_agent.core.deck_file import parse_deck  # noqa: E402
from esl_agent.core.leg import Direction, Leg, Product  # noqa: E402
from esl_agent.core.numbering.number import Number, NumberClass  # noqa: E402
from esl_agent.core.price import Price  # noqa: E402
from esl_agent.lab.child import Child, wait_until  # noqa: E402
from esl_agent.simulator.config import SimulatorConfig  # noqa: E402
from esl_agent.simulator.plan import CallPlan  # noqa: E402
from esl_agent.simulator.simulator import Simulator  # noqa: E402
from esl_agent.simulator.traffic import TrafficConfig  # noqa: E402
from esl_agent.store.accounts import NewAccount, add_account, top_up  # noqa: E402
from esl_agent.store.decks import DeckImport, import_deck  # noqa: E402
from esl_agent.store.ledger import check  # noqa: E402
from esl_agent.store.migrations import migrate  # noqa: E402
from esl_agent.store.pool import Connection, connected  # noqa: E402
from tests.benchmarks.database import place  # noqa: E402

CALLS: Final = 1_000
CALLS_OF_AN_ACCOUNT: Final = 5
BROKE: Final = range(1001, 1001 + CALLS // CALLS_OF_AN_ACCOUNT)
#: Sixty cents a minute in steps of 6 s: two steps for each of five calls, and a rest that buys nothing.
DECK: Final = ("prefix,destination,rate,increments", "1,North America,0.60,6/6")
PAID_IN: Final = Decimal("0.65")
PAID_US: Final = 12_000_000

RICH: Final = range(5001, 5051)
RICH_PAID_IN: Final = Decimal(100_000)
CALLS_PER_SECOND: Final = 100
SECONDS: Final = 20

LIVE_CALLS: Final = 20_000
READY_S: Final = 30.0
OVER_S: Final = 120.0
CLOCK_TICKS: Final = os.sysconf("SC_CLK_TCK")

BOOKS: Final = """
    SELECT count(*), coalesce(sum(uncollected), 0),
           (SELECT coalesce(sum(-least(balance, 0)), 0) FROM accounts), (SELECT sum(reserved) FROM accounts)
    FROM cdrs WHERE account_id = ANY(%s)
"""


def measure() -> dict[str, float]:
    with place() as (folder, _, url), connected(url) as conn:
        _furnish(conn)
        figures = _cuts(folder, url, conn) | _cpu(folder, url)
    return figures | _memory()


def _furnish(conn: Connection) -> None:
    migrate(conn)
    rows = parse_deck(DECK).rows
    began = datetime(2020, 1, 1, tzinfo=UTC)
    deck = DeckImport(
        deck="standard", rows=rows, effective_from=began, currency="CAD", source="bench", by="bench"
    )
    import_deck(conn, deck)
    for accounts, amount in ((BROKE, PAID_IN), (RICH, RICH_PAID_IN)):
        for account_id in accounts:
            new = NewAccount(account_id=account_id, name="", plan="standard", by="bench", terms_version="1")
            add_account(conn, new)
            top_up(conn, account_id, amount, "bench")


@contextmanager
def _standing(
    folder: Path, url: str, traffic: TrafficConfig | None = None
) -> Iterator[tuple[Simulator, Child]]:
    """A simulated switch here, and a daemon in a process of its own that hears it."""
    config = SimulatorConfig(port=0, admission="", traffic=traffic or TrafficConfig())
    simulator = Simulator(config).start()
    subscribed = simulator.subscribed()
    environment = {
        "ESL_AGENT_DATABASE_URL": url,
        "ESL_AGENT_SWITCH_PORT": str(simulator.port),
        "ESL_AGENT_ADMISSION_OUTBOUND_PORT": "0",
        "ESL_AGENT_ADMISSION_LOCAL_SOCKET": "",
        "ESL_AGENT_JOURNAL_FOLDER": str(folder / "journal"),
        "ESL_AGENT_TRAFFIC_WATCH": "false",  # these are a dialer's calls; traffic.py measures it
        "ESL_AGENT_LOG_FORMAT": "plain",
    }
    daemon = Child([sys.executable, "-m", "esl_agent", "run"], folder / "agent.log", environment)
    try:
        if not subscribed.wait(READY_S):
            raise RuntimeError(f"the daemon did not come: {daemon.tail()}")
        yield simulator, daemon
    finally:
        daemon.stop()
        simulator.stop()


def _cuts(folder: Path, url: str, conn: Connection) -> dict[str, float]:
    """A thousand calls answered, and so due to be cut, within one second."""
    with _standing(folder, url) as (simulator, _):
        began = monotonic()
        for number in range(CALLS):
            gevent.sleep(max(began + number / CALLS - monotonic(), 0))
            account = str(BROKE[number % len(BROKE)])
            simulator.place_call(CallPlan(account=account, ring_ms=100, talk_ms=600_000))
        simulator.wait_quiet(OVER_S)
        wait_until(lambda: _books(conn)[0] == CALLS, "all CDRs", OVER_S)
        legs = [leg for leg in simulator.legs_ended() if leg.is_outbound]
    early_ms = sorted((PAID_US - leg.duration_us) / 1_000 for leg in legs)
    _cdrs, uncollected, negative, reserved = _books(conn)
    return {
        "cut_late": sum(early < 0 for early in early_ms),
        "cut_early_p50_ms": early_ms[len(early_ms) // 2],
        "cut_early_p99_ms": early_ms[len(early_ms) * 99 // 100],
        "cut_early_max_ms": early_ms[-1],
        "cut_early_min_ms": early_ms[0],
        "cut_by_agent": sum(leg.cause == "ALLOTTED_TIMEOUT" for leg in legs),
        "overspend": float(uncollected + negative),
        "still_reserved": float(reserved),
        "cuts_ledger_differences": len(check(conn)),
    }


def _books(conn: Connection) -> tuple[int, Decimal, Decimal, Decimal]:
    row: Any = conn.execute(BOOKS, [list(BROKE)]).fetchone()
    return cast(tuple[int, Decimal, Decimal, Decimal], row)


def _cpu(folder: Path, url: str) -> dict[str, float]:
    """The daemon's own share of a core while a hundred calls come in each second, and as many end."""
    traffic = TrafficConfig(
        calls_per_second=CALLS_PER_SECOND, duration_s=SECONDS, evenly=True,
        accounts=tuple(map(str, RICH)), destinations=("12125550147", "15145550147"),
    )  # fmt: skip
    with _standing(folder, url, traffic) as (simulator, daemon):
        gevent.sleep(1)
        before_s, began = _cpu_s(daemon.pid), monotonic()
        simulator.begin_traffic()
        simulator.traffic_over.wait(OVER_S)
        share = (_cpu_s(daemon.pid) - before_s) / (monotonic() - began)
        simulator.wait_quiet(OVER_S)
    return {"agent_cpu_percent_at_100_cps": round(share * 100, 1)}


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS


class _Crowd:
    """What a desk needs to have calls talking: a price, money at once, and a switch that does as told."""

    PRICE: Final = Price(
        "standard", 1, "1", "North America", Decimal("0.60"), 6, 6, Decimal(0), Decimal(0), 0, is_free=False
    )

    round_trip_us = 0
    command_us = 0.0

    def price(self, leg: Leg) -> Priced:
        number = Number(leg.destination, leg.destination, "US", NumberClass.DOMESTIC)
        return Priced(leg, leg.account_id or 0, number, self.PRICE, "CAD")

    def hold(
        self,
        account_id: int,
        leg_uuid: str,
        ask: HoldMoney,
        tell: Callable[[Event], None],
        _known: str,
        takes_from: tuple[str, ...],
        *,
        can_wait: bool,
    ) -> None:
        gevent.spawn(tell, Held(ask.want, Decimal("1000.0000")))

    def kill(self, leg_uuid: str, cause: str) -> None: ...

    def arm_cut(self, leg_uuid: str, arm: ArmSwitchCut) -> None: ...

    def disarm_cut(self, leg_uuid: str) -> None: ...


def _memory() -> dict[str, float]:
    """Calls that talk, with all that is kept of each: its leg, its price, its money, its timers."""
    crowd = _Crowd()
    timers = Timers(monotonic_us, lambda leg_uuid, timer: None)
    desk = Desk(
        policy=CallPolicy(), pricing=cast(Pricing, crowd), now_us=monotonic_us, timers=timers,
        ask_hold=crowd.hold, settle=lambda row, hand_to: None, release=lambda account_id, leg_uuid: None,
        switchboard=crowd, log=_silent, live_max=LIVE_CALLS,
    )  # fmt: skip
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for number in range(LIVE_CALLS):
        leg = _leg(number)
        desk.leg_created(leg)
        gevent.sleep(0)
        desk.leg_answered(leg)
    gevent.idle()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    talking = sum(live.call.paid_s > 0 for live in desk.live.values())
    if talking != LIVE_CALLS:
        raise RuntimeError(f"{talking} calls talk, not {LIVE_CALLS}")
    return {"bytes_per_live_call": round((after - before) / LIVE_CALLS)}


def _leg(number: int) -> Leg:
    now_us = monotonic_us()
    to = f"1212{number:07}"
    return Leg(
        str(uuid4()), Direction.OUTBOUND, now_us, 1001 + number, Product.TERMINATION, to, str(to),
        f"1514{number:07}", str(uuid4()), "alpha", None, is_loopback=False, answered_us=now_us,
    )  # fmt: skip


def _silent(word: str, /, **fields: object) -> None: ...


if __name__ == "__main__":
    print(json.dumps(measure()))
