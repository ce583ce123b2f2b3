"""What a caller hears of his money: a tone before it ends, an announcement after.

Only the one who pays is told: a customer who calls out, on his own leg.  Of a
call that comes in or is forwarded the caller is somebody else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from esl_agent.core.call_signals import AnnounceEnd, WarnCaller
from esl_agent.core.leg import Leg, Product


class Player(Protocol):
    """What is asked of the switch; none of it waits for the answer."""

    def play(self, leg_uuid: str, sound: str) -> None: ...
    def go_on_after_bridge(self, leg_uuid: str, place: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Sounds:
    """`warn_sound` is a file or stream, `end_announcement` a place in the dialplan; "" for none."""

    player: Player | None
    warn_sound: str
    end_announcement: str

    def let_hear(self, leg: Leg, effect: WarnCaller | AnnounceEnd) -> None:
        if isinstance(effect, WarnCaller):
            self.warn(leg)
        else:
            self.announce_end(leg)

    def warn(self, leg: Leg) -> None:
        """Let the caller of this billed leg hear the tone; the other end doesn't."""
        caller = _paying_caller(leg)
        if self.player and self.warn_sound and caller:
            self.player.play(caller, self.warn_sound)

    def announce_end(self, leg: Leg) -> None:
        """Have the caller sent on when this billed leg has ended.

        Told to the switch just before the kill, on the same connection: it
        waits for nothing, so the leg lives no longer for it.
        """
        caller = _paying_caller(leg)
        if self.player and self.end_announcement and caller:
            self.player.go_on_after_bridge(caller, self.end_announcement)


#: Nobody hears anything.
SILENCE: Final = Sounds(None, "", "")


def _paying_caller(leg: Leg) -> str | None:
    return leg.other_leg_uuid if leg.product is Product.TERMINATION else None
