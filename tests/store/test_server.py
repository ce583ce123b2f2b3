"""The embedded server wherever it is put, and the pool when a server goes and comes back."""

from __future__ import annotations

from pathlib import Path

import gevent
import psycopg
import pytest

from esl_agent.store import embedded
from esl_agent.store.embedded import SOCKET_FOLDER_BYTES_MAX, EmbeddedPostgres, EmbeddedPostgresError
from esl_agent.store.pool import DatabaseError, connected, open_pool, without_password


def versions(server: EmbeddedPostgres) -> list[str]:
    with connected(server.url("postgres")) as conn:
        return [version for (version,) in conn.execute("SELECT version()")]


@pytest.mark.parametrize(
    "name",
    ["with spaces in it", 'quote\'d "and" $PATH, comma', "é", "long" * (SOCKET_FOLDER_BYTES_MAX // 4)],
    ids=["spaces", "quotes", "letters", "long"],
)
def test_it_runs_in_any_folder_and_leaves_nothing_behind(server_folder: Path, name: str) -> None:
    folder = server_folder / "anywhere" / name
    server = EmbeddedPostgres(folder, fsync=False)
    home = folder / "postgres"
    try:
        server.start()
        server.start()  # once more does nothing
        assert "PostgreSQL" in versions(server)[0]
        lives_in = home.resolve()
    finally:
        server.remove()
    assert not server.running()
    assert not lives_in.exists()
    assert list(folder.iterdir()) == []


def test_root_runs_it_where_the_server_s_user_cannot_look(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with EmbeddedPostgres(tmp_path / "private", fsync=False) as server:
        [home] = {path.resolve() for path in (tmp_path / "private").iterdir()}
        assert (home / "data").stat().st_uid != 0
        assert (home.stat().st_mode & 0o777, tmp_path.stat().st_mode & 0o777) == (0o700, 0o700)
        assert len(versions(server)) == 1
    server.remove()


def test_its_data_outlive_a_restart_and_another_object_finds_it(server_folder: Path) -> None:
    folder = server_folder / "restarted"
    first = EmbeddedPostgres(folder, fsync=False)
    first.start()
    try:
        url = first.ensure_database("kept")
        assert EmbeddedPostgres(folder).url("kept") == url
        with connected(url) as conn:
            conn.execute("CREATE TABLE kept AS SELECT 7 AS n")
        EmbeddedPostgres(folder).stop()
        assert not first.running()

        first.start()

        assert first.ensure_database("kept") == url
        with connected(url) as conn:
            assert conn.execute("SELECT n FROM kept").fetchone() == (7,)
    finally:
        first.remove()


def test_nobody_reaches_it_over_the_network(postgres: EmbeddedPostgres) -> None:
    with connected(postgres.url("postgres")) as conn:
        settings = conn.execute(
            "SELECT current_setting('listen_addresses'), current_setting('unix_socket_permissions')"
        ).fetchone()
    assert settings == ("", "0700")


def test_a_missing_package_is_told_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "find_spec", lambda name: None)

    with pytest.raises(EmbeddedPostgresError, match=r"esl-agent\[demo\]"):
        EmbeddedPostgres(tmp_path).start()


def test_a_server_that_cannot_start_gives_its_own_last_words(server_folder: Path) -> None:
    server = EmbeddedPostgres(server_folder / "broken", fsync=False)
    server.start()
    server.stop()
    with (server_folder / "broken" / "postgres" / "data" / "postgresql.conf").open("a") as file:
        file.write("shared_buffers = 'all of it'\n")
    try:
        with pytest.raises(EmbeddedPostgresError, match="shared_buffers"):
            server.start()
    finally:
        server.remove()


def test_the_pool_heals_when_the_database_goes_and_comes_back(server_folder: Path) -> None:
    server = EmbeddedPostgres(server_folder / "flaky", fsync=False)
    server.start()
    pool = open_pool(server.url("postgres"), 2)
    try:
        with pool.connection() as conn:
            assert conn.execute("SELECT 1").fetchone() == (1,)
        server.stop()
        with pytest.raises(psycopg.OperationalError), pool.connection() as conn:
            conn.execute("SELECT 1")
        server.start()

        pool.check()
        with pool.connection() as conn:
            assert conn.execute("SELECT 2").fetchone() == (2,)
    finally:
        pool.close()
        server.remove()


def test_a_connection_lost_in_use_is_replaced(database_url: str) -> None:
    pool = open_pool(database_url, 1)
    try:
        with pytest.raises(psycopg.OperationalError), pool.connection() as conn:
            conn.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        with pool.connection() as conn:
            assert conn.execute("SELECT 1").fetchone() == (1,)
    finally:
        pool.close()


def test_a_frozen_daemon_cannot_hold_a_lock_for_ever(database_url: str) -> None:
    pool = open_pool(database_url, 1)
    names = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")
    try:
        with pool.connection() as conn:
            limits = [conn.execute("SELECT current_setting(%s)", [name]).fetchone() for name in names]
    finally:
        pool.close()
    assert limits == [("5s",), ("10s",), ("10s",)]


def test_more_greenlets_than_connections_take_turns(database_url: str) -> None:
    pool = open_pool(database_url, 2)
    seen: list[int] = []

    def work(number: int) -> None:
        with pool.connection() as conn:
            seen.extend(found for (found,) in conn.execute("SELECT %s", [number]))

    try:
        gevent.joinall([gevent.spawn(work, number) for number in range(20)], raise_error=True)
    finally:
        pool.close()
    assert sorted(seen) == list(range(20))


def test_a_password_is_never_shown() -> None:
    url = "postgresql://agent:sesame@127.0.0.1:1/books"

    assert without_password(url) == "host=127.0.0.1 port=1 dbname=books user=agent"
    assert "sesame" not in without_password("postgresql://agent:sesame@[broken")
    with pytest.raises(DatabaseError, match="can't reach the database at host=127") as told, connected(url):
        pass
    assert "sesame" not in str(told.value)


def test_a_database_that_is_not_migrated_says_what_to_do(postgres: EmbeddedPostgres) -> None:
    with (
        pytest.raises(DatabaseError, match="run `esl-agent migrate`"),
        connected(postgres.url("postgres")) as conn,
    ):
        conn.execute("SELECT * FROM accounts")
