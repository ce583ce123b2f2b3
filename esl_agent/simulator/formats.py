"""The three ways in which FreeSWITCH writes names and values.

`JSON` is an event as `event json` gets it (switch_event.c,
`switch_event_serialize_json`, printed by cJSON), `PLAIN` as `event plain` and
`uuid_dump` do (`switch_event_serialize`), `CDR` is how mod_json_cdr writes
variables: JSON whose values are URL-encoded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from esl_agent.simulator.leg import Value

#: Texts (names, numbers, addresses) whose URL-encoded form is kept.
_ENCODED_CACHE_MAX: Final = 16_384

_JSON_SPECIAL: Final = re.compile(r'[\x00-\x1f"\\]')
_URL_UNSAFE: Final = frozenset('\r\n #%&+:;<=>?@[\\]^`{|}"')
_HEX: Final = frozenset("0123456789ABCDEF")


def json_text(text: str) -> str:
    """`text` as it stands between the quotes of a JSON string; other than ASCII stays as it is."""
    if not _JSON_SPECIAL.search(text):
        return text
    return json.dumps(text, ensure_ascii=False)[1:-1]


@lru_cache(_ENCODED_CACHE_MAX)
def url_text(text: str) -> str:
    """`text` URL-encoded as switch_utils.c does it.

    A `%0A` that is in the text already stays as it is: that is how a caller's
    name can hold a line end that a hasty reader takes for one.
    """
    out = []
    for i, char in enumerate(text):
        if char == "%" and len(text) - i > 2 and text[i + 1] in _HEX and text[i + 2] in _HEX:
            out.append(char)
        elif char < " " or char > "~" or char in _URL_UNSAFE:
            out.extend(f"%{byte:02X}" for byte in char.encode("utf-8", "surrogateescape"))
        else:
            out.append(char)
    return "".join(out)


def array_text(values: Sequence[str]) -> str:
    """Several values in one text, as the switch keeps them where it has no arrays."""
    return "ARRAY::" + "|:".join(values)


@dataclass(frozen=True, slots=True, eq=False)  # each is one of its kind, and a key of many caches
class Format:
    """A way to write fields one after the other; each begins with what divides it from the last."""

    name: str
    text: Callable[[str], str]  # encodes a part of a value
    field: Callable[[str, str], str]  # a name and an encoded value
    array: Callable[[str, Sequence[str]], str]  # a name and several values, not encoded
    empty: str  # how no value is written

    def any_field(self, name: str, value: Value) -> str:
        """A field with one value or several, not encoded yet."""
        if isinstance(value, str):
            return self.field(name, self.text(value) or self.empty)
        return self.array(name, value)


def _json_field(name: str, encoded: str) -> str:
    return f',"{json_text(name)}":"{encoded}"'


def _json_array(name: str, values: Sequence[str]) -> str:
    if len(values) == 1:
        return _json_field(name, json_text(values[0]))
    return f',"{json_text(name)}":[' + ",".join(f'"{json_text(value)}"' for value in values) + "]"


def _plain_field(name: str, encoded: str) -> str:
    return f"{name}: {encoded}\n"


def _single(values: Sequence[str]) -> str:
    return values[0] if len(values) == 1 else array_text(values)


JSON: Final = Format("json", json_text, _json_field, _json_array, "")
PLAIN: Final = Format(
    "plain",
    url_text,
    _plain_field,
    lambda name, values: _plain_field(name, url_text(_single(values))),
    "_undef_",
)
CDR: Final = Format(
    "cdr",
    url_text,
    _json_field,
    lambda name, values: _json_field(name, url_text(_single(values))),
    "",
)


def format_named(name: str) -> Format | None:
    """The format of events that a client asks for by name; None for one that isn't made here."""
    return {"json": JSON, "plain": PLAIN}.get(name.lower())
