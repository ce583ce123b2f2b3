"""How a leg's channel variables come to be: steps of a script, replayed with slots left open.

A switch sets, moves and removes variables as a call goes on, and shows all of
them in every event.  Replaying that for each leg would cost more than a load
test has, so the replay is done once for each *path* (the sequence of steps a
leg has been through) with placeholders in the values; what differs from leg to
leg is filled in when an event is rendered.  Legs share the paths.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from esl_agent.simulator.template import Template

SCRIPT_FILES: Final = ("script_caller.txt", "script_callee.txt", "script_end.txt")

_LINE = re.compile(r"(?:\?(?P<flag>\w+) )?(?P<name>\S+) (?P<how>=|~|:=)(?: (?P<value>.*))?$")


class Field(NamedTuple):
    """A header or variable of an event: its name and how to write its value.

    `value` is text with {slots}; a value of ":slot" stands for a slot that may
    hold several values.  The name "*" stands for the leg's own variables, each
    with `value` before its name.
    """

    name: str
    value: str


#: Where the variables that the dialplan set are listed.
OWN_VARIABLES: Final = Field("*", "")


@dataclass(frozen=True, slots=True)
class _Operation:
    name: str
    value: str | None  # None: unset
    in_place: bool
    flag: str | None  # counts only for a leg that has it

    def apply(self, variables: dict[str, str]) -> None:
        if self.value is None:
            variables.pop(self.name, None)
            return
        if not self.in_place:
            variables.pop(self.name, None)
        variables[self.name] = self.value


class Path:
    """A point in a leg's life: the variables it has there, in the switch's order.

    Two sequences of steps that leave the same variables are the same Path
    object, so the number of them stays small however many calls there are.
    """

    __slots__ = ("_next", "templates", "variables")

    def __init__(self, variables: tuple[Field, ...]) -> None:
        self.variables = variables
        self.templates: dict[object, Template] = {}  # the renderer's, by shape and format
        self._next: dict[tuple[str, frozenset[str]], Path] = {}

    def then(self, step: str, flags: frozenset[str] = frozenset()) -> Path:
        """Where a leg at this point is after one more step of the script."""
        key = (step, flags)
        path = self._next.get(key)
        if path is None:
            variables = dict(self.variables)
            for operation in _script()[step]:
                if operation.flag is None or operation.flag in flags:
                    operation.apply(variables)
            path = self._next[key] = _canonical(tuple(Field(*item) for item in variables.items()))
        return path


@cache
def _canonical(variables: tuple[Field, ...]) -> Path:
    return Path(variables)


#: A leg before its first step.
START: Final = _canonical(())


def steps() -> frozenset[str]:
    """The names of all steps in the script."""
    return frozenset(_script())


@cache
def _script() -> dict[str, tuple[_Operation, ...]]:
    script: dict[str, list[_Operation]] = {}
    for name in SCRIPT_FILES:
        text = files(__package__).joinpath(name).read_text(encoding="utf-8")
        for line in text.splitlines():
            if line.startswith("["):
                operations = script.setdefault(line.strip("[]"), [])
            elif line and not line.startswith("#"):
                operations.append(_operation(line))
    return {step: tuple(operations) for step, operations in script.items()}


def _operation(line: str) -> _Operation:
    if line.startswith("- "):
        return _Operation(line[2:], None, False, None)
    if line == "* dialplan":
        return _Operation(*OWN_VARIABLES, False, None)
    match = _LINE.match(line)
    if match is None:
        raise ValueError(f"not a line of the script: {line!r}")
    value = (match["value"] or "").replace("\\r", "\r").replace("\\n", "\n")
    if match["how"] == ":=":
        value = ":" + value
    return _Operation(match["name"], value, match["how"] == "~", match["flag"])
