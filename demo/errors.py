"""What ends the demo before its end."""

from __future__ import annotations

from esl_agent.errors import EslAgentError


class DemoError(EslAgentError):
    """The demo can't go on; the text says why, and where to look."""


class Stopped(BaseException):
    """Told to stop by a signal: Ctrl-C, or whatever else `number` is."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number
