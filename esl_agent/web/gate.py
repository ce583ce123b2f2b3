"""Who asks, and whether they may: before any route.

Whoever has a token may what its role says.  Without one everybody on this
machine may read, with numbers masked, unless [web] says otherwise; nothing is
ever changed without one.  A browser on this machine reaches loopback too, on
behalf of any page that it shows: so a name that is not ours in Host (DNS
rebinding) is refused, and so is what changes something and comes from another
origin.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from ipaddress import IPv6Address, ip_address
from typing import Final
from urllib.parse import urlsplit

import falcon

from esl_agent.config import WebConfig
from esl_agent.noc.log import Log
from esl_agent.store.tokens import TokenRole
from esl_agent.web.bearers import Bearers
from esl_agent.web.limiter import Limiter, neighbourhood
from esl_agent.web.ports import Books
from esl_agent.web.problems import ProblemError

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
#: Lines of the log a second about wrong tokens, and at once.
REFUSALS_TOLD_PER_S, REFUSALS_TOLD_BURST = 1, 10
RETRY_AFTER: Final = {"Retry-After": "1"}
CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="esl-agent"'}


class Access(Enum):
    """What a route does, and who may have it done."""

    READ = frozenset({TokenRole.NOC, TokenRole.OFFICE, TokenRole.ADMIN})
    CALLS = frozenset({TokenRole.NOC, TokenRole.ADMIN})  # ends calls
    MONEY = frozenset({TokenRole.OFFICE, TokenRole.ADMIN})  # acts on accounts


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks; `name` is the token's, "" for somebody on this machine without one."""

    name: str
    role: TokenRole
    address: str

    @property
    def sees_all(self) -> bool:
        """Whether whole numbers, and who the customers are, is shown."""
        return self.role is not TokenRole.NOC


class Gate:
    def __init__(self, config: WebConfig, reads: Books, now_us: Callable[[], int], log: Log) -> None:
        self._config = config
        self._bearers = Bearers(reads)
        self._limiter = Limiter(config.requests_per_second, now_us)
        self._refusals_told = Limiter(REFUSALS_TOLD_PER_S, now_us, REFUSALS_TOLD_BURST)
        self._log = log

    def check_host(self, req: falcon.Request) -> None:
        """Raises ProblemError for a request that was meant for somebody else."""
        host = _host_of(req.get_header("Host") or "")
        if host != "localhost" and host not in self._config.hosts and not _is_address(host):
            raise ProblemError(
                HTTPStatus.MISDIRECTED_REQUEST,
                f"this server is not known as {host[:100]!r}",
                where="Host",
                to_do="use its address, or add the name to [web] hosts",
            )

    def check_origin(self, req: falcon.Request) -> None:
        """Raises ProblemError for what changes something and was sent by another site's page."""
        if req.method in SAFE_METHODS:
            return
        origin = req.get_header("Origin")
        is_same = origin is None or _host_in(origin) == (req.get_header("Host") or "").lower()
        if not is_same or req.get_header("Sec-Fetch-Site") in ("cross-site", "same-site"):
            raise ProblemError(
                HTTPStatus.FORBIDDEN,
                "this came from another site's page",
                where="Origin",
                to_do="send it from the agent's own page, or from a program, with a token",
            )

    def may_read(self, req: falcon.Request) -> Caller:
        """Who reads; raises ProblemError where a token is needed and is missing or wrong."""
        return self.may(req, Access.READ)

    def may(self, req: falcon.Request, access: Access) -> Caller:
        """Who asks for that; raises ProblemError where they may not."""
        address = req.remote_addr
        secret = _secret_of(req)
        if secret is None:
            self._take(neighbourhood(address))
            if access is Access.READ and self._config.read_without_token and _is_this_machine(address):
                return Caller("", TokenRole.NOC, address)
            raise _Unauthorized("a token is needed", "make one with `esl-agent token add`")
        # Before the database is asked: guesses are slow, but not those whose token was good lately, for all
        # who come through one proxy have one address.
        lately = self._bearers.lately(secret)
        self._take(f"token {lately.name}" if lately else neighbourhood(address))
        bearer = self._bearers.known(secret) or self._bearers.ask(secret, to_read=access is Access.READ)
        if bearer is None:
            self._told_refusal(address, "unknown_token")
            raise _Unauthorized(
                "the token is unknown, expired or revoked", "`esl-agent token list` shows which there are"
            )
        if bearer.role not in access.value:
            self._told_refusal(address, "role", bearer.name)
            wanted = " or ".join(sorted(access.value))
            raise ProblemError(
                HTTPStatus.FORBIDDEN,
                f"token {bearer.name} has the role {bearer.role}, which may not do this",
                where="Authorization",
                to_do=f"use a token with the role {wanted}",
            )
        return Caller(bearer.name, bearer.role, address)

    def _take(self, who: str) -> None:
        if not self._limiter.take(who):
            raise ProblemError(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"more than {self._config.requests_per_second} requests a second",
                to_do="wait, or raise [web] requests_per_second",
                headers=RETRY_AFTER,
            )

    def _told_refusal(self, address: str, reason: str, token: str | None = None) -> None:
        if self._refusals_told.take(reason):
            self._log("API_REFUSED", reason=reason, token=token, address=address)


class _Unauthorized(ProblemError):
    def __init__(self, detail: str, to_do: str) -> None:
        super().__init__(
            HTTPStatus.UNAUTHORIZED, detail, where="Authorization", to_do=to_do, headers=CHALLENGE
        )


def _secret_of(req: falcon.Request) -> str | None:
    """What was shown; None for nothing."""
    header = req.get_header("Authorization")
    if header is None:
        return None
    scheme, _, secret = header.partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else ""


def _host_of(header: str) -> str:
    """The name or address in a Host header, without its port."""
    if header.startswith("["):
        host, _, rest = header[1:].partition("]")
        return host.lower() if rest.partition(":")[0] == "" else ""
    return header.partition(":")[0].lower()


def _host_in(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _is_this_machine(address: str) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return (mapped or parsed).is_loopback
