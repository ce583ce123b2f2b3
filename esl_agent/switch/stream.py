"""What the numbering of events tells of events that did not come.

`Event-Sequence` counts every event that the core *makes*, of any kind, and not
only those that are fired or subscribed to (switch_event.c,
`switch_event_prep_for_delivery_detailed`): a call of 16 events that we hear of
takes some 57 numbers.  So holes are the rule, and a hole proves nothing.  What
can be told:

- a large hole in a short time: on a busy switch our next event is a few numbers
  away, so a thousand numbers within a second without one of ours are a reason
  to look.  It is a suspicion, not a proof, and so it is told once in a while.
- another `Core-UUID`: the switch was started anew, and its calls are gone.  A
  connection never outlives the core that it is to, so the heartbeat suffices.

That events were dropped for certain the switch says in its own log only
(mod_event_socket.c, `event_handler`); `lost_events_said` reads it there.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

#: More numbers than this between two of our events, within JUMP_WINDOW_US, are suspicious.
JUMP_MAX: Final = 1_000
JUMP_WINDOW_US: Final = 1_000_000
#: A suspicion is told once in this time at most (on the switch's clock).
SUSPICION_EVERY_US: Final = 20_000_000

_LOST: Final = re.compile(r"Lost \[[0-9]+\] events! Event Queue size: \[[0-9]+/[0-9]+\]")


class Missed(NamedTuple):
    """Why events may have been missed; `is_restarted` where the switch is another run than before."""

    reason: str
    is_restarted: bool = False


class StreamWatch:
    """Looks at each event of a connection, in the order in which they come."""

    def __init__(self, jump_max: int = JUMP_MAX) -> None:
        self.core_uuid = ""
        self._jump_max = jump_max
        self._sequence = 0
        self._timestamp_us = 0
        self._suspected_us = -SUSPICION_EVERY_US

    def see(self, sequence: int, timestamp_us: int) -> Missed | None:
        """What tells that something may have been missed before this event; None nearly always.

        Events come a little out of order (the switch fires them from several
        threads), so a number lower than the last is nothing.
        """
        ahead = sequence - self._sequence
        if ahead <= 0:
            return None
        before_us, self._sequence, self._timestamp_us = self._timestamp_us, sequence, timestamp_us
        if ahead <= self._jump_max or timestamp_us - before_us > JUMP_WINDOW_US:
            return None
        if timestamp_us - self._suspected_us < SUSPICION_EVERY_US:
            return None
        self._suspected_us = timestamp_us
        within_ms = (timestamp_us - before_us) // 1000
        return Missed(f"{ahead} events were made within {within_ms} ms and none came: some may be lost")

    def see_core(self, core_uuid: str) -> Missed | None:
        """What a heartbeat tells of the run of the switch."""
        before, self.core_uuid = self.core_uuid, core_uuid
        if before in ("", core_uuid):
            return None
        reason = f"the switch was started anew: its core is {core_uuid}, it was {before}"
        return Missed(reason, is_restarted=True)


_EVENTS_LOST: Final = re.compile(r"(?:^|\s)Lost \[\d+\] events! Event Queue size", re.ASCII)


def lost_events_said(log_line: str) -> str | None:
    """What a line of the switch's log says of events that a full queue lost; it may be ours."""
    match = _LOST.search(log_line)
    return match[0] if match else None
