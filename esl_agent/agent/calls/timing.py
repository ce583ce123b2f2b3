"""How calls are timed now: the operator's policy, with kills sent the earlier the longer they take.

What delays a kill is measured: how late timers ring, how long commands take,
and how many calls are due to be cut at the same moment, each of which has to
wait for those before it.  That is known beforehand: a call's cut is set anew at
its last asking, when all others that are due with it are set.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from esl_agent.agent.calls.desk_needs import Alarm, Switchboard
from esl_agent.core.call_state import US_PER_MS, Call, CallPolicy, paid_end_us

#: However slow all is: a kill is sent no earlier than this, unless the operator says so.
CUT_LEAD_MAX_MS: Final = 1_000
#: The steps in which the lead grows.
CUT_LEAD_STEP_MS: Final = 5


class Timing:
    def __init__(self, policy: CallPolicy, switchboard: Switchboard, timers: Alarm) -> None:
        self.policy = policy  # as it is for a call whose cut is not known yet
        self._switchboard = switchboard
        self._timers = timers
        self._own_lead_ms = policy.cut_lead_ms

    def policy_for(self, call: Call) -> CallPolicy:
        """The policy with the lead that this call needs."""
        end_us = paid_end_us(call)
        lead_ms = self._lead_ms(0 if end_us is None else self._timers.cuts_near(end_us))
        if lead_ms != self.policy.cut_lead_ms:
            self.policy = replace(self.policy, cut_lead_ms=lead_ms)
        return self.policy

    def _lead_ms(self, due_with_it: int) -> int:
        """What is usual, half of which is for what can't be measured, and the rest for what can."""
        switchboard = self._switchboard
        delay_us = switchboard.round_trip_us + self._timers.late_us + due_with_it * switchboard.command_us
        steps = round(delay_us) // (CUT_LEAD_STEP_MS * US_PER_MS)
        lead_ms = max(self._own_lead_ms, self._own_lead_ms // 2 + steps * CUT_LEAD_STEP_MS)
        return min(lead_ms, max(self._own_lead_ms, CUT_LEAD_MAX_MS))
