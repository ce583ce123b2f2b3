"""The file of rules: TOML, checked whole, with every problem told (docs/traffic.md)."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Hashable, Iterator, Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, TypeVar

from esl_agent.core import money
from esl_agent.core.traffic.call import RATE_UNITS
from esl_agent.core.traffic.measures import MEASURES, Way
from esl_agent.core.traffic.rules import HIGH_RATE, Comparison, Condition, Override, Rule, RuleSet, Subject
from esl_agent.core.traffic.verdict import Action
from esl_agent.core.traffic.windows import Window
from esl_agent.errors import EslAgentError

RULES_MAX: Final = 100
CONDITIONS_MAX: Final = 10
OVERRIDES_MAX: Final = 10_000
#: Problems told in full; beyond it they are only counted.
PROBLEMS_TOLD_MAX: Final = 50
NEVER: Final = "never"

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}\Z", re.ASCII)
_DURATION: Final = re.compile(r"([1-9][0-9]{0,5})(m|h|d)\Z", re.ASCII)
_UNIT_S: Final = {"m": 60, "h": 3_600, "d": 86_400}
_THRESHOLD_MAX: Final = Decimal(10) ** 12
_THRESHOLD_DECIMALS: Final = 6
_COUNT_MAX: Final = 1_000_000
_ACCOUNT_MAX: Final = 999_999_999_999_999_999
_TOP: Final = ("high_rate", "rule", "override")

Enumerated = TypeVar("Enumerated", bound=StrEnum)


class RuleFileError(EslAgentError):
    """The file can't be used; `problems` has a line for each thing to put right."""

    def __init__(self, source: str, problems: list[str]) -> None:
        self.problems = problems
        told = problems[:PROBLEMS_TOLD_MAX]
        if len(problems) > len(told):
            told.append(f"… and {len(problems) - len(told)} more")
        super().__init__(f"{source} can't be used:\n" + "\n".join(f"  - {problem}" for problem in told))


def parse_rules(text: str, source: str) -> RuleSet:
    """The rules of a whole file, named `source` in errors; raises RuleFileError."""
    try:
        document = tomllib.loads(text, parse_float=Decimal)
    except (tomllib.TOMLDecodeError, ArithmeticError, RecursionError) as error:
        raise RuleFileError(source, [f"it is not TOML: {error}"]) from None
    problems: list[str] = []
    for key in document.keys() - set(_TOP):
        problems.append(f"{key} is nothing that rules have; there are: {', '.join(_TOP)}")
    rules = list(_each(document, "rule", RULES_MAX, problems, _rule))
    names = {rule.name for rule in rules}
    if len(names) < len(rules):
        repeated = sorted(name for name in names if sum(rule.name == name for rule in rules) > 1)
        problems.append(f"[[rule]] {', '.join(repeated)}: each name may stand once")
    # An override of a rule that is itself wrong is no problem of its own.
    named = names | {str(table.get("name")) for table in _tables(document, "rule")}
    overrides = list(
        _each(document, "override", OVERRIDES_MAX, problems, lambda table: _override(table, rules, named))
    )
    high_rate = _caught(problems, "high_rate", lambda: _rate(document.get("high_rate")))
    if problems:
        raise RuleFileError(source, problems)
    read = RuleSet(
        tuple(rules), tuple(each for each in overrides if each is not None), high_rate or HIGH_RATE
    )
    if problems := list(_together_wrong(read)):
        raise RuleFileError(source, problems)
    return read


class _Wrong(Exception):
    """A value that can't be; the text says which and why."""


Item = TypeVar("Item")


def _each(
    document: Mapping[str, Any],
    key: str,
    most: int,
    problems: list[str],
    read: Callable[[dict[str, Any]], Item],
) -> Iterator[Item]:
    tables = document.get(key, [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        problems.append(f"{key} has to be written [[{key}]], once for each")
        return
    if len(tables) > most:
        problems.append(f"more than {most} [[{key}]]")
        return
    for number, table in enumerate(tables, 1):
        name = table.get("name", table.get("rule", ""))
        where = f"[[{key}]] {number}" + (f" ({name})" if isinstance(name, str) and name else "")
        item = _caught(problems, where, lambda table=table: read(table))  # type: ignore[misc]
        if item is not None:
            yield item


def _tables(document: Mapping[str, Any], key: str) -> Iterator[dict[str, Any]]:
    tables = document.get(key, [])
    if isinstance(tables, list):
        yield from (table for table in tables if isinstance(table, dict))


def _caught(problems: list[str], where: str, read: Callable[[], Item]) -> Item | None:
    try:
        return read()
    except _Wrong as wrong:
        problems.append(f"{where}: {wrong}")
        return None


# A rule.


def _rule(table: dict[str, Any]) -> Rule:
    for key in ("name", "when", "do"):
        if key not in table:
            raise _Wrong(f"{key} is missing")
    name = table["name"]
    if not isinstance(name, str) or not _NAME.match(name):
        raise _Wrong(f"name = {name!r}: give small letters, digits, - and _, at most 64")
    fields = _fields({key: value for key, value in table.items() if key != "name"})
    fields.setdefault("needed", len(fields["conditions"]))
    rule = Rule(name=name, **fields)
    _check(rule)
    return rule


def _override(table: dict[str, Any], rules: list[Rule], named: set[str]) -> Override | None:
    values = dict(table)
    name, plan, account = (values.pop(key, None) for key in ("rule", "plan", "account"))
    if name not in named:
        raise _Wrong(f"rule = {name!r}: there is no such rule; there are: {', '.join(sorted(named))}")
    if (plan is None) == (account is None):
        raise _Wrong("give either plan or account")
    if plan is not None and (not isinstance(plan, str) or not plan):
        raise _Wrong(f"plan = {plan!r}: give a plan's name")
    if account is not None and (type(account) is not int or not 1 <= account <= _ACCOUNT_MAX):
        raise _Wrong(f"account = {account!r}: give an account's number")
    if not values:
        raise _Wrong("nothing is different: give what is, as enabled = false")
    changes = _fields(values)
    if "conditions" in changes:
        changes.setdefault("needed", len(changes["conditions"]))
    rule = next((rule for rule in rules if rule.name == name), None)
    if rule is None:
        return None
    override = Override(rule.name, changes, plan or "", account or 0)
    _check(override.applied(rule))
    return override


def _together_wrong(rules: RuleSet) -> Iterator[str]:
    """Overrides that are right each by itself, and make no rule of an account that has both."""
    for overrides, rule in rules.combined(_shape):
        if rule.enabled:
            try:
                _check(rule)
            except _Wrong as wrong:
                whose = " and of ".join(
                    f"plan {override.plan}" if override.plan else f"account {override.account_id}"
                    for override in overrides
                )
                yield f"[[override]] of {whose} ({rule.name}), taken together: {wrong}"


def _shape(override: Override) -> Hashable:
    """What `_check` looks at: thousands of overrides have a few of these."""
    shapes: dict[str, Callable[[Any], Hashable]] = {
        "conditions": lambda conditions: (
            len(conditions),
            any("countries" in condition.measure.needs for condition in conditions),
        ),
        "expires_after_s": bool,
        "lift_below_s": bool,
        "max_calls": bool,
        "calls_per_second": bool,
    }
    return frozenset(
        (field, shapes[field](value) if field in shapes else value)
        for field, value in override.changes.items()
    )


def _fields(table: dict[str, Any]) -> dict[str, Any]:
    """Fields of Rule, from what stands in the file."""
    unknown = table.keys() - _KEYS.keys()
    if unknown:
        raise _Wrong(f"{', '.join(sorted(unknown))}: there is no such key; there are: {', '.join(_KEYS)}")
    return {field: read(key, table[key]) for key, (field, read) in _KEYS.items() if key in table}


def _check(rule: Rule) -> None:
    """What has to hold between the fields."""
    if not 1 <= rule.needed <= len(rule.conditions):
        raise _Wrong(f"needed = {rule.needed}: there are {len(rule.conditions)} conditions")
    if Action.THROTTLE in rule.actions:
        if rule.max_calls is None and rule.calls_per_second is None:
            raise _Wrong("throttle needs max_calls, calls_per_second, or both")
    elif rule.max_calls is not None or rule.calls_per_second is not None:
        raise _Wrong("max_calls and calls_per_second go with throttle only")
    if Action.SUSPEND_DID in rule.actions and rule.subject is not Subject.DID:
        raise _Wrong('suspend_did needs subject = "did"')
    if not rule.restricts and (rule.expires_after_s or rule.lift_below_s or rule.ends_calls):
        raise _Wrong("an alert restricts nothing: expires, lift_below and ends_calls go with other actions")
    for condition in rule.conditions:
        if rule.subject is Subject.DID and "countries" in condition.measure.needs:
            raise _Wrong(f"{condition.measure.name} is measured of accounts only")


def _condition(value: object) -> Condition:
    if not isinstance(value, dict):
        raise _Wrong("each condition is written { measure = …, window = …, above = … }")
    table = dict(value)
    measure = MEASURES.get(str(table.pop("measure", "")))
    if measure is None:
        raise _Wrong(f"measure = {value.get('measure')!r}: there are: {', '.join(MEASURES)}")
    window = _one_of(Window, "window", table.pop("window", None))
    if window not in measure.windows:
        raise _Wrong(f"{measure.name} is measured over {', '.join(measure.windows)} only")
    default = measure.ways[0]
    way = _one_of(Way, "direction", table.pop("direction", default))
    if way not in measure.ways:
        raise _Wrong(f"{measure.name}: direction has to be {' or '.join(measure.ways)}")
    sample_min = _count("sample", table.pop("sample", 0))
    compared = [comparison for comparison in Comparison if comparison in table]
    if len(compared) != 1 or len(table) != 1:
        raise _Wrong(
            f"{measure.name}: give one of {', '.join(Comparison)}; else measure, window, direction and sample"
        )
    [comparison] = compared
    threshold = _threshold(comparison, table[comparison])
    return Condition(measure, window, way, comparison, threshold, sample_min)


# Values.


def _conditions(key: str, value: object) -> tuple[Condition, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= CONDITIONS_MAX:
        raise _Wrong(f"{key} has to be a list of 1 to {CONDITIONS_MAX} conditions")
    conditions = []
    for number, each in enumerate(value, 1):
        try:
            conditions.append(_condition(each))
        except _Wrong as wrong:
            raise _Wrong(f"condition {number}: {wrong}") from None
    return tuple(conditions)


def _actions(key: str, value: object) -> tuple[Action, ...]:
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or not listed:
        raise _Wrong(f"{key} has to be an action, or a list of them: {', '.join(Action)}")
    return tuple(dict.fromkeys(_one_of(Action, key, each) for each in listed))


def _subject(key: str, value: object) -> Subject:
    return _one_of(Subject, key, value)


def _duration(key: str, value: object) -> int | None:
    """Seconds."""
    if value == NEVER:
        return None
    match = _DURATION.match(value) if isinstance(value, str) else None
    if match is None:
        raise _Wrong(f'{key} = {_shown(value)}: give a time like "30m", "24h" or "7d", or "{NEVER}"')
    return int(match[1]) * _UNIT_S[match[2]]


def _flag(key: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise _Wrong(f"{key} = {_shown(value)}: give true or false")
    return value


def _count(key: str, value: object) -> int:
    if type(value) is not int or not 0 <= value <= _COUNT_MAX:
        raise _Wrong(f"{key} = {_shown(value)}: give a whole number up to {_COUNT_MAX}")
    return value


def _some(key: str, value: object) -> int:
    if _count(key, value) == 0:
        raise _Wrong(f"{key} has to be 1 or more")
    return _count(key, value)


def _threshold(key: str, value: object) -> Decimal:
    """Exact: TOML's decimals are read as such, and never as binary floats."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise _Wrong(f"{key} = {_shown(value)}: give a number")
    try:
        number = Decimal(value)
    except ArithmeticError:
        raise _Wrong(f"{key} = {_shown(value)}: give a number, as 0.15") from None
    if not number.is_finite() or not 0 <= number <= _THRESHOLD_MAX:
        raise _Wrong(f"{key} = {_shown(value)}: give a number from 0 to {_THRESHOLD_MAX:f}")
    if number != round(number, _THRESHOLD_DECIMALS):
        raise _Wrong(f"{key} = {_shown(value)}: at most {_THRESHOLD_DECIMALS} decimals")
    return number


def _rate(value: object) -> int | None:
    """Millionths a minute; None where none is given."""
    if value is None:
        return None
    rate = _threshold("it", value)
    if not 0 < rate <= money.RATE_MAX:
        raise _Wrong(f"{rate}: give a rate a minute above zero, up to {money.RATE_MAX}")
    return int(rate * RATE_UNITS)


def _one_of(kind: type[Enumerated], key: str, value: object) -> Enumerated:
    if isinstance(value, str) and value in set(kind):
        return kind(value)
    raise _Wrong(f"{key} = {_shown(value)}: there are: {', '.join(kind)}")


def _shown(value: object) -> str:
    return f"{value}" if isinstance(value, Decimal) else repr(value)


_KEYS: Final[Mapping[str, tuple[str, Callable[[str, object], object]]]] = {
    "subject": ("subject", _subject),
    "when": ("conditions", _conditions),
    "needed": ("needed", _some),
    "do": ("actions", _actions),
    "expires": ("expires_after_s", _duration),
    "lift_below": ("lift_below_s", _duration),
    "ends_calls": ("ends_calls", _flag),
    "max_calls": ("max_calls", _some),
    "calls_per_second": ("calls_per_second", _some),
    "enabled": ("enabled", _flag),
}
