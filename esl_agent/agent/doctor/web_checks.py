"""What `esl-agent doctor` says of the HTTP server: who can reach it, and what it may do."""

from __future__ import annotations

from typing import Final

from esl_agent.agent.doctor.checks import Finding, Findings, Verdict
from esl_agent.config import Config, is_loopback
from esl_agent.errors import EslAgentError
from esl_agent.store.pool import connected, without_password
from esl_agent.store.tokens import count_tokens

#: One column that only a login which acts on accounts may change.
STATE: Final = "SELECT has_column_privilege('accounts', 'state', 'UPDATE')"


def check_web(config: Config) -> Findings:
    """Off loopback nobody gets in without a token, so there has to be one; acts need a login of their own."""
    web = config.web
    if not web.port:
        yield Finding(Verdict.GOOD, "the HTTP server is off")
        return
    where = f"the HTTP server on {web.host}:{web.port}"
    try:
        with connected(config.database.url) as conn:
            tokens = count_tokens(conn)
    except EslAgentError:
        return  # the database has been told of
    if is_loopback(web.host):
        yield Finding(
            Verdict.GOOD, f"{where} is reached from this machine alone; {tokens} tokens are in force"
        )
    elif not tokens:
        advice = "`esl-agent token add NAME --role …`, or set [web] host to 127.0.0.1"
        yield Finding(
            Verdict.WARNING, f"{where} is off loopback, and there is no token: nobody gets in", advice
        )
    else:
        yield Finding(
            Verdict.WARNING,
            f"{where} is off loopback, and speaks plain HTTP: tokens can be read on the way",
            "put a proxy before it that speaks TLS, and let [web] networks name that and this machine,"
            " from which `esl-agent health` asks",
        )
    if web.database_url:
        yield _check_office(web.database_url)


def _check_office(url: str) -> Finding:
    try:
        with connected(url) as conn:
            row = conn.execute(STATE).fetchone()
    except EslAgentError as error:
        return Finding(Verdict.BAD, str(error), "is [web] database_url right?")
    if row and row[0]:
        return Finding(Verdict.GOOD, f"the API acts on accounts as {without_password(url)}")
    return Finding(
        Verdict.BAD,
        f"[web] database_url ({without_password(url)}) may not act on accounts",
        "grant it the role esl_agent_office (docs/database-roles.md)",
    )
