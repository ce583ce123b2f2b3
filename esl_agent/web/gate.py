"""Who asks, and whether they may: before any route.

A browser on this machine reaches loopback too, on behalf of any page that it
shows.  So a name that is not ours in Host (DNS rebinding) is refused, and so is
whatever changes something and comes from another origin.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from ipaddress import ip_address

import falcon

from esl_agent.config import WebConfig, is_loopback
from esl_agent.web.problems import ProblemError


class Role(StrEnum):
    """What a token may do."""

    NOC = "noc"  # read, with numbers masked; end a call
    OFFICE = "office"  # money and accounts
    ADMIN = "admin"  # all of it


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks; `name` is the token's, "" for somebody on this machine without one."""

    name: str
    role: Role

    @property
    def sees_all(self) -> bool:
        """Whether whole numbers and names of customers are shown."""
        return self.role is not Role.NOC


class Gate:
    def __init__(self, config: WebConfig) -> None:
        self._config = config

    def check_host(self, req: falcon.Request) -> None:
        """Raises ProblemError for a request that was meant for somebody else."""
        host = req.host.strip("[]").lower()
        if host != "localhost" and host not in self._config.hosts and not _is_address(host):
            raise ProblemError(
                HTTPStatus.MISDIRECTED_REQUEST,
                f"this server is not known as {host[:100]!r}",
                where="Host",
                to_do="use its address, or add the name to [web] hosts",
            )

    def may_read(self, req: falcon.Request) -> Caller:
        """Who reads; raises ProblemError where a token is needed and is missing or wrong."""
        if is_loopback(req.remote_addr):
            return Caller("", Role.NOC)
        raise ProblemError(HTTPStatus.UNAUTHORIZED, "a token is needed", where="Authorization")


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
