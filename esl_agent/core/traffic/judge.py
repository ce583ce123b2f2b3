"""From calls to verdicts: the tallies of all subjects, the rules over them, and what stands.

A rule that is broken is told once.  An alert is told again, a day later at the
soonest, when the rule was meanwhile not broken.  A restriction stands until it expires or somebody clears
it; from then on its rule counts only the calls that came after: what was looked
at and let pass is not held against anybody twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from esl_agent.core.traffic.call import TrafficCall
from esl_agent.core.traffic.restriction import ALERT_OPEN_S
from esl_agent.core.traffic.rules import Rule, RuleSet, Subject
from esl_agent.core.traffic.tally import Tally
from esl_agent.core.traffic.verdict import Figure, Verdict
from esl_agent.core.traffic.windows import US_PER_S, Window, begins_us

#: Subjects without a call for this long are forgotten: the longest window.
IDLE_US: Final = 31 * 86_400 * US_PER_S
#: Tallies looked at for that at a time.
SWEEP_MAX: Final = 500


class Whose(NamedTuple):
    """A subject: an account, or one of its numbers."""

    account_id: int
    did: str = ""


class Key(NamedTuple):
    """A rule, as far as it concerns one subject."""

    rule: str
    whose: Whose


@dataclass(slots=True)
class Standing:
    """A rule that is broken, and told."""

    told_us: int
    expires_us: int | None = None
    is_restriction: bool = False
    below_since_us: int | None = None  # not broken since
    is_quiet: bool = False  # an alert's rule was meanwhile not broken


@dataclass(slots=True)
class Anew:
    """What a rule counts of a subject since a restriction of it ended."""

    since_us: int
    tally: Tally


class Judge:
    """`add` takes calls that are only to be counted, `see` judges as well.

    Calls come in any order; `now_us` is the present, which never goes back.
    `speaks` says whether a rule may be judged: whether what it asks for is whole.
    """

    def __init__(
        self, rules: RuleSet, speaks: Callable[[Rule, int], bool] = lambda rule, now_us: True
    ) -> None:
        self.rules = rules
        self._speaks = speaks
        self._needs = {subject: rules.needs(subject) for subject in Subject}
        self._tallies: dict[Whose, Tally] = {}
        self._standing: dict[Whose, dict[str, Standing]] = {}
        self._anew: dict[Whose, dict[str, Anew]] = {}
        self._sweep: Iterator[Whose] = iter(())

    def __len__(self) -> int:
        """Subjects that something is kept of."""
        return len(self._tallies)

    def tally(self, whose: Whose, now_us: int) -> Tally:
        """What is kept of a subject, at present; an empty one where nothing is."""
        tally = self._tallies.get(whose) or Tally(self._needs[_kind(whose)], now_us)
        tally.roll(now_us)
        return tally

    # Calls.

    def add(self, call: TrafficCall, now_us: int) -> None:
        """Count a call."""
        for whose in self._subjects(call):
            self._count(whose, call, now_us)

    def see(self, call: TrafficCall, now_us: int, plan: str = "") -> list[Verdict]:
        """Count a call, and judge whose it is."""
        verdicts: list[Verdict] = []
        for whose in self._subjects(call):
            if whose in self._standing:
                self._look_again(whose, now_us, plan)
            self._count(whose, call, now_us)
            verdicts += self._judge(whose, call.is_outbound, now_us, plan)
        return verdicts

    def _subjects(self, call: TrafficCall) -> Iterator[Whose]:
        if self._needs[Subject.ACCOUNT]:
            yield Whose(call.account_id)
        if self._needs[Subject.DID] and call.did:
            yield Whose(call.account_id, call.did)

    def _count(self, whose: Whose, call: TrafficCall, now_us: int) -> None:
        tally = self._tallies.get(whose)
        if tally is None:
            tally = self._tallies[whose] = Tally(self._needs[_kind(whose)], now_us)
        tally.add(call, now_us)
        if whose in self._anew:
            for anew in self._anew[whose].values():
                _count_anew(anew, call, now_us)

    # Judging.

    def _judge(self, whose: Whose, way: bool, now_us: int, plan: str) -> Iterator[Verdict]:
        whole = self._tallies[whose]  # a call was counted just now
        standing = self._standing.get(whose, ())
        anew = self._anew.get(whose)
        for rule in self.rules.of(whose.account_id, plan, _kind(whose), way):
            if rule.name in standing or not self._speaks(rule, now_us):
                continue
            tally = whole if anew is None else self._tally_of(rule, whose, whole, now_us)
            figures = rule.broken(tally, whole, now_us)
            if figures is None:
                continue
            self._standing.setdefault(whose, {})[rule.name] = Standing(
                told_us=now_us,
                expires_us=_after(now_us, rule.expires_after_s),
                is_restriction=rule.restricts,
            )
            yield from _verdicts(rule, whose, now_us, figures)

    def _tally_of(self, rule: Rule, whose: Whose, whole: Tally, now_us: int) -> Tally:
        """What the rule counts of the subject: what came since a restriction of it ended, if one did."""
        anew = self._anew.get(whose, {}).get(rule.name)
        if anew is None:
            return whole
        if begins_us(Window.MONTH, now_us) > anew.since_us:
            self._forget_anew(whose, rule.name)  # nothing of before is left in any window
            return whole
        anew.tally.roll(now_us)
        return anew.tally

    # What stands.

    def stand(self, key: Key, told_us: int, expires_us: int | None, *, is_restriction: bool = True) -> None:
        """It was told already, before a restart or by another daemon."""
        self._standing.setdefault(key.whose, {})[key.rule] = Standing(
            told_us=told_us,
            expires_us=expires_us if is_restriction else None,
            is_restriction=is_restriction,
        )

    @property
    def rule_names(self) -> set[str]:
        return {rule.name for rule in self.rules.rules}

    def restricts(self, key: Key, plan: str = "") -> bool:
        """Whether the rule, as it is in force for the subject, does more than tell."""
        rule = self._in_force(key, plan)
        return rule is not None and rule.restricts

    def stands(self, key: Key) -> bool:
        return key.rule in self._standing.get(key.whose, ())

    def is_anew(self, key: Key, since_us: int) -> bool:
        """Whether the rule counts the subject's calls from then on, or from later on."""
        anew = self._anew.get(key.whose, {}).get(key.rule)
        return anew is not None and anew.since_us >= since_us

    def ended(self, key: Key, at_us: int, now_us: int, since: Iterable[TrafficCall] = ()) -> None:
        """A restriction was cleared, or ran out, at `at_us`.

        `since` are calls that ended after it and were counted before this was known.
        """
        if self.is_anew(key, at_us):
            return
        self._no_longer(key.whose, key.rule)
        anew = Anew(at_us, Tally(self._needs[_kind(key.whose)], now_us))
        whole = self._tallies.get(key.whose)
        if whole is not None:
            anew.tally.know_countries(whole.countries())
        for call in since:
            if key.whose in self._subjects(call):
                _count_anew(anew, call, now_us)
        self._anew.setdefault(key.whose, {})[key.rule] = anew

    def _look_again(self, whose: Whose, now_us: int, plan: str) -> None:
        """What stands no longer, before the next call counts."""
        for name, standing in list(self._standing[whose].items()):
            if standing.expires_us is not None and standing.expires_us <= now_us:
                self.ended(Key(name, whose), standing.expires_us, now_us)
            elif not standing.is_restriction and not standing.is_quiet:
                standing.is_quiet = self._is_broken(Key(name, whose), now_us, plan) is False
            if standing.is_quiet and now_us - standing.told_us >= ALERT_OPEN_S * US_PER_S:
                self._no_longer(whose, name)

    def liftable(self) -> list[Key]:
        """The restrictions of rules that may lift, for some account at least, what they have restricted."""
        return [
            Key(name, whose)
            for whose, rules in self._standing.items()
            for name, standing in rules.items()
            if standing.is_restriction and name in self.rules.lifting
        ]

    def is_to_be_lifted(self, key: Key, now_us: int, plan: str = "") -> bool:
        """Whether its rule, as in force, was not broken for as long as it says, each time this was asked.

        While the rule may not be judged, or is no longer the subject's, nobody
        knows: then nothing is lifted.
        """
        standing = self._standing[key.whose][key.rule]
        rule = self._in_force(key, plan)
        if rule is None or rule.lift_below_s is None or self._is_broken(key, now_us, plan) is not False:
            standing.below_since_us = None
            return False
        if standing.below_since_us is None:
            standing.below_since_us = now_us
        return now_us - standing.below_since_us >= rule.lift_below_s * US_PER_S

    def _in_force(self, key: Key, plan: str) -> Rule | None:
        return self.rules.of_account(key.whose.account_id, plan).get(key.rule)

    def _is_broken(self, key: Key, now_us: int, plan: str) -> bool | None:
        """None where nobody can say: there is no such rule in force, or it may not be judged yet."""
        rule = self._in_force(key, plan)
        if rule is None or not self._speaks(rule, now_us):
            return None
        whole = self._tallies.get(key.whose)
        if whole is None:
            return False  # no call for a month
        whole.roll(now_us)
        return rule.broken(self._tally_of(rule, key.whose, whole, now_us), whole, now_us) is not None

    def _no_longer(self, whose: Whose, name: str) -> None:
        rules = self._standing.get(whose, {})
        rules.pop(name, None)
        if not rules:
            self._standing.pop(whose, None)

    def _forget_anew(self, whose: Whose, name: str) -> None:
        rules = self._anew.get(whose, {})
        rules.pop(name, None)
        if not rules:
            self._anew.pop(whose, None)

    # Upkeep.

    def forget_idle(self, now_us: int, most: int = SWEEP_MAX) -> int:
        """Forget subjects that have had no call for long, some at a time; how many they were."""
        idle = []
        for _ in range(most):
            whose = next(self._sweep, None)
            if whose is None:
                self._sweep = iter(list(self._tallies))
                break
            tally = self._tallies.get(whose)
            if tally is not None and tally.last_us < now_us - IDLE_US:
                idle.append(whose)
        for whose in idle:
            del self._tallies[whose]
            self._anew.pop(whose, None)
        return len(idle)


def _kind(whose: Whose) -> Subject:
    return Subject.DID if whose.did else Subject.ACCOUNT


def _count_anew(anew: Anew, call: TrafficCall, now_us: int) -> None:
    if call.at_us > anew.since_us:
        anew.tally.add(call, now_us)
    else:
        anew.tally.know_country(call)


def _after(now_us: int, seconds: int | None) -> int | None:
    return None if seconds is None else now_us + seconds * US_PER_S


def _verdicts(rule: Rule, whose: Whose, now_us: int, figures: tuple[Figure, ...]) -> Iterator[Verdict]:
    for action in rule.actions:
        yield Verdict(
            account_id=whose.account_id,
            did=whose.did,
            rule=rule.name,
            action=action,
            at_us=now_us,
            expires_after_s=rule.expires_after_s,
            ends_calls=rule.ends_calls,
            max_calls=rule.max_calls,
            calls_per_second=rule.calls_per_second,
            figures=figures,
        )
