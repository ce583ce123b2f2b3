"""How the daemon is."""

from __future__ import annotations

from typing import Final, Literal

import falcon
import msgspec

from esl_agent import __version__
from esl_agent.web.context import Context
from esl_agent.web.endpoints import Endpoint, add_endpoints
from esl_agent.web.gate import Access, Caller


class StatusAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Status(msgspec.Struct, frozen=True):
    """How the daemon is, and what it is connected to."""

    version: str
    switch: str
    switch_state: Literal["up", "down"]
    database_state: Literal["up", "down"]
    twin_state: Literal["alone", "active", "standby"]
    live_calls: int
    unsettled: int  # records of calls that are over and wait to be written to Postgres
    journal_has_room: bool  # where not, new calls are refused
    can_act_on_money: (
        bool  # whether [web] database_url is set, without which payments and states can't be changed here
    )


def status(context: Context, caller: Caller, asked: StatusAsked) -> Status:
    health = context.ports.health()
    twin: Literal["active", "standby"] = "active" if health.may_act else "standby"
    return Status(
        version=__version__,
        switch=health.switch,
        switch_state="up" if health.is_switch_up else "down",
        database_state="up" if health.is_database_up else "down",
        twin_state=twin if health.is_twin else "alone",
        live_calls=health.live_calls,
        unsettled=health.unsettled,
        journal_has_room=health.journal_has_room,
        can_act_on_money=context.acts is not None,
    )


ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/status",
        name="getStatus",
        summary="How the daemon is: the switch, the database, the journal, its twin.",
        access=Access.READ,
        asked=StatusAsked,
        answer=Status,
        handler=status,
    ),
)


def add_routes(app: falcon.App[falcon.Request, falcon.Response], context: Context) -> None:
    add_endpoints(app, context, ENDPOINTS)
