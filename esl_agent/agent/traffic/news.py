"""Says in the log what operators did about an account's traffic."""

from __future__ import annotations

from collections.abc import Callable, Collection

from esl_agent.agent.database import Connects
from esl_agent.agent.traffic.saying import fields_of, fields_of_cleared
from esl_agent.core.traffic.restriction import TRAFFIC
from esl_agent.noc.log import Log
from esl_agent.store.restrictions import find_restrictions


class RestrictionNews:
    """`changed` is told which were made or cleared; what a rule made is said by the daemon that wrote it."""

    def __init__(self, database: Connects, log: Log, may_act: Callable[[], bool]) -> None:
        self._database = database
        self._log = log
        self._may_act = may_act

    def changed(self, restrictions: Collection[int]) -> None:
        """Raises one of OUTAGE."""
        if not restrictions or not self._may_act():
            return
        with self._database.connection() as conn:
            found = find_restrictions(conn, restrictions)
        for kept in found:
            if kept.cleared_at is not None:
                self._log("TRAFFIC_CLEARED", **fields_of_cleared(kept))
            elif kept.restriction.made_by != TRAFFIC:
                self._log("TRAFFIC_RESTRICTED", **fields_of(kept.restriction))
