"""Numbering: what customers dial, turned into digits, a country and a class."""

from esl_agent.core.numbering.number import Number, NumberClass, NumberError

__all__ = ["Number", "NumberClass", "NumberError"]
