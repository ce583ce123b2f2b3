"""How long a call waits for its admission, at the socket: from the switch's connect to the answer.

Run it with `python -m tests.benchmarks.admission [CALLS_PER_SECOND [SECONDS]]`.  Calls
come by chance; the switch's side and the daemon are processes of their own;
Postgres is the embedded one and syncs its commits.  Then once more with a
thousand peers that connect and say nothing.  Every caller gives up a second
after the answer, so nothing may be held in the end.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402
import os  # noqa: E402
import re  # noqa: E402
import signal  # noqa: E402
import socket  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
from collections.abc import Iterator, Sequence  # noqa: E402
from contextlib import ExitStack, contextmanager, suppress  # noqa: E402
from datetime import UTC, datetime  # noqa: E402
from decimal import Decimal  # noqa: E402
from pathlib import Path  # noqa: E402
from time import monotonic, sleep  # noqa: E402
from typing import Any, Final  # noqa: E402

from esl_agent.core.admission.carriers import Carrier  # noqa: E402
from esl_agent.core.admission.route_file import Route  # noqa: E402
from esl_agent.core.deck_file import parse_deck  # noqa: E402
from esl_agent.lab.ports import free_port  # noqa: E402
from esl_agent.store.accounts import NewAccount, add_account, top_up  # noqa: E402
from esl_agent.store.carriers import put_carrier  # noqa: E402
from esl_agent.store.decks import DeckImport, import_deck  # noqa: E402
from esl_agent.store.ledger import check  # noqa: E402
from esl_agent.store.migrations import migrate  # noqa: E402
from esl_agent.store.numbers import OwnedNumber, add_number  # noqa: E402
from esl_agent.store.pool import Connection, connected  # noqa: E402
from esl_agent.store.routes import put_routes  # noqa: E402
from tests.benchmarks.database import place  # noqa: E402

CALLS_PER_SECOND: Final = 300
SECONDS: Final = 20
WARM_UP_S: Final = 3
IDLE_PEERS: Final = 1_000
ACCOUNTS: Final = tuple((1_001 + i, f"1514555{i:04d}") for i in range(200))
HERE: Final = Path(__file__).parents[2]
DECK: Final = HERE / "demo" / "deck.csv"
START_TIMEOUT_S: Final = 30.0
RELEASED_TIMEOUT_S: Final = 15.0


def measure(calls_per_second: float = CALLS_PER_SECOND, seconds: float = SECONDS) -> dict[str, float]:
    with ExitStack() as stack:
        folder, _, url = stack.enter_context(place())
        conn = stack.enter_context(connected(url))
        furnish(conn)
        switch = stack.enter_context(process([sys.executable, "-m", "tests.benchmarks.asking_switch"]))
        port = stack.enter_context(daemon(folder, url, int(line_of(switch))))
        order = {"port": port, "accounts": ACCOUNTS, "calls_per_second": calls_per_second}
        ask(switch, order | {"seconds": WARM_UP_S})
        quiet = ask(switch, order | {"seconds": seconds})
        with process([sys.executable, "-m", "tests.benchmarks.idle_peers", str(port), str(IDLE_PEERS)]):
            arriving = ask(switch, order | {"seconds": WARM_UP_S})
            crowded = ask(switch, order | {"seconds": seconds})
        words = re.findall(r"^\S+ (?:WARNING|ERROR) +(\w+)", (folder / "agent.log").read_text(), re.MULTILINE)
        return {
            "admission_calls_per_s": round(len(quiet["took_ms"]) / quiet["took_s"]),
            "admission_p50_ms": percentile(quiet["took_ms"], 50),
            "admission_p99_ms": percentile(quiet["took_ms"], 99),
            "admission_max_ms": round(max(quiet["took_ms"]), 1),
            "admission_idle_p50_ms": percentile(crowded["took_ms"], 50),
            "admission_idle_p99_ms": percentile(crowded["took_ms"], 99),
            "not_admitted": _not_admitted(quiet) + _not_admitted(crowded),
            "not_admitted_while_idlers_arrive": _not_admitted(arriving),
            "left_reserved": _left_reserved(conn),
            "ledger_differences": len(check(conn)),
            "agent_warnings": len([word for word in words if word != "DOOR_TROUBLE"]),
        }


def furnish(conn: Connection) -> None:
    migrate(conn)
    rows = parse_deck(DECK.read_text(encoding="utf-8").splitlines()).rows
    began = datetime(2020, 1, 1, tzinfo=UTC)
    import_deck(
        conn,
        DeckImport(
            deck="standard", rows=rows, effective_from=began, currency="CAD", source=DECK.name, by="bench"
        ),
    )
    for account_id, number in ACCOUNTS:
        new = NewAccount(account_id=account_id, name="", plan="standard", by="bench", terms_version="1")
        add_account(conn, new)
        top_up(conn, account_id, Decimal(1_000), "bench")
        add_number(conn, OwnedNumber(number, account_id))
    for name in ("alpha", "beta"):
        put_carrier(conn, Carrier(name=name, dial_template=f"sofia/gateway/{name}/{{number}}"))
    put_routes(conn, [Route("", "alpha", 1), Route("", "beta", 2)])


@contextmanager
def process(command: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    """A process that is told things, and tells others, a line each."""
    running = subprocess.Popen(command, cwd=HERE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield running
    finally:
        running.kill()
        running.wait()


@contextmanager
def daemon(folder: Path, url: str, switch_port: int) -> Iterator[int]:
    """The daemon, and the port where it is asked."""
    port = free_port()
    environment = {
        "ESL_AGENT_DATABASE_URL": url,
        "ESL_AGENT_SWITCH_PORT": str(switch_port),
        "ESL_AGENT_ADMISSION_OUTBOUND_PORT": str(port),
        "ESL_AGENT_ADMISSION_LOCAL_SOCKET": "",
        "ESL_AGENT_JOURNAL_FOLDER": str(folder / "journal"),
        "ESL_AGENT_TRAFFIC_WATCH": "false",  # these are a dialer's calls; traffic.py measures it
        "ESL_AGENT_LOG_FORMAT": "plain",
    }
    with (folder / "agent.log").open("wb") as output:
        running = subprocess.Popen(
            [sys.executable, "-m", "esl_agent", "run"],
            stdout=output, stderr=subprocess.STDOUT, env=os.environ | environment,
        )  # fmt: skip
    try:
        _wait_for_door(port, folder / "agent.log")
        yield port
        running.send_signal(signal.SIGTERM)
        running.wait(START_TIMEOUT_S)
    finally:
        running.kill()
        running.wait()


def _wait_for_door(port: int, log: Path) -> None:
    until = monotonic() + START_TIMEOUT_S
    while monotonic() < until:
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port)).close()
            return
        sleep(0.05)
    raise RuntimeError(f"the daemon's door did not open: {log.read_text()}")


def line_of(switch: subprocess.Popen[str]) -> str:
    line = switch.stdout.readline() if switch.stdout else ""
    if not line:
        raise RuntimeError("the switch's side ended")
    return line


def ask(switch: subprocess.Popen[str], order: dict[str, object]) -> dict[str, Any]:
    if switch.stdin is None:
        raise RuntimeError("the switch's side hears nothing")
    switch.stdin.write(json.dumps(order) + "\n")
    switch.stdin.flush()
    result: dict[str, Any] = json.loads(line_of(switch))
    return result


def percentile(values: Sequence[float], percent: int) -> float:
    return round(sorted(values)[len(values) * percent // 100], 2)


def _not_admitted(result: dict[str, Any]) -> int:
    return sum(count for outcome, count in result["outcomes"].items() if outcome != "admitted")


def _left_reserved(conn: Connection) -> int:
    """Legs that something is still held for, when all that is on its way has had time to arrive."""
    until = monotonic() + RELEASED_TIMEOUT_S
    while True:
        row: Any = conn.execute("SELECT count(*) FROM reservations WHERE state = 'held'").fetchone()
        if not row[0] or monotonic() > until:
            return int(row[0])
        sleep(0.1)


if __name__ == "__main__":
    print(json.dumps(measure(*(float(argument) for argument in sys.argv[1:3]))))
