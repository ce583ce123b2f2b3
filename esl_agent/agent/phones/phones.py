"""Phones that were changed: the switch, which remembers each as it was, is told to look them up again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import gevent

from esl_agent.noc.log import Log
from esl_agent.switch import commands
from esl_agent.switch.commands import Api, CommandError
from esl_agent.switch.errors import SwitchError

#: Phones that a switch which is away is still to be told of.
UNTOLD_MAX: Final = 10_000


class Phones:
    """`changed` is told which phones; what the switch could not be told it is told when it is back."""

    def __init__(self, command: Callable[[Api], str], log: Log) -> None:
        self._command = command
        self._log = log
        self._untold: dict[tuple[str, str], None] = {}

    def changed(self, phones: Iterable[tuple[str, str]]) -> None:
        """Phones by user and domain; returns at once."""
        for phone in phones:
            gevent.spawn(self._forget, *phone)

    def switch_is_back(self) -> None:
        untold, self._untold = self._untold, {}
        self.changed(untold)

    def _forget(self, user: str, domain: str) -> None:
        try:
            self._command(commands.forget_user(user, domain))
        except CommandError as error:
            self._log("SWITCH_COMMAND_FAILED", user=user, domain=domain, answer=str(error))
        except SwitchError as error:
            if len(self._untold) >= UNTOLD_MAX:
                self._log("QUEUE_FULL", queue="phones", limit=UNTOLD_MAX)
                return
            self._untold[user, domain] = None
            self._log("SWITCH_COMMAND_FAILED", user=user, domain=domain, answer=str(error))
        else:
            self._log("PHONE_CHANGED", user=user, domain=domain)
