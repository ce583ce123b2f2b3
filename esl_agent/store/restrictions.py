"""What verdicts on traffic, and operators, keep accounts from: made, found, cleared.

A restriction that has come to its end stays as it is: by its `until` everybody can tell.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString

import msgspec
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from esl_agent.core.traffic.restriction import TRAFFIC, Restriction
from esl_agent.core.traffic.verdict import Action, CallSeen, Figure
from esl_agent.errors import EslAgentError
from esl_agent.store.accounts import lock
from esl_agent.store.cdrs import to_time, to_us
from esl_agent.store.changes import announce_restriction
from esl_agent.store.pool import Connection

LISTED_MAX: Final = 1_000

_COLUMNS: Final = (
    "account_id, restriction, did, rule, action, figures, calls, max_calls, calls_per_second, ends_calls,"
    " since, until, made_by, reason, cleared_at, cleared_by, cleared_reason"
)
_OPEN: Final = "cleared_at IS NULL AND (until IS NULL OR until > now())"
_INSERT: Final = f"""
    INSERT INTO restrictions (account_id, did, rule, action, figures, calls, max_calls, calls_per_second,
                              ends_calls, since, until, made_by, reason)
    SELECT %(account_id)s, %(did)s, %(rule)s, %(action)s, %(figures)s, %(calls)s, %(max_calls)s,
           %(calls_per_second)s, %(ends_calls)s, %(since)s, %(until)s, %(made_by)s, %(reason)s
    WHERE NOT EXISTS (
        SELECT FROM restrictions WHERE {_OPEN}
        AND (account_id, did, rule, action) = (%(account_id)s, %(did)s, %(rule)s, %(action)s)
    ) AND NOT EXISTS ( -- a rule's verdict on what somebody has looked at since, and let pass
        SELECT FROM restrictions
        WHERE made_by = '{TRAFFIC}' AND %(made_by)s = '{TRAFFIC}' AND cleared_at >= %(since)s
        AND (account_id, did, rule, action) = (%(account_id)s, %(did)s, %(rule)s, %(action)s)
    )
    RETURNING {_COLUMNS}
"""  # noqa: S608  (constants of this module)
_CLEAR: Final = f"""
    UPDATE restrictions SET cleared_at = now(), cleared_by = %s, cleared_reason = %s
    WHERE (account_id, restriction) = (%s, %s) AND {_OPEN}
    RETURNING {_COLUMNS}
"""  # noqa: S608


class RestrictionError(EslAgentError):
    """There is no such restriction, or it is in no state for what was asked."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A restriction as it is stored, with its evidence, and how it ended if somebody ended it."""

    restriction: Restriction
    figures: tuple[Figure, ...] = ()
    calls: tuple[CallSeen, ...] = ()
    cleared_at: datetime | None = None
    cleared_by: str | None = None
    cleared_reason: str | None = None

    @property
    def ended_us(self) -> int | None:
        """When it was cleared, or else when its time is over; None where it has no end."""
        return self.restriction.until_us if self.cleared_at is None else to_us(self.cleared_at)


def restrict(
    conn: Connection, new: Restriction, figures: Sequence[Figure] = (), calls: Sequence[CallSeen] = ()
) -> Kept | None:
    """Write it, unless the account has one of the same did, rule and action that is open: then None.

    None, too, of a verdict that is written late: one that was given before such a one was cleared.

    Raises AccountError where there is no such account.
    """
    with conn.transaction():
        lock(conn, new.account_id)
        values = {
            name: getattr(new, name)
            for name in ("account_id", "did", "rule", "action", "max_calls", "calls_per_second", "ends_calls",
                         "made_by", "reason")
        }  # fmt: skip
        values["since"] = to_time(new.since_us)
        values["until"] = None if new.until_us is None else to_time(new.until_us)
        values["figures"], values["calls"] = (Jsonb(msgspec.to_builtins(each)) for each in (figures, calls))
        with conn.cursor(row_factory=dict_row) as cursor:
            row = cursor.execute(_INSERT, values).fetchone()
        if row is None:
            return None
        announce_restriction(conn, new.account_id, row["restriction"])
        return _kept(**row)


def find_open(conn: Connection, account_ids: Sequence[int]) -> dict[int, tuple[Restriction, ...]]:
    """The open ones of those accounts that have any, oldest first."""
    found: dict[int, tuple[Restriction, ...]] = {}
    where = f"WHERE account_id = ANY(%s) AND {_OPEN} ORDER BY restriction"
    for each in _select(conn, where, list(account_ids)):
        account_id = each.restriction.account_id
        found[account_id] = (*found.get(account_id, ()), each.restriction)
    return found


def list_restrictions(
    conn: Connection,
    *,
    account_id: int | None = None,
    is_all: bool = False,
    before: int | None = None,
    limit: int = LISTED_MAX,
) -> list[Kept]:
    """The newest first, of those with a number below `before`; those that are open unless `is_all`."""
    return _select(
        conn,
        f"WHERE (%s::bigint IS NULL OR account_id = %s) AND (%s OR {_OPEN})"
        " AND (%s::bigint IS NULL OR restriction < %s) ORDER BY restriction DESC LIMIT %s",
        account_id,
        account_id,
        is_all,
        before,
        before,
        limit,
    )


def find_restrictions(conn: Connection, restrictions: Collection[int]) -> list[Kept]:
    """Those of these numbers that there are, oldest first."""
    return _select(conn, "WHERE restriction = ANY(%s) ORDER BY restriction", list(restrictions))


def made_by_rules(conn: Connection, changed_since_us: int, *, with_open: bool) -> list[Kept]:
    """Those that rules asked for: made, cleared or run out since then, and `with_open` all that are open.

    The oldest come first.
    """
    changed = to_time(changed_since_us)
    return _select(
        conn,
        f"WHERE made_by = %s AND (since >= %s OR cleared_at >= %s OR until >= %s AND until <= now()"
        f" OR (%s AND {_OPEN})) ORDER BY restriction",
        TRAFFIC,
        changed,
        changed,
        changed,
        with_open,
    )


def get_restriction(conn: Connection, restriction: int) -> Kept:
    """The restriction of that number; raises RestrictionError where there is none."""
    for each in find_restrictions(conn, [restriction]):
        return each
    raise RestrictionError(
        f"there is no restriction {restriction}: `esl-agent traffic show --all` lists those there are"
    )


def clear(conn: Connection, restriction: int, reason: str, by: str) -> Kept:
    """End it now; raises RestrictionError where there is none, or it has ended."""
    with conn.transaction():
        before = get_restriction(conn, restriction)
        account_id = before.restriction.account_id
        with conn.cursor(row_factory=dict_row) as cursor:
            row = cursor.execute(_CLEAR, [by, reason, account_id, restriction]).fetchone()
        if row is None:
            how = f"cleared by {before.cleared_by}" if before.cleared_by else "over by itself"
            when = f" at {to_time(before.ended_us):%Y-%m-%d %H:%M:%S} UTC" if before.ended_us else ""
            raise RestrictionError(f"restriction {restriction} was {how}{when}: there is nothing to clear")
        announce_restriction(conn, account_id, restriction)
        return _kept(**row)


def _select(conn: Connection, where: LiteralString, *values: object) -> list[Kept]:
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(f"SELECT {_COLUMNS} FROM restrictions {where}", values).fetchall()  # noqa: S608
        return [_kept(**row) for row in rows]


def _kept(
    *,
    figures: list[dict[str, Any]],
    calls: list[dict[str, Any]],
    since: datetime,
    until: datetime | None,
    cleared_at: datetime | None,
    cleared_by: str | None,
    cleared_reason: str | None,
    **columns: Any,
) -> Kept:
    columns["action"] = Action(columns["action"])
    restriction = Restriction(
        since_us=to_us(since), until_us=None if until is None else to_us(until), **columns
    )
    return Kept(
        restriction,
        tuple(Figure(**each) for each in figures),
        tuple(CallSeen(**each) for each in calls),
        cleared_at,
        cleared_by,
        cleared_reason,
    )
