"""The live page with 5,000 calls that are up: what it costs the daemon, and the browser.

Run it with `python -m tests.benchmarks.live_page [CALLS]`.  The calls are real ones of a
simulated switch, and talk on.  Without a Chromium the browser's figures are left out.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402
import os  # noqa: E402
import shutil  # noqa: E402
import sys  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from contextlib import ExitStack, contextmanager  # noqa: E402
from dataclasses import replace  # noqa: E402
from http.client import HTTPConnection  # noqa: E402
from pathlib import Path  # noqa: E402
from time import monotonic, perf_counter, sleep  # noqa: E402
from typing import Any, Final  # noqa: E402

import gevent  # noqa: E402
from playwright.sync_api import sync_playwright  # noqa: E402

from esl_agent.agent.calls.live_call import LiveCall  # noqa: E402
from esl_agent.agent.pricing import Priced  # noqa: E402
from esl_agent.agent.web.page_rows import call_row  # noqa: E402
from esl_agent.core.call import begin_held  # noqa: E402
from esl_agent.core.money import amount  # noqa: E402
from esl_agent.core.numbering.number import Number, NumberClass  # noqa: E402
from esl_agent.lab.ports import LOOPBACK, free_port  # noqa: E402
from esl_agent.store.pool import Connection, connected  # noqa: E402
from esl_agent.web.live.feed import Feed  # noqa: E402
from esl_agent.web.live.tables import Table  # noqa: E402
from tests.benchmarks.database import place  # noqa: E402
from tests.benchmarks.live_calls import TALK_MS, _wait_up  # noqa: E402
from tests.benchmarks.whole_calls import ACCOUNTS, _cpu_s, furnish, process, said  # noqa: E402
from tests.fixtures.call_steps import LEG, PRICE  # noqa: E402

CALLS: Final = 5_000
CALLS_PER_SECOND: Final = 400
#: A grant: each window sees every call ask for more once.
WINDOW_S: Final = 60.0
LOOKS: Final = 50
BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome")
#: When the first of the calls stand in the table, in milliseconds since the address was asked for.
FIRST_ROWS: Final = """() => new Promise((resolve) => {
    const isThere = () => document.querySelector("#calls tbody tr");
    const look = () => isThere() ? resolve(performance.now()) : setTimeout(look, 5);
    look();
})"""


def measure(calls: int = CALLS) -> dict[str, float]:
    figures = _feed_alone(calls)
    with ExitStack() as stack:
        folder, _, url = stack.enter_context(place())
        conn = stack.enter_context(connected(url))
        furnish(conn)
        pid, port = _agent(stack, folder, url, conn, calls)
        figures |= _daemon(pid, port)
        figures |= _browser(pid, port)
    return figures


def _feed_alone(calls: int) -> dict[str, float]:
    """One look at calls of which each fiftieth has changed, as when grants are a minute's."""
    live = {str(n): _a_call(str(n)) for n in range(calls)}
    table = Table(
        "calls", lambda: {key: each.call for key, each in live.items()}, lambda key, _: call_row(live[key])
    )
    feed = Feed([table], lambda: 0, lambda word, **fields: None)
    feed.look()
    took_s, stretches_s = 0.0, []
    for at in range(LOOKS):
        for key in list(live)[at % 50 :: 50]:
            live[key].call = replace(live[key].call, held=amount(at + 1))
        begun = perf_counter()
        feed.look()
        feed.since(feed.number - 1, sees_all=False)
        took_s += perf_counter() - begun
    for _ in range(5):
        begun = perf_counter()
        for piece in feed.snapshot(sees_all=False)[1]:
            stretches_s.append(perf_counter() - begun)
            assert piece
            begun = perf_counter()
    return {
        "page_us_per_look": round(took_s / LOOKS * 1e6),
        "page_snapshot_longest_stretch_ms": round(max(stretches_s) * 1e3, 1),
    }


def _a_call(leg_uuid: str) -> LiveCall:
    leg = replace(LEG, leg_uuid=leg_uuid)
    number = Number(leg.destination, leg.destination, "GB", NumberClass.WORLD)
    return LiveCall(begin_held(leg, PRICE, amount("6.0000"))[0], Priced(leg, 1001, number, PRICE, "CAD"))


def _agent(stack: ExitStack, folder: Path, url: str, conn: Connection, calls: int) -> tuple[int, int]:
    """A daemon with so many calls up; its process and the page's port."""
    accounts = [f"--account={account_id}" for account_id in range(1001, 1001 + ACCOUNTS)]
    simulate = [
        "simulate", "--port=0", f"--calls-per-second={CALLS_PER_SECOND}", f"--calls={calls}",
        f"--talk-ms={TALK_MS}", "--talk-exactly", "--to=442079460000", *accounts,
    ]  # fmt: skip
    switch = stack.enter_context(process(simulate, folder / "switch.log", {}))
    port = free_port()
    environment = {
        "ESL_AGENT_DATABASE_URL": url,
        "ESL_AGENT_SWITCH_PORT": said(folder / "switch.log", r"127\.0\.0\.1:(\d+)", switch),
        "ESL_AGENT_LOG_FORMAT": "plain",
        "ESL_AGENT_LOG_LEVEL": "warning",
        "ESL_AGENT_JOURNAL_FOLDER": str(folder / "journal"),
        "ESL_AGENT_TRAFFIC_WATCH": "false",  # these are a dialer's calls; traffic.py measures it
        "ESL_AGENT_ADMISSION_OUTBOUND_PORT": "0",
        "ESL_AGENT_ADMISSION_LOCAL_SOCKET": "",
        "ESL_AGENT_WEB_PORT": str(port),
    }
    agent = stack.enter_context(process(["run"], folder / "agent.log", environment))
    _wait_up(conn, calls)
    return agent.pid, port


def _daemon(pid: int, port: int) -> dict[str, float]:
    figures = {}
    for viewers in (0, 1, 5):
        with _looking_on(port, viewers):
            figures[f"page_agent_cpu_percent_{viewers}_viewers"] = _cpu_percent(pid)
    return figures


@contextmanager
def _looking_on(port: int, viewers: int) -> Iterator[None]:
    """So many read the feed."""
    readers = [gevent.spawn(_read, port) for _ in range(viewers)]
    sleep(3)
    yield
    gevent.killall(readers)


def _read(port: int) -> None:
    connection = HTTPConnection(LOOPBACK, port)
    connection.request("GET", "/page/events")
    answer = connection.getresponse()
    while answer.read1(65_536):
        pass


def _cpu_percent(*pids: int) -> float:
    begun, before_s = monotonic(), sum(map(_cpu_s, pids))
    sleep(WINDOW_S)
    return round(100 * (sum(map(_cpu_s, pids)) - before_s) / (monotonic() - begun), 1)


def _browser(pid: int, port: int) -> dict[str, float]:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        return {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, chromium_sandbox=os.geteuid() != 0)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable")
        page.goto(f"http://{LOOPBACK}:{port}/", wait_until="commit")
        rows_ms = page.evaluate(FIRST_ROWS)
        paint_ms = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        sleep(3)
        begun, before = monotonic(), _metrics(session)
        agent_percent = _cpu_percent(pid)
        spent_s, took_s = _metrics(session)["TaskDuration"] - before["TaskDuration"], monotonic() - begun
        heap_mb = _metrics(session)["JSHeapUsedSize"] / 2**20
        browser.close()
    return {
        "page_first_paint_ms": round(paint_ms),
        "page_first_rows_ms": round(rows_ms),
        "page_browser_cpu_percent": round(100 * spent_s / took_s, 1),
        "page_browser_heap_mb": round(heap_mb, 1),
        "page_agent_cpu_percent_with_browser": agent_percent,
    }


def _metrics(session: Any) -> dict[str, float]:
    return {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}


if __name__ == "__main__":
    print(json.dumps(measure(*(int(argument) for argument in sys.argv[1:2]))))
