"""What the desk asks of others; none of it waits for an answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from esl_agent.core.call_signals import ArmSwitchCut, Event, HoldMoney, Timer


class Switchboard(Protocol):
    """The switch."""

    @property
    def round_trip_us(self) -> int: ...
    @property
    def command_us(self) -> float: ...

    def kill(self, leg_uuid: str, cause: str) -> None: ...
    def arm_cut(self, leg_uuid: str, arm: ArmSwitchCut) -> None: ...
    def disarm_cut(self, leg_uuid: str) -> None: ...


class AskHold(Protocol):
    """The store: `known` is kept with what is held, `takes_from` are other legs of the same call.

    `can_wait`: the call goes on meanwhile, and others may be awaited.
    """

    def __call__(
        self,
        account_id: int,
        leg_uuid: str,
        hold: HoldMoney,
        tell: Callable[[Event], None],
        known: str,
        takes_from: tuple[str, ...],
        /,
        *,
        can_wait: bool,
    ) -> None: ...


class Alarm(Protocol):
    """The timers."""

    @property
    def late_us(self) -> int: ...

    def cuts_near(self, at_us: int) -> int: ...
    def set(self, owner: str, timer: Timer, at_us: int) -> None: ...
    def drop(self, owner: str) -> None: ...
