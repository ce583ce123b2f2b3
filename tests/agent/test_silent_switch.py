"""A switch that gives no answer ends nothing by that, neither a call nor what is held for it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fixtures.scripted_switch import Answer, Peer, ScriptedSwitch
from gevent.event import Event

from esl_agent.agent.daemon import Daemon
from esl_agent.store.cdrs import CdrFilter, Source, iterate_cdrs
from esl_agent.store.pool import Connection

from .conftest import PATIENCE_S, Journal
from .test_traces import RECORDED_NAMES, TRACES

#: A trace's outbound leg, and how many times it is asked for in vain.
LEG = "76a32f67-0256-4268-a1ba-e0317bb38fcb"
UNANSWERED = 3


class Asked:
    """Answers a command with a text that may change; counts how often it came."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.count = 0
        self._enough = Event()

    def answer(self, peer: Peer, lines: list[str]) -> None:
        self.count += 1
        if self.count >= UNANSWERED:
            self._enough.set()
        peer.answer(self.text)

    def wait_enough(self) -> None:
        assert self._enough.wait(PATIENCE_S)


def lists(text: str) -> Answer:
    """The answer to `show channels as json`."""

    def answer(peer: Peer, lines: list[str]) -> None:
        job = lines[1].removeprefix("Job-UUID: ")
        peer.reply(f"+OK Job-UUID: {job}")
        peer.event("BACKGROUND_JOB", Job_UUID=job, _body=text)

    return answer


@pytest.fixture
def begun(switch: ScriptedSwitch, start_daemon: Callable[..., Daemon], journal: Journal) -> Daemon:
    """A daemon that heard a call begin and be answered; no end of it ever comes."""
    daemon = start_daemon(
        switch.port,
        variables=RECORDED_NAMES,
        switch={"port": switch.port, "gone_patience_s": 2, "audit_every_s": 1, "command_deadline_ms": 200},
    )
    trace = (TRACES / "outbound_us_caller_hangup" / "events.json.esl").read_bytes()
    frames = [b"Content-Length" + part for part in trace.split(b"Content-Length") if part]
    told = [frame for frame in frames if b'"CHANNEL_HANGUP' not in frame]
    switch.next_peer("CHANNEL_ANSWER").send(b"".join(told))
    journal.wait_for("CALL_ANSWERED")
    return daemon


def test_a_leg_is_settled_only_when_the_switch_has_said_that_it_is_gone(
    switch: ScriptedSwitch, begun: Daemon, journal: Journal, conn: Connection
) -> None:
    dump = Asked("-ERR no reply\n")
    switch.answers["api uuid_dump"] = dump.answer
    switch.answers["bgapi show channels"] = lists('{"row_count": 0}')
    dump.wait_enough()
    assert not journal.of("CALL_GONE")
    assert begun.desk.live[LEG].call.kills == 0

    dump.text = "-ERR No such channel!\n"
    (gone,) = journal.wait_for("CALL_GONE")
    assert (gone["leg"], gone["by"]) == (LEG, "what was last known")
    journal.wait_for("CALL_RATED")
    (row,) = iterate_cdrs(conn, CdrFilter())
    assert (row.leg_uuid, row.source, row.uncollected) == (LEG, Source.RECOVERED, 0)


def test_a_list_that_can_not_be_read_is_asked_for_again(
    switch: ScriptedSwitch, begun: Daemon, journal: Journal
) -> None:
    switch.answers["bgapi show channels"] = lists("-ERR no reply")
    journal.wait_for("RECOVERY_FAILED")
    switch.answers["bgapi show channels"] = lists('{"row_count": 0}')
    switch.answers["api uuid_dump"] = Asked("-ERR No such channel!\n").answer
    journal.wait_for("CALL_GONE")
    assert len(journal.of("RECOVERY_FAILED")) == 1
