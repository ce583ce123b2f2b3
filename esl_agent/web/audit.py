"""Who did what: a line in the log for each act."""

from __future__ import annotations

from esl_agent.web.context import Context
from esl_agent.web.gate import Caller


def acted(context: Context, caller: Caller, act: str, **fields: object) -> None:
    context.log("API_ACTED", act=act, token=caller.name, address=caller.address, **fields)


def signature(caller: Caller) -> str:
    """How the books name who did it."""
    return f"api {caller.name}"
