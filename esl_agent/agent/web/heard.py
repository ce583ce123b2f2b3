"""What the log has told since the start, kept for the live page."""

from __future__ import annotations

from collections.abc import Callable

from esl_agent.agent.clock import wall_us
from esl_agent.noc.alerts import Alerts
from esl_agent.noc.log import Log
from esl_agent.noc.minutes import Minutes
from esl_agent.noc.overheard import overheard


class Heard:
    """What the log has told so far; `listen` before anything is said."""

    def __init__(self, now_us: Callable[[], int] = wall_us) -> None:
        self.now_us = now_us
        self.alerts = Alerts(now_us)
        self.minutes = Minutes(now_us)

    def listen(self, log: Log) -> Log:
        return overheard(log, self.alerts.hear, self.minutes.hear)
