"""sql/citus/one_by_one.sql: money held and settled a leg at a time, as a distributed Postgres has it done.

What is asked of the functions for whole batches is asked of these as well, on
a plain Postgres: the tests of these modules, all of them, once more.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest
import test_caps
import test_hand_over
import test_holds
import test_known_of_a_leg
import test_settle
import test_take_over
from fixtures.postgres import TEMPLATE

from esl_agent.store.distribution import one_by_one
from esl_agent.store.embedded import EmbeddedPostgres
from esl_agent.store.pool import connected

MODULES = (
    test_caps,
    test_hand_over,
    test_holds,
    test_known_of_a_leg,
    test_settle,
    test_take_over,
)
NUMBERS = count(1)
for module in MODULES:
    found = {name: thing for name, thing in vars(module).items() if name not in globals()}
    assert not {name for name in found if name.startswith("test_")} & globals().keys()
    globals().update(found)


@pytest.fixture(scope="session")
def new_database(postgres: EmbeddedPostgres) -> Callable[[], str]:
    """As everywhere, with the functions replaced."""

    def make() -> str:
        url = postgres.ensure_database(f"one_by_one_{next(NUMBERS)}", template=TEMPLATE)
        with connected(url) as conn:
            one_by_one(conn)
        return url

    return make


def test_it_replaces_functions_of_the_migrations_and_adds_its_own_two(
    postgres: EmbeddedPostgres, new_database: Callable[[], str]
) -> None:
    functions = """
        SELECT proname, pg_get_function_identity_arguments(oid) FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace
    """
    migrated = postgres.ensure_database("of_the_migrations", template=TEMPLATE)
    with connected(migrated) as plain, connected(new_database()) as replaced:
        before, after = set(plain.execute(functions)), set(replaced.execute(functions))
    assert before <= after
    assert {name for name, _ in after - before} == {"lock_accounts", "post_lines"}
