"""The schema and the statements can be spread over machines by account: what is asked of each of them.

What this covers: every table, key, unique index, foreign key and trigger that the migrations leave in a real
Postgres; every statement that stands in the package's Python, and in the functions of the migrations.  A
statement that is put together from pieces (conditions of lists) is looked at without the pieces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import pytest
from fixtures.commands import Command
from fixtures.statements import Level, Statement, levels, statements

from esl_agent.store.distribution import DISTRIBUTED, LOCAL, REFERENCE
from esl_agent.store.pool import Connection, connected

#: Statements that are for all accounts at once, and so for all machines: by file, kind and table.  No call
#: waits for one of them.
FOR_ALL_ACCOUNTS: Final = {
    # Lists and sums of the office, and what is due on a day; a condition on an account is put behind.
    ("office/arrears.py", "select", "invoices"),
    ("office/charges.py", "select", "charges"),
    ("office/charges.py", "select", "recurring_charges"),
    ("office/invoices.py", "select", "accounts"),
    ("office/invoices.py", "select", "charges"),
    ("office/invoices.py", "select", "invoices"),
    ("office/payments.py", "select", "payments"),
    ("store/accounts.py", "select", "accounts"),
    ("store/cdrs.py", "select", "cdrs"),
    ("store/ledger.py", "select", "ledger"),
    ("store/ledger.py", "select", "reservations"),
    # What is kept too long, whosever it is.
    ("office/retention.py", "delete", "reservations"),
    ("office/retention.py", "delete", "account_networks"),
    ("office/retention.py", "delete", "ledger"),
    ("office/retention.py", "update", "accounts"),
    ("office/retention.py", "delete", "restrictions"),
    ("office/retention.py", "delete", "cdrs"),
    ("office/retention.py", "select", "cdrs"),
    # Recordings are checked file by file.
    ("office/recording_check.py", "select", "cdrs"),
    ("office/recording_check.py", "select", "recordings"),
    ("office/recording_retention.py", "select", "recordings"),
    ("office/recording_retention.py", "delete", "recordings"),
    ("store/recordings.py", "select", "recordings"),
    # A switch's own: its open holds at a start, its CDR files, phones used from new networks, traffic.
    ("store/networks.py", "select", "account_networks"),
    ("store/open_holds.py", "select", "answers"),
    ("store/restrictions.py", "select", "restrictions"),
    ("store/reconcile.py", "select", "cdrs"),
    ("store/traffic_calls.py", "select", "cdrs"),
    # What the live page plots.
    ("store/minutes.py", "select", "cdrs"),
}

TABLES = """
    SELECT relname FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
"""
#: Each key and unique index, with its columns in order.
UNIQUE = """
    SELECT t.relname, i.relname, array_agg(a.attname::text ORDER BY k.place)
    FROM pg_index x
    JOIN pg_class t ON t.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
    CROSS JOIN unnest(x.indkey) WITH ORDINALITY AS k (attnum, place)
    LEFT JOIN pg_attribute a ON (a.attrelid, a.attnum) = (t.oid, k.attnum)
    WHERE t.relnamespace = 'public'::regnamespace AND (x.indisunique OR x.indisexclusion)
    GROUP BY t.relname, i.relname
"""
#: Each foreign key: its table, what it refers to, and the columns on both sides.
FOREIGN = """
    SELECT c.conrelid::regclass::text, c.confrelid::regclass::text,
           array(SELECT attname::text FROM unnest(c.conkey) WITH ORDINALITY k (n, place)
                 JOIN pg_attribute ON (attrelid, attnum) = (c.conrelid, k.n) ORDER BY place),
           array(SELECT attname::text FROM unnest(c.confkey) WITH ORDINALITY k (n, place)
                 JOIN pg_attribute ON (attrelid, attnum) = (c.confrelid, k.n) ORDER BY place)
    FROM pg_constraint c WHERE c.contype = 'f' AND c.connamespace = 'public'::regnamespace
"""


@pytest.fixture(scope="module")
def schema(new_database: Callable[[], str]) -> Iterator[Connection]:
    with connected(new_database()) as conn:
        yield conn


def test_every_table_is_distributed_everywhere_or_local(schema: Connection) -> None:
    listed = [*DISTRIBUTED, *REFERENCE, *LOCAL]
    assert sorted(listed) == sorted({name for (name,) in schema.execute(TABLES)})


def test_each_key_and_unique_index_of_a_distributed_table_has_the_account(schema: Connection) -> None:
    assert [f"{index} of {table}" for table, index, columns in schema.execute(UNIQUE)
            if table in DISTRIBUTED and "account_id" not in columns] == []  # fmt: skip


def test_a_distributed_table_has_a_key_that_begins_with_the_account(schema: Connection) -> None:
    beginning = {table for table, _, columns in schema.execute(UNIQUE) if columns[0] == "account_id"}
    assert set(DISTRIBUTED) <= beginning


def test_a_foreign_key_stays_within_the_account_or_refers_to_what_is_everywhere(schema: Connection) -> None:
    for table, other, columns, others in schema.execute(FOREIGN):
        where = f"{table} refers to {other}"
        if table in DISTRIBUTED and other in DISTRIBUTED:
            assert ("account_id", "account_id") in zip(columns, others, strict=True), where
            assert DISTRIBUTED.index(other) <= DISTRIBUTED.index(table), (
                f"{where}, which is distributed later"
            )
        else:
            assert other in REFERENCE, where
            assert table not in LOCAL, where


def test_no_table_has_a_trigger(schema: Connection) -> None:
    found = schema.execute("SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE NOT tgisinternal")
    assert found.fetchall() == []


def test_without_citus_the_command_says_so_and_changes_nothing(refused: Command, conn: Connection) -> None:
    function = "SELECT md5(prosrc) FROM pg_proc WHERE proname = 'settle_legs'"
    before = conn.execute(function).fetchone()
    for line in (["distribute"], ["distribute", "--dry-run"]):
        assert "this database has no Citus" in refused(*line)
    assert conn.execute(function).fetchone() == before


def test_every_statement_about_accounts_says_which() -> None:
    for statement in statements():
        for level in levels(statement):
            if tables := _untied(level):
                file = statement.where.partition(":")[0]
                assert {(file, level.kind, table) for table in tables} <= FOR_ALL_ACCOUNTS, (
                    f"{statement.where} is for every account, so for every machine: {level.text}"
                )


def test_no_exception_is_left_over() -> None:
    used = {
        (statement.where.partition(":")[0], level.kind, table)
        for statement in statements()
        for level in levels(statement)
        for table in _untied(level)
    }
    assert used == FOR_ALL_ACCOUNTS


def _untied(level: Level) -> list[str]:
    """The distributed tables of a level that names account_id less often than it has such tables."""
    tables = [table for table in level.tables if table in DISTRIBUTED]
    return tables if level.ties < len(tables) else []


@pytest.mark.parametrize(
    "text",
    [
        "SELECT balance FROM accounts WHERE name = 'A garage'",
        "UPDATE accounts SET balance = 0",
        "DELETE FROM cdrs WHERE leg_uuid = 'x'",
        "INSERT INTO ledger (debit, credit) VALUES ('cash', 'customer')",
        "SELECT 1 FROM accounts JOIN cdrs ON leg_uuid = name WHERE accounts.account_id = 1",
        "WITH old AS (DELETE FROM reservations RETURNING 1) SELECT * FROM old",
        "SELECT 1 FROM plans WHERE EXISTS (SELECT FROM accounts WHERE accounts.plan = plans.plan)",
    ],
)
def test_a_statement_that_does_not_say_which_account_is_found(text: str) -> None:
    assert any(_untied(level) for level in levels(Statement("here", text)))


@pytest.mark.parametrize(
    "text",
    [
        "SELECT balance FROM accounts WHERE account_id = ANY(NULL)",
        "SELECT 1 FROM accounts JOIN cdrs USING (account_id)",
        "UPDATE accounts SET balance = 0 FROM cdrs WHERE accounts.account_id = cdrs.account_id",
        "SELECT 1 FROM reservations r WHERE (r.account_id, r.leg_uuid) = (1, 'x')",
        "INSERT INTO ledger (account_id, debit) SELECT 1, 'cash'",
        "SELECT rate FROM rates WHERE prefix = '44'",
    ],
)
def test_a_statement_that_says_which_account_is_let_pass(text: str) -> None:
    assert not any(_untied(level) for level in levels(Statement("here", text)))
