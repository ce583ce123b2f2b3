"""An agent, and doors for a switch, for each test that asks for one."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from answers import PATIENT, Agent, OpenOutbound

from esl_agent.switch.outbound import OutboundDoor, OutboundDoorConfig
from esl_agent.switch.peers import PeerLimits


@pytest.fixture
def agent() -> Agent:
    return Agent()


@pytest.fixture
def open_outbound(agent: Agent) -> Iterator[OpenOutbound]:
    with ExitStack() as doors:

        def open_(limits: PeerLimits = PATIENT, port: int = 0) -> OutboundDoor:
            config = OutboundDoorConfig(port=port, limits=limits)
            door = OutboundDoor(config, agent.decide, agent.now_us, agent.troubles.put, agent.lose)
            door.start()
            doors.callback(door.stop)
            return door

        yield open_


@pytest.fixture
def outbound(open_outbound: OpenOutbound) -> OutboundDoor:
    return open_outbound()
