"""The calls that a verdict is kept with: the latest of those that show what its rule measures."""

from __future__ import annotations

from collections.abc import Iterable

from esl_agent.core.traffic.call import TrafficCall
from esl_agent.core.traffic.measures import WAYS
from esl_agent.core.traffic.rules import Condition, Rule
from esl_agent.core.traffic.verdict import EVIDENCE_CALLS_MAX, CallSeen, Verdict
from esl_agent.core.traffic.windows import begins_us


def evidence(verdict: Verdict, rule: Rule, calls: Iterable[TrafficCall]) -> tuple[CallSeen, ...]:
    """At most EVIDENCE_CALLS_MAX of these calls of the account, the latest first."""
    measured = {figure.measure for figure in verdict.figures}
    conditions = [condition for condition in rule.conditions if condition.measure.name in measured]
    shown = [call for call in calls if any(_shows(condition, verdict, call) for condition in conditions)]
    shown.sort(key=_end, reverse=True)
    return tuple(
        CallSeen(leg_uuid=call.leg_uuid, at_us=call.at_us, number=call.number, talk_us=call.talk_us or 0)
        for call in shown[:EVIDENCE_CALLS_MAX]
    )


def evidence_since_us(verdict: Verdict, rule: Rule) -> int:
    """Since when calls count in anything that the rule measures."""
    return min(begins_us(condition.window, verdict.at_us) for condition in rule.conditions)


def _shows(condition: Condition, verdict: Verdict, call: TrafficCall) -> bool:
    return (
        (not verdict.did or call.did == verdict.did)
        and call.is_outbound in WAYS[condition.way]
        and begins_us(condition.window, verdict.at_us) <= call.at_us <= verdict.at_us
        and condition.measure.is_evidence(call)
    )


def _end(call: TrafficCall) -> tuple[int, str]:
    return call.at_us, call.leg_uuid
