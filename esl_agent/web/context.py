"""What every route is given."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from esl_agent.config import Config
from esl_agent.noc.log import Log
from esl_agent.web.gate import Gate
from esl_agent.web.ports import Books, Ports
from esl_agent.web.problems import ProblemError


@dataclass(frozen=True, slots=True)
class Context:
    config: Config
    ports: Ports
    reads: Books  # under the daemon's own role
    acts: Books | None  # under the office's; None where no [web] database_url is set
    gate: Gate
    log: Log

    def office(self) -> Books:
        """Who acts on accounts; raises ProblemError where there is no such login."""
        if self.acts is None:
            raise ProblemError(
                HTTPStatus.NOT_IMPLEMENTED,
                "this daemon has no login to the database that may act on accounts",
                to_do="set [web] database_url to a login with the role esl_agent_office",
            )
        return self.acts
