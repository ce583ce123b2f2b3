"""The simulated switch in a process of its own: `python -m tests.faults.switch_process DESCRIPTOR CONFIG`.

Orders come over the socket DESCRIPTOR, a JSON line each, and are answered by a
line each.  It stands beside the Event Socket, because what is ordered breaks
that one.  The process ends when the socket does.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import socket  # noqa: E402
import sys  # noqa: E402
from collections.abc import Callable, Mapping  # noqa: E402
from typing import Any, Final  # noqa: E402

import msgspec  # noqa: E402

from esl_agent.simulator.config import SimulatorConfig  # noqa: E402
from esl_agent.simulator.plan import CallPlan  # noqa: E402
from esl_agent.simulator.simulator import Simulator  # noqa: E402
from esl_agent.simulator.truth import Truth  # noqa: E402


class Figures(msgspec.Struct, frozen=True):
    """How the switch is getting on."""

    placed: int
    answered: int  # calls that ever were
    calls_up: int
    talking: int  # of those: outbound legs that are answered
    legs_over: int


class Orders:
    """What may be ordered, by its name."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._answered = 0
        self._placed = 0
        self.by_name: Final[Mapping[str, Callable[..., Any]]] = {
            "place": self.place,
            "figures": self.figures,
            "legs": self.legs,
            "fault": self.fault,
            "hang_up_all": self.hang_up_all,
        }

    def place(self, plan: dict[str, Any]) -> str:
        """Let a call come in; the caller's leg."""
        handle = self._simulator.place_call(msgspec.convert(plan, CallPlan))
        self._placed += 1
        call = self._simulator.core.calls.get(handle.caller_uuid)
        if call is not None:
            call.when_answered = self._count_answer
        return handle.caller_uuid

    def figures(self) -> Figures:
        core = self._simulator.core
        talking = sum(leg.is_outbound and bool(leg.answered_us) for leg in core.legs.values())
        return Figures(self._placed, self._answered, len(core.calls), talking, core.truth.count)

    def legs(self, since: int) -> list[Truth]:
        """What the legs were that ended, without the first `since`."""
        return self._simulator.legs_ended()[since:]

    def fault(self, name: str, arguments: list[Any], options: dict[str, Any]) -> None:
        getattr(self._simulator.faults, name)(*arguments, **options)

    def hang_up_all(self) -> None:
        """Every caller hangs up."""
        self._simulator.runner.catch_up()
        self._simulator.core.api("hupall", "NORMAL_CLEARING")
        self._simulator.runner.wake()

    def _count_answer(self) -> None:
        self._answered += 1


def serve(orders: socket.socket, config: SimulatorConfig) -> None:
    """Be the switch until nobody is there any more who orders; the first line says where it listens."""
    simulator = Simulator(config).start()
    known = Orders(simulator).by_name
    with orders, orders.makefile("rb") as lines:
        orders.sendall(msgspec.json.encode(simulator.port) + b"\n")
        for line in lines:
            name, *arguments = msgspec.json.decode(line)
            orders.sendall(msgspec.json.encode(known[name](*arguments)) + b"\n")
    simulator.stop()


if __name__ == "__main__":
    descriptor, told = sys.argv[1:]
    config = msgspec.json.decode(told, type=SimulatorConfig, dec_hook=lambda kind, text: kind(text))
    serve(socket.socket(fileno=int(descriptor)), config)
