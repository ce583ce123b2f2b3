"""Departments: the numbers whose calls are recorded (terms 12), and the command for them."""

from __future__ import annotations

import json

import pytest
from fixtures.commands import Command, row_of

from esl_agent.store.departments import (
    Department,
    DepartmentError,
    load_all,
    put_department,
    remove_department,
)
from esl_agent.store.pool import Connection

SUPPORT = Department("15145550199", "support")


def test_a_department_is_added_changed_and_removed(conn: Connection) -> None:
    put_department(conn, SUPPORT, "test")
    put_department(conn, Department("15145550198", "sales", 30), "test")
    put_department(conn, Department(SUPPORT.number, "help", 10), "test")
    assert list(load_all(conn).values()) == [
        Department("15145550198", "sales", 30),
        Department(SUPPORT.number, "help", 10),
    ]
    remove_department(conn, "15145550198")
    assert list(load_all(conn)) == [SUPPORT.number]


@pytest.mark.parametrize(
    "wrong",
    [
        Department("", "support"),
        Department("12", "support"),
        Department("+15145550199", "support"),
        Department("1514555\n0199", "support"),
        Department("15145550199", ""),
        Department("15145550199", "support", 0),
    ],
)
def test_what_is_no_department_is_not_added(conn: Connection, wrong: Department) -> None:
    with pytest.raises(DepartmentError):
        put_department(conn, wrong, "test")
    assert load_all(conn) == {}


def test_one_that_is_not_there_cant_be_removed(conn: Connection) -> None:
    with pytest.raises(DepartmentError, match="no department"):
        remove_department(conn, SUPPORT.number)


def test_the_command(conn: Connection, told: Command, refused: Command) -> None:
    told("department", "add", "514 555-0199", "--name", "support", "--days", 30)
    assert row_of(told("department", "list"), SUPPORT.number) == [SUPPORT.number, "support", "30"]
    [listed] = json.loads(told("department", "list", "--json"))
    assert listed == {"number": SUPPORT.number, "name": "support", "days": 30}
    assert "not recorded now" in told("department", "remove", "+15145550199")
    assert "no department" in refused("department", "remove", "+15145550199")


@pytest.mark.parametrize("number", ["911", "933", "988"])
def test_emergency_numbers_are_no_departments(conn: Connection, refused: Command, number: str) -> None:
    assert "never recorded" in refused("department", "add", number, "--name", "support")
    assert load_all(conn) == {}
