"""The file of rules: what is shipped, what may be changed, and what is said where it is wrong."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from esl_agent.agent.traffic.rules import load_rules
from esl_agent.core.traffic.measures import MEASURES
from esl_agent.core.traffic.rule_file import PROBLEMS_TOLD_MAX, RuleFileError, parse_rules
from esl_agent.core.traffic.rules import Rule, RuleSet
from esl_agent.core.traffic.verdict import Action

ONE = """
[[rule]]
name = "short-calls"
when = [{ measure = "short_share", window = "24h", above = 0.15, sample = 100 }]
do = "alert"
"""


def problems_of(text: str) -> list[str]:
    with pytest.raises(RuleFileError) as caught:
        parse_rules(text, "my.toml")
    assert str(caught.value).startswith("my.toml can't be used")
    return caught.value.problems


def the_rule(rules: RuleSet, name: str, account_id: int = 1, plan: str = "") -> Rule:
    return rules.of_account(account_id, plan)[name]


def test_the_shipped_rules_are_those_of_the_terms() -> None:
    rules = load_rules("")
    said = {
        rule.name: (rule.actions[0].value, [told(condition) for condition in rule.conditions])
        for rule in rules.rules
    }
    unique, unanswered = "unique_share out 1h at_least 0.9 of 50", "asr out 1h below 0.35 of 50"
    short = "short_share out 24h above 0.15 of 100"
    assert said == {
        "short-calls": ("alert", [short]),
        "dialer-two-signals": (
            "suspend_outbound",
            [unique, unanswered, "calls_per_second out 1h at_least 5 of 50", short],
        ),
        "dialer-sequence": ("suspend_outbound", ["sequential_run out 1h at_least 10 of 0"]),
        "dialer-unanswered": ("suspend_outbound", [unique, unanswered]),
        "did-mass-traffic": ("suspend_did", ["short_share both 1h above 0.5 of 50"]),
        "toll-free-warning": ("alert", ["toll_free_share both 30d above 0.25 of 20"]),
        "toll-free-off": ("toll_free_off", ["toll_free_share both 30d above 0.5 of 20"]),
        "spend-spike": ("alert", ["spend out 1h at_least 20 of 0", "spend_factor out 1h at_least 10 of 0"]),
        "spend-surge": (
            "throttle",
            ["spend out 1h at_least 50 of 0", "spend_factor out 1h at_least 30 of 0"],
        ),
        "new-dear-country": ("suspend_outbound", ["new_country_spend out 24h above 10 of 0"]),
    }
    assert the_rule(rules, "dialer-two-signals").needed == 2
    assert rules.high_rate == 250_000


def told(condition: object) -> str:
    names = ("way", "window", "comparison", "threshold")
    measure = getattr(condition, "measure").name  # noqa: B009
    parts = " ".join(str(getattr(condition, name)) for name in names)
    return f"{measure} {parts} of {getattr(condition, 'sample_min')}"  # noqa: B009


def test_thresholds_are_exact() -> None:
    [rule] = parse_rules(ONE, "my.toml").rules
    assert rule.conditions[0].threshold == Decimal("0.15")


def test_an_account_has_its_plans_overrides_and_then_its_own() -> None:
    rules = parse_rules(
        ONE
        + """
[[override]]
account = 1001
rule = "short-calls"
do = ["alert", "suspend_outbound"]
expires = "7d"

[[override]]
plan = "wholesale"
rule = "short-calls"
when = [{ measure = "short_share", window = "24h", above = 0.4, sample = 500 }]
do = "suspend_account"

[[override]]
account = 1002
rule = "short-calls"
enabled = false
""",
        "my.toml",
    )

    assert the_rule(rules, "short-calls", 1, "retail").actions == (Action.ALERT,)
    assert the_rule(rules, "short-calls", 1, "wholesale").actions == (Action.SUSPEND_ACCOUNT,)
    own = the_rule(rules, "short-calls", 1001, "wholesale")
    assert own.actions == (Action.ALERT, Action.SUSPEND_OUTBOUND)
    assert own.conditions[0].sample_min == 500
    assert own.expires_after_s == 7 * 86_400
    assert rules.of_account(1002, "wholesale") == {}
    assert rules.by_plan


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[[rule]", "it is not TOML: Expected ']]' at the end of an array declaration (at line 1"),
        ("[rules]", "rules is nothing that rules have"),
        ("rule = 3", "rule has to be written [[rule]]"),
        ('high_rate = "dear"', "high_rate: it = 'dear': give a number"),
        ("[[rule]]", "[[rule]] 1: name is missing"),
        (ONE + ONE, "[[rule]] short-calls: each name may stand once"),
        (ONE.replace('"short-calls"', '"Short calls"'), "give small letters"),
        (ONE.replace('"alert"', '"alarm"'), "do = 'alarm': there are: alert, throttle"),
        (ONE.replace('"alert"', '"throttle"'), "throttle needs max_calls"),
        (ONE.replace('"alert"', '"suspend_did"'), 'suspend_did needs subject = "did"'),
        (ONE + "max_calls = 3", "go with throttle only"),
        (ONE + 'expires = "1h"', "an alert restricts nothing"),
        (ONE + 'expires = "1 hour"', 'give a time like "30m"'),
        (ONE + "needed = 2", "needed = 2: there are 1 conditions"),
        (ONE + "colour = 1", "colour: there is no such key"),
        (ONE.replace("short_share", "shortness"), "condition 1: measure = 'shortness': there are: attempts"),
        (ONE.replace("24h", "7d"), "condition 1: window = '7d': there are: 1h, 24h, 30d"),
        (ONE.replace("short_share", "sequential_run"), "sequential_run is measured over 1h only"),
        (
            ONE.replace("above = 0.15", "above = 0.15, below = 1"),
            "give one of above, at_least, below, at_most",
        ),
        (ONE.replace("above = 0.15", 'above = 0.15, direction = "up"'), "direction = 'up': there are: out"),
        (ONE.replace("0.15", "-1"), "give a number from 0"),
        (ONE.replace("0.15", "nan"), "give a number from 0"),
        (ONE.replace("0.15", "0.12345678"), "at most 6 decimals"),
        (ONE.replace("sample = 100", "sample = 1.5"), "sample = 1.5: give a whole number"),
        (
            ONE + '[[override]]\nrule = "none"\naccount = 1\nenabled = false',
            "rule = 'none': there is no such",
        ),
        (ONE + '[[override]]\nrule = "short-calls"\nenabled = false', "give either plan or account"),
        (ONE + '[[override]]\nrule = "short-calls"\naccount = 1', "nothing is different"),
        (
            ONE + '[[override]]\nrule = "short-calls"\naccount = "x"\nenabled = false',
            "give an account's number",
        ),
        (
            ONE + '[[override]]\nrule = "short-calls"\naccount = 1\ndo = "throttle"',
            "throttle needs max_calls",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, told: str) -> None:
    assert told in "\n".join(problems_of(text))


def test_every_problem_is_told_at_once_up_to_a_limit() -> None:
    bad = '[[rule]]\nname = "a"\n' * (PROBLEMS_TOLD_MAX + 2)
    with pytest.raises(RuleFileError, match="and 2 more"):
        parse_rules(bad, "my.toml")


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(RuleFileError, match="No such file"):
        load_rules(tmp_path / "traffic.toml")


def test_every_measure_can_be_asked_for_in_each_of_its_ways() -> None:
    conditions = [
        f'{{ measure = "{name}", direction = "{way}", window = "{window}", above = 1 }}'
        for name, measure in MEASURES.items()
        for way in measure.ways
        for window in measure.windows
    ]
    rules = [
        f'[[rule]]\nname = "r{number}"\nwhen = [{condition}]\ndo = "alert"'
        for number, condition in enumerate(conditions)
    ]
    assert len(parse_rules("\n".join(rules[:100]), "my.toml").rules) == min(len(rules), 100)
