"""What Prometheus collects (docs/metrics.md)."""

from __future__ import annotations

import falcon

from esl_agent.web.context import Context


def add_routes(app: falcon.App[falcon.Request, falcon.Response], context: Context) -> None:
    app.add_route("/metrics", _Metrics(context))


class _Metrics:
    def __init__(self, context: Context) -> None:
        self._context = context

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        self._context.gate.may_read(req)
        resp.data, resp.content_type = self._context.ports.metrics(req.accept)
