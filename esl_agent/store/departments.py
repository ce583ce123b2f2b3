"""The numbers of the operator's departments, whose calls are recorded (terms 12)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from psycopg.rows import class_row

from esl_agent.errors import EslAgentError
from esl_agent.store.changes import Changed, announce
from esl_agent.store.numbers import DIGITS
from esl_agent.store.pool import Connection

#: How long recordings are kept where nothing else is said.
DAYS: Final = 180
DAYS_MAX: Final = 36_500


class DepartmentError(EslAgentError):
    """The number can't be a department's, or is none."""


@dataclass(frozen=True, slots=True)
class Department:
    """A department's number, digits from the country code on; `days` is how long its recordings are kept."""

    number: str
    name: str
    days: int = DAYS


def put_department(conn: Connection, department: Department, by: str) -> None:
    """Have calls from and to a number recorded, or say anew whose it is; raises DepartmentError."""
    if not DIGITS.fullmatch(department.number):
        raise DepartmentError(f"{department.number!r} is not 3 to 15 digits from the country code on")
    if not department.name or not 1 <= department.days <= DAYS_MAX:
        raise DepartmentError(f"{department.number}: give a name, and 1 to {DAYS_MAX} days")
    with conn.transaction():
        conn.execute(
            "INSERT INTO departments (number, name, days, added_by) VALUES (%s, %s, %s, %s)"
            " ON CONFLICT (number) DO UPDATE SET name = excluded.name, days = excluded.days",
            [department.number, department.name, department.days, by],
        )
        announce(conn, Changed.DEPARTMENTS)


def remove_department(conn: Connection, number: str) -> None:
    """Have no more calls of a number recorded; what was is kept for its time.  Raises DepartmentError."""
    with conn.transaction():
        removed = conn.execute("DELETE FROM departments WHERE number = %s", [number]).rowcount
        announce(conn, Changed.DEPARTMENTS)
    if not removed:
        raise DepartmentError(f"{number} is no department's number")


def load_all(conn: Connection) -> dict[str, Department]:
    """Every department, by its number, in order."""
    with conn.cursor(row_factory=class_row(Department)) as cursor:
        rows = cursor.execute("SELECT number, name, days FROM departments ORDER BY number").fetchall()
    return {department.number: department for department in rows}
