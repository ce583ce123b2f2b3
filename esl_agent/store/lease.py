"""The lease of a switch: the lock that says a daemon is there, and the row that says which twin is active.

Theory of operation.  A daemon has a session of its own, and in it the advisory
lock of its switch for as long as it lives.  A daemon without a twin needs
nothing else: a second one for the same switch doesn't get the lock.  Of twins
the one that is active has it, and writes the row of the switch.

The end of a process ends its session, and with it the lock; but a frozen one,
or a host that is gone without a word, may keep both for long.  So who takes the
row over ends the session of its old holder.  It may, for both have the same
role: `pg_terminate_backend` asks for no more than that.  Exactly that session
is ended which has the lock and stands in the row as it was read, so no number
of a process that is used again can hit another.

Every statement is conditional on what was read or written before, and may come
as late as it likes.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any, Final, NamedTuple

import psycopg

from esl_agent.core.lease import Row
from esl_agent.store.pool import CONNECT_TIMEOUT_S, KEEPALIVES, Connection

#: The server finds out as soon that a host is gone: otherwise its lock would stay for hours.
SESSION: Final = {
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "statement_timeout": "5000",
    "lock_timeout": "2000",
}

LOCK_HOLDER: Final = """
    SELECT pid FROM pg_locks
    WHERE locktype = 'advisory' AND granted AND objsubid = 1
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND (classid::bigint << 32) | objid::bigint = %s
"""

READ: Final = "SELECT holder, epoch, renewals, lease_us FROM leases WHERE switch = %s"

BEGIN: Final = """
    INSERT INTO leases (switch, holder, epoch, renewals, lease_us, backend_pid)
    VALUES (%(switch)s, %(holder)s, %(epoch)s, 1, %(lease_us)s, pg_backend_pid())
    ON CONFLICT (switch) DO NOTHING
"""

TAKE: Final = """
    UPDATE leases SET holder = %(holder)s, epoch = %(epoch)s, renewals = renewals + 1,
        lease_us = %(lease_us)s, backend_pid = pg_backend_pid(),
        taken_at = clock_timestamp(), renewed_at = clock_timestamp()
    WHERE switch = %(switch)s AND epoch < %(epoch)s
      AND (holder, epoch, renewals) = (%(old_holder)s, %(old_epoch)s, %(old_renewals)s)
"""

END_OLD_SESSION: Final = """
    SELECT pg_terminate_backend(backend_pid) FROM leases
    WHERE switch = %s AND (holder, epoch, renewals) = (%s, %s, %s) AND backend_pid = %s
"""

RENEW: Final = """
    UPDATE leases SET renewals = renewals + 1, backend_pid = pg_backend_pid(), renewed_at = clock_timestamp()
    WHERE switch = %s AND (holder, epoch) = (%s, %s)
"""

GIVE_BACK: Final = """
    UPDATE leases SET holder = '', renewals = renewals + 1, renewed_at = clock_timestamp()
    WHERE switch = %s AND (holder, epoch) = (%s, %s)
"""

#: Who has the lock, and what the row says.
WHO: Final = f"""
    SELECT lock.pid, lease.holder, lease.epoch, lease.lease_us, lease.backend_pid,
           lease.taken_at AT TIME ZONE 'UTC',
           extract(epoch FROM clock_timestamp() - lease.renewed_at)::float8
    FROM (SELECT 1) AS one
    LEFT JOIN ({LOCK_HOLDER}) AS lock ON true
    LEFT JOIN leases lease ON lease.switch = %s AND lease.holder <> ''
"""  # noqa: S608 (all of it is our own text)


class Who(NamedTuple):
    """Which daemon has a switch; None where there is none, or it can't be told."""

    lock_pid: int | None  # the session that has the lock
    holder: str | None  # the twin whose lease it is
    epoch: int | None
    lease_us: int | None
    backend_pid: int | None  # the twin's session
    since: datetime | None  # UTC
    renewed_s: float | None  # how long ago

    @property
    def is_twin(self) -> bool:
        """Whether the daemon that has the lock is the twin that stands in the row."""
        return self.lock_pid is not None and self.lock_pid == self.backend_pid


def lock_key(switch: str) -> int:
    """The advisory lock of a switch, apart from any other of ours."""
    digest = hashlib.sha256(f"esl-agent lease {switch}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def connect_to_lease(url: str) -> Connection:
    """The session for the lock and the row; through a pooler that shares sessions neither would hold."""
    options: dict[str, Any] = {"application_name": "esl-agent lease", "prepare_threshold": None, **KEEPALIVES}
    conn = psycopg.connect(url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S, **options)
    for setting, value in SESSION.items():
        conn.execute("SELECT set_config(%s, %s, false)", [setting, value])
    return conn


def is_own_session(conn: Connection) -> bool:
    """Whether the server's session is this connection's alone; a pooler that shares them makes up a pid."""
    row = conn.execute("SELECT pg_backend_pid()").fetchone()
    return row is not None and row[0] == conn.info.backend_pid


def lock(conn: Connection, switch: str) -> int | None:
    """Get the switch's lock for this session, if it is free.

    None if this session has it, now or since before; else the session that does.
    """
    key = lock_key(switch)
    holder = conn.execute(LOCK_HOLDER, [key]).fetchone()
    if holder is None:
        got = conn.execute("SELECT pg_try_advisory_lock(%s)", [key]).fetchone()
        if got is not None and got[0]:
            return None
        holder = conn.execute(LOCK_HOLDER, [key]).fetchone() or (0,)  # gone again meanwhile
    return None if holder[0] == conn.info.backend_pid else int(holder[0])


def read(conn: Connection, switch: str) -> Row | None:
    """What the row says; None if nobody ever took it."""
    row = conn.execute(READ, [switch]).fetchone()
    return Row(*row) if row else None


def take(conn: Connection, switch: str, seen: Row | None, wanted: Row) -> bool:
    """Make the row `wanted` if it is still `seen`, and get the lock; False where either can't be had.

    The old holder's session is ended, if it still has the lock; then another
    try a moment later will have it.  A lock of anybody else's is respected.
    """
    other = lock(conn, switch)
    if other is not None:
        if seen is not None:
            conn.execute(END_OLD_SESSION, [switch, seen.holder, seen.epoch, seen.renewals, other])
        return False
    values = {"switch": switch, "holder": wanted.holder, "epoch": wanted.epoch, "lease_us": wanted.lease_us}
    if seen is None:
        taken = conn.execute(BEGIN, values)
    else:
        old = {"old_holder": seen.holder, "old_epoch": seen.epoch, "old_renewals": seen.renewals}
        taken = conn.execute(TAKE, values | old)
    if taken.rowcount:
        return True
    unlock(conn, switch)
    return False


def unlock(conn: Connection, switch: str) -> None:
    conn.execute("SELECT pg_advisory_unlock(%s)", [lock_key(switch)])


def renew(conn: Connection, switch: str, holder: str, epoch: int) -> bool:
    """Write the row once more; False if it is another's."""
    return conn.execute(RENEW, [switch, holder, epoch]).rowcount == 1


def give_back(conn: Connection, switch: str, holder: str, epoch: int) -> None:
    """Let whoever wants it take the row at once, if it is ours."""
    conn.execute(GIVE_BACK, [switch, holder, epoch])


def who_has(conn: Connection, switch: str) -> Who:
    """Which daemon has the switch, for a person to read."""
    row = conn.execute(WHO, [lock_key(switch), switch]).fetchone()
    return Who(*row) if row else Who(None, None, None, None, None, None, None)
