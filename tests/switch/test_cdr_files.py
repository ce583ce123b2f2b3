"""The files of a real mod_json_cdr say what the events said, and stand in for those that were missed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
from agent_process import AgentProcess
from books import Books
from conftest import Calls
from faults.proxy import Proxy, to_port
from people import ALICE, ALWAYS, LONDON, OWNER, TORONTO

from esl_agent.agent.files.cdr_folder import CdrFolder
from esl_agent.core.leg import LegEnd
from esl_agent.lab.child import wait_until
from esl_agent.lab.freeswitch import PrivateSwitch
from esl_agent.store.cdrs import Source
from esl_agent.switch.events import decode_event
from esl_agent.switch.legs import leg_end_of

pytestmark = pytest.mark.switch

TO_LONDON = f"011{LONDON}"
CLEARED_S = 10.0
SETTINGS = """\
[cdr_files]
folder = "{folder}"
every_s = 1
settle_after_s = 1
when_done = "keep"
"""


@pytest.fixture(scope="module")
def way(switch: PrivateSwitch) -> Iterator[Proxy]:
    """What lies between the daemon and the switch's Event Socket."""
    way = Proxy("event socket", to_port(switch.event_port), note=lambda fault: None)
    yield way
    way.close()


@pytest.fixture(scope="module")
def agent(
    switch: PrivateSwitch, way: Proxy, books_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AgentProcess]:
    """The daemon, which takes the switch's files; those of other books are gone."""
    for path in switch.cdr_folder.glob("*.cdr.json"):
        path.unlink()
    more = SETTINGS.format(folder=switch.cdr_folder)
    folder = tmp_path_factory.mktemp("agent")
    process = AgentProcess(switch, books_url, folder, event_port=way.port, more=more)
    process.start()
    yield process
    process.stop()


@pytest.fixture
def ends(calls: Calls, books: Books) -> Callable[[], dict[str, LegEnd]]:
    """How each leg ended, as the switch's own events tell it, once all are over."""

    def told() -> dict[str, LegEnd]:
        calls.legs("inbound")
        events = calls.all_of("CHANNEL_HANGUP_COMPLETE", lambda event: True)
        told = (leg_end_of(decode_event(json.dumps(event).encode())) for event in events)
        return {end.leg.leg_uuid: end for end in told}

    return told


def answered(calls: Calls) -> None:
    calls.alpha("answer", ring_ms=50)
    calls.dial(ALICE, TO_LONDON, talk_ms=300, display='"Zoé %41"').finish()


def refused_by_the_first_carrier(calls: Calls) -> None:
    calls.alpha("refuse", status="503 Service Unavailable")
    calls.beta("answer", ring_ms=50)
    calls.dial(ALICE, TO_LONDON, talk_ms=300).finish()


def busy(calls: Calls) -> None:
    calls.alpha("refuse", status="486 Busy Here")
    calls.dial(ALICE, TO_LONDON, "refused", status=486).finish()


def cancelled(calls: Calls) -> None:
    calls.alpha("ring")
    calls.dial(ALICE, TO_LONDON, "cancel", ring_ms=300).finish()


def transferred(calls: Calls) -> None:
    calls.alpha("answer", ring_ms=50)
    calls.dial(ALICE, TORONTO, "stay")
    caller = calls.bridged(1)["Unique-ID"]
    calls.command(f"uuid_transfer {caller} {TO_LONDON}")
    calls.bridged(2)
    calls.hang_up_all()


def forwarded(calls: Calls) -> None:
    calls.alpha("answer", ring_ms=50)
    calls.bring(ALWAYS.number, talk_ms=300).finish()


@pytest.mark.parametrize(
    "happens", [answered, refused_by_the_first_carrier, busy, cancelled, transferred, forwarded]
)
def test_a_file_says_what_the_legs_last_event_said(
    calls: Calls,
    books: Books,
    switch: PrivateSwitch,
    ends: Callable[[], dict[str, LegEnd]],
    happens: Callable[[Calls], None],
) -> None:
    happens(calls)
    told = ends()
    folder = CdrFolder(switch.cdr_folder)
    assert {leg_uuid: folder.find(leg_uuid) for leg_uuid in told} == told


def test_a_call_that_ends_while_the_event_socket_is_cut_is_billed_once_from_its_file(
    calls: Calls, books: Books, switch: PrivateSwitch, way: Proxy
) -> None:
    calls.alpha("answer", ring_ms=50)
    calls.dial(ALICE, TO_LONDON, "stay")
    calls.bridged(1)
    way.refuse()
    calls.hang_up_all()
    end = calls.event("CHANNEL_HANGUP_COMPLETE", "outbound")
    way.heal()

    [cdr] = books.cdrs(1)
    assert (cdr.leg_uuid, cdr.source) == (end["Unique-ID"], Source.SWITCH_FILE)
    assert cdr.duration_us == int(end["variable_billusec"])
    assert (books.spent(ALICE), str(books.account(ALICE).reserved)) == ("0.0600", "0.0000")
    wait_until(lambda: not list(switch.cdr_folder.glob("*.cdr.json")), "files are cleared away", CLEARED_S)
    assert books.cdrs(1) == [cdr]


def test_a_forwarded_call_that_ends_while_the_event_socket_is_cut_is_two_legs_of_its_owner(
    calls: Calls, books: Books, way: Proxy
) -> None:
    calls.alpha("answer", ring_ms=50)
    calls.bring(ALWAYS.number, "trunk_stay")
    calls.bridged(1)
    way.refuse()
    calls.hang_up_all()
    calls.event("CHANNEL_HANGUP_COMPLETE", "outbound")
    way.heal()

    rows = books.cdrs(2)
    assert {row.product for row in rows} == {"inbound", "forwarding"}
    assert {row.source for row in rows} == {Source.SWITCH_FILE}
    assert books.spent(OWNER) == "0.0615"


def test_after_all_this_the_ledger_adds_up(books: Books) -> None:
    assert books.faults() == []
    assert books.reserved() == 0
