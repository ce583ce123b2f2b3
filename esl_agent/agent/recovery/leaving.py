"""Leaving: before the daemon stops, what is held for calls is made to last until another takes them up.

And that they are there is kept: if the switch leaves no file of one, it has its CDR all the same.
"""

from __future__ import annotations

import time
from typing import Final

import gevent

from esl_agent.agent.calls.desk import Desk
from esl_agent.agent.calls.switchboard import Switchboard
from esl_agent.agent.money.holder import Holder
from esl_agent.core.call_signals import Leaving

#: Calls that ask at a time: the cuts that are moved with each answer must find room among the commands.
AT_ONCE: Final = 1_000
#: How long all of it may take; calls that it did not come to keep what they have.
LEAVE_MAX_S: Final = 5.0
PAUSE_S: Final = 0.02


def leave(desk: Desk, holder: Holder, switchboard: Switchboard) -> None:
    """Ask for a whole grant for each call that has less, and have the switch's cuts moved."""
    desk.keep_ringing()
    until_s = time.monotonic() + LEAVE_MAX_S
    live = list(desk.live)
    for first in range(0, len(live), AT_ONCE):
        for leg_uuid in live[first : first + AT_ONCE]:
            desk.tell(leg_uuid, Leaving())
        holder.wait_empty(max(until_s - time.monotonic(), 0))
        while switchboard.in_flight and time.monotonic() < until_s:
            gevent.sleep(PAUSE_S)
