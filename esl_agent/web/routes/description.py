"""The API's own description."""

from __future__ import annotations

from typing import Any, Final

import falcon
import msgspec

from esl_agent.web.context import Context
from esl_agent.web.endpoints import BASE, Endpoint
from esl_agent.web.openapi import document
from esl_agent.web.routes import account_acts, accounts, cdrs, forecasts, live_calls, restrictions, status

#: All that the API can do, in the order of the docs.
ENDPOINTS: Final[tuple[Endpoint[Any], ...]] = (
    *status.ENDPOINTS,
    *accounts.ENDPOINTS,
    *account_acts.ENDPOINTS,
    *live_calls.ENDPOINTS,
    *cdrs.ENDPOINTS,
    *forecasts.ENDPOINTS,
    *restrictions.ENDPOINTS,
)


def add_routes(app: falcon.App[falcon.Request, falcon.Response], context: Context) -> None:
    app.add_route(f"{BASE}/openapi.json", _Description(context))


def description_json() -> bytes:
    return msgspec.json.encode(document(ENDPOINTS))


class _Description:
    """For everybody who may read."""

    def __init__(self, context: Context) -> None:
        self._gate = context.gate
        self._document = description_json()

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        self._gate.may_read(req)
        resp.data = self._document
        resp.content_type = falcon.MEDIA_JSON
