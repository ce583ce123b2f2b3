"""Disclosure (terms 15): exactly what was asked for, in one file; and nothing leaves without an entry.

The file is written beside its place, its hash goes into the register, and only
when that is committed does it get its name: a file that is there was entered.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Final, LiteralString

from psycopg.rows import class_row
from psycopg.sql import SQL

from esl_agent.errors import EslAgentError
from esl_agent.store.pool import Connection

#: Before the first entry there is none.
NO_ENTRY: Final = "0" * 64
ROWS_AT_ONCE: Final = 1_000
#: Files in a ZIP bear this time, so that the same rows make the same bytes.
ZIP_TIME: Final = (1980, 1, 1, 0, 0, 0)


class Kind(StrEnum):
    ACCOUNT = "account"
    NUMBERS = "numbers"
    PHONES = "phones"
    CALLS = "calls"
    PAYMENTS = "payments"
    LEDGER = "ledger"
    INVOICES = "invoices"
    TERMS = "terms"
    RECORDINGS = "recordings"  # which there are, with their hashes: the files themselves are the switch's


_CALLS: Final = """
    SELECT * FROM cdrs
    WHERE created_at >= %(since)s AND created_at < %(until)s
      AND (cardinality(%(accounts)s::bigint[]) = 0 OR account_id = ANY(%(accounts)s))
      AND (cardinality(%(numbers)s::text[]) = 0
           OR caller = ANY(%(numbers)s) OR number = ANY(%(numbers)s) OR forwarded_from = ANY(%(numbers)s))
    ORDER BY created_at, account_id, leg_uuid
"""
#: What is handed over of each kind.  Secrets are in none.
QUERIES: Final[Mapping[Kind, LiteralString]] = {
    Kind.ACCOUNT: """
        SELECT account_id, name, address, customer_type, state, state_since, currency, created_at
        FROM accounts WHERE account_id = ANY(%(accounts)s) ORDER BY account_id
    """,
    Kind.NUMBERS: """
        SELECT account_id, number, kind, forward_to, forward_when, added_at FROM numbers
        WHERE (cardinality(%(accounts)s::bigint[]) = 0 OR account_id = ANY(%(accounts)s))
          AND (cardinality(%(numbers)s::text[]) = 0 OR number = ANY(%(numbers)s))
        ORDER BY account_id, number
    """,
    Kind.PHONES: """
        SELECT account_id, sip_user, domain, caller_number, emergency_caller_number, password_since
        FROM sip_users WHERE account_id = ANY(%(accounts)s) ORDER BY account_id, sip_user
    """,
    Kind.CALLS: _CALLS,
    Kind.PAYMENTS: """
        SELECT * FROM payments WHERE account_id = ANY(%(accounts)s)
          AND received_on >= %(since)s::date AND received_on < %(until)s::date
        ORDER BY account_id, received_on, reference
    """,
    Kind.LEDGER: """
        SELECT * FROM ledger WHERE account_id = ANY(%(accounts)s)
          AND recorded_at >= %(since)s AND recorded_at < %(until)s
        ORDER BY account_id, recorded_at, idempotency_key
    """,
    Kind.INVOICES: """
        SELECT * FROM invoices JOIN invoice_lines USING (account_id, invoice_number)
        WHERE account_id = ANY(%(accounts)s) AND issued_on >= %(since)s::date AND issued_on < %(until)s::date
        ORDER BY account_id, invoice_number, position
    """,
    Kind.TERMS: """
        SELECT * FROM terms_acceptances WHERE account_id = ANY(%(accounts)s) ORDER BY account_id, accepted_at
    """,
    Kind.RECORDINGS: """
        SELECT * FROM recordings WHERE account_id = ANY(%(accounts)s)
          AND started_at >= %(since)s AND started_at < %(until)s
        ORDER BY account_id, started_at, leg_uuid
    """,
}
#: These can be asked for by number alone; the others are of an account.
BY_NUMBER: Final = frozenset({Kind.CALLS, Kind.NUMBERS})


class DisclosureError(EslAgentError):
    """What is asked for can't be handed over; nothing was."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Of which accounts and numbers, from when until before when (midnights, UTC), and what."""

    accounts: tuple[int, ...]
    numbers: tuple[str, ...]
    since: date
    until: date
    kinds: tuple[Kind, ...]


@dataclass(frozen=True, slots=True)
class Demand:
    """Who asked, by which right, and who answered."""

    authority: str
    legal_reference: str
    by: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the register; the columns bear these names."""

    disclosure: int
    made_at: datetime
    made_by: str
    authority: str
    legal_reference: str
    scope: str
    row_count: int
    file_bytes: int
    file_sha256: str
    previous_sha256: str
    entry_sha256: str


def disclose(conn: Connection, scope: Scope, demand: Demand, file: Path, now: datetime) -> Entry:
    """Write what the scope names to `file`, a ZIP of CSV files, and enter it; raises DisclosureError."""
    _check(scope)
    if file.exists():
        raise DisclosureError(f"{file} is there already: what was handed over is not written over")
    part = file.with_name(f".{file.name}.part")
    try:
        row_count = _write(conn, scope, part)
        entry = _enter(conn, scope, demand, part, row_count, now)
        os.link(part, file)  # unlike a rename, it fails where somebody else has made the file meanwhile
    except OSError as error:
        raise DisclosureError(f"{file} can't be written: {error.strerror}") from None
    finally:
        part.unlink(missing_ok=True)
    return entry


def register(conn: Connection) -> list[Entry]:
    """Every entry, the oldest first."""
    with conn.cursor(row_factory=class_row(Entry)) as cursor:
        return cursor.execute("SELECT * FROM disclosures ORDER BY disclosure").fetchall()


def broken_entries(conn: Connection) -> list[int]:
    """The entries that were changed, or before which one was removed, since they were made."""
    broken, previous = [], NO_ENTRY
    for position, entry in enumerate(register(conn), 1):
        is_whole = entry.entry_sha256 == _hash_of(entry)
        if not is_whole or entry.previous_sha256 != previous or entry.disclosure != position:
            broken.append(entry.disclosure)
        previous = entry.entry_sha256
    return broken


def _check(scope: Scope) -> None:
    if not scope.kinds:
        raise DisclosureError(f"say what is to be handed over: {', '.join(Kind)}")
    if not scope.accounts and not scope.numbers:
        raise DisclosureError("name an account or a number: nothing is handed over of everybody")
    if scope.since >= scope.until:
        raise DisclosureError(f"the period from {scope.since} until {scope.until} is empty")
    if not scope.accounts and (of_accounts := set(scope.kinds) - BY_NUMBER):
        raise DisclosureError(f"{', '.join(sorted(of_accounts))}: name the account")


def _write(conn: Connection, scope: Scope, part: Path) -> int:
    """In one snapshot; readable by nobody else."""
    values = {"accounts": list(scope.accounts), "numbers": list(scope.numbers)}
    period = {
        name: datetime(day.year, day.month, day.day, tzinfo=UTC)
        for name, day in (("since", scope.since), ("until", scope.until))
    }
    row_count = 0
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("scope.json", ZIP_TIME), _scope_text(scope))
        with conn.transaction():
            conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            for kind in scope.kinds:
                info = zipfile.ZipInfo(f"{kind}.csv", ZIP_TIME)
                info.compress_type = zipfile.ZIP_DEFLATED
                with archive.open(info, "w") as member, io.TextIOWrapper(member, "utf-8", newline="") as text:
                    row_count += _write_kind(conn, kind, values | period, text)
        file.flush()
        os.fsync(file.fileno())
    return row_count


def _write_kind(conn: Connection, kind: Kind, values: Mapping[str, object], text: io.TextIOWrapper) -> int:
    out = csv.writer(text)
    row_count = 0
    with conn.cursor(name="disclosure") as cursor:
        cursor.itersize = ROWS_AT_ONCE
        cursor.execute(SQL(QUERIES[kind]), values)
        out.writerow([column.name for column in cursor.description or ()])
        for row in cursor:
            out.writerow([json.dumps(cell) if isinstance(cell, list | dict) else cell for cell in row])
            row_count += 1
    return row_count


def _enter(
    conn: Connection, scope: Scope, demand: Demand, part: Path, row_count: int, now: datetime
) -> Entry:
    content = part.read_bytes()
    with conn.transaction():
        conn.execute("LOCK TABLE disclosures IN SHARE ROW EXCLUSIVE MODE")
        entries = register(conn)
        last = entries[-1] if entries else None
        entry = Entry(
            disclosure=last.disclosure + 1 if last else 1,
            made_at=now.astimezone(UTC),
            made_by=demand.by,
            authority=demand.authority,
            legal_reference=demand.legal_reference,
            scope=_scope_text(scope),
            row_count=row_count,
            file_bytes=len(content),
            file_sha256=hashlib.sha256(content).hexdigest(),
            previous_sha256=last.entry_sha256 if last else NO_ENTRY,
            entry_sha256="",
        )
        fields = asdict(entry) | {"entry_sha256": _hash_of(entry)}
        conn.execute(
            "INSERT INTO disclosures (disclosure, made_at, made_by, authority, legal_reference, scope,"
            " row_count, file_bytes, file_sha256, previous_sha256, entry_sha256)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            list(fields.values()),
        )
        return Entry(**fields)


def _hash_of(entry: Entry) -> str:
    """Of everything in the entry but its own hash."""
    fields = {name: str(value) for name, value in asdict(entry).items() if name != "entry_sha256"}
    fields["made_at"] = entry.made_at.astimezone(UTC).isoformat()
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def _scope_text(scope: Scope) -> str:
    return json.dumps(asdict(scope), default=str, ensure_ascii=False)
