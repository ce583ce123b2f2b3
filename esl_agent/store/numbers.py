"""Numbers that belong to accounts: DIDs, toll-free ones among them, and verified ones of other carriers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, LiteralString

from psycopg.errors import ForeignKeyViolation
from psycopg.rows import kwargs_row

from esl_agent.core.admission.facts import PayphonePolicy
from esl_agent.core.money import ZERO
from esl_agent.errors import EslAgentError
from esl_agent.store.accounts import get_account
from esl_agent.store.changes import Changed, announce
from esl_agent.store.pool import Connection

DIGITS: Final = re.compile(r"[0-9]{3,15}", re.ASCII)

_SELECT: Final = (
    "SELECT number, account_id, kind, forward_to, forward_when, payphone_policy, payphone_surcharge"
    " FROM numbers "
)


class NumberKind(StrEnum):
    """What a number is to us."""

    DID = "did"
    TOLL_FREE = "toll_free"
    VERIFIED = "verified"  # of another carrier; may be sent as caller ID, and never comes in here


class ForwardWhen(StrEnum):
    """When calls to a DID go on to `forward_to` instead (terms 4)."""

    ALWAYS = "always"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    NEVER = "never"


class OwnedNumberError(EslAgentError):
    """The number can't be added, or isn't there."""


@dataclass(frozen=True, slots=True)
class OwnedNumber:
    """Whose a number is; numbers are digits from the country code on."""

    number: str
    account_id: int
    kind: NumberKind = NumberKind.DID
    forward_to: str | None = None
    forward_when: ForwardWhen = ForwardWhen.NEVER
    payphone_policy: PayphonePolicy = PayphonePolicy.ALLOW  # of toll-free ones (terms 6)
    payphone_surcharge: Decimal = ZERO

    @property
    def is_did(self) -> bool:
        """Whether calls to it come in through us."""
        return self.kind is not NumberKind.VERIFIED


def add_number(conn: Connection, new: OwnedNumber) -> None:
    """Give a number to an account, or change what is known of one it has already.

    Raises OwnedNumberError where it belongs to another account, AccountError where there is no such account.
    """
    _check(new)
    with conn.transaction():
        get_account(conn, new.account_id)
        written = conn.execute(
            """
            INSERT INTO numbers AS n (number, account_id, kind, forward_to, forward_when, payphone_policy,
                                      payphone_surcharge)
            VALUES (%s, %s, %s, %s, %s, %s, %s)
            ON CONFLICT (number) DO UPDATE
            SET kind = excluded.kind, forward_to = excluded.forward_to, forward_when = excluded.forward_when,
                payphone_policy = excluded.payphone_policy, payphone_surcharge = excluded.payphone_surcharge
            WHERE n.account_id = excluded.account_id
            """,
            [getattr(new, name) for name in OwnedNumber.__slots__],
        )
        if not written.rowcount:
            raise OwnedNumberError(f"{new.number} belongs to another account: remove it there first")
        announce(conn, Changed.NUMBERS)


def remove_number(conn: Connection, number: str) -> None:
    """Take a number away from its account.

    Raises OwnedNumberError where nobody has it, or a phone has it for its caller ID.
    """
    try:
        with conn.transaction():
            removed = conn.execute("DELETE FROM numbers WHERE number = %s", [number]).rowcount
            announce(conn, Changed.NUMBERS)
    except ForeignKeyViolation:
        raise OwnedNumberError(
            f"{number} is the caller ID of a phone, maybe to emergency services: `esl-agent credential list`"
            " shows of which; give it another one by `credential change` first"
        ) from None
    if not removed:
        raise OwnedNumberError(f"{number} belongs to no account")


def load_all(conn: Connection) -> dict[str, OwnedNumber]:
    """Every number, by its digits."""
    return {owned.number: owned for owned in _select(conn, "")}


def list_numbers(conn: Connection, account_id: int | None = None) -> list[OwnedNumber]:
    """The numbers of one account, or of all, in order."""
    return _select(
        conn, "WHERE %s::bigint IS NULL OR account_id = %s ORDER BY number", account_id, account_id
    )


def _check(new: OwnedNumber) -> None:
    for digits in (new.number, new.forward_to):
        if digits is not None and not DIGITS.fullmatch(digits):
            raise OwnedNumberError(f"{digits!r} is not 3 to 15 digits from the country code on")
    if (new.forward_to is None) != (new.forward_when is ForwardWhen.NEVER):
        raise OwnedNumberError(f"{new.number}: say both where to forward to and when, or neither")
    if new.forward_to == new.number:
        raise OwnedNumberError(f"{new.number} can't be forwarded to itself")
    if not new.is_did and new.forward_to is not None:
        raise OwnedNumberError(
            f"{new.number} is another carrier's: its calls don't come in here to be forwarded"
        )
    _check_payphones(new)


def _check_payphones(new: OwnedNumber) -> None:
    is_surcharged = new.payphone_policy is PayphonePolicy.SURCHARGE
    if new.payphone_policy is not PayphonePolicy.ALLOW and new.kind is not NumberKind.TOLL_FREE:
        raise OwnedNumberError(f"{new.number} is not toll-free: payphones call it like any other number")
    if new.payphone_surcharge < 0 or is_surcharged != (new.payphone_surcharge > 0):
        raise OwnedNumberError(
            f"{new.number}: give a payphone surcharge above zero with the policy surcharge only"
        )


def _select(conn: Connection, where: LiteralString, *values: object) -> list[OwnedNumber]:
    with conn.cursor(row_factory=kwargs_row(_owned)) as cursor:
        return cursor.execute(_SELECT + where, values).fetchall()


def _owned(kind: str, forward_when: str, payphone_policy: str, **columns: Any) -> OwnedNumber:
    return OwnedNumber(
        kind=NumberKind(kind),
        forward_when=ForwardWhen(forward_when),
        payphone_policy=PayphonePolicy(payphone_policy),
        **columns,
    )
