"""A simulated switch on a port of its own, and clients for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from esl_agent.simulator.config import SimulatorConfig
from esl_agent.simulator.simulator import Simulator

from .raw_client import CLIENTS, RawClient, log_in

StartSimulator = Callable[..., Simulator]


@pytest.fixture
def start() -> Iterator[StartSimulator]:
    """Starts simulators; they end with the test."""
    started: list[Simulator] = []

    def start_one(**config: Any) -> Simulator:
        config.setdefault("heartbeat_s", 0)
        simulator = Simulator(SimulatorConfig(port=0, **config)).start()
        started.append(simulator)
        return simulator

    yield start_one
    for simulator in started:
        simulator.stop()


@pytest.fixture
def simulator(start: StartSimulator) -> Simulator:
    return start()


@pytest.fixture
def client(simulator: Simulator) -> RawClient:
    """One that is logged in."""
    return log_in(simulator.port)


@pytest.fixture(autouse=True)
def no_client_stays() -> Iterator[None]:
    yield
    while CLIENTS:
        CLIENTS.pop().close()
