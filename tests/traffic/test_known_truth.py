"""The shipped rules catch the guilty, each by its rules, and leave the honest alone, for a month."""

from __future__ import annotations

import pytest

from esl_agent.agent.traffic.rules import load_rules

from .months import CAST, Caught, judge_months

SEED = 1
GUILTY = [person for person in CAST if person.guilt]


@pytest.fixture(scope="module")
def caught() -> dict[int, Caught]:
    return judge_months(load_rules(""), SEED)


@pytest.mark.parametrize("person", GUILTY, ids=[person.guilt for person in GUILTY])
def test_the_guilty_are_caught(caught: dict[int, Caught], person: object) -> None:
    one = next(each for each in caught.values() if each.person is person)
    assert set(one.person.expected) <= {verdict.rule for verdict in one.verdicts}


def test_nobody_honest_is_accused(caught: dict[int, Caught]) -> None:
    said = {(one.person.name, verdict.rule) for one in caught.values() for verdict in one.false_alarms}
    assert said == set()
