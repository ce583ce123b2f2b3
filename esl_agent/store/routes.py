"""Routes: the carriers of each prefix, joined with what each carrier is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, LiteralString

from psycopg.rows import class_row

from esl_agent.core.admission.carriers import Carrier
from esl_agent.core.admission.route_file import ANY, Route, RouteError
from esl_agent.core.prefix_map import PrefixMap
from esl_agent.store.carriers import UnknownCarrierError, list_carriers
from esl_agent.store.changes import Changed, announce
from esl_agent.store.pool import Connection, as_columns

#: Of one prefix; more would never be tried within a caller's patience.
CARRIERS_OF_PREFIX_MAX: Final = 16

_SELECT: Final = "SELECT prefix, carrier, priority, weight FROM routes "
_WRITE: Final = """
    INSERT INTO routes (prefix, carrier, priority, weight)
    SELECT * FROM unnest(%s::text[], %s::text[], %s::integer[], %s::integer[])
    ON CONFLICT (prefix, carrier) DO UPDATE SET priority = excluded.priority, weight = excluded.weight
"""
_CROWDED: Final = """
    SELECT prefix, count(*) FROM routes GROUP BY prefix HAVING count(*) > %s ORDER BY prefix LIMIT 1
"""


def put_routes(conn: Connection, routes: Sequence[Route], *, is_all: bool = False) -> None:
    """Add routes, or change those of the same prefix and carrier; all of them or none.

    With `is_all` they are all there are: the others are removed.  Raises
    UnknownCarrierError, or RouteError where a prefix would have too many.
    """
    known = {stored.carrier.name for stored in list_carriers(conn)}
    for route in routes:
        if route.carrier not in known:
            raise UnknownCarrierError(route.carrier)
    with conn.transaction():
        # Two imports at once must not mix; readers go on with what was there before.
        conn.execute("LOCK TABLE routes IN SHARE ROW EXCLUSIVE MODE")
        if is_all:
            conn.execute("DELETE FROM routes")
        if routes:
            rows = [(route.prefix, route.carrier, route.priority, route.weight) for route in routes]
            conn.execute(_WRITE, as_columns(rows))
        crowded = conn.execute(_CROWDED, [CARRIERS_OF_PREFIX_MAX]).fetchone()
        if crowded:
            raise RouteError(
                f"{crowded[0] or ANY} would have {crowded[1]} carriers; at most {CARRIERS_OF_PREFIX_MAX}"
            )
        announce(conn, Changed.ROUTES)


def remove_route(conn: Connection, prefix: str, carrier: str) -> None:
    """Take a route away; raises RouteError where there is none."""
    with conn.transaction():
        removed = conn.execute("DELETE FROM routes WHERE prefix = %s AND carrier = %s", [prefix, carrier])
        if not removed.rowcount:
            raise RouteError(f"there is no route for {prefix or ANY} by {carrier}")
        announce(conn, Changed.ROUTES)


def list_routes(conn: Connection, prefix: str, carrier: str | None, limit: int) -> list[Route]:
    """Routes of prefixes that begin so, of one carrier or all, in the order in which they are tried."""
    return _select(
        conn,
        "WHERE starts_with(prefix, %s) AND (%s::text IS NULL OR carrier = %s)"
        " ORDER BY prefix, priority, weight DESC, carrier LIMIT %s",
        prefix,
        carrier,
        carrier,
        limit,
    )


def load_all(conn: Connection) -> PrefixMap[tuple[Carrier, ...]]:
    """Every prefix with its carriers; those that are disabled have no routes.

    A short code such as 911 is no beginning of a number abroad: `find_exact` it.
    """
    carriers = {stored.carrier.name: stored.carrier for stored in list_carriers(conn) if stored.is_enabled}
    by_prefix: dict[str, tuple[Carrier, ...]] = {}
    for route in _select(conn, "ORDER BY prefix, priority, carrier"):
        carrier = carriers.get(route.carrier)
        if carrier is not None:
            routed = replace(carrier, priority=route.priority, weight=route.weight)
            by_prefix[route.prefix] = (*by_prefix.get(route.prefix, ()), routed)
    return PrefixMap(by_prefix)


def _select(conn: Connection, where: LiteralString, *values: object) -> list[Route]:
    with conn.cursor(row_factory=class_row(Route)) as cursor:
        return cursor.execute(_SELECT + where, values).fetchall()
