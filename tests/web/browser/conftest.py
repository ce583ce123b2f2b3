"""A real Chromium that has the live page of a real daemon open."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from importlib.resources import files
from typing import Final, NamedTuple

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, sync_playwright

from esl_agent.agent.daemon import Daemon
from esl_agent.lab.ports import free_port
from esl_agent.simulator.simulator import Simulator
from web.conftest import Journal, Served

NAMES = ("chromium", "chromium-browser", "google-chrome")
PATIENCE_MS = 15_000
AXE = files("axe_playwright_python").joinpath("axe.min.js")
USUALLY: Final[dict[str, object]] = {
    "locale": "en-CA",
    "timezone_id": "America/Toronto",
    "viewport": {"width": 1440, "height": 900},
}
#: What is always said where an agent or a network is away.
AWAY = "Failed to load resource"

#: Opens a daemon's page at a path, with these options of a browser's context.
Look = Callable[..., Page]


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(f"there is no Chromium here: none of {', '.join(NAMES)}")
    browser = playwright.chromium.launch(executable_path=found, chromium_sandbox=os.geteuid() != 0)
    yield browser
    browser.close()


class Stage(NamedTuple):
    """A daemon, and the port that its page is on."""

    daemon: Daemon
    port: int


@pytest.fixture
def crowded(start_daemon: Callable[..., Daemon], simulator: Simulator, journal: Journal) -> Stage:
    """A daemon that misses no call of its desk which the switch does not have."""
    port = free_port()
    switch = {"port": simulator.port, "gone_patience_s": 3_600}
    daemon = start_daemon(simulator.port, switch=switch, web={"port": port})
    journal.wait_for("WEB_OPEN")
    return Stage(daemon, port)


@pytest.fixture
def look(chromium: Browser) -> Iterator[Look]:
    """The browser's console complains of nothing: no fault of a script, nothing that the policy forbids."""
    complaints: list[str] = []
    contexts = []

    def heard(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and AWAY not in message.text:
            complaints.append(message.text)

    def open_page(served: Served | Stage, path: str = "/", **options: object) -> Page:
        context = chromium.new_context(
            **USUALLY | options  # type: ignore[arg-type]
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", heard)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(f"a dialog: {dialog.message}"))
        page.goto(f"http://127.0.0.1:{served.port}{path}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def barriers(page: Page) -> list[str]:
    """What axe-core has against the page as it is, by WCAG 2.2 AA and good practice."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{violation['id']}: {node['html'][:200]} {node['failureSummary']}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]
