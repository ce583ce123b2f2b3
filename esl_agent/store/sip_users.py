"""Customers' phones: who each is to the switch, whose, and the digest of its password (terms 14).

Passwords don't come here, only what core.credential makes of them.  Names that
can't be raise its CredentialError, save where they only have to be found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, LiteralString

from psycopg.rows import class_row

from esl_agent.core.credential import A1_HASH, DOMAIN, USER, check_names
from esl_agent.errors import EslAgentError
from esl_agent.store.accounts import lock_open
from esl_agent.store.changes import announce_phone
from esl_agent.store.pool import Connection

_SELECT: Final = (
    'SELECT sip_user AS "user", domain, account_id, a1_hash, password_since, password_by, caller_number,'
    " emergency_caller_number FROM sip_users "
)


class SipUserError(EslAgentError):
    """The phone can't be what was asked for, or there is none; the text never has its digest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSipUser:
    """A phone; the numbers that it may show are digits from the country code on, and its account's."""

    user: str
    domain: str
    account_id: int
    a1_hash: str = field(repr=False)
    password_by: str  # who set it
    caller_number: str | None = None
    emergency_caller_number: str | None = None  # None: emergency calls show `caller_number`


@dataclass(frozen=True, slots=True, kw_only=True)
class SipUserRow(NewSipUser):
    """A phone as it is stored."""

    password_since: datetime


def add_sip_user(conn: Connection, new: NewSipUser) -> SipUserRow:
    """Make a phone known.

    Raises AccountError for an account that is unknown or closed, SipUserError where the
    names are taken or a number isn't the account's.
    """
    check_names(new.user, new.domain)
    _check_a1_hash(new.a1_hash)
    with conn.transaction():
        lock_open(conn, new.account_id)
        _check_callers(conn, new)
        added = conn.execute(
            """
            INSERT INTO sip_users (sip_user, domain, account_id, a1_hash, password_by, caller_number,
                                   emergency_caller_number)
            VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
            """,
            [getattr(new, name) for name in NewSipUser.__slots__],
        )
        if not added.rowcount:
            raise SipUserError(
                f"there is a user {new.user} in domain {new.domain} already:"
                " `esl-agent credential rotate` gives it another password"
            )
        return _get(conn, new.user, new.domain)


def find_sip_user(conn: Connection, user: str, domain: str) -> SipUserRow | None:
    """The phone of exactly these names, which may be whatever somebody sent; None where there is none.

    Its account's state doesn't matter: a suspended customer's phone still has to
    authenticate, to call for help (terms 13).
    """
    if not USER.fullmatch(user) or not DOMAIN.fullmatch(domain):
        return None
    return next(iter(_select(conn, "WHERE (sip_user, domain) = (%s, %s)", user, domain)), None)


def list_sip_users(conn: Connection, account_id: int | None = None) -> list[SipUserRow]:
    """The phones of one account, or of all, in the order of domains and users."""
    return _select(
        conn, "WHERE %s::bigint IS NULL OR account_id = %s ORDER BY domain, sip_user", account_id, account_id
    )


def replace_a1_hash(conn: Connection, user: str, domain: str, a1_hash: str, by: str) -> SipUserRow:
    """Give a phone another password; raises SipUserError where there is no such phone."""
    check_names(user, domain)
    _check_a1_hash(a1_hash)
    with conn.transaction():
        conn.execute(
            "UPDATE sip_users SET a1_hash = %s, password_since = now(), password_by = %s"
            " WHERE (sip_user, domain) = (%s, %s)",
            [a1_hash, by, user, domain],
        )
        announce_phone(conn, user, domain)
        return _get(conn, user, domain)


def change_callers(
    conn: Connection, user: str, domain: str, change: Callable[[SipUserRow], SipUserRow]
) -> SipUserRow:
    """Put the two numbers that `change` gives a phone in place of those that it shows now.

    Raises SipUserError where there is no such phone, or a number isn't its account's.
    """
    check_names(user, domain)
    with conn.transaction():
        conn.execute(
            "SELECT 1 FROM sip_users WHERE (sip_user, domain) = (%s, %s) FOR NO KEY UPDATE", [user, domain]
        )
        new = change(_get(conn, user, domain))
        _check_callers(conn, new)
        conn.execute(
            "UPDATE sip_users SET caller_number = %s, emergency_caller_number = %s"
            " WHERE (sip_user, domain) = (%s, %s)",
            [new.caller_number, new.emergency_caller_number, user, domain],
        )
        announce_phone(conn, user, domain)
        return _get(conn, user, domain)


def remove_sip_user(conn: Connection, user: str, domain: str) -> None:
    """Make a phone unknown; raises SipUserError where it is already."""
    check_names(user, domain)
    with conn.transaction():
        removed = conn.execute("DELETE FROM sip_users WHERE (sip_user, domain) = (%s, %s)", [user, domain])
        if not removed.rowcount:
            raise _unknown(user, domain)
        announce_phone(conn, user, domain)


def _check_a1_hash(a1_hash: str) -> None:
    """Before the database does, which would show it in what it says of it."""
    if not A1_HASH.fullmatch(a1_hash):
        raise SipUserError("an a1-hash is 32 small hexadecimal digits")


def _check_callers(conn: Connection, new: NewSipUser) -> None:
    """Terms 11: what a phone shows has to be its account's, and stays so until this transaction ends."""
    wanted = [number for number in (new.caller_number, new.emergency_caller_number) if number is not None]
    owned = conn.execute(
        "SELECT number FROM numbers WHERE account_id = %s AND number = ANY(%s) ORDER BY number FOR KEY SHARE",
        [new.account_id, wanted],
    )
    for number in sorted(set(wanted) - {number for (number,) in owned}):
        raise SipUserError(
            f"{number} is not a number of account {new.account_id}: `esl-agent number add` it first,"
            " as verified if it is another carrier's"
        )


def _get(conn: Connection, user: str, domain: str) -> SipUserRow:
    found = find_sip_user(conn, user, domain)
    if found is None:
        raise _unknown(user, domain)
    return found


def _select(conn: Connection, where: LiteralString, *values: object) -> list[SipUserRow]:
    with conn.cursor(row_factory=class_row(SipUserRow)) as cursor:
        return cursor.execute(_SELECT + where, values).fetchall()


def _unknown(user: str, domain: str) -> SipUserError:
    return SipUserError(
        f"there is no user {user} in domain {domain}: `esl-agent credential list` shows which there are"
    )
