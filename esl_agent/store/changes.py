"""Changes told to the daemons: whoever changes what they keep in mind says so in the same transaction.

Postgres hands a notice out when the transaction commits, in the order of
commits, and never if it doesn't; several alike of one transaction are one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from psycopg.sql import SQL, Identifier

from esl_agent.store.pool import Connection

CHANNEL: Final = "esl_agent_changes"


class Changed(StrEnum):
    """What is to be looked at again."""

    ACCOUNT = "account"  # its money, state, credit, plan or limits
    NUMBERS = "numbers"  # whose a number is, and where it is forwarded to
    TARIFFS = "tariffs"  # decks, and the plans that refer to them
    ROUTES = "routes"  # carriers, and which numbers they take calls to
    EVERYTHING = "everything"  # nobody knows what: the notices of a while are lost


@dataclass(frozen=True, slots=True)
class Change:
    """One notice; `account_id` is 0 of what is no account."""

    what: Changed
    account_id: int = 0


def announce(conn: Connection, what: Changed) -> None:
    """Tell the daemons when the transaction of `conn` commits; call it inside one."""
    _notify(conn, what)


def announce_account(conn: Connection, account_id: int) -> None:
    """As `announce`, of one account."""
    _notify(conn, f"{Changed.ACCOUNT} {account_id}")


def listen(conn: Connection) -> None:
    """Have the notices sent to this connection from now on."""
    conn.execute(SQL("LISTEN {}").format(Identifier(CHANNEL)))


def change_of(payload: str) -> Change:
    """A notice's payload read; what a newer version may say there means that anything may have changed."""
    what, _, account = payload.partition(" ")
    if what == Changed.ACCOUNT and account.isascii() and account.isdecimal():
        return Change(Changed.ACCOUNT, int(account))
    if what in (Changed.NUMBERS, Changed.TARIFFS, Changed.ROUTES) and not account:
        return Change(Changed(what))
    return Change(Changed.EVERYTHING)


def _notify(conn: Connection, payload: str) -> None:
    conn.execute("SELECT pg_notify(%s, %s)", [CHANNEL, payload])
