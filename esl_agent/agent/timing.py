"""How calls are timed now: the operator's policy, with kills sent the earlier the longer commands take."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from esl_agent.agent.desk_needs import Switchboard
from esl_agent.core.call_state import CallPolicy

#: However slow the switch is: a kill is sent no earlier than this, unless the operator says so.
CUT_LEAD_MAX_MS: Final = 80


class Timing:
    def __init__(self, policy: CallPolicy, switchboard: Switchboard) -> None:
        self._policy = policy
        self._cut_lead_ms = policy.cut_lead_ms
        self._switchboard = switchboard

    def policy(self) -> CallPolicy:
        lead_ms = self._cut_lead_ms + self._switchboard.round_trip_ms
        lead_ms = min(lead_ms, max(self._cut_lead_ms, CUT_LEAD_MAX_MS))
        if lead_ms != self._policy.cut_lead_ms:
            self._policy = replace(self._policy, cut_lead_ms=lead_ms)
        return self._policy
