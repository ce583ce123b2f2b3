"""The cast, their months of calls, and what a set of rules made of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from heapq import merge
from random import Random
from typing import Final

from esl_agent.core.traffic.call import AMOUNT_UNITS, CdrFacts, TrafficCall, counted
from esl_agent.core.traffic.replay import replay
from esl_agent.core.traffic.rules import RuleSet
from esl_agent.core.traffic.verdict import Verdict

from .guilty import WAYS
from .people import (
    BEGINS_US,
    BUSY_OFFICE,
    CLINIC,
    COLLECTOR_OF_POINTS,
    DAY,
    DAYS,
    EXPORTER,
    HABIT_DAYS,
    HELP_DESK,
    HOME,
    HOUR,
    OFFICE,
    SHOP,
    TRAVEL_AGENCY,
    Maker,
    Person,
)

JUDGED_FROM_US: Final = BEGINS_US + HABIT_DAYS * DAY


def at(day: int, hour: int) -> int:
    return BEGINS_US + day * DAY + hour * HOUR


CAST: Final = (
    *(Person(1001 + n, "home", HOME) for n in range(6)),
    *(Person(1021 + n, "office", OFFICE) for n in range(3)),
    Person(1031, "shop", SHOP),
    Person(1032, "clinic that reminds its patients", CLINIC),
    Person(1033, "help desk", HELP_DESK),
    Person(1034, "exporter", EXPORTER),
    Person(1035, "travel agency that calls Cuba", TRAVEL_AGENCY),
    Person(1036, "busy office", BUSY_OFFICE),
    Person(1037, "home that is on hold a lot", COLLECTOR_OF_POINTS),
    Person(
        2001, "call centre, by hand", OFFICE, "call_centre", at(38, 0), ("short-calls", "dialer-two-signals")
    ),
    Person(2002, "predictive dialer", OFFICE, "predictive_dialer", at(43, 10), ("dialer-unanswered",)),
    Person(2003, "patient dialer, one line", HOME, "patient_dialer", at(39, 0), ("dialer-two-signals",)),
    Person(2004, "war dialer", SHOP, "war_dialer", at(44, 14), ("dialer-sequence",)),
    Person(
        2005, "toll-free pumper", HOME, "toll_free_pumper", at(35, 0), ("toll-free-warning", "toll-free-off")
    ),
    Person(2006, "DID under missed calls", OFFICE, "missed_call_bomb", at(46, 11), ("did-mass-traffic",)),
    Person(
        2007, "hacked PBX, at night", OFFICE, "hacked_at_night", at(45, 2),
        ("new-dear-country", "spend-spike"),
    ),
    Person(
        2008, "hacked PBX, where it calls anyway", TRAVEL_AGENCY, "hacked_where_it_calls_anyway", at(48, 3),
        ("spend-spike", "spend-surge"),
    ),
)  # fmt: skip


def cdrs_of(person: Person, seed: int) -> list[CdrFacts]:
    """All of an account's calls, in the order in which they end."""
    maker = Maker(person, Random(f"{seed} {person.account_id}"))
    rows = [facts for day in range(DAYS) for facts in maker.day(day)]
    if person.guilt:
        rows += WAYS[person.guilt](maker, person.begins_us)
    return sorted(rows, key=_end)


def cdrs(cast: Iterable[Person], seed: int) -> Iterator[CdrFacts]:
    """Everybody's calls, in the order in which they end."""
    return merge(*(cdrs_of(person, seed) for person in cast), key=_end)


@dataclass
class Caught:
    """What became of one account."""

    person: Person
    verdicts: list[Verdict] = field(default_factory=list)
    #: With the first verdict of each rule: bad calls, and what they had cost by then.
    gone: dict[str, tuple[int, Decimal]] = field(default_factory=dict)
    first_bad_us: int | None = None
    calls: int = 0
    _bad: int = 0
    _spent: int = 0

    def see(self, call: TrafficCall, verdicts: list[Verdict]) -> None:
        self.calls += 1
        if self.person.guilt and call.created_us >= self.person.begins_us:
            self.first_bad_us = min(call.created_us, self.first_bad_us or call.created_us)
            self._bad += 1
            self._spent += call.spent
        for verdict in verdicts:
            self.verdicts.append(verdict)
            self.gone.setdefault(verdict.rule, (self._bad, Decimal(self._spent) / AMOUNT_UNITS))

    @property
    def false_alarms(self) -> list[Verdict]:
        """What was said of an honest account, or of a guilty one before it was."""
        begins_us = self.person.begins_us
        return [each for each in self.verdicts if not self.person.guilt or each.at_us < begins_us]

    def delay_us(self, rule: str) -> int | None:
        """How long after the first bad call had begun the rule first spoke of it."""
        begins_us = self.person.begins_us
        said = (each.at_us for each in self.verdicts if each.rule == rule and each.at_us >= begins_us)
        first_us = next(said, None)
        return None if first_us is None or self.first_bad_us is None else first_us - self.first_bad_us


def judge_months(rules: RuleSet, seed: int, cast: tuple[Person, ...] = CAST) -> dict[int, Caught]:
    """By account; the first 30 days are only counted."""
    caught = {person.account_id: Caught(person) for person in cast}
    calls = (call for facts in cdrs(cast, seed) if (call := counted(facts)) is not None)
    for call, verdicts in replay(rules, calls, JUDGED_FROM_US):
        caught[call.account_id].see(call, verdicts)
    return caught


def _end(facts: CdrFacts) -> tuple[int, str]:
    return facts.ended_us, facts.leg_uuid
