"""How long a twin takes to take over: `kill -9` of the active one with calls up, again and again.

Run it with `python -m tests.benchmarks.takeover [KILLS [CALLS]]`.  The clock runs
from the kill to the lines in the other's log: TWIN_ACTIVE (it may act) and
RECOVERY_DONE (it has taken up the calls).  The lease is the default one.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import os  # noqa: E402
import re  # noqa: E402
import signal  # noqa: E402
import statistics  # noqa: E402
import sys  # noqa: E402
from contextlib import ExitStack  # noqa: E402
from datetime import UTC, datetime  # noqa: E402
from pathlib import Path  # noqa: E402
from time import sleep  # noqa: E402
from typing import Final  # noqa: E402

from esl_agent.lab.child import Child, wait_until  # noqa: E402
from esl_agent.store.pool import connected  # noqa: E402
from tests.benchmarks.database import place  # noqa: E402
from tests.benchmarks.whole_calls import furnish  # noqa: E402

KILLS: Final = 20
CALLS: Final = 50
PATIENCE_S: Final = 60.0
#: A twin that has just been started listens for a lease before it could take over.
SETTLE_S: Final = 3.0
TALK_MS: Final = 3_600_000


class Twin:
    """One of the two; each run has a log of its own."""

    def __init__(self, name: str, folder: Path, environment: dict[str, str]) -> None:
        self._name, self._folder = name, folder
        self._environment = environment | {"ESL_AGENT_JOURNAL_FOLDER": str(folder / f"{name} journal")}
        self._runs = 0
        self.start()

    def start(self) -> None:
        self._runs += 1
        self._log = self._folder / f"{self._name} {self._runs}.log"
        self.child = Child([sys.executable, "-m", "esl_agent", "run"], self._log, self._environment)

    def said_at(self, pattern: str) -> datetime:
        """When it said so first, in its present run; waits for it."""
        found: list[str] = []

        def is_said() -> bool:
            found[:] = re.findall(rf"^(\S+) .*{pattern}", self._log.read_text(), re.MULTILINE)
            return bool(found)

        wait_until(is_said, f"{self._name} says {pattern}", PATIENCE_S)
        return datetime.fromisoformat(found[0])


def measure(kills: int = KILLS, calls: int = CALLS) -> dict[str, float]:
    with ExitStack() as stack:
        folder, _, url = stack.enter_context(place())
        with connected(url) as conn:
            furnish(conn)
        port = _switch(stack, folder, calls)
        environment = {
            "ESL_AGENT_DATABASE_URL": url,
            "ESL_AGENT_SWITCH_NAME": "bench",
            "ESL_AGENT_SWITCH_PORT": str(port),
            "ESL_AGENT_TWIN_ENABLED": "true",
            "ESL_AGENT_ADMISSION_OUTBOUND_PORT": "0",
            "ESL_AGENT_ADMISSION_LOCAL_SOCKET": "",
        }
        twins = [Twin(name, folder, environment) for name in ("one", "two")]
        for twin in twins:
            stack.callback(twin.child.stop, signal.SIGKILL)
        return _kill_again_and_again(stack, twins, kills, calls)


def _kill_again_and_again(stack: ExitStack, twins: list[Twin], kills: int, calls: int) -> dict[str, float]:
    active = twins[0] if _is_active(twins) else twins[1]
    active.said_at("RECOVERY_DONE")
    acting_s, taken_up_s = [], []
    for _ in range(kills):
        other = twins[1 - twins.index(active)]
        other.said_at("SWITCH_CONNECTED")
        sleep(SETTLE_S)
        killed = datetime.now(UTC)
        active.child.stop(signal.SIGKILL)
        acting_s.append((other.said_at("TWIN_ACTIVE") - killed).total_seconds())
        taken_up_s.append((other.said_at(f"RECOVERY_DONE .*live={calls}") - killed).total_seconds())
        active.start()
        stack.callback(active.child.stop, signal.SIGKILL)
        active = other
    return {
        "kills": kills,
        "calls_up": calls,
        "takeover_median_s": round(statistics.median(acting_s), 2),
        "takeover_max_s": round(max(acting_s), 2),
        "calls_taken_up_max_s": round(max(taken_up_s), 2),
    }


def _is_active(twins: list[Twin]) -> bool:
    """Whether it is the first of them, once one is."""
    texts = [twin.child.log for twin in twins]
    wait_until(lambda: any("TWIN_ACTIVE" in log.read_text() for log in texts), "one is active", PATIENCE_S)
    return "TWIN_ACTIVE" in texts[0].read_text()


def _switch(stack: ExitStack, folder: Path, calls: int) -> int:
    """A simulated switch that brings calls as soon as it is listened to; its port."""
    log = folder / "switch.log"
    command = [sys.executable, "-m", "esl_agent", "simulate", "--port=0", "--stay", "--calls-per-second=50",
               f"--calls={calls}", f"--talk-ms={TALK_MS}", "--talk-exactly", "--account=1001"]  # fmt: skip
    switch = Child(command, log, dict(os.environ))
    stack.callback(switch.stop)
    wait_until(lambda: "simulated switch on" in log.read_text(), "the switch is there", PATIENCE_S)
    found = re.search(r"simulated switch on .*:(\d+)", log.read_text())
    assert found
    return int(found[1])


if __name__ == "__main__":
    print(measure(*map(int, sys.argv[1:])))
