"""What the daemon tells the HTTP server, and does for it; see esl_agent/web/ports.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from esl_agent.agent.admission.rehearsal import OneConnection, Stage
from esl_agent.agent.clock import calendar
from esl_agent.agent.parts import Parts
from esl_agent.agent.policies import call_policy_of, operator_policy_of
from esl_agent.agent.web.live import LiveCalls
from esl_agent.config import switch_name_of
from esl_agent.core.admission.question import Question
from esl_agent.core.call_signals import MustEnd
from esl_agent.core.leg import Product
from esl_agent.core.tariff import NEVER_CHARGED
from esl_agent.errors import EslAgentError
from esl_agent.store.pool import Connection
from esl_agent.web.live.feed import Feed
from esl_agent.web.ports import Health, Killed, Ports, Quoted, Rehearsed

#: What the log says of a call that a person ended.
KILLED: Final = "killed"


class NoPlanError(EslAgentError):
    """The account's plan is not known here, or not yet."""


def ports_of(parts: Parts, feed: Feed, metrics: Callable[[str], tuple[bytes, str]]) -> Ports:
    return Ports(
        live=LiveCalls(parts.desk, parts.now_us),
        health=lambda: health_of(parts),
        metrics=metrics,
        now_us=parts.now_us,
        kill=lambda leg_uuid: _kill(parts, leg_uuid),
        quote=lambda conn, account_id, to, product: _quote(parts, conn, account_id, to, product),
        rehearse=lambda conn, question: _rehearse(parts, conn, question),
        feed=feed,
    )


def health_of(parts: Parts) -> Health:
    return Health(
        switch=switch_name_of(parts.config),
        is_switch_up=parts.is_switch_up(),
        is_database_up=parts.database.is_up,
        is_twin=parts.config.twin.enabled,
        may_act=parts.duty.may_act(),
        live_calls=len(parts.desk.live),
        unsettled=len(parts.settler),
        journal_has_room=parts.settler.is_accepting,
    )


def _kill(parts: Parts, leg_uuid: str) -> Killed:
    if not parts.duty.may_act():  # and knows of no calls
        return Killed.STANDBY
    live = parts.desk.live.get(leg_uuid)
    if live is None:
        return Killed.NOT_LIVE if parts.recovery.is_sure else Killed.NOT_SURE
    if live.priced.number.number_class in NEVER_CHARGED:
        return Killed.EMERGENCY
    parts.desk.tell(leg_uuid, MustEnd(KILLED))
    return Killed.ORDERED


def _quote(parts: Parts, conn: Connection, account_id: int, dialled: str, product: Product) -> Quoted | None:
    book = parts.book.through(OneConnection(conn))
    payer = book.payer_at(account_id, parts.now_us())
    if payer is None:
        return None
    number, plan = book.read_number(dialled), book.plan_of(payer)
    if plan is None:
        raise NoPlanError(f"the daemon knows no plan {payer.account.plan!r}: `esl-agent plan list`")
    return Quoted(payer.account, number, book.price_under(plan, number, product, parts.now_us()))


def _rehearse(parts: Parts, conn: Connection, question: Question) -> Rehearsed:
    config = parts.config
    operator, policy = operator_policy_of(config.admission), call_policy_of(config.budget)
    stage = Stage(conn, parts.book, operator, policy, calendar(config.admission.time_zone)())
    if not question.caller_number and question.account_id is not None:
        question = replace(question, caller_number=stage.usual_caller(question.account_id))
    told = stage.rehearse(question, asks_store=False)
    return Rehearsed(told.decision, told.account, told.held, tuple(leg.carrier.name for leg in told.legs))
