"""A FreeSWITCH of the tests' own with the dialplan as shipped, and SIPp at both ends of its calls."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from agent_process import AgentProcess
from books import Books, open_books
from people import ALPHA, BETA, CALLER, PEOPLE

from esl_agent.files import dialplan_dir
from esl_agent.lab.child import wait_until
from esl_agent.lab.console import ANSWER_S, Event, EventTap
from esl_agent.lab.freeswitch import NoFreeSwitch, PrivateSwitch, find_freeswitch
from esl_agent.lab.network import Phone
from esl_agent.lab.sipp import NoSipp, Sipp, SippRun, find_sipp

#: The switch counts whole seconds of the clock: 3 may be little more than 2.
SETTINGS = {"esl_ring_s": 4, "esl_device_ring_s": 3}
QUIET_S = 10.0


@pytest.fixture(scope="session")
def switch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateSwitch]:
    try:
        binary = find_freeswitch(os.environ)
        find_sipp(os.environ)
    except (NoFreeSwitch, NoSipp) as missing:
        pytest.skip(str(missing))
    folder = tmp_path_factory.mktemp("freeswitch")
    with PrivateSwitch(binary, dialplan_dir(), folder, PEOPLE, SETTINGS) as running:
        yield running


@pytest.fixture(scope="module")
def books_url(new_database: Callable[[], str]) -> str:
    url = new_database()
    open_books(url)
    return url


@pytest.fixture(scope="module")
def agent(
    switch: PrivateSwitch, books_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AgentProcess]:
    """The daemon, with books of this module's own."""
    process = AgentProcess(switch, books_url, tmp_path_factory.mktemp("agent"))
    process.start()
    yield process
    process.stop()


@pytest.fixture
def books(agent: AgentProcess, books_url: str) -> Books:
    return Books(books_url)


class Calls:
    """The ends of calls, and what the switch said of them."""

    def __init__(self, switch: PrivateSwitch, sipp: Sipp, tap: EventTap) -> None:
        self.switch = switch
        self._sipp = sipp
        self._tap = tap

    def alpha(self, scenario: str, **values: Any) -> SippRun:
        """The first carrier answers as `scenario` says."""
        return self._sipp.answer(ALPHA.port, scenario, **values)

    def beta(self, scenario: str, **values: Any) -> SippRun:
        """The second carrier does."""
        return self._sipp.answer(BETA.port, scenario, **values)

    def device(self, phone: Phone, scenario: str, **values: Any) -> SippRun:
        """A customer's phone does, where a DID's calls go."""
        return self._sipp.answer(phone.port, scenario, **values)

    def anybody(self, port: int, scenario: str, **values: Any) -> SippRun:
        return self._sipp.answer(port, scenario, **values)

    def dial(self, phone: Phone, number: str, scenario: str = "call", **values: Any) -> SippRun:
        """`phone` calls `number`."""
        return self._sipp.call(phone, number, self.switch.customer_port, scenario, **values)

    def bring(self, number: str, scenario: str = "trunk", **values: Any) -> SippRun:
        """A carrier brings a call for `number`."""
        return self._sipp.call(CALLER, number, self.switch.carrier_port, scenario, **values)

    def event(
        self,
        name: str,
        direction: str,
        matches: Callable[[Event], bool] = lambda event: True,
        deadline_s: float = ANSWER_S,
    ) -> Event:
        """The first such event of a leg that came in (`inbound`) or went out (`outbound`)."""
        return self._tap.wait(
            lambda event: (
                event["Event-Name"] == name and event.get("Call-Direction") == direction and matches(event)
            ),
            f"{name} {direction}",
            deadline_s,
        )

    def all_of(self, name: str, matches: Callable[[Event], bool]) -> list[Event]:
        """Every such event so far."""
        return [event for event in self._all(name) if matches(event)]

    def bridged(self, count: int) -> Event:
        """The `count`th time that two legs were joined."""
        wait_until(lambda: len(self._all("CHANNEL_BRIDGE")) >= count, f"bridge {count}", QUIET_S)
        return self._all("CHANNEL_BRIDGE")[count - 1]

    def command(self, api: str) -> str:
        """Ask the switch, as its operator would."""
        with self.switch.console() as console:
            return console.api(api)

    def hang_up_all(self) -> None:
        self.command("hupall")

    def legs(self, direction: str) -> list[Event]:
        """How each leg began, once the calls are over."""
        self.event("CHANNEL_HANGUP_COMPLETE", "inbound")
        wait_until(
            lambda: self._ids("CHANNEL_CREATE") <= self._ids("CHANNEL_HANGUP_COMPLETE"), "the end", QUIET_S
        )
        return [event for event in self._all("CHANNEL_CREATE") if event["Call-Direction"] == direction]

    def _ids(self, name: str) -> set[str]:
        return {event["Unique-ID"] for event in self._all(name)}

    def _all(self, name: str) -> list[Event]:
        return [event for event in self._tap.events if event["Event-Name"] == name]


@pytest.fixture
def calls(switch: PrivateSwitch, tmp_path: Path) -> Iterator[Calls]:
    """A test's own ends; after it no call is left, on the switch or off it."""
    sipp = Sipp(find_sipp(os.environ), tmp_path)
    with EventTap(switch.console()) as tap:
        try:
            yield Calls(switch, sipp, tap)
        finally:
            with switch.console() as console:
                console.api("hupall")
                wait_until(
                    lambda: console.api("show channels count").strip().startswith("0 "), "quiet", QUIET_S
                )
            sipp.stop_all()
