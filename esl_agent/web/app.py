"""The WSGI application: the routes of all parts, and what holds for each answer."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

import falcon

from esl_agent.errors import EslAgentError
from esl_agent.web.context import Context
from esl_agent.web.problems import ProblemError, as_problem, serialize
from esl_agent.web.routes import (
    account_acts,
    accounts,
    cdrs,
    description,
    forecasts,
    health,
    live_calls,
    metrics,
    restrictions,
    status,
)

#: Set where a route has not set its own.
SECURITY_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def make_app(context: Context) -> falcon.App[falcon.Request, falcon.Response]:
    """All of it."""
    app = falcon.App(middleware=[_Guard(context)])
    app.set_error_serializer(serialize)
    app.add_error_handler(Exception, _Failed(context))
    app.add_error_handler(EslAgentError, _told)
    api = (status, accounts, account_acts, live_calls, cdrs, forecasts, restrictions, description)
    for part in (health, metrics, *api):
        part.add_routes(app, context)
    return app


class _Guard:
    """Around every route."""

    def __init__(self, context: Context) -> None:
        self._gate = context.gate

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        self._gate.check_host(req)
        self._gate.check_origin(req)

    def process_response(
        self, req: falcon.Request, resp: falcon.Response, resource: object, req_succeeded: bool
    ) -> None:
        for name, value in SECURITY_HEADERS.items():
            if resp.get_header(name) is None:
                resp.set_header(name, value)


def _told(req: falcon.Request, resp: falcon.Response, error: EslAgentError, params: dict[str, Any]) -> None:
    raise as_problem(error)


class _Failed:
    """A fault of ours: the log says which, the answer says only that."""

    def __init__(self, context: Context) -> None:
        self._log = context.log

    def __call__(
        self, req: falcon.Request, resp: falcon.Response, error: Exception, params: dict[str, Any]
    ) -> None:
        self._log("WEB_FAILED", path=req.path, method=req.method, error=repr(error))
        raise ProblemError(
            HTTPStatus.INTERNAL_SERVER_ERROR,
            "the request failed here",
            to_do="look for WEB_FAILED in the log",
        )
