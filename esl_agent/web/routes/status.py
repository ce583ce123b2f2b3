"""How the daemon is."""

from __future__ import annotations

import falcon
import msgspec

from esl_agent import __version__
from esl_agent.web.context import Context


def add_routes(app: falcon.App[falcon.Request, falcon.Response], context: Context) -> None:
    app.add_route("/api/v1/status", _Status(context))


class _Status:
    def __init__(self, context: Context) -> None:
        self._context = context

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        self._context.gate.may_read(req)
        health = self._context.ports.health()
        resp.data = msgspec.json.encode({"version": __version__} | msgspec.to_builtins(health))
        resp.content_type = falcon.MEDIA_JSON
