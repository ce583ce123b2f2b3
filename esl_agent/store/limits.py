"""What each account may do (terms 13): core.admission.limits.Limits, kept.

An account without a row has no limits.  How many calls are up and what was
spent today is not kept here but with the account, for every hold changes it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any, Final

from psycopg import sql
from psycopg.rows import dict_row

from esl_agent.core.admission.limits import NO_LIMITS, CallerIdPolicy, Limits, TollFree
from esl_agent.core.numbering import NumberClass
from esl_agent.core.tariff import NEVER_CHARGED
from esl_agent.errors import EslAgentError
from esl_agent.store.accounts import lock_open
from esl_agent.store.changes import announce_account
from esl_agent.store.pool import Connection

BLOCKED_PREFIXES_MAX: Final = 1_000
PREFIX: Final = re.compile(r"[0-9]{1,15}", re.ASCII)
COUNTRY: Final = re.compile(r"[A-Z]{2}", re.ASCII)

#: The table's columns bear the names of the fields.
COLUMNS: Final = tuple(field.name for field in fields(Limits))
_COLUMNS: Final = sql.SQL(", ").join(map(sql.Identifier, COLUMNS))
_SELECT: Final = sql.SQL("SELECT account_id, {} FROM account_limits WHERE account_id = ANY(%s)").format(
    _COLUMNS
)
_WRITE: Final = sql.SQL(
    "INSERT INTO account_limits (account_id, {columns}) VALUES (%s, {values})"
    " ON CONFLICT (account_id) DO UPDATE SET ({columns}) = ROW ({excluded})"
).format(
    columns=_COLUMNS,
    values=sql.SQL(", ").join(sql.Placeholder() * len(COLUMNS)),
    excluded=sql.SQL(", ").join(sql.Identifier("excluded", name) for name in COLUMNS),
)


class LimitsError(EslAgentError):
    """The limits can't be what was asked for."""


def find_limits(conn: Connection, account_ids: Sequence[int]) -> dict[int, Limits]:
    """The limits of those accounts that have any."""
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_SELECT, [list(account_ids)])
        return {row.pop("account_id"): _limits(**row) for row in rows}


def get_limits(conn: Connection, account_id: int) -> Limits:
    """The account's limits."""
    return find_limits(conn, [account_id]).get(account_id, NO_LIMITS)


def change_limits(conn: Connection, account_id: int, change: Callable[[Limits], Limits]) -> Limits:
    """Put what `change` makes of the account's limits in their place; calls that are up go on.

    Raises AccountError for an account that is unknown or closed, LimitsError for limits that can't be.
    """
    with conn.transaction():
        lock_open(conn, account_id)
        new = change(get_limits(conn, account_id))
        _check(new)
        _check_caller_id(conn, account_id, new.default_caller_id)
        conn.execute(_WRITE, [account_id, *(_stored(getattr(new, name)) for name in COLUMNS)])
        announce_account(conn, account_id)
    return new


def _check(new: Limits) -> None:
    counts = {"calls at a time": (new.max_calls, 0), "calls per second": (new.calls_per_second, 1)}
    for what, (count, least) in counts.items():
        if count is not None and count < least:
            raise LimitsError(f"{what}: {count} is below {least}")
    for spend in (new.spend_per_day, new.spend_per_call):
        if spend is not None and spend < 0:
            raise LimitsError(f"a limit of spending is zero or more, not {spend}")
    if always := new.blocked_classes & NEVER_CHARGED:
        raise LimitsError(f"calls of class {', '.join(sorted(always))} always pass: they can't be blocked")
    if len(new.blocked_prefixes) > BLOCKED_PREFIXES_MAX:
        raise LimitsError(f"{len(new.blocked_prefixes)} prefixes are more than {BLOCKED_PREFIXES_MAX}")
    for prefix in new.blocked_prefixes:
        if not PREFIX.fullmatch(prefix):
            raise LimitsError(f"prefix {prefix!r} is not 1 to 15 digits from the country code on")
    for country in new.blocked_countries:
        if not COUNTRY.fullmatch(country):
            raise LimitsError(f"country {country!r} is not two capital letters (ISO 3166), like JM")


def _check_caller_id(conn: Connection, account_id: int, number: str | None) -> None:
    """Terms 11: what is sent for the account has to be the account's."""
    if number is None:
        return
    owned = conn.execute("SELECT 1 FROM numbers WHERE (number, account_id) = (%s, %s)", [number, account_id])
    if not owned.fetchone():
        raise LimitsError(
            f"{number} is not a number of account {account_id}: `esl-agent number add` it first,"
            " as verified if it is another carrier's"
        )


def _stored(value: object) -> object:
    return sorted(set(value)) if isinstance(value, frozenset | tuple) else value


def _limits(
    blocked_classes: list[str],
    blocked_countries: list[str],
    blocked_prefixes: list[str],
    caller_id_policy: str,
    toll_free: str,
    **columns: Any,
) -> Limits:
    return Limits(
        blocked_classes=frozenset(map(NumberClass, blocked_classes)),
        blocked_countries=frozenset(blocked_countries),
        blocked_prefixes=tuple(blocked_prefixes),
        caller_id_policy=CallerIdPolicy(caller_id_policy),
        toll_free=TollFree(toll_free),
        **columns,
    )
