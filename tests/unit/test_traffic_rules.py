"""The file of rules: what is shipped, what may be changed, and what is said where it is wrong."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from fixtures.traffic_oracle import a_call

from esl_agent.agent.traffic.rules import load_rules
from esl_agent.core.traffic.judge import Judge
from esl_agent.core.traffic.measures import MEASURES
from esl_agent.core.traffic.rule_file import OVERRIDES_MAX, PROBLEMS_TOLD_MAX, RuleFileError, parse_rules
from esl_agent.core.traffic.rules import Rule, RuleSet, Subject
from esl_agent.core.traffic.tally import EVERYTHING, Tally
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


THREE = """
[[rule]]
name = "signals"
needed = 2
when = [
  { measure = "attempts", window = "1h", at_least = 5 },
  { measure = "short_share", window = "1h", above = 0.5 },
  { measure = "asr", window = "1h", below = 0.3 },
]
do = "alert"
"""


BUSY = 'when = [{ measure = "attempts", window = "1h", at_least = 9 }]'


def an_override(whose: str, what: str, rule: str = "signals") -> str:
    return f'[[override]]\n{whose}\nrule = "{rule}"\n{what}\n'


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (
            an_override('plan = "wholesale"', BUSY) + an_override("account = 1001", "needed = 3"),
            "[[override]] of plan wholesale and of account 1001 (signals), taken together:"
            " needed = 3: there are 1 conditions",
        ),
        (
            an_override('plan = "wholesale"', 'do = "throttle"\nmax_calls = 2')
            + an_override("account = 1001", 'do = "suspend_outbound"'),
            "[[override]] of plan wholesale and of account 1001 (signals), taken together:"
            " max_calls and calls_per_second go with throttle only",
        ),
        (
            an_override("account = 1001", "needed = 3")
            + an_override("account = 1001", BUSY)
            + an_override("account = 1001", "needed = 2"),
            "[[override]] of account 1001 (signals), taken together: needed = 2: there are 1 conditions",
        ),
    ],
)
def test_overrides_that_make_no_rule_together_are_told_with_whose_they_are(overrides: str, told: str) -> None:
    assert problems_of(THREE + overrides) == [told]


def test_a_rule_that_needs_more_conditions_than_it_has_is_never_broken() -> None:
    [rule] = parse_rules(THREE, "my.toml").rules
    tally = Tally(EVERYTHING, 0)
    assert replace(rule, conditions=rule.conditions[:1]).broken(tally, tally, 0) is None


def test_what_is_kept_is_what_some_account_s_rules_ask_for() -> None:
    """Of a plan's override and an account's together, too: neither alone has the day counted."""
    off = THREE.replace('do = "alert"', 'do = "alert"\nenabled = false')
    on = an_override('plan = "wholesale"', "enabled = true")
    day = an_override("account = 1001", 'when = [{ measure = "attempts", window = "24h", at_least = 1 }]')
    texts = ("", on, day, on + day)
    needs = [parse_rules(off + text, "my.toml").needs(Subject.ACCOUNT) for text in texts]

    assert [sorted({window for _, window in each.windows}) for each in needs] == [
        [], ["1h"], [], ["1h", "24h"],
    ]  # fmt: skip
    judge = Judge(parse_rules(off + on + day, "my.toml"))
    [verdict] = judge.see(a_call(10**15), 10**15, "wholesale")
    assert verdict.figures[0].window == "24h"


def test_thousands_of_overrides_are_read_by_their_kinds_and_not_by_their_pairs() -> None:
    half = OVERRIDES_MAX // 2
    when = 'when = [{{ measure = "attempts", window = "1h", at_least = {} }}]'
    plans = (an_override(f'plan = "p{n}"', when.format(n)) for n in range(half))
    accounts = (an_override(f"account = {n + 1}", when.format(n)) for n in range(half))

    rules = parse_rules(THREE + "".join([*plans, *accounts]), "my.toml")

    kinds = list(rules.combined(lambda override: len(override.changes)))
    assert len(kinds) == 4
    assert the_rule(rules, "signals", 77, "p50").conditions[0].threshold == 76
    assert the_rule(rules, "signals", half + 1, "p50").conditions[0].threshold == 50


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
