"""Plans: which deck an account's calls are priced by, and on what terms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, LiteralString

from psycopg.rows import kwargs_row
from psycopg.types.json import Jsonb

from esl_agent.core.numbering import NumberClass
from esl_agent.core.price import Increment
from esl_agent.core.tariff import INCREMENT_S_MAX, Plan
from esl_agent.errors import EslAgentError
from esl_agent.store.changes import Changed, announce
from esl_agent.store.pool import Connection

_SELECT: Final = (
    "SELECT plan AS name, deck, increments, forwarding_surcharge, forwarding_rate_per_minute, free_toll_free,"
    " inbound_rate_per_minute, grace_ms FROM plans "
)


class PlanError(EslAgentError):
    """There is no such plan, or there is one already."""


def add_plan(conn: Connection, plan: Plan) -> None:
    """Make a plan; its deck may still be without rates.  Raises PlanError where the name is taken."""
    for number_class, (minimum_s, step_s) in plan.increments.items():
        if not (0 <= minimum_s <= INCREMENT_S_MAX and 1 <= step_s <= INCREMENT_S_MAX):
            raise PlanError(
                f"{number_class}={minimum_s}/{step_s}: seconds, at most {INCREMENT_S_MAX}, the step not 0"
            )
    values = [
        plan.name,
        plan.deck,
        Jsonb({number_class: list(increment) for number_class, increment in plan.increments.items()}),
        plan.forwarding_surcharge,
        plan.forwarding_rate_per_minute,
        plan.free_toll_free,
        plan.inbound_rate_per_minute,
        plan.grace_ms,
    ]
    with conn.transaction():
        added = conn.execute(
            "INSERT INTO plans (plan, deck, increments, forwarding_surcharge, forwarding_rate_per_minute,"
            " free_toll_free, inbound_rate_per_minute, grace_ms)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            values,
        )
        if not added.rowcount:
            raise PlanError(f"there is a plan {plan.name!r} already")
        announce(conn, Changed.TARIFFS)


def set_deck(conn: Connection, name: str, deck: str) -> None:
    """Price the plan's calls by another deck from now on; raises PlanError for an unknown plan."""
    with conn.transaction():
        if not conn.execute("UPDATE plans SET deck = %s WHERE plan = %s", [deck, name]).rowcount:
            raise _unknown(name)
        announce(conn, Changed.TARIFFS)


def get_plan(conn: Connection, name: str) -> Plan:
    """The plan; raises PlanError where there is none."""
    plans = _select(conn, "WHERE plan = %s", name)
    if not plans:
        raise _unknown(name)
    return plans[0]


def load_all(conn: Connection) -> dict[str, Plan]:
    """Every plan, by name."""
    return {plan.name: plan for plan in _select(conn, "ORDER BY plan")}


def _select(conn: Connection, where: LiteralString, *values: object) -> list[Plan]:
    with conn.cursor(row_factory=kwargs_row(_plan)) as cursor:
        return cursor.execute(_SELECT + where, values).fetchall()


def _plan(increments: Mapping[str, tuple[int, int]], **columns: Any) -> Plan:
    read = {NumberClass(name): Increment(*increment) for name, increment in increments.items()}
    return Plan(increments=read, **columns)


def _unknown(name: str) -> PlanError:
    return PlanError(f"there is no plan {name!r}: `esl-agent plan list` shows which there are")
