"""The daemon is killed with fifty calls up and started again: each has one CDR, as long as on the switch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from agent_process import AgentProcess
from books import Books
from conftest import QUIET_S, Calls
from people import ALICE, TORONTO

from esl_agent.lab.child import wait_until
from esl_agent.lab.console import Event
from esl_agent.lab.freeswitch import PrivateSwitch
from esl_agent.store.cdrs import Source

pytestmark = pytest.mark.switch

CALLS = 50
UPGRADED = 10
#: Recovery alone reads the files; the sweeper comes once an hour.  Fifty short calls are a dialer's, and
#: would be stopped.
FILES = """
[traffic]
watch = false
[cdr_files]
folder = "{folder}"
every_s = 3600
"""


@pytest.fixture(scope="module")
def agent(
    switch: PrivateSwitch, books_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AgentProcess]:
    """The daemon, which can read the switch's CDR files."""
    folder = tmp_path_factory.mktemp("agent")
    process = AgentProcess(switch, books_url, folder, more=FILES.format(folder=switch.cdr_folder))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("ESL_AGENT_LIMITS_DRAIN_S", "1")
        process.start()
        yield process
        process.stop()


def talk_us(end: Event) -> int:
    return int(end["Caller-Channel-Hangup-Time"]) - int(end["Caller-Channel-Answered-Time"])


def ends(calls: Calls) -> dict[str, Event]:
    """How the legs to carriers ended, by the switch's own words."""
    found = calls.all_of("CHANNEL_HANGUP_COMPLETE", lambda event: event["Call-Direction"] == "outbound")
    return {event["Unique-ID"]: event for event in found}


def hang_up(calls: Calls, callers: list[str]) -> None:
    before = len(ends(calls))
    for leg_uuid in callers:
        calls.command(f"uuid_kill {leg_uuid} NORMAL_CLEARING")
    wait_until(lambda: len(ends(calls)) >= before + len(callers), "the calls' ends", QUIET_S)


def test_half_of_fifty_calls_end_while_the_daemon_is_down(
    calls: Calls, agent: AgentProcess, books: Books
) -> None:
    calls.alpha("answer", ring_ms=50)
    calls.dial(ALICE, TORONTO, "stay", at_once=CALLS)
    calls.bridged(CALLS)
    callers = [event["Unique-ID"] for event in calls.all_of("CHANNEL_BRIDGE", lambda event: True)]
    agent.kill()
    hang_up(calls, callers[: CALLS // 2])
    agent.start()
    agent.wait_says("CALL_RECOVERED", CALLS // 2)
    books.cdrs(CALLS // 2)
    hang_up(calls, callers[CALLS // 2 :])

    rows = books.cdrs(CALLS)
    truth = ends(calls)
    assert {row.leg_uuid: row.duration_us for row in rows} == {
        leg: talk_us(end) for leg, end in truth.items()
    }
    assert Counter(row.source for row in rows) == {Source.SWITCH_FILE: CALLS // 2, Source.LIVE: CALLS // 2}
    assert books.spent(ALICE) == str(sum(row.charged for row in rows))
    assert all(row.uncollected == 0 and row.refused is None for row in rows)
    assert (books.reserved(), books.account(ALICE).calls_up, books.faults()) == (0, 0, [])


def test_an_upgrade_drops_no_call(calls: Calls, agent: AgentProcess, books: Books) -> None:
    calls.alpha("answer", ring_ms=50)
    calls.dial(ALICE, TORONTO, "stay", at_once=UPGRADED)
    calls.bridged(UPGRADED)
    callers = [event["Unique-ID"] for event in calls.all_of("CHANNEL_BRIDGE", lambda event: True)]
    agent.stop()
    agent.start()
    agent.wait_says("CALL_RECOVERED", UPGRADED)
    assert not ends(calls)

    hang_up(calls, callers)
    rows = books.cdrs(UPGRADED)
    assert {row.leg_uuid: row.duration_us for row in rows} == {
        leg_uuid: talk_us(end) for leg_uuid, end in ends(calls).items()
    }
    assert {(row.source, row.ended_by) for row in rows} == {(Source.LIVE, rows[0].ended_by)}
    assert (books.reserved(), books.faults()) == (0, [])
