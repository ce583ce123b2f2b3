"""A rule is told once; what ended is not held against anybody twice."""

from __future__ import annotations

from typing import Any, Final

from fixtures.traffic_oracle import DAY, HOUR, S, a_call

from esl_agent.core.traffic.evidence import evidence
from esl_agent.core.traffic.judge import Judge, Key, Whose
from esl_agent.core.traffic.rule_file import parse_rules
from esl_agent.core.traffic.rules import RuleSet
from esl_agent.core.traffic.verdict import EVIDENCE_CALLS_MAX, Action, Verdict

#: On a bucket's edge in every window.
NOON: Final = 1_772_323_200 * S
WHOSE: Final = Whose(1001)


def rules(when: str, **keys: object) -> RuleSet:
    lines = "\n".join(f"{key} = {value}" for key, value in {"do": '"suspend_outbound"', **keys}.items())
    return parse_rules(f'[[rule]]\nname = "r"\nwhen = [{when}]\n{lines}', "test")


FIVE: Final = '{ measure = "attempts", direction = "out", window = "1h", at_least = 5 }'


def see(judge: Judge, count: int, at_us: int, **changes: Any) -> list[Verdict]:
    """So many calls, a second apart."""
    calls = (a_call(at_us + n * S, leg_uuid=f"{at_us}-{n}", **changes) for n in range(count))
    return [verdict for call in calls for verdict in judge.see(call, call.at_us)]


def test_a_verdict_says_what_is_done_and_by_which_figures() -> None:
    judge = Judge(rules(FIVE, expires='"24h"', ends_calls="true"))
    [verdict] = see(judge, 5, NOON)
    assert (verdict.rule, verdict.action, verdict.account_id, verdict.did) == (
        "r", Action.SUSPEND_OUTBOUND, 1001, "",
    )  # fmt: skip
    assert (verdict.expires_after_s, verdict.ends_calls, verdict.at_us) == (86_400, True, NOON + 4 * S)
    [figure] = verdict.figures
    assert (figure.measure, figure.window, figure.value, figure.threshold) == (
        "attempts", "1h", "5", "at least 5",
    )  # fmt: skip


def test_a_restriction_is_told_once_for_as_long_as_it_stands() -> None:
    judge = Judge(rules(FIVE))
    assert len(see(judge, 5, NOON)) == 1
    assert see(judge, 50, NOON + 60 * S) == []
    assert see(judge, 50, NOON + 5 * HOUR) == []


def test_an_alert_is_told_again_when_it_was_quiet_and_a_day_has_gone() -> None:
    judge = Judge(rules(FIVE, do='"alert"'))
    assert len(see(judge, 9, NOON)) == 1
    assert see(judge, 9, NOON + 5 * HOUR) == []
    assert len(see(judge, 9, NOON + 25 * HOUR)) == 1


def test_an_alert_whose_rule_never_was_quiet_is_not_told_again() -> None:
    judge = Judge(rules(FIVE.replace("1h", "30d"), do='"alert"'))
    assert [len(see(judge, 5, NOON + day * DAY)) for day in range(5)] == [1, 0, 0, 0, 0]


def test_when_a_restriction_has_expired_its_rule_counts_anew() -> None:
    judge = Judge(rules(FIVE.replace("1h", "24h"), expires='"2h"'))
    assert len(see(judge, 8, NOON)) == 1
    assert see(judge, 4, NOON + 3 * HOUR) == []
    assert len(see(judge, 1, NOON + 4 * HOUR)) == 1


def test_when_a_restriction_was_cleared_only_calls_after_it_count() -> None:
    judge = Judge(rules(FIVE))
    see(judge, 8, NOON)
    cleared_us = NOON + 5 * S
    after = [a_call(NOON + n * S) for n in (6, 7)]
    judge.ended(Key("r", WHOSE), cleared_us, NOON + 20 * S, after)

    assert see(judge, 2, NOON + 60 * S) == []
    assert len(see(judge, 1, NOON + 90 * S)) == 1


def test_a_country_that_was_looked_at_is_not_new_after_a_restriction_is_cleared() -> None:
    when = '{ measure = "new_country_spend", direction = "out", window = "24h", above = 10 }'
    judge = Judge(rules(when))
    cuba = {"country": "CU", "rate": 790_000, "spent": 60_000}
    assert len(see(judge, 2, NOON, **cuba)) == 1
    judge.ended(Key("r", WHOSE), NOON + 60 * S, NOON + 60 * S)

    assert see(judge, 9, NOON + 120 * S, **cuba) == []
    assert len(see(judge, 2, NOON + 180 * S, **{**cuba, "country": "LV"})) == 1


def test_the_habit_of_an_account_outlives_a_clearing() -> None:
    when = (
        '{ measure = "spend", direction = "out", window = "1h", at_least = 20 },'
        '{ measure = "spend_factor", direction = "out", window = "1h", at_least = 10 }'
    )
    judge = Judge(rules(when))
    for day in range(1, 20):
        for n in range(24):  # a mean of 4.00 an hour
            judge.add(a_call(NOON - day * DAY - HOUR, spent=40_000, leg_uuid=f"{day} {n}"), NOON)
    assert len(see(judge, 1, NOON, spent=500_000)) == 1
    judge.ended(Key("r", WHOSE), NOON + 60 * S, NOON + 60 * S)

    assert see(judge, 1, NOON + 120 * S, spent=300_000) == []
    assert len(see(judge, 1, NOON + 180 * S, spent=300_000)) == 1


def test_a_restriction_is_lifted_when_its_rule_was_not_broken_for_long_enough() -> None:
    judge = Judge(rules(FIVE, lift_below='"3h"'))
    see(judge, 5, NOON)
    [key] = judge.liftable()
    assert not judge.is_to_be_lifted(key, NOON + 60 * S)
    assert not judge.is_to_be_lifted(key, NOON + 2 * HOUR)
    assert not judge.is_to_be_lifted(key, NOON + 4 * HOUR)
    assert judge.is_to_be_lifted(key, NOON + 5 * HOUR)


def test_two_of_several_signals_are_enough_where_two_are_needed() -> None:
    when = (
        '{ measure = "short_share", direction = "out", window = "24h", above = 0.15, sample = 4 },'
        '{ measure = "asr", direction = "out", window = "1h", below = 0.35, sample = 4 },'
        '{ measure = "sequential_run", direction = "out", window = "1h", at_least = 3 }'
    )
    judge = Judge(rules(when, needed=2))
    assert see(judge, 8, NOON, talk_us=2 * S) == []
    [verdict] = see(judge, 40, NOON + 60 * S, talk_us=None)
    assert [figure.measure for figure in verdict.figures] == ["short_share", "asr"]


def test_a_rule_on_numbers_judges_each_by_itself() -> None:
    judge = Judge(rules(FIVE.replace('"out"', '"in"'), subject='"did"', do='"suspend_did"'))
    assert see(judge, 4, NOON, is_outbound=False, did="15145550100") == []
    assert see(judge, 4, NOON, is_outbound=False, did="15145550101") == []
    [verdict] = see(judge, 1, NOON + 60 * S, is_outbound=False, did="15145550101")
    assert verdict.did == "15145550101"


def test_the_evidence_is_the_latest_of_the_calls_that_show_it() -> None:
    when = '{ measure = "short_share", direction = "out", window = "1h", above = 0.15, sample = 5 }'
    judge = Judge(rules(when))
    short = [a_call(NOON + n * S, leg_uuid=f"s{n:02}", talk_us=S) for n in range(30)]
    long = [a_call(NOON + n * S, leg_uuid=f"l{n}") for n in range(10)]
    old = [a_call(NOON - 2 * HOUR, leg_uuid="old", talk_us=S)]
    for call in long:
        judge.add(call, call.at_us)
    [verdict] = [each for call in short for each in judge.see(call, call.at_us)]

    calls = evidence(verdict, judge.rules.of_account(1001, "")["r"], [*long, *old, *short])

    ended = [call.leg_uuid for call in short if call.at_us <= verdict.at_us]
    assert [call.leg_uuid for call in calls] == ended[::-1][:EVIDENCE_CALLS_MAX]


def test_who_has_not_called_for_a_month_is_forgotten() -> None:
    judge = Judge(rules(FIVE))
    see(judge, 3, NOON)
    assert judge.forget_idle(NOON + 30 * DAY) == 0
    judge.forget_idle(NOON + 32 * DAY)
    judge.forget_idle(NOON + 32 * DAY)
    assert len(judge) == 0
