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
    DEPARTMENTS = "departments"  # whose calls are recorded
    ROUTES = "routes"  # carriers, and which numbers they take calls to
    RESTRICTION = "restriction"  # one of an account's was made or cleared
    PHONE = "phone"  # its password, its numbers, or whether there is one
    EVERYTHING = "everything"  # nobody knows what: the notices of a while are lost


@dataclass(frozen=True, slots=True)
class Change:
    """One notice; numbers are 0 where they say nothing, `phone` is a user and a domain."""

    what: Changed
    account_id: int = 0
    restriction: int = 0
    phone: tuple[str, str] = ("", "")


def announce(conn: Connection, what: Changed) -> None:
    """Tell the daemons when the transaction of `conn` commits; call it inside one."""
    _notify(conn, what)


def announce_account(conn: Connection, account_id: int) -> None:
    """As `announce`, of one account."""
    _notify(conn, f"{Changed.ACCOUNT} {account_id}")


def announce_restriction(conn: Connection, account_id: int, restriction: int) -> None:
    """As `announce`, of one restriction of an account."""
    _notify(conn, f"{Changed.RESTRICTION} {account_id} {restriction}")


def announce_phone(conn: Connection, user: str, domain: str) -> None:
    """As `announce`, of one phone, whose names have no spaces."""
    _notify(conn, f"{Changed.PHONE} {user} {domain}")


def listen(conn: Connection) -> None:
    """Have the notices sent to this connection from now on."""
    conn.execute(SQL("LISTEN {}").format(Identifier(CHANNEL)))


def change_of(payload: str) -> Change:
    """A notice's payload read; what a newer version may say there means that anything may have changed."""
    match payload.split(" "):
        case [Changed.ACCOUNT, account] if _is_number(account):
            return Change(Changed.ACCOUNT, int(account))
        case [Changed.RESTRICTION, account, number] if _is_number(account) and _is_number(number):
            return Change(Changed.RESTRICTION, int(account), int(number))
        case [Changed.PHONE, user, domain] if user and domain:
            return Change(Changed.PHONE, phone=(user, domain))
        case [(Changed.NUMBERS | Changed.DEPARTMENTS | Changed.TARIFFS | Changed.ROUTES) as what]:
            return Change(Changed(what))
    return Change(Changed.EVERYTHING)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal()


def _notify(conn: Connection, payload: str) -> None:
    conn.execute("SELECT pg_notify(%s, %s)", [CHANNEL, payload])
