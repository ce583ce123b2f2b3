"""Events with places left open, compiled once and filled in fast.

A load test renders tens of thousands of events a second, each of 5 to 13 KB in
some 200 fields.  Nearly all of that is the same from call to call, so a
template holds it as one text and filling it in is one `%` operation.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache, lru_cache
from operator import itemgetter
from typing import Any, Final

from esl_agent.simulator.formats import Format
from esl_agent.simulator.headers import Shape, caller_fields, channel_fields
from esl_agent.simulator.leg import Leg, Value
from esl_agent.simulator.script import OWN_VARIABLES, Field, Path
from esl_agent.simulator.slots import ENCODED, LISTS, SLOTS

Get = Callable[[Leg], object]

#: Variables whose written form is kept, for each format and prefix.
_FIELD_CACHE_MAX: Final = 8_192

_SLOT: Final = re.compile(r"\{(\w+)\}")


class Template:
    """Fields in one format, with open places for what differs from leg to leg."""

    __slots__ = ("_encode", "_encoded", "_fill", "_getters", "_text")

    def __init__(self, fields: Iterable[Field], into: Format) -> None:
        getters: dict[str, Get] = {}
        order: list[str] = []
        pieces = []
        for field in fields:
            piece, names = _compile(field, into, getters)
            pieces.append(piece)
            order += names
        positions = {name: i for i, name in enumerate(getters)}
        self._text = "".join(pieces)
        self._getters = tuple(getters.values())
        self._encode = into.text
        self._encoded = tuple(i for i, name in enumerate(getters) if name in ENCODED)
        # Twice a value that isn't shown, since itemgetter gives a tuple for two or more only.
        self._text += "%.0s%.0s"
        self._fill = itemgetter(*(positions[name] for name in order), 0, 0)

    def fill(self, leg: Leg) -> str:
        """The text for `leg`, which must be of the shape and on the path that the fields are of."""
        values: list[Any] = [get(leg) for get in self._getters]
        encode = self._encode
        for i in self._encoded:
            values[i] = encode(values[i])
        filled: str = self._text % self._fill(values)
        return filled


def leg_template(leg: Leg, into: Format) -> Template:
    """All headers and variables of the leg as it is now."""
    shape = Shape.of(leg)
    key = (shape, into.name)
    template = leg.path.templates.get(key)
    if template is None:
        template = leg.path.templates[key] = Template(
            (*channel_fields(shape), *variable_fields(leg.path)), into
        )
    return template


def profile_template(leg: Leg, into: Format) -> Template:
    """The leg's caller profile as Channel-…, as the answer to `connect` has it before all else."""
    key = ("profile", Shape.of(leg), into.name)
    template = leg.path.templates.get(key)
    if template is None:
        fields = caller_fields(Shape.of(leg), "Channel")
        template = leg.path.templates[key] = Template(fields, into)
    return template


def variables_template(leg: Leg, into: Format) -> Template:
    """The leg's variables alone, by their own names."""
    template = leg.path.templates.get(into.name)
    if template is None:
        template = leg.path.templates[into.name] = Template(leg.path.variables, into)
    return template


def variable_fields(path: Path) -> list[Field]:
    """A leg's variables as an event shows them."""
    return [
        Field("*", "variable_") if field == OWN_VARIABLES else Field(f"variable_{field.name}", field.value)
        for field in path.variables
    ]


def _compile(field: Field, into: Format, getters: dict[str, Get]) -> tuple[str, list[str]]:
    """A field as text with %s for its slots, and the keys under which it puts their getters."""
    if field.name == OWN_VARIABLES.name:
        return "%s", [_put(getters, field.name, _own_variables(field.value, into))]
    if field.value.startswith(":"):
        return "%s", [_put(getters, field.value, _several_values(field, into))]
    parts = _SLOT.split(field.value)  # text, slot, text, slot, …
    empty = into.empty if field.value == "{" + "".join(parts[1:2]) + "}" else ""
    keys = []
    for i, part in enumerate(parts):
        if i % 2 == 0:
            parts[i] = into.text(part).replace("%", "%%")
        else:
            parts[i] = "%s"
            keys.append(_put(getters, part + empty, _single_value(part, into, empty)))
    return into.field(field.name.replace("%", "%%"), "".join(parts) or into.empty), keys


def _put(getters: dict[str, Get], key: str, get: Get) -> str:
    getters.setdefault(key, get)
    return key


def _single_value(slot: str, into: Format, empty: str) -> Get:
    get = SLOTS[slot]
    if not empty or slot not in ENCODED:
        return get
    encode = into.text
    return lambda leg: encode(str(get(leg))) or empty


def _several_values(field: Field, into: Format) -> Get:
    get = LISTS[field.value[1:]]
    return lambda leg: into.array(field.name, get(leg))


def _own_variables(prefix: str, into: Format) -> Get:
    write = _field_writer(prefix, into)
    return lambda leg: "".join([write(name, value) for name, value in leg.variables.items()])


@cache
def _field_writer(prefix: str, into: Format) -> Callable[[str, Value], str]:
    """Writes a variable; the same ones come in every event of a leg, and much the same in every leg."""
    return lru_cache(_FIELD_CACHE_MAX)(lambda name, value: into.any_field(prefix + name, value))
