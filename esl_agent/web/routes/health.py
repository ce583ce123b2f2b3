"""Whether the daemon is alive, and whether it can take calls: for who restarts it or sends calls to it.

Nobody has to say who asks: it tells nothing of the operator or of any customer.
Load balancers ask by HEAD: the status is the answer.
"""

from __future__ import annotations

from http import HTTPStatus

import falcon
import msgspec

from esl_agent.web.context import Context
from esl_agent.web.ports import Health


def add_routes(app: falcon.App[falcon.Request, falcon.Response], context: Context) -> None:
    app.add_route("/healthz", _Alive())
    app.add_route("/readyz", _Ready(context))


class _Alive:
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        resp.data = msgspec.json.encode({"alive": True})

    on_head = on_get


class _Ready:
    def __init__(self, context: Context) -> None:
        self._context = context

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        health = self._context.ports.health()
        is_ready = health.is_switch_up and health.is_database_up and health.journal_has_room
        resp.status = HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE
        resp.data = msgspec.json.encode(
            {
                "ready": is_ready,
                "duty": _duty(health),
                "switch": _up(health.is_switch_up),
                "database": _up(health.is_database_up),
                "journal": "has room" if health.journal_has_room else "full",
            }
        )

    on_head = on_get


def _duty(health: Health) -> str:
    return "active" if health.may_act else "standby"


def _up(is_up: bool) -> str:
    return "up" if is_up else "down"
