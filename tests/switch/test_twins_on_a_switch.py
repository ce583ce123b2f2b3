"""Two daemons on a real switch: the active one is killed with calls up, and the other goes on with them."""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic

import pytest
from agent_process import AgentProcess
from books import Books
from conftest import QUIET_S, Calls
from people import ALICE, LONDON, POOR, TORONTO

from esl_agent.lab.child import wait_until
from esl_agent.lab.console import Event
from esl_agent.lab.freeswitch import PrivateSwitch
from esl_agent.lab.ports import LOOPBACK, free_port

pytestmark = pytest.mark.switch

CALLS = 20
ALL_OVER_S = 60.0
SETTINGS = """
[twin]
enabled = true
door = "{door}"
[cdr_files]
folder = "{folder}"
every_s = 3600
"""


@pytest.fixture(scope="module")
def twins(
    switch: PrivateSwitch, books_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[AgentProcess, AgentProcess]]:
    """Two daemons, each with a door of its own; only the active one says where that is."""
    ports = free_port(), free_port()
    folders = [tmp_path_factory.mktemp("twin") for _ in ports]
    both = tuple(
        AgentProcess(
            switch,
            books_url,
            folder,
            name="lab",
            admission_port=port,
            door="",
            more=SETTINGS.format(folder=switch.cdr_folder, door=f"{LOOPBACK}:{port}"),
        )
        for folder, port in zip(folders, ports, strict=True)
    )
    one, two = both
    with switch.changed():  # by the daemons, as they become active: where it asks
        one.start()
        one.wait_says("TWIN_OPEN", 1)
        two.start()
        two.wait_says("TWIN_STANDBY", 2)
        yield one, two
        for twin in both:
            twin.stop()


@pytest.fixture
def books(twins: tuple[AgentProcess, AgentProcess], books_url: str) -> Books:
    return Books(books_url)


def ends(calls: Calls) -> dict[str, Event]:
    """How the legs to carriers ended, by the switch's own words."""
    found = calls.all_of("CHANNEL_HANGUP_COMPLETE", lambda event: event["Call-Direction"] == "outbound")
    return {event["Unique-ID"]: event for event in found}


def talk_us(end: Event) -> int:
    return int(end["Caller-Channel-Hangup-Time"]) - int(end["Caller-Channel-Answered-Time"])


def test_the_other_goes_on_with_the_calls_and_takes_new_ones(
    calls: Calls, twins: tuple[AgentProcess, AgentProcess], books: Books
) -> None:
    """A call has money for two steps of six seconds; some end while nobody acts, some later."""
    one, two = twins
    calls.alpha("answer", ring_ms=50)
    calls.dial(ALICE, TORONTO, "stay", at_once=CALLS)
    calls.bridged(CALLS)
    callers = [event["Unique-ID"] for event in calls.all_of("CHANNEL_BRIDGE", lambda event: True)]
    poor = calls.dial(POOR, f"011{LONDON}", "stay")
    wait_until(lambda: one.has_said("CALL_EXTENDED"), "more is held for one of them", QUIET_S)
    killed = monotonic()
    one.kill()
    hang_up(calls, callers[: CALLS // 2])
    two.wait_says("TWIN_ACTIVE", 1)
    print(f"active {monotonic() - killed:.2f} s after the kill")
    two.wait_says("RECOVERY_DONE", 1)
    print(f"calls taken up {monotonic() - killed:.2f} s after the kill")
    two.wait_says("TWIN_OPEN", 1)
    poor.finish(ALL_OVER_S)
    calls.dial(ALICE, TORONTO, "call", talk_ms=500).finish(ALL_OVER_S)
    hang_up(calls, callers[CALLS // 2 :])

    rows = {row.leg_uuid: row for row in books.cdrs(CALLS + 2)}
    truth = ends(calls)
    assert {leg: row.duration_us for leg, row in rows.items()} == {
        leg: talk_us(end) for leg, end in truth.items()
    }
    (cut,) = (row for row in rows.values() if row.account_id == int(POOR.account))
    assert (cut.hangup_cause, cut.charge.billed_seconds, cut.uncollected) == ("ALLOTTED_TIMEOUT", 12, 0)
    print(f"cut {12_000 - cut.duration_us / 1_000:.0f} ms before the paid end")
    assert (books.reserved(), books.faults()) == (0, [])


def hang_up(calls: Calls, callers: list[str]) -> None:
    before = len(ends(calls))
    for leg_uuid in callers:
        calls.command(f"uuid_kill {leg_uuid} NORMAL_CLEARING")
    wait_until(lambda: len(ends(calls)) >= before + len(callers), "the calls' ends", QUIET_S)
