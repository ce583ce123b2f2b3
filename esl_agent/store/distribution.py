"""Which tables are spread over machines by account, and which are everywhere, once Postgres is distributed.

That is with Citus; docs/scaling.md says when to. Tests hold each migration and each statement to these lists.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import psycopg

from esl_agent.errors import EslAgentError
from esl_agent.files import sql_dir
from esl_agent.store.pool import Connection

#: Spread by account_id, which each key and foreign key has.  A table comes behind those that it refers to.
DISTRIBUTED: Final = (
    "accounts",
    "account_limits",
    "account_networks",
    "reservations",
    "answers",
    "restrictions",
    "ledger",
    "cdrs",
    "recordings",
    "payments",
    "recurring_charges",
    "charges",
    "invoices",
    "invoice_lines",
    "interest_charges",
    "dunning_steps",
    "terms_acceptances",
)

#: Whole on each machine: what every call is looked up in, before or beside its account.
REFERENCE: Final = (
    "carriers",
    "routes",
    "deck_versions",
    "rates",
    "plans",
    "departments",
    "numbers",
    "sip_users",
    "tax_rates",
    "terms_versions",
)

#: On the machine alone that daemons and commands connect to: its own state, and registers.
LOCAL: Final = (
    "schema_migrations",
    "leases",
    "api_tokens",
    "api_answers",
    "invoice_series",
    "disclosures",
    "retention_runs",
)


class NotDistributable(EslAgentError):
    """This Postgres can't spread tables over machines."""


@dataclass(frozen=True, slots=True)
class Step:
    """One table that is distributed by account, or made to be everywhere."""

    table: str
    how: str
    sql: str


def missing(conn: Connection) -> list[Step]:
    """What has yet to be done, in order; raises NotDistributable where the extension is not there."""
    if conn.execute("SELECT 1 FROM pg_extension WHERE extname = 'citus'").fetchone() is None:
        raise NotDistributable(
            "this database has no Citus: nothing can be distributed, nor has to be. Where one Postgres"
            " is outgrown, docs/scaling.md says how to get there"
        )
    done = {name for (name,) in conn.execute("SELECT logicalrelid::text FROM pg_dist_partition")}
    steps = [Step(table, "everywhere", f"SELECT create_reference_table('{table}')") for table in REFERENCE]
    first = DISTRIBUTED[0]
    for table in DISTRIBUTED:
        beside = "default" if table == first else first
        spread = f"SELECT create_distributed_table('{table}', 'account_id', colocate_with => '{beside}')"
        steps.append(Step(table, "by account", spread))
    return [step for step in steps if step.table not in done]


def one_by_one(conn: Connection) -> None:
    """Have money held and settled a leg at a time, so that each statement is about one account."""
    conn.execute((sql_dir() / "citus" / "one_by_one.sql").read_bytes())


def distribute(conn: Connection) -> list[Step]:
    """Do what is missing, with the rows that are there, and say what that was.

    Each table is a transaction of its own, so one that fails can be gone on from; no daemon may be at work.
    The functions that hold and settle money are replaced by those that Citus can run.
    """
    steps = missing(conn)
    with conn.transaction():
        conn.execute("SET LOCAL citus.enable_ddl_propagation TO off")  # they run where daemons connect to
        one_by_one(conn)
    for step in steps:
        try:
            conn.execute(step.sql)
        except psycopg.Error as error:
            raise NotDistributable(f"{step.table} can't be distributed: {error}") from error
    return steps
