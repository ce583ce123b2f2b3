"""What NOC staff see of a number: its last four digits, as in the database's views for them (sql/0020)."""

from __future__ import annotations

from typing import overload

from esl_agent.noc.log import mask_number
from esl_agent.web.gate import Caller


@overload
def shown(caller: Caller, number: str) -> str: ...
@overload
def shown(caller: Caller, number: str | None) -> str | None: ...
def shown(caller: Caller, number: str | None) -> str | None:
    """The number as this caller may see it."""
    return number if number is None or caller.sees_all else mask_number(number)
