"""Who may come to a door, how many at once, and for how long."""

import resource
from contextlib import ExitStack
from dataclasses import replace

import gevent
import pytest
from answers import ADMITTED, SOON_S, Agent, OpenOutbound
from calling_switch import PHONE_CALLS, CallingSwitch
from fixtures.scripted_switch import PATIENCE_S

from esl_agent.core.admission.question import Question
from esl_agent.switch.door import Answer
from esl_agent.switch.errors import DoorError
from esl_agent.switch.outbound import OutboundDoor, OutboundDoorConfig
from esl_agent.switch.peers import PeerLimits, Peers
from esl_agent.switch.trouble import Complaints, Trouble, TroubleKind

#: No time runs out while a test looks, and whoever is silent may be pushed out at once.
PATIENT = PeerLimits(silent_min_s=0, ask_timeout_s=PATIENCE_S, answer_timeout_s=PATIENCE_S)


def test_only_allowed_networks_are_let_in(open_outbound: OpenOutbound, agent: Agent) -> None:
    outbound = open_outbound(PeerLimits(networks=("192.0.2.0/24", "2001:db8::/32")))
    with CallingSwitch(outbound.port) as switch:
        assert switch.read() is None
    detail = agent.trouble(TroubleKind.STRANGER).detail
    assert detail == "127.0.0.1 is in none of 192.0.2.0/24, 2001:db8::/32"


def test_a_peer_that_says_nothing_is_let_go(open_outbound: OpenOutbound, agent: Agent) -> None:
    outbound = open_outbound(PeerLimits(ask_timeout_s=SOON_S))
    with CallingSwitch(outbound.port) as switch:
        assert switch.read() == ["connect"]
        assert switch.read() is None
    agent.trouble(TroubleKind.SILENT)


def test_a_peer_that_does_not_finish_what_it_says_is_let_go_too(
    open_outbound: OpenOutbound, agent: Agent
) -> None:
    outbound = open_outbound(PeerLimits(ask_timeout_s=SOON_S))
    with CallingSwitch(outbound.port) as switch:
        switch.read()
        switch.send(PHONE_CALLS[:-1])
        assert switch.read() is None
    agent.trouble(TroubleKind.SILENT)
    assert agent.questions.empty()


def test_a_thousand_idle_peers_do_not_stop_service(open_outbound: OpenOutbound, agent: Agent) -> None:
    _allow_files(5_000)
    outbound = open_outbound(replace(PATIENT, idle_max=100))
    with ExitStack() as crowd:
        idle = [crowd.enter_context(CallingSwitch(outbound.port)) for _ in range(1_000)]
        switch = crowd.enter_context(CallingSwitch(outbound.port))
        assert switch.told() == dict(ADMITTED.variables)
        assert len(outbound.peers) <= 101
        sent_away = [peer.read() == ["connect"] and peer.read() is None for peer in idle[:800]]
        assert sent_away == [True] * 800, "the oldest make room"
    assert outbound.complaints.counts[TroubleKind.PUSHED_OUT] >= 900
    assert agent.trouble(TroubleKind.PUSHED_OUT).times == 1


def _allow_files(count: int) -> None:
    """As many open files as the test needs, which holds both ends of each connection."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


def test_a_crowd_does_not_push_out_who_has_only_just_come(open_outbound: OpenOutbound) -> None:
    outbound = open_outbound(replace(PATIENT, idle_max=1, silent_min_s=PATIENCE_S))
    with ExitStack() as crowd:
        switch = crowd.enter_context(CallingSwitch(outbound.port))
        for _ in range(20):
            crowd.enter_context(CallingSwitch(outbound.port)).read()
        assert switch.told() == dict(ADMITTED.variables)
    assert not outbound.complaints.counts


def test_who_has_spoken_while_the_door_was_busy_is_not_called_silent() -> None:
    """Its time is up before the door comes to read what it said."""
    told: list[Trouble] = []
    peers = Peers(replace(PATIENT, ask_timeout_s=0), Complaints("a door", told.append))
    ours, theirs = gevent.socket.socketpair()
    with ours, theirs:
        peer = peers.take(ours, ("127.0.0.1", 5060))
        assert peer is not None
        theirs.sendall(b"here")
        peer.time_is_up()
        assert not told
        assert ours.recv(100) == b"here"
        peer.time_is_up()
        assert [trouble.kind for trouble in told] == [TroubleKind.SILENT]
        assert ours.recv(100) == b""
        peer.leave()


def test_a_peer_that_waits_for_its_answer_is_never_pushed_out(
    open_outbound: OpenOutbound, agent: Agent
) -> None:
    may_answer = agent.waits()
    outbound = open_outbound(replace(PATIENT, idle_max=1, peers_max=2))
    with ExitStack() as crowd:
        switch = crowd.enter_context(CallingSwitch(outbound.port))
        call = gevent.spawn(switch.told)
        agent.asked()
        for _ in range(10):
            crowd.enter_context(CallingSwitch(outbound.port)).read()
        may_answer.set()
        assert call.get(timeout=PATIENCE_S) == dict(ADMITTED.variables)


def test_beyond_those_who_wait_nobody_is_let_in(open_outbound: OpenOutbound, agent: Agent) -> None:
    may_answer = agent.waits()
    outbound = open_outbound(replace(PATIENT, idle_max=2, peers_max=2))
    with ExitStack() as crowd:
        waiting = [crowd.enter_context(CallingSwitch(outbound.port)) for _ in range(2)]
        calls = [gevent.spawn(switch.told) for switch in waiting]
        agent.asked(), agent.asked()
        assert crowd.enter_context(CallingSwitch(outbound.port)).read() is None
        assert agent.trouble(TroubleKind.FULL).detail == "2 are connected, and none can be sent away"
        may_answer.set()
        gevent.joinall(calls, raise_error=True)
    with CallingSwitch(outbound.port) as switch:
        assert switch.told() == dict(ADMITTED.variables)


def test_when_the_agent_is_behind_those_who_have_spoken_are_served(open_outbound: OpenOutbound) -> None:
    """All of them connect and speak before the door comes to read any."""
    outbound = open_outbound(replace(PATIENT, idle_max=5))
    with ExitStack() as crowd:
        switches = [crowd.enter_context(CallingSwitch(outbound.port, is_quick=True)) for _ in range(200)]
        for switch in switches:
            switch.send(PHONE_CALLS)
        for switch in switches:
            assert switch.read() == ["connect"]
        told = [gevent.spawn(switch.answer) for switch in switches]
        gevent.joinall(told, raise_error=True)
    assert all(each.value == dict(ADMITTED.variables) for each in told)
    assert not outbound.complaints.counts


def test_an_agent_that_fails_over_what_is_lost_does_not_end_the_door(
    agent: Agent, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(question: Question, answer: Answer) -> None:
        raise RuntimeError("the agent's own fault")

    may_answer = agent.waits()
    door = OutboundDoor(OutboundDoorConfig(port=0), agent.decide, agent.now_us, agent.troubles.put, fail)
    door.start()
    with CallingSwitch(door.port) as switch:
        switch.tell()
        agent.asked()
    may_answer.set()
    agent.trouble(TroubleKind.UNDELIVERED)
    with CallingSwitch(door.port) as switch:
        assert switch.told() == dict(ADMITTED.variables)
    assert "the agent's own fault" in caplog.text
    door.stop()


def test_limits_that_make_no_sense_are_refused() -> None:
    with pytest.raises(DoorError, match="'here' is no network"):
        PeerLimits(networks=("here",))
    with pytest.raises(DoorError, match="idle_max is 3: give 1 to peers_max, 2"):
        PeerLimits(idle_max=3, peers_max=2)
