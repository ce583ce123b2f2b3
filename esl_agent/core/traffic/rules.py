"""Rules: which measures of whose traffic mean what is done (terms 5, 10, 11, 13)."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from functools import reduce
from itertools import product
from typing import Any, Final

from esl_agent.core.traffic.measures import WAYS, Asked, Measure, Reading, Way, needs_of
from esl_agent.core.traffic.tally import Needs, Tally
from esl_agent.core.traffic.verdict import Action, Figure
from esl_agent.core.traffic.windows import Window

#: Rates a minute (in millionths) from which on a call is dear, unless the rules say otherwise.
HIGH_RATE: Final = 250_000


class Subject(StrEnum):
    """Whose traffic is measured."""

    ACCOUNT = "account"
    DID = "did"  # each of its numbers by itself: called, shown as caller ID, or forwarding


class Comparison(StrEnum):
    """How a measure is compared with a threshold."""

    ABOVE = "above"
    AT_LEAST = "at_least"
    BELOW = "below"
    AT_MOST = "at_most"


@dataclass(frozen=True, slots=True)
class Condition:
    """One signal: a measure beyond a threshold, on a sample that is large enough."""

    measure: Measure
    window: Window
    way: Way
    comparison: Comparison
    threshold: Decimal
    sample_min: int = 0

    @property
    def ways(self) -> tuple[bool, ...]:
        return WAYS[self.way]

    def met(self, tally: Tally, whole: Tally, now_us: int) -> Figure | None:
        """The figure that meets it."""
        ways = WAYS[self.way]
        sample = tally.count(self.window, self.measure.sample, *ways)
        if sample < self.sample_min:
            return None
        reading = self.measure.read(Asked(tally, whole, self.window, ways, now_us))
        if not self._is_beyond(reading):
            return None
        return Figure(
            measure=self.measure.name,
            window=self.window,
            value=str(reading),
            sample=sample,
            threshold=f"{self.comparison.replace('_', ' ')} {self.threshold}",
        )

    def _is_beyond(self, reading: Reading) -> bool:
        if not reading.is_known:
            return False
        match self.comparison:
            case Comparison.ABOVE:
                return reading.exceeds(self.threshold)
            case Comparison.AT_LEAST:
                return reading.reaches(self.threshold)
            case Comparison.BELOW:
                return not reading.reaches(self.threshold)
            case Comparison.AT_MOST:
                return not reading.exceeds(self.threshold)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """`needed` of the conditions make it broken; each action is then a verdict of its own."""

    name: str
    subject: Subject = Subject.ACCOUNT
    conditions: tuple[Condition, ...]
    needed: int
    actions: tuple[Action, ...]
    expires_after_s: int | None = None
    lift_below_s: int | None = None  # lifted when it was not broken for so long
    ends_calls: bool = False
    max_calls: int | None = None
    calls_per_second: int | None = None
    enabled: bool = True

    @property
    def restricts(self) -> bool:
        return any(action is not Action.ALERT for action in self.actions)

    @property
    def windows(self) -> set[Window]:
        """The windows that have to be whole for it to be judged."""
        return {window for one in self.conditions for window in (one.window, *one.measure.habit)}

    def broken(self, tally: Tally, whole: Tally, now_us: int) -> tuple[Figure, ...] | None:
        """The figures of the conditions that are met; None where those are too few."""
        figures: list[Figure] = []
        spare = len(self.conditions) - self.needed
        for condition in self.conditions:
            figure = condition.met(tally, whole, now_us)
            if figure is not None:
                figures.append(figure)
            elif spare > 0:
                spare -= 1
            else:
                return None
        return tuple(figures) if len(figures) >= self.needed else None

    def concerns(self, way: bool) -> bool:
        """Whether a call in that direction can break it."""
        return any(way in condition.ways for condition in self.conditions)


@dataclass(frozen=True, slots=True)
class Override:
    """What is different of one rule for the accounts of a plan, or for one account."""

    rule: str
    changes: Mapping[str, Any]  # fields of Rule
    plan: str = ""
    account_id: int = 0

    def applied(self, rule: Rule) -> Rule:
        return replace(rule, **self.changes)


Overrides = tuple[Override, ...]


@dataclass(frozen=True, slots=True)
class Layers:
    """The overrides of one rule: all of a plan's made into one, and all of an account's."""

    plans: dict[str, Override] = field(default_factory=dict)
    accounts: dict[int, Override] = field(default_factory=dict)

    def add(self, override: Override) -> None:
        """A later one's changes win."""
        layer: dict[Any, Override] = self.plans if override.plan else self.accounts
        whose = override.plan or override.account_id
        before = layer[whose].changes if whose in layer else {}
        layer[whose] = replace(override, changes={**before, **override.changes})

    def of(self, account_id: int, plan: str) -> Overrides:
        """In the order in which they are applied."""
        both = self.plans.get(plan), self.accounts.get(account_id)
        return tuple(override for override in both if override is not None)

    def pairs(self, kind: Callable[[Override], Hashable]) -> Iterator[Overrides]:
        """What one account may have together, or nothing; of overrides of one kind one is enough."""
        plans, accounts = (
            {kind(override): override for override in reversed(layer.values())}
            for layer in (self.plans, self.accounts)
        )
        for pair in product((None, *plans.values()), (None, *accounts.values())):
            yield tuple(override for override in pair if override is not None)


def applied(overrides: Overrides, rule: Rule) -> Rule:
    return reduce(lambda so_far, override: override.applied(so_far), overrides, rule)


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The rules in force; `of` an account, after the overrides: a plan's first, then its own."""

    rules: tuple[Rule, ...] = ()
    overrides: tuple[Override, ...] = ()
    high_rate: int = HIGH_RATE
    _own: frozenset[int] = field(
        init=False, compare=False, repr=False
    )  # accounts with overrides of their own
    lifting: frozenset[str] = field(init=False, compare=False, repr=False)  # rules that lift, for anybody
    _layers: dict[str, Layers] = field(init=False, compare=False, repr=False)  # by the rule's name
    _of: dict[tuple[int, str, Subject, bool], tuple[Rule, ...]] = field(
        default_factory=dict, compare=False, repr=False
    )

    def __post_init__(self) -> None:
        layers = {rule.name: Layers() for rule in self.rules}
        for override in self.overrides:
            layers[override.rule].add(override)
        object.__setattr__(self, "_own", frozenset(override.account_id for override in self.overrides))
        object.__setattr__(self, "_layers", layers)
        lifting = frozenset(rule.name for _, rule in self.combined(_lifts) if rule.lift_below_s is not None)
        object.__setattr__(self, "lifting", lifting)

    @property
    def by_plan(self) -> bool:
        """Whether it matters on which plan an account is."""
        return any(layers.plans for layers in self._layers.values())

    def of(self, account_id: int, plan: str, subject: Subject, way: bool) -> tuple[Rule, ...]:
        """The account's rules on such a subject that a call in that direction can break."""
        key = (account_id if account_id in self._own else 0, plan, subject, way)
        if key not in self._of:
            rules = self.of_account(*key[:2]).values()
            self._of[key] = tuple(rule for rule in rules if rule.subject is subject and rule.concerns(way))
        return self._of[key]

    def of_account(self, account_id: int, plan: str) -> dict[str, Rule]:
        """All rules of an account, by name."""
        rules = (applied(self._layers[rule.name].of(account_id, plan), rule) for rule in self.rules)
        return {rule.name: rule for rule in rules if rule.enabled}

    def combined(self, kind: Callable[[Override], Hashable]) -> Iterator[tuple[Overrides, Rule]]:
        """Each rule as accounts may get it, and by which overrides; of those of one `kind` one is enough."""
        for rule in self.rules:
            for overrides in self._layers[rule.name].pairs(kind):
                yield overrides, applied(overrides, rule)

    def needs(self, subject: Subject) -> Needs:
        """What has to be kept of that kind of subject, for all of the rules of anybody."""
        asked = {
            (one.measure, one.window, one.way)
            for _, rule in self.combined(_measured)
            if rule.subject is subject and rule.enabled
            for one in rule.conditions
        }
        each = (needs_of(*one, self.high_rate) for one in asked)
        return reduce(_together, each, Needs(high_rate=self.high_rate))


def _lifts(override: Override) -> Hashable:
    """What of it says whether anything is lifted."""
    return "lift_below_s" in override.changes, override.changes.get("lift_below_s") is None


def _measured(override: Override) -> Hashable:
    """What of it says what is measured, and of whom."""
    conditions = override.changes.get("conditions")
    asked = conditions and frozenset((one.measure, one.window, one.way) for one in conditions)
    return asked, override.changes.get("subject"), override.changes.get("enabled")


def _together(one: Needs, other: Needs) -> Needs:
    return Needs(
        windows=one.windows | other.windows,
        numbers=one.numbers | other.numbers,
        runs=one.runs | other.runs,
        seconds=one.seconds | other.seconds,
        countries=one.countries or other.countries,
        high_rate=one.high_rate,
    )
