"""Numbering: what customers dial, turned into digits, a country and a class."""

from esl_agent.core.numbering.number import Number, NumberClass, NumberError, Reason
from esl_agent.core.numbering.numbering import Numbering
from esl_agent.core.numbering.overrides import Override, OverrideError, parse_overrides

__all__ = [
    "Number",
    "NumberClass",
    "NumberError",
    "Numbering",
    "Override",
    "OverrideError",
    "Reason",
    "parse_overrides",
]
