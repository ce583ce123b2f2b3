"""`python -m tests.traffic [SEEDS]`: a month by each of so many seeds, told in RESULTS.md."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Final

from esl_agent.agent.traffic.rules import load_rules

from .months import CAST, Caught, judge_months
from .people import DAY, HOUR, MINUTE, Person, S

SEEDS: Final = 10
REPORT: Final = Path(__file__).with_name("RESULTS.md")

HEAD: Final = """\
# What the shipped rules make of months with known truth

`python -m tests.traffic {seeds}`: {honest} honest and {guilty} guilty accounts (people.py, guilty.py), each
for a month of habit that is only counted and a month that is judged, by {seeds} seeds; {calls:,} calls
were judged. What would have been stopped goes on here, as in `esl-agent traffic replay`. A call counts
when it has ended.

## The guilty

After the first bad call had begun, the median of the seeds; in front what restricts, and first the quickest.

| who | rule | does | caught in | after | bad calls by then | they had cost |
|---|---|---|---:|---:|---:|---:|
"""
MIDDLE: Final = """
## The honest

| who | accounts | months | false alarms |
|---|---:|---:|---|
"""


def main(seeds: int) -> None:
    rules = load_rules("")
    months = [judge_months(rules, seed) for seed in range(1, seeds + 1)]
    honest = [person for person in CAST if not person.guilt]
    calls = sum(one.calls for month in months for one in month.values())
    head = HEAD.format(seeds=seeds, honest=len(honest), guilty=len(CAST) - len(honest), calls=calls)
    guilty = [line for person in CAST if person.guilt for line in _of_guilty(person, months)]
    text = head + "\n".join(guilty) + "\n" + MIDDLE + "\n".join(_of_honest(honest, months)) + "\n"
    before = [
        alarm for month in months for one in month.values() if one.person.guilt for alarm in one.false_alarms
    ]
    text += f"\nBefore they were guilty, the guilty were accused {len(before)} times.\n"
    REPORT.write_text(text)
    print(text)


def _of_guilty(person: Person, months: Sequence[dict[int, Caught]]) -> Iterator[str]:
    mine = [month[person.account_id] for month in months]
    rules = {verdict.rule: verdict.action for one in mine for verdict in one.verdicts}
    delays = {rule: [delay for one in mine if (delay := one.delay_us(rule)) is not None] for rule in rules}
    for rule in sorted(rules, key=lambda rule: (rules[rule] == "alert", median(delays[rule]))):
        gone = [one.gone[rule] for one in mine if rule in one.gone]
        money = median(spent for _, spent in gone)
        yield (
            f"| {person.name} | `{rule}` | {rules[rule]} | {len(gone)} of {len(mine)}"
            f" | {_time(median(delays[rule]))} | {median(calls for calls, _ in gone):,.0f} | {money:.2f} |"
        )


def _of_honest(honest: Sequence[Person], months: Sequence[dict[int, Caught]]) -> Iterator[str]:
    for name in dict.fromkeys(person.name for person in honest):
        people = [person for person in honest if person.name == name]
        alarms = [
            alarm.rule
            for month in months
            for person in people
            for alarm in month[person.account_id].false_alarms
        ]
        told = ", ".join(f"`{rule}` {alarms.count(rule)}" for rule in dict.fromkeys(alarms)) or "none"
        yield f"| {name} | {len(people)} | {len(people) * len(months)} | {told} |"


def _time(us: float) -> str:
    if us < HOUR:
        return f"{us / MINUTE:.1f} min" if us >= MINUTE else f"{us / S:.0f} s"
    return f"{us / HOUR:.1f} h" if us < 2 * DAY else f"{us / DAY:.1f} days"


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else SEEDS)
