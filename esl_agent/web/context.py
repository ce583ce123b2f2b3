"""What every route is given."""

from __future__ import annotations

from dataclasses import dataclass

from esl_agent.config import Config
from esl_agent.noc.log import Log
from esl_agent.web.gate import Gate
from esl_agent.web.ports import Books, Ports


@dataclass(frozen=True, slots=True)
class Context:
    config: Config
    ports: Ports
    reads: Books  # under the daemon's own role
    acts: Books | None  # under the office's; None where no [web] database_url is set
    gate: Gate
    log: Log
