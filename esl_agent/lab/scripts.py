"""The texts of SIPp scenarios: one of scenarios/*.xml with its parts put in and its places filled.

`{{+part}}` stands for scenarios/parts/part.xml, `{{part*}}` for one of them for
each digit that is dialled, `{{name}}` for a value.
"""

from __future__ import annotations

import re
from importlib import resources
from typing import Final

from esl_agent.errors import EslAgentError

DIGIT_GAP_MS: Final = 60
#: After the two digits of a feature code, the switch needs a moment before it listens for more.
FEATURE_GAP_MS: Final = 400
FEATURE_DIGITS: Final = 2
#: Of requests during a call, above those that set it up.
FIRST_CSEQ: Final = 3

_PLACE: Final = re.compile(r"\{\{(\w+)\}\}")
_DIGITS: Final = re.compile(r"\{\{(\w+)\*\}\}\n?")
_PART: Final = re.compile(r"\{\{\+(\w+)\}\}\n?")


def script(name: str, *, digits: str = "", **values: object) -> str:
    """The text of a scenario; `digits` are dialled during the call where it says so.

    Raises EslAgentError if one of its places has no value.
    """
    text = _DIGITS.sub(lambda place: _dialled(digits, place[1]), _read(f"{name}.xml"))
    if missing := set(_PLACE.findall(text)) - values.keys():
        raise EslAgentError(f"scenario {name} wants {', '.join(sorted(missing))} as well")
    return _PLACE.sub(lambda place: str(values[place[1]]), text)


def _dialled(digits: str, part: str) -> str:
    return "".join(_digit(_read(f"parts/{part}.xml"), digit, count) for count, digit in enumerate(digits))


def _digit(text: str, digit: str, count: int) -> str:
    gap_ms = FEATURE_GAP_MS if count == FEATURE_DIGITS else DIGIT_GAP_MS
    for place, value in {"digit": digit, "cseq": FIRST_CSEQ + count, "gap_ms": gap_ms}.items():
        text = text.replace("{{" + place + "}}", str(value))
    return text


def _read(path: str) -> str:
    file = resources.files("esl_agent.lab").joinpath("scenarios", *path.split("/"))
    return _PART.sub(lambda part: _read(f"parts/{part[1]}.xml"), file.read_text(encoding="utf-8"))
