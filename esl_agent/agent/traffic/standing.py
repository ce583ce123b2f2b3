"""What stands: the restrictions in the books and what the judge takes to be in force are kept alike.

Restrictions of rules are made by any daemon and cleared by people; those whose
rule says so are lifted here once it was not broken for long enough.  Beside a restriction of the same rule an
alert is but a message: its row says nothing of what stands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final

from esl_agent.agent.database import Connects
from esl_agent.core.traffic.call import TrafficCall
from esl_agent.core.traffic.judge import IDLE_US, Judge, Key, Whose
from esl_agent.core.traffic.restriction import TRAFFIC
from esl_agent.core.traffic.verdict import Action
from esl_agent.core.traffic.windows import US_PER_S
from esl_agent.store import restrictions as store
from esl_agent.store.restrictions import Kept, RestrictionError

#: How often the books are looked at; meanwhile what was cleared stands here, and is not told again.
LOOK_EVERY_US: Final = 5 * US_PER_S
#: How far back: what another daemon's clock, or a slow commit, may hold up.
LOOK_BACK_US: Final = 600 * US_PER_S
#: How often it is asked whether a restriction is to be lifted.
LIFT_EVERY_US: Final = 60 * US_PER_S
LIFTED: Final = "the rule was not broken for as long as it says"

Plans = Callable[[set[int]], Mapping[int, str]]


class Standing:
    """`begin` with a new judge, then `look` and `lift` every now and then; all raise one of OUTAGE.

    `plans` gives the plans of accounts, as far as they matter to the rules.
    """

    def __init__(self, database: Connects, may_act: Callable[[], bool], plans: Plans) -> None:
        self._database = database
        self._may_act = may_act
        self._plans = plans
        self._looked_us = 0
        self._lifted_us = 0

    def begin(self, judge: Judge, now_us: int) -> None:
        """What stood before the start stands, and what ended within 30 days is not held against anybody."""
        with self._database.connection() as conn:
            found = store.made_by_rules(conn, now_us - IDLE_US, with_open=True)
        self._tell(judge, found, now_us, lambda ended_us: ())
        self._looked_us = self._lifted_us = now_us

    def look(self, judge: Judge, now_us: int, ended_since: Callable[[int], Sequence[TrafficCall]]) -> None:
        """`ended_since` gives the calls that were counted lately."""
        if 0 <= now_us - self._looked_us < LOOK_EVERY_US:
            return
        with self._database.connection() as conn:
            found = store.made_by_rules(conn, self._looked_us - LOOK_BACK_US, with_open=False)
        self._tell(judge, found, now_us, ended_since)
        self._looked_us = now_us

    def lift(self, judge: Judge, now_us: int) -> None:
        """What rules say is over; the next look finds it in the books."""
        if 0 <= now_us - self._lifted_us < LIFT_EVERY_US or not self._may_act():
            return
        liftable = judge.liftable()
        plans = self._plans({key.whose.account_id for key in liftable})
        for key in liftable:
            if judge.is_to_be_lifted(key, now_us, plans.get(key.whose.account_id, "")):
                self._lift(key)
        self._lifted_us = now_us

    def _tell(
        self,
        judge: Judge,
        found: Sequence[Kept],
        now_us: int,
        ended_since: Callable[[int], Sequence[TrafficCall]],
    ) -> None:
        alerts = [kept for kept in found if kept.restriction.action is Action.ALERT]
        plans = self._plans({kept.restriction.account_id for kept in alerts})
        for kept in found:
            plan = plans.get(kept.restriction.account_id, "")
            if kept.restriction.action is not Action.ALERT or not judge.restricts(_key(kept), plan):
                _tell(judge, kept, now_us, ended_since)

    def _lift(self, key: Key) -> None:
        account_id, did = key.whose
        with self._database.connection() as conn:
            for each in store.find_open(conn, [account_id]).get(account_id, ()):
                if (each.rule, each.did, each.made_by) == (key.rule, did, TRAFFIC) and each.restriction:
                    with suppress(RestrictionError):  # somebody was quicker
                        store.clear(conn, each.restriction, LIFTED, TRAFFIC)


def _key(kept: Kept) -> Key:
    restriction = kept.restriction
    return Key(restriction.rule, Whose(restriction.account_id, restriction.did))


def _tell(judge: Judge, kept: Kept, now_us: int, ended_since: Callable[[int], Sequence[TrafficCall]]) -> None:
    restriction, key = kept.restriction, _key(kept)
    if key.rule not in judge.rule_names:
        return
    is_alert = restriction.action is Action.ALERT
    ended_us = kept.ended_us
    if ended_us is None or ended_us > now_us:
        if not judge.stands(key) and not judge.is_anew(key, restriction.since_us):
            judge.stand(key, restriction.since_us, restriction.until_us, is_restriction=not is_alert)
    elif is_alert and kept.cleared_at is None:
        return  # its time is over by itself: nobody has looked at the calls
    elif not judge.is_anew(key, ended_us):
        judge.ended(key, ended_us, now_us, ended_since(ended_us))
