"""Migrations are applied once, in order, by whoever comes first, and are never changed afterwards."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import gevent
import pytest

from esl_agent.files import sql_dir
from esl_agent.store import ledger
from esl_agent.store.accounts import list_accounts
from esl_agent.store.embedded import EmbeddedPostgres
from esl_agent.store.migrations import MigrationError, check, migrate, read_migrations
from esl_agent.store.pool import Connection, connected


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of migrations that a test may spoil."""
    return Path(shutil.copytree(sql_dir(), tmp_path / "sql"))


def names(conn: Connection) -> list[str]:
    return [name for (name,) in conn.execute("SELECT name FROM schema_migrations ORDER BY version")]


def test_an_empty_database_gets_every_migration_once_although_several_come_at_once(
    postgres: EmbeddedPostgres,
) -> None:
    url = postgres.ensure_database("raced", template="template0")

    applied: list[int] = []

    def run() -> None:
        with connected(url) as conn:
            applied.append(len(migrate(conn)))

    gevent.joinall([gevent.spawn(run) for _ in range(4)], raise_error=True)

    known = read_migrations(sql_dir())
    assert sorted(applied) == [0, 0, 0, len(known)]
    with connected(url) as conn:
        assert names(conn) == [migration.name for migration in known]
        assert check(conn) == []


def test_check_tells_what_is_missing_and_changes_nothing(postgres: EmbeddedPostgres) -> None:
    with connected(postgres.ensure_database("unmigrated", template="template0")) as conn:
        assert check(conn) == read_migrations(sql_dir())
        assert conn.execute("SELECT to_regclass('schema_migrations')").fetchone() == (None,)


def test_a_later_migration_is_applied_to_a_database_that_has_the_earlier_ones(
    conn: Connection, folder: Path
) -> None:
    version = len(read_migrations(folder)) + 1
    (folder / f"{version:04}_later.sql").write_text("CREATE TABLE later (account_id bigint);")

    assert [migration.name for migration in check(conn, folder)] == ["later"]
    assert [migration.name for migration in migrate(conn, folder)] == ["later"]
    assert conn.execute("SELECT count(*) FROM later").fetchone() == (0,)


def test_reservations_that_were_open_before_calls_were_counted_are_counted(
    postgres: EmbeddedPostgres, folder: Path
) -> None:
    for path in sorted(folder.glob("*.sql"))[4:]:
        path.unlink()
    with connected(postgres.ensure_database("uncounted", template="template0")) as conn:
        migrate(conn, folder)
        conn.execute(
            "INSERT INTO accounts (account_id, name, plan, state, reserved) VALUES"
            " (1, 'two calls', 'standard', 'pending', 0.5), (2, 'none', 'standard', 'pending', 0)"
        )
        conn.execute(
            "INSERT INTO reservations (account_id, leg_uuid, state, held, held_at, settled_at) VALUES"
            " (1, 'a', 'held', 0.5, now(), null), (1, 'b', 'held', 0, now(), null),"
            " (1, 'over', 'settled', 0.7, now(), now()), (2, 'over', 'settled', 0, null, now())"
        )

        migrate(conn)

        assert [account.calls_up for account in list_accounts(conn)] == [2, 0]
        assert ledger.check(conn) == []


def test_a_migration_changed_after_it_was_applied_is_refused_by_name(conn: Connection, folder: Path) -> None:
    with (folder / "0002_cdrs.sql").open("a") as file:
        file.write("-- an afterthought\n")

    for look in (check, migrate):
        with pytest.raises(MigrationError, match="0002_cdrs was changed after it was applied"):
            look(conn, folder)


def test_a_database_newer_than_the_program_is_refused(conn: Connection, folder: Path) -> None:
    max(folder.glob("*.sql")).unlink()

    with pytest.raises(MigrationError, match="install the newer version"):
        check(conn, folder)


def test_a_migration_that_fails_leaves_nothing_of_itself_or_of_those_with_it(
    conn: Connection, folder: Path
) -> None:
    version = len(read_migrations(folder)) + 1
    (folder / f"{version:04}_good.sql").write_text("CREATE TABLE good (n integer);")
    (folder / f"{version + 1:04}_bad.sql").write_text("CREATE TABLE bad (n integer); SELECT 1 / 0;")

    with pytest.raises(MigrationError, match="_bad failed: division by zero"):
        migrate(conn, folder)

    assert conn.execute("SELECT to_regclass('good'), to_regclass('bad')").fetchone() == (None, None)
    assert len(check(conn, folder)) == 2


def _missing(folder: Path) -> None:
    (folder / "0002_cdrs.sql").unlink()


def _doubled(folder: Path) -> None:
    (folder / "0002_again.sql").touch()


def _misnamed(folder: Path) -> None:
    (folder / "0002-cdrs.sql").touch()


@pytest.mark.parametrize("spoil", [_missing, _doubled, _misnamed])
def test_a_gap_a_double_or_a_strange_name_is_an_error(folder: Path, spoil: Callable[[Path], None]) -> None:
    spoil(folder)

    with pytest.raises(MigrationError):
        read_migrations(folder)
