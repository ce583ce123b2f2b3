"""The demo on the simulator, in this process."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from demo.cast import (
    ACTS,
    BUSY_NUMBER,
    CUSTOMERS,
    DIDS,
    SECOND_CARRIER_NUMBER,
    STRANGER,
    Ending,
    Scene,
)
from demo.errors import DemoError
from demo.switch import paid_legs_in
from esl_agent.core.leg import Product
from esl_agent.lab.ports import LOOPBACK, free_port
from esl_agent.simulator.config import SimulatorConfig
from esl_agent.simulator.plan import CallPlan, Kind, Outcome
from esl_agent.simulator.simulator import Simulator

#: Longer than any money of the demo lasts.
TALK_ON_MS: Final = 120_000


class SimulatedSwitch:
    """The switch, and the phones and carriers that are part of it."""

    def __init__(self, folder: Path) -> None:
        self.host, self.port, self.password = LOOPBACK, 0, secrets.token_hex(16)
        self.admission_port = free_port()
        self.carriers: Sequence[str] = ("first", "second")
        self.acts: Sequence[Sequence[Scene]] = ACTS
        self.cdr_folder = folder / "json_cdr"
        self._simulator = Simulator(
            SimulatorConfig(
                host=self.host,
                port=0,
                password=self.password,
                admission=f"{self.host}:{self.admission_port}",
                cdr_dir=self.cdr_folder,
            )
        )

    def start(self) -> None:
        self._simulator.start()
        self.port = self._simulator.port

    def place(self, scene: Scene) -> None:
        self._simulator.place_call(_outside_plan(scene) if scene.is_from_outside else _plan(scene))

    def finish(self, deadline_s: float) -> None:
        if not self._simulator.wait_quiet(deadline_s):
            raise DemoError(f"calls are still up after {deadline_s:g} s")

    def paid_legs(self) -> set[str]:
        return paid_legs_in(self.cdr_folder)

    def stop(self) -> None:
        self._simulator.stop()


def _plan(scene: Scene) -> CallPlan:
    """A customer's phone calls."""
    [customer] = [each for each in CUSTOMERS if each.account == scene.account]
    return CallPlan(
        account=str(scene.account),
        number=scene.number,
        caller=customer.phone,
        caller_name=customer.name,
        outcome=Outcome.BUSY if scene.number == BUSY_NUMBER else Outcome.ANSWERED,
        carriers_refusing=int(scene.number.endswith(SECOND_CARRIER_NUMBER)),
        talk_ms=TALK_ON_MS if scene.ending is Ending.MONEY_RUNS_OUT else scene.talk_ms,
    )


def _outside_plan(scene: Scene) -> CallPlan:
    """Somebody calls a DID, which rings its owner's phone or is forwarded."""
    [did] = [each for each in DIDS if each.number == scene.number]
    return CallPlan(
        kind=Kind.FORWARDED if did.forward_to else Kind.INBOUND,
        product=Product.FORWARDING if did.forward_to else Product.INBOUND,
        account=str(did.owner),
        number=did.forward_to or did.number,
        did=did.number,
        device=str(did.owner),
        caller=STRANGER,
        talk_ms=scene.talk_ms,
    )
