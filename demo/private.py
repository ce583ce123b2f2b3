"""The demo on a FreeSWITCH of its own, with SIPp as the customers' phones and as two carriers."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from demo.cast import ACTS, BUSY_NUMBER, CUSTOMERS, DIDS, SECOND_CARRIER_NUMBER, STRANGER, Ending, Scene
from demo.errors import DemoError
from demo.switch import paid_legs_in
from esl_agent.files import dialplan_dir
from esl_agent.lab.freeswitch import PrivateSwitch
from esl_agent.lab.network import Carrier, Did, Network, Phone
from esl_agent.lab.ports import free_port
from esl_agent.lab.sipp import CallFailed, Sipp, SippRun

RING_MS: Final = 300
NO_NUMBER: Final = "none"

#: The scenario of the phone for each ending, and the status that it is to be answered with.
SCENARIOS: Final = {
    Ending.CALLER_HANGS_UP: ("call", 200),
    Ending.MONEY_RUNS_OUT: ("stay", 200),
    Ending.BUSY: ("refused", 486),
    Ending.REFUSED: ("refused", 402),
}


class PrivateNetwork:
    """A switch with everybody who calls and is called through it."""

    def __init__(self, binary: Path, sipp: str, folder: Path) -> None:
        self._phones = {
            customer.account: Phone(
                f"phone{customer.account}",
                secrets.token_hex(8),
                str(customer.account),
                customer.phone,
                free_port(),
            )
            for customer in CUSTOMERS
        }
        self._stranger = Phone(STRANGER, "", "", STRANGER)
        self._carriers = (Carrier("first", free_port()), Carrier("second", free_port()))
        self.carriers: Sequence[str] = [carrier.name for carrier in self._carriers]
        dids = [Did(did.number, str(did.owner), self._phones[did.owner].user) for did in DIDS]
        people = Network(tuple(self._phones.values()), self._carriers, dids)
        self._sipp_folder = folder / "sipp"
        self._sipp = Sipp(sipp, self._sipp_folder)
        self._switch = PrivateSwitch(binary, dialplan_dir(), folder / "freeswitch", people)
        self.cdr_folder = self._switch.cdr_folder
        self.host, self.port = self._switch.host, self._switch.event_port
        self.password, self.admission_port = self._switch.password, self._switch.admission_port
        self.acts: Sequence[Sequence[Scene]] = ACTS
        self._calls: list[SippRun] = []

    def start(self) -> None:
        self._sipp_folder.mkdir()
        for carrier, down in zip(self._carriers, (SECOND_CARRIER_NUMBER, NO_NUMBER), strict=True):
            self._sipp.answer(carrier.port, "carrier", ring_ms=RING_MS, busy=BUSY_NUMBER, down=down)
        for did in DIDS:
            if not did.forward_to:
                self._sipp.answer(self._phones[did.owner].port, "answer", ring_ms=RING_MS)
        self._switch.start()

    def place(self, scene: Scene) -> None:
        phone, port = self._phones[scene.account], self._switch.customer_port
        name, status = SCENARIOS[scene.ending]
        if scene.is_from_outside:
            phone, port, name = self._stranger, self._switch.carrier_port, "trunk"
        call = self._sipp.call(phone, scene.number, port, name, talk_ms=scene.talk_ms, status=status)
        self._calls.append(call)

    def finish(self, deadline_s: float) -> None:
        while self._calls:
            call = self._calls.pop(0)
            try:
                call.finish(deadline_s)
            except CallFailed:
                raise DemoError(
                    f"{call.name} did not go as it should: what was on the wire is in {self._sipp_folder}"
                ) from None

    def paid_legs(self) -> set[str]:
        return paid_legs_in(self.cdr_folder)

    def stop(self) -> None:
        self._sipp.stop_all()
        self._switch.stop()
