"""How many files the daemon may have open: every call that asks, and every peer, is one."""

from __future__ import annotations

import resource
from typing import Final

from esl_agent.config import Config
from esl_agent.noc.log import Log

#: For everything whose number doesn't grow: the log, the event socket, gevent's own.
OPEN_FILES_ELSE: Final = 64


def raise_open_files(config: Config, log: Log) -> int:
    """Take all that the system allows (most start a daemon with 1,024), and say so if that is too few.

    Returns how many may be open.  Nothing here uses select(), which fails above 1,024.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    doors = bool(config.admission.outbound_port) + bool(config.admission.local_socket)
    needed = doors * config.admission.peers_max + config.database.pool_max + OPEN_FILES_ELSE
    if hard != resource.RLIM_INFINITY and hard < needed:
        log("AGENT_FEW_FILES", allowed=hard, needed=needed)
    return hard
