"""A leg that is gone is looked at closely, however often all are gone through (agent/recovery)."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Final, cast

import gevent
from fixtures.call_steps import LEG, ended
from gevent.event import AsyncResult

from esl_agent.agent.calls.desk import Desk
from esl_agent.agent.clock import monotonic_us
from esl_agent.agent.files.cdr_folder import CdrFolder
from esl_agent.agent.recovery.finds import Finds
from esl_agent.agent.recovery.looks import Found, Looks
from esl_agent.agent.recovery.recovery import Recovery
from esl_agent.core.leg import LegEnd
from esl_agent.core.recovery import Look, Standing

PATIENCE_S: Final = 15.0
FILE: Final = ended(0).end


class AwaitsOne:
    """What the desk knows: a leg that is to come, until its end is told."""

    def __init__(self) -> None:
        self.told: AsyncResult[LegEnd] = AsyncResult()

    def awaited(self) -> list[str]:
        return [] if self.told.ready() else [LEG.leg_uuid]

    def standing(self, leg_uuid: str) -> Standing:
        return Standing.UNKNOWN if self.told.ready() else Standing.AWAITED

    def await_again(self, holds: object) -> int:
        return 0

    def was_there(self, leg_uuid: str) -> bool:
        return False

    def last_known_us(self, leg_uuid: str) -> None:
        return None

    def ended(self, end: LegEnd) -> None:
        self.told.set(end)


class HasGone:
    """A switch that has no legs, and left a file of one."""

    folder = Path()

    def listed(self) -> frozenset[str]:
        return frozenset()

    def began_us(self) -> int:
        return 0

    def at(self, leg_uuid: str) -> Found:
        return Found(Look.GONE)

    def find(self, leg_uuid: str) -> LegEnd:
        return FILE


def test_passes_that_follow_each_other_without_a_pause_put_off_no_close_look() -> None:
    finds, switch = AwaitsOne(), HasGone()
    desk = SimpleNamespace(live={}, itineraries=SimpleNamespace(of_leg=lambda leg_uuid: None))
    recovery = Recovery(
        desk=cast(Desk, desk),
        finds=cast(Finds, finds),
        looks=cast(Looks, switch),
        folder=cast(CdrFolder, switch),
        read_holds=lambda age_s: [],
        do=lambda work: work(),
        now_us=monotonic_us,
        patience_s=1,
        audit_every_s=0,
        log=lambda word, /, **fields: None,
    )
    running = gevent.spawn(recovery.run)
    try:
        recovery.begin("", is_all=True)  # as an audit: others follow it at once
        assert finds.told.get(timeout=PATIENCE_S) is FILE
    finally:
        running.kill()
