"""Networks that an account's phones are used from, and what it spends since one is new (terms 14)."""

from __future__ import annotations

from decimal import Decimal
from typing import Final, NamedTuple

from psycopg.rows import class_row

from esl_agent.core.phones import Phone, Spending
from esl_agent.store.pool import Connection
from esl_agent.store.sip_users import find_sip_user

#: Networks remembered of an account; beyond it a new one takes the place of the one not used longest.
NETWORKS_MAX: Final = 50
#: Over how many days before its new network an account's habit is taken.
HABIT_DAYS: Final = 30
#: Accounts with a new network and much spent that are looked at in one go; the next look has the others.
SPENDINGS_MAX: Final = 1_000


class Sighting(NamedTuple):
    """A phone was used from a network."""

    account_id: int
    is_new: bool  # the account was never seen there, or not for very long
    others: int  # networks where it was seen before


def saw(conn: Connection, phone: Phone, network: str) -> Sighting | None:
    """Remember that a phone was used from a network; None where the phone is nobody's."""
    account_id = account_of(conn, phone)
    if account_id is None:
        return None
    with conn.transaction():
        key = [account_id, network]
        again = conn.execute(
            "UPDATE account_networks SET last_seen = now() WHERE (account_id, network) = (%s, %s)", key
        )
        if again.rowcount:
            return Sighting(account_id, is_new=False, others=0)
        known = conn.execute(
            "SELECT network FROM account_networks WHERE account_id = %s"
            " ORDER BY last_seen, network FOR UPDATE",
            [account_id],
        ).fetchall()
        if len(known) >= NETWORKS_MAX:
            conn.execute("UPDATE account_networks SET network = %s, first_seen = now(), last_seen = now(),"
                         " spike_at = NULL WHERE (account_id, network) = (%s, %s)",
                         [network, account_id, known[0][0]])  # fmt: skip
            return Sighting(account_id, is_new=True, others=len(known) - 1)
        added = conn.execute(
            "INSERT INTO account_networks (account_id, network) VALUES (%s, %s) ON CONFLICT DO NOTHING", key
        )
        return Sighting(account_id, is_new=bool(added.rowcount), others=len(known))


def account_of(conn: Connection, phone: Phone) -> int | None:
    """Who pays for the phone, which may be whatever somebody sent."""
    found = find_sip_user(conn, phone.user, phone.domain)
    return None if found is None else found.account_id


def spendings(conn: Connection, new_hours: int, amount_min: Decimal) -> list[Spending]:
    """What accounts spend that have a network which is new for so many hours at most, from `amount_min` on.

    Calls that began since are counted by when they ended; those that are up, by
    what is held.  An account whose spike was told, or that had no network
    before, is left out.
    """
    with conn.cursor(row_factory=class_row(Spending)) as cursor:
        return cursor.execute(
            """
            WITH fresh AS (
                SELECT account_id, array_agg(network::text ORDER BY first_seen DESC) AS networks,
                       min(first_seen) AS since
                FROM account_networks AS recent
                WHERE first_seen > now() - make_interval(hours => %(hours)s) AND spike_at IS NULL
                  AND EXISTS (SELECT FROM account_networks AS older
                              WHERE older.account_id = recent.account_id
                                AND older.first_seen < recent.first_seen)
                GROUP BY account_id
            ), spending AS MATERIALIZED (
                SELECT account_id, networks, since, currency, created_at, reserved + charged AS spent
                FROM fresh JOIN accounts USING (account_id), LATERAL (
                    SELECT coalesce(sum(charged), 0) AS charged FROM cdrs
                    WHERE cdrs.account_id = fresh.account_id AND cdrs.created_at >= since
                      AND ended_at > now() - interval '1 hour'
                ) AS hour
                WHERE reserved + charged >= %(least)s
                ORDER BY since LIMIT %(limit)s
            )
            SELECT account_id, networks, spent, before, currency,
                   extract(epoch FROM least(since - spending.created_at,
                                            make_interval(days => %(days)s))) / 3600 AS before_hours
            FROM spending, LATERAL (
                SELECT coalesce(sum(charged), 0) AS before FROM cdrs
                WHERE cdrs.account_id = spending.account_id AND cdrs.created_at < since
                  AND cdrs.created_at >= since - make_interval(days => %(days)s)
            ) AS habit
            """,
            {"hours": new_hours, "least": amount_min, "days": HABIT_DAYS, "limit": SPENDINGS_MAX},
        ).fetchall()


def spike_is_told(conn: Connection, account_id: int, new_hours: int) -> bool:
    """Note that the account's spike is being told; False where another daemon did so before."""
    told = conn.execute(
        "UPDATE account_networks SET spike_at = now() WHERE account_id = %s AND spike_at IS NULL"
        " AND first_seen > now() - make_interval(hours => %s)",
        [account_id, new_hours],
    )
    return bool(told.rowcount)
