"""What each leg really was, put down by the switch itself: audits hold the CDRs against it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import msgspec

from esl_agent.simulator.leg import Leg, Value

if TYPE_CHECKING:
    from esl_agent.switch.events import VariableNames


class Truth(msgspec.Struct, frozen=True):
    """One leg that is over.  Times are the switch's own, in µs; `answered_us` is None if nobody answered."""

    uuid: str
    caller_leg_uuid: str
    is_outbound: bool
    account: str
    product: str
    number: str
    carrier: str
    created_us: int
    answered_us: int | None
    ended_us: int
    cause: str
    ended_by: str

    @property
    def duration_us(self) -> int:
        """From answer to end; 0 if nobody answered."""
        return self.ended_us - self.answered_us if self.answered_us is not None else 0


class TruthBook:
    """The legs that are over, in memory up to a limit, and in a file if there is to be one."""

    def __init__(self, path: Path | None, legs_max: int) -> None:
        self.legs: list[Truth] = []
        self.count = 0
        self._legs_max = legs_max
        self._file: TextIO | None = path.open("a", encoding="utf-8") if path else None

    def add(self, leg: Leg, names: VariableNames) -> None:
        """Put down a leg that has been reported."""
        truth = Truth(
            uuid=leg.uuid,
            caller_leg_uuid=leg.call.caller.uuid,
            is_outbound=leg.is_outbound,
            account=_text(leg.variables.get(names.account, "")),
            product=_text(leg.variables.get(names.product, "")),
            number=_text(leg.variables.get(names.number, "")),
            carrier=_text(leg.variables.get(names.carrier, "")),
            created_us=leg.created_us,
            answered_us=leg.answered_us or None,
            ended_us=leg.hangup_us,
            cause=leg.cause,
            ended_by=leg.ended_by,
        )
        self.count += 1
        if len(self.legs) < self._legs_max:
            self.legs.append(truth)
        if self._file is not None:
            self._file.write(msgspec.json.encode(truth).decode() + "\n")

    def flush(self) -> None:
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _text(value: Value) -> str:
    return value if isinstance(value, str) else value[0]
