"""Watches the traffic of all accounts: counts calls as their CDRs are written, and hands verdicts over.

At its start it counts the calls of the last 30 days, the latest first, in the
background: calls that are asked about never wait for it.  A rule speaks as soon
as all that its windows ask for is counted.

Every daemon counts, a twin in standby too, so that it is ready; only one that
may act judges.  Two that both do come to the same verdict, and the second to
write it finds that it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

import gevent
import psycopg

from esl_agent.agent.clock import monotonic_us
from esl_agent.agent.database import OUTAGE, Connects
from esl_agent.agent.traffic.feed import LOOK_BACK_US, OVERLAP_US, Past, Slice, Tail
from esl_agent.agent.traffic.rules import load_rules
from esl_agent.agent.traffic.standing import Standing
from esl_agent.config import TrafficConfig
from esl_agent.core.traffic.call import CALL_US_MAX, TrafficCall
from esl_agent.core.traffic.evidence import evidence, evidence_since_us
from esl_agent.core.traffic.judge import Judge
from esl_agent.core.traffic.rules import Rule, RuleSet, Subject
from esl_agent.core.traffic.verdict import Verdict
from esl_agent.core.traffic.windows import US_PER_S, begins_us
from esl_agent.errors import EslAgentError
from esl_agent.noc.log import Log
from esl_agent.store import traffic_calls as store

#: How often it is looked whether CDRs were written, and an outage of the database is tried again.
EVERY_US: Final = 1 * US_PER_S
#: When the database's clock is set back by more than that, all is counted anew: what is written since
#: can't be told by its time from what was seen.
SET_BACK_MAX_US: Final = LOOK_BACK_US - OVERLAP_US
#: After a piece of the past it pauses for so many times as long as that took: others come first.
PAUSES: Final = 1.0


class TrafficWatch:
    """`run` it; `enforce` is given every verdict, and returns at once."""

    def __init__(
        self,
        config: TrafficConfig,
        database: Connects,
        log: Log,
        *,
        enforce: Callable[[Verdict], None],
        may_act: Callable[[], bool] = lambda: True,
    ) -> None:
        """Raises RuleFileError."""
        self._config = config
        self._database = database
        self._log = log
        self._enforce = enforce
        self._may_act = may_act
        self._rules = load_rules(config.rules_file)
        self._read_rules: RuleSet | None = None  # again, to be in force from the next look on
        self._standing = Standing(database, may_act, self._plans)
        self._is_stale = True  # what is kept does not serve the rules: it is to begin anew
        self._judge = Judge(self._rules, self._speaks)
        self._tail = Tail(0)
        self._past = Past(0)
        self.looks = 0  # so often it was looked what is new
        self._clock_us = 0  # the database's, at its latest
        self._now_us = 0  # the judge's present: that, or when the latest call ended
        self._began_us = 0
        self._refused = ""  # what Postgres said
        self._counted = 0

    def run(self) -> None:
        """Until it is killed; at once where [traffic] watch is false."""
        while self._config.watch:
            until_us = monotonic_us() + EVERY_US
            try:
                self._poll()
                while not self._past.is_read and monotonic_us() < until_us:
                    self._read_past()
                self._refused = ""
            except OUTAGE:
                pass  # DB_DOWN says it, and what was not read is read then
            except psycopg.Error as error:  # a privilege or a migration is missing: calls go on without
                self._tell_refused(" ".join(str(error).split()))
            gevent.sleep(max(until_us - monotonic_us(), 0) / 1_000_000)

    def _tell_refused(self, error: str) -> None:
        if error != self._refused:
            self._refused = error
            self._log("DB_REFUSED", statement="traffic", error=error)

    def reload(self) -> None:
        """Read the rules again; where they are wrong it is said, and those in force stay so."""
        try:
            rules = load_rules(self._config.rules_file)
        except EslAgentError as error:
            self._log("CONFIG_REJECTED", error=" ".join(str(error).split()))
            return
        self._read_rules = rules

    def _take_over_rules(self) -> None:
        """Between two looks: what judges a call and what hands its verdicts over go by the same rules."""
        rules, self._read_rules = self._read_rules, None
        if rules is None:
            return
        if any(rules.needs(subject) != self._rules.needs(subject) for subject in Subject):
            self._is_stale = True
        self._rules = self._judge.rules = rules

    # Counting.

    def _poll(self) -> None:
        self._take_over_rules()
        with self._database.connection() as conn:
            clock_us = store.now_us(conn)
        if self._clock_us - clock_us > SET_BACK_MAX_US:
            self._is_stale = True
        if self._is_stale:
            self._begin(clock_us)
        self._clock_us, self._now_us = max(self._clock_us, clock_us), max(self._now_us, clock_us)
        # Before the calls are judged: of what was cleared meanwhile only those that came after count.
        self._standing.look(self._judge, clock_us, self._tail.ended_since)
        for calls in self._tail.poll(self._database, clock_us):
            self._take(calls)
            gevent.sleep(0)
        self._standing.lift(self._judge, self._now_us)
        self._judge.forget_idle(self._now_us)
        self.looks += 1

    def _begin(self, now_us: int) -> None:
        start_us = now_us - LOOK_BACK_US
        self._judge, self._tail, self._past = Judge(self._rules, self._speaks), Tail(start_us), Past(start_us)
        self._standing.begin(self._judge, now_us)
        self._clock_us = self._now_us = now_us
        self._began_us, self._counted = monotonic_us(), 0
        self._is_stale = False

    def _take(self, calls: Slice) -> None:
        """Count and judge all of them, or, where Postgres does not answer first, none."""
        if not self._may_act():
            self._count(calls)
            return
        plans = self._plans({call.account_id for call in calls})
        for call in calls:
            plan = plans.get(call.account_id, "")
            for verdict in self._judge.see(call, self._at(call), plan):
                self._hand_over(verdict, plan)

    def _count(self, calls: Slice) -> None:
        for call in calls:
            self._judge.add(call, self._at(call))

    def _at(self, call: TrafficCall) -> int:
        """The present, which may be that of a call: it was written after it was looked what time it is."""
        self._now_us = max(self._now_us, call.at_us)
        return self._now_us

    def _read_past(self) -> None:
        began_us = monotonic_us()
        for calls in self._past.page(self._database):
            self._count(calls)
            self._counted += len(calls)
            gevent.sleep((monotonic_us() - began_us) / 1_000_000 * PAUSES)
            began_us = monotonic_us()
        if self._past.is_read:
            took_s = (monotonic_us() - self._began_us) / 1_000_000
            sizes = {"calls": self._counted, "subjects": len(self._judge)}
            self._log("TRAFFIC_COUNTED", **sizes, took_s=f"{took_s:.1f}")

    def _speaks(self, rule: Rule, now_us: int) -> bool:
        if self._past.is_read:
            return True
        since_us = self._past.whole_since_us
        return all(begins_us(window, now_us) >= since_us for window in rule.windows)

    def _plans(self, account_ids: set[int]) -> dict[int, str]:
        """By account, where it matters to any rule."""
        if not self._rules.by_plan or not account_ids:
            return {}
        with self._database.connection() as conn:
            return store.plans_of(conn, list(account_ids))

    # Verdicts.

    def _hand_over(self, verdict: Verdict, plan: str) -> None:
        """With the calls that made it, where the database tells them."""
        rule = self._rules.of_account(verdict.account_id, plan)[verdict.rule]  # which gave the verdict
        try:
            calls = self._calls_of(verdict, rule)
        except OUTAGE:
            calls = ()
        except psycopg.Error as error:  # the other calls of the slice are to be counted all the same
            calls = ()
            self._tell_refused(" ".join(str(error).split()))
        self._enforce(replace(verdict, calls=evidence(verdict, rule, calls)))

    def _calls_of(self, verdict: Verdict, rule: Rule) -> Iterable[TrafficCall]:
        since_us = evidence_since_us(verdict, rule) - CALL_US_MAX
        with self._database.connection() as conn:
            page = store.of_account(conn, verdict.account_id, since_us)
        calls: list[TrafficCall] = []
        for rows in page.slices():
            calls += store.calls_of(rows)
            gevent.sleep(0)
        return calls
