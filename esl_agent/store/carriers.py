"""Carriers as the operator set them up; which numbers they take calls to is said by routes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from psycopg.rows import kwargs_row

from esl_agent.core.admission.carriers import Carrier, NumberFormat
from esl_agent.errors import EslAgentError
from esl_agent.store.changes import Changed, announce
from esl_agent.store.pool import Connection

_SELECT: Final = """
    SELECT carrier AS name, dial_template, number_format, strip_digits, prepend, capacity, progress_timeout_s,
           is_enabled
    FROM carriers ORDER BY carrier
"""
_WRITE: Final = """
    INSERT INTO carriers
        (carrier, dial_template, number_format, strip_digits, prepend, capacity, progress_timeout_s)
    VALUES (%s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (carrier) DO UPDATE SET
        dial_template = excluded.dial_template, number_format = excluded.number_format,
        strip_digits = excluded.strip_digits, prepend = excluded.prepend, capacity = excluded.capacity,
        progress_timeout_s = excluded.progress_timeout_s
"""


class UnknownCarrierError(EslAgentError):
    """There is no such carrier."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no carrier {name!r}: `esl-agent carrier list` shows which there are")


@dataclass(frozen=True, slots=True)
class StoredCarrier:
    """A carrier, and whether it is given calls; its priority and weight stand with its routes."""

    carrier: Carrier
    is_enabled: bool


def put_carrier(conn: Connection, carrier: Carrier) -> None:
    """Add a carrier, or change the one of its name; one that is disabled stays so."""
    values = [
        carrier.name,
        carrier.dial_template,
        carrier.number_format,
        carrier.strip_digits,
        carrier.prepend,
        carrier.capacity,
        carrier.progress_timeout_s,
    ]
    with conn.transaction():
        conn.execute(_WRITE, values)
        announce(conn, Changed.ROUTES)


def enable_carrier(conn: Connection, name: str, is_enabled: bool) -> None:
    """Give a carrier calls again, or no more; raises UnknownCarrierError."""
    with conn.transaction():
        if not conn.execute(
            "UPDATE carriers SET is_enabled = %s WHERE carrier = %s", [is_enabled, name]
        ).rowcount:
            raise UnknownCarrierError(name)
        announce(conn, Changed.ROUTES)


def list_carriers(conn: Connection) -> list[StoredCarrier]:
    """Every carrier, by name."""
    with conn.cursor(row_factory=kwargs_row(_stored)) as cursor:
        return cursor.execute(_SELECT).fetchall()


def _stored(is_enabled: bool, number_format: str, **columns: Any) -> StoredCarrier:
    return StoredCarrier(Carrier(number_format=NumberFormat(number_format), **columns), is_enabled)
