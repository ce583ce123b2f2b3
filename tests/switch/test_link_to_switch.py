"""The link on a real FreeSWITCH: what it is told of a call, and what its commands do to one."""

from __future__ import annotations

from collections.abc import Iterator

import gevent
import pytest
from conftest import Calls
from gevent.queue import Queue
from people import ALICE, TOLL_FREE

from esl_agent.core.leg import Direction, Product
from esl_agent.lab.child import wait_until
from esl_agent.lab.freeswitch import PrivateSwitch
from esl_agent.switch import commands
from esl_agent.switch.channels import decode_channels
from esl_agent.switch.commands import HangupCause
from esl_agent.switch.events import SwitchEvent, decode_event
from esl_agent.switch.legs import leg_end_of, leg_of
from esl_agent.switch.link import LinkChange, LinkConfig, LinkState, SwitchLink

pytestmark = [pytest.mark.switch, pytest.mark.usefixtures("agent")]

PATIENCE_S = 10.0


class Heard:
    """A link that stands, and what it was told."""

    def __init__(self, switch: PrivateSwitch) -> None:
        self.events: Queue[SwitchEvent] = Queue()
        self.changes: Queue[LinkChange] = Queue()
        config = LinkConfig(host=switch.host, port=switch.event_port, password=switch.password)
        self.link = SwitchLink(config, self.events.put, self.changes.put)
        self.link.start()
        self.connected: LinkChange = self.changes.get(timeout=PATIENCE_S)

    def outbound(self, name: str) -> SwitchEvent:
        """The next such event of a leg to a carrier."""
        while True:
            event: SwitchEvent = self.events.get(timeout=PATIENCE_S)
            if event.name == name and event.direction == Direction.OUTBOUND:
                return event


@pytest.fixture
def heard(switch: PrivateSwitch) -> Iterator[Heard]:
    made = Heard(switch)
    yield made
    made.link.stop()


@pytest.fixture
def talking(calls: Calls, heard: Heard) -> SwitchEvent:
    """The answer on a carrier's leg.  The call is free, so no cut but the tests' own is armed."""
    calls.alpha("answer", ring_ms=50)
    calls.dial(ALICE, TOLL_FREE, "stay")
    return heard.outbound("CHANNEL_ANSWER")


def test_the_switch_says_which_run_of_it_this_is(heard: Heard) -> None:
    assert heard.connected.state == LinkState.CONNECTED
    assert heard.link.command(commands.global_getvar("core_uuid")) == heard.connected.core_uuid
    assert len(heard.connected.core_uuid) == 36


def test_a_leg_is_told_with_its_payer(talking: SwitchEvent) -> None:
    leg = leg_of(talking)
    assert (leg.account_id, leg.product) == (int(ALICE.account), Product.TERMINATION)
    assert leg.answered_us is not None


def test_a_dump_of_a_leg_tells_of_it_as_its_events_do(heard: Heard, talking: SwitchEvent) -> None:
    dump = heard.link.command(commands.uuid_dump(talking.unique_id))
    assert leg_of(decode_event(dump.encode())) == leg_of(talking)


def test_the_list_of_legs_has_both(heard: Heard, talking: SwitchEvent) -> None:
    both = {talking.unique_id: Direction.OUTBOUND, talking.other_leg_uuid: Direction.INBOUND}

    def listed() -> dict[str, Direction]:
        answer = heard.link.background(commands.show_channels_json())
        return {channel.leg_uuid: channel.direction for channel in decode_channels(answer)}

    wait_until(lambda: listed() == both, "the switch's own table has caught up with the call", PATIENCE_S)


def test_a_leg_that_is_killed_ends_by_the_agent(heard: Heard, talking: SwitchEvent) -> None:
    assert heard.link.command(commands.uuid_exists(talking.unique_id)) == "true"
    kill = commands.uuid_kill(talking.unique_id, HangupCause.ALLOTTED_TIMEOUT)
    assert heard.link.command(kill) == "+OK"
    end = leg_end_of(heard.outbound("CHANNEL_HANGUP_COMPLETE"))
    assert (end.leg.leg_uuid, end.hangup_cause, end.ended_by) == (
        talking.unique_id,
        "ALLOTTED_TIMEOUT",
        "agent",
    )
    assert heard.link.command(kill) == "-ERR No such channel!"


def test_cuts_are_taken_back_together_and_the_next_one_holds(heard: Heard, talking: SwitchEvent) -> None:
    leg = talking.unique_id
    now_s = talking.timestamp_us // 1_000_000
    assert heard.link.command(commands.sched_cut(leg, now_s + 3_600)).startswith("+OK Added: ")
    assert heard.link.command(commands.sched_cut_after(leg, 3_600)).startswith("+OK Added: ")
    assert heard.link.command(commands.sched_del(leg)) == "+OK Deleted: 2"
    assert heard.link.command(commands.sched_cut_after(leg, 1)).startswith("+OK Added: ")
    end = leg_end_of(heard.outbound("CHANNEL_HANGUP_COMPLETE"))
    assert (end.leg.leg_uuid, end.ended_by, end.sip_code) == (leg, "agent", 200)


def test_a_variable_that_is_set_is_told_with_the_end(heard: Heard, talking: SwitchEvent) -> None:
    leg = talking.unique_id
    assert heard.link.command(commands.uuid_setvar(leg, "esl_recording", "/rec/a.wav")) == "+OK"
    heard.link.command(commands.uuid_kill(leg, HangupCause.NORMAL_CLEARING))
    assert leg_end_of(heard.outbound("CHANNEL_HANGUP_COMPLETE")).recording == "/rec/a.wav"


def test_many_commands_at_once_are_each_answered(heard: Heard, talking: SwitchEvent) -> None:
    asked = [commands.uuid_exists(talking.unique_id), commands.uuid_exists(heard.connected.core_uuid)] * 200
    asking = [gevent.spawn(heard.link.command, command, PATIENCE_S) for command in asked]
    gevent.joinall(asking, raise_error=True)
    assert [each.value for each in asking] == ["true", "false"] * 200


def test_a_link_whose_connection_the_switch_ends_comes_back(heard: Heard) -> None:
    """`reload mod_event_socket` ends every connection with a notice."""
    heard.link.command(commands.Api("reload mod_event_socket"))
    lost = heard.changes.get(timeout=PATIENCE_S)
    assert lost.state == LinkState.LOST
    again = heard.changes.get(timeout=PATIENCE_S)
    while again.state == LinkState.LOST:  # the module is not back yet
        again = heard.changes.get(timeout=PATIENCE_S)
    assert (again.state, again.core_uuid, again.is_restarted) == (
        LinkState.CONNECTED,
        heard.connected.core_uuid,
        False,
    )
