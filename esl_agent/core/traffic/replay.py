"""What a set of rules would have said of calls of the past, had each been judged as it ended.

Nothing is restricted by it: calls that a verdict would have stopped go on
counting as they did.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from heapq import heappop, heappush
from typing import Final

from esl_agent.core.traffic.call import CdrFacts, TrafficCall, counted
from esl_agent.core.traffic.judge import Judge
from esl_agent.core.traffic.rules import RuleSet
from esl_agent.core.traffic.verdict import Verdict
from esl_agent.core.traffic.windows import US_PER_S

#: How often, in the time of the calls, it is asked what is to be lifted and who is to be forgotten.
LOOK_EVERY_US: Final = 60 * US_PER_S


def in_order_of_end(rows: Iterable[CdrFacts]) -> Iterator[TrafficCall]:
    """The calls of CDRs that come in the order of their beginning; kept are those that are up at the time."""
    up: list[tuple[int, str, TrafficCall]] = []
    for facts in rows:
        while up and up[0][0] <= facts.created_us:
            yield heappop(up)[2]
        call = counted(facts)
        if call is not None:
            heappush(up, (call.at_us, call.leg_uuid, call))
    while up:
        yield heappop(up)[2]


def replay(
    rules: RuleSet,
    calls: Iterable[TrafficCall],
    since_us: int,
    plan_of: Callable[[int], str] = lambda account_id: "",
) -> Iterator[tuple[TrafficCall, list[Verdict]]]:
    """Each call that ended since then, in order, with what was said at it; those before are only counted."""
    judge = Judge(rules)
    looked_us = since_us
    for call in calls:
        now_us = call.at_us
        if now_us < since_us:
            judge.add(call, now_us)
            continue
        if now_us - looked_us >= LOOK_EVERY_US:
            looked_us = now_us
            _lift(judge, now_us, plan_of)
            judge.forget_idle(now_us)
        yield call, judge.see(call, now_us, plan_of(call.account_id) if rules.by_plan else "")


def _lift(judge: Judge, now_us: int, plan_of: Callable[[int], str]) -> None:
    for key in judge.liftable():
        if judge.is_to_be_lifted(key, now_us, plan_of(key.whose.account_id)):
            judge.ended(key, now_us, now_us)
