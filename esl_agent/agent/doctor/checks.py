"""What `esl-agent doctor` looks at: the switch, the database, and whether they fit this version."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, NamedTuple

from esl_agent.config import Config, SwitchConfig, is_loopback, switch_name_of
from esl_agent.core import lease as rules
from esl_agent.errors import EslAgentError
from esl_agent.store import decks, departments, lease, migrations, plans
from esl_agent.store.pool import Connection, connected, without_password
from esl_agent.switch import commands
from esl_agent.switch.client import SwitchConnection

POSTGRES_MIN: Final = 14
FREESWITCH_MIN: Final = (1, 10)
#: Without one of these the switch can't do what we ask; and what each is for.
MODULES: Final = {
    "mod_json_cdr": "CDR files, from which calls are settled that the daemon did not see",
    "mod_sofia": "SIP",
    "mod_dptools": "bridge and set, which the dialplan uses",
    "mod_commands": "uuid_kill and sched_api, which cut calls",
}
#: What the daemon does with each table.
PRIVILEGES: Final = {
    "accounts": "SELECT, UPDATE",
    "reservations": "SELECT, INSERT, UPDATE",
    "answers": "SELECT, INSERT, UPDATE, DELETE",
    "ledger": "INSERT",
    "cdrs": "SELECT, INSERT",
    "plans": "SELECT",
    "deck_versions": "SELECT",
    "rates": "SELECT",
    "numbers": "SELECT",
    "leases": "SELECT, INSERT, UPDATE",
    "account_networks": "SELECT, INSERT, UPDATE",
    "restrictions": "SELECT, INSERT, UPDATE",
    "departments": "SELECT",
    "recordings": "SELECT, INSERT, UPDATE",
}
HAS_OF_COLUMNS: Final = "SELECT has_any_column_privilege(%s, %s)"
HAS_OF_TABLE: Final = "SELECT has_table_privilege(%s, %s)"  # rows are deleted whole
#: The columns of accounts that a suspension changes.
SUSPENDING: Final = ("state", "state_reason", "state_since", "state_by")
#: Clocks further apart than this make cut-offs less exact than they should be.
SKEW_MAX_S: Final = 1.0


class Verdict(StrEnum):
    GOOD = "good"
    WARNING = "warning"  # it works, but somebody should look
    BAD = "bad"  # calls will not be admitted, rated or cut as they should


class Finding(NamedTuple):
    verdict: Verdict
    what: str
    advice: str = ""


Findings = Iterator[Finding]


def check_database(config: Config) -> Findings:
    """Reachable, new enough, migrated, with partitions and privileges, and something to rate by."""
    try:
        with connected(config.database.url) as conn:
            yield from _check_server(conn, without_password(config.database.url))
            pending = migrations.check(conn)
            if pending:
                lacking = f"the database lacks {len(pending)} migrations"
                yield Finding(Verdict.BAD, lacking, "run `esl-agent migrate`")
                return
            yield Finding(Verdict.GOOD, "the database has every migration")
            yield from _check_partitions(conn)
            yield from _check_privileges(conn)
            if config.phones.on_spike == "suspend":
                yield _check_may_suspend(conn)
            yield from _check_decks(conn)
            if not config.recording.folder:
                yield from _check_departments(conn)
            yield _check_duty(config, lease.who_has(conn, switch_name_of(config)))
    except EslAgentError as error:
        yield Finding(Verdict.BAD, str(error), "is Postgres up, and is [database] url right?")


def check_switch(config: Config) -> Findings:
    """Reachable with the password, new enough, with the modules that we need."""
    switch = config.switch
    connection = SwitchConnection(switch.host, switch.port, switch.password, switch.connect_timeout_s)
    try:
        connection.connect()
        ask = connection.command
        yield Finding(Verdict.GOOD, f"the switch at {switch.host}:{switch.port} lets us in")
        yield _check_password(switch)
        yield _check_version(ask(commands.version()))
        for module, purpose in MODULES.items():
            if ask(commands.module_exists(module)) == "true":
                yield Finding(Verdict.GOOD, f"{module} is loaded")
            else:
                advice = "load it in modules.conf.xml on the switch"
                yield Finding(Verdict.BAD, f"{module} is not loaded: {purpose}", advice)
        yield _check_clock(ask)
    except EslAgentError as error:
        yield Finding(Verdict.BAD, str(error), "see event_socket.conf.xml on the switch and [switch] here")
    finally:
        connection.stop()


def _check_server(conn: Connection, where: str) -> Findings:
    version = conn.info.server_version // 10_000
    if version < POSTGRES_MIN:
        yield Finding(Verdict.BAD, f"Postgres {version} is too old", f"use Postgres {POSTGRES_MIN} or newer")
    else:
        yield Finding(Verdict.GOOD, f"Postgres {version} answers at {where}")
    row = conn.execute("SHOW synchronous_commit").fetchone()
    if row and row[0] == "off":
        yield Finding(
            Verdict.WARNING,
            "Postgres confirms commits before they are on disk",
            "set synchronous_commit = on: a power cut may take settled calls with it",
        )


def _check_partitions(conn: Connection) -> Findings:
    now = datetime.now(UTC)
    for months in (0, 1):
        month = (now.month - 1 + months) % 12 + 1
        name = f"cdrs_{now.year + (now.month + months > 12)}_{month:02}"
        row = conn.execute("SELECT to_regclass(%s) IS NOT NULL", [name]).fetchone()
        if row and row[0]:
            yield Finding(Verdict.GOOD, f"CDR partition {name} is there")
        else:
            yield Finding(Verdict.WARNING, f"CDR partition {name} is missing", "run `esl-agent migrate`")


def _check_privileges(conn: Connection) -> Findings:
    missing = []
    for table, wanted in PRIVILEGES.items():
        for privilege in wanted.split(", "):
            has = HAS_OF_TABLE if privilege == "DELETE" else HAS_OF_COLUMNS
            row = conn.execute(has, [table, privilege]).fetchone()
            if not row or not row[0]:
                missing.append(f"{privilege} on {table}")
    if missing:
        yield Finding(Verdict.BAD, f"the database role lacks {', '.join(missing)}", "grant them")
    else:
        yield Finding(Verdict.GOOD, "the database role may do what the daemon does")


def _check_may_suspend(conn: Connection) -> Finding:
    row = conn.execute(
        "SELECT bool_and(has_column_privilege('accounts', name, 'UPDATE')) FROM unnest(%s::text[]) AS name",
        [list(SUSPENDING)],
    ).fetchone()
    if row and row[0]:
        return Finding(Verdict.GOOD, "the database role may suspend accounts, as [phones] on_spike wants")
    columns = ", ".join(SUSPENDING)
    return Finding(
        Verdict.BAD,
        "the database role may not suspend accounts, as [phones] on_spike wants",
        f"GRANT UPDATE ({columns}) ON accounts to it",
    )


def _check_decks(conn: Connection) -> Findings:
    now = datetime.now(UTC)
    for plan in plans.load_all(conn).values():
        begun = [deck for deck in decks.list_versions(conn, plan.deck) if deck.effective_from <= now]
        if not begun:
            yield Finding(
                Verdict.WARNING,
                f"plan {plan.name!r} has no rates: no version of deck {plan.deck!r} is in effect",
                f"run `esl-agent deck import FILE --deck {plan.deck}`",
            )
        else:
            yield Finding(Verdict.GOOD, f"plan {plan.name!r} has deck {plan.deck!r} in effect")


def _check_departments(conn: Connection) -> Findings:
    if known := departments.load_all(conn):
        yield Finding(
            Verdict.WARNING,
            f"calls of {len(known)} departments' numbers are recorded in a folder that is not seen here",
            "set [recording] folder, so that a full disk is noticed and recordings are deleted in time",
        )


def _check_duty(config: Config, who: lease.Who) -> Finding:
    """Which daemon acts on the switch's calls."""
    name = switch_name_of(config)
    if who.holder and who.renewed_s is not None and (who.is_twin or who.lock_pid is None):
        limit_s = rules.limit_us(who.lease_us or 0) / 1_000_000
        active = f"the twin {who.holder} is active for the switch {name}, since {who.since:%F %T} UTC"
        if who.renewed_s <= limit_s:
            return Finding(Verdict.GOOD, f"{active}, and said so {who.renewed_s:.1f} s ago")
        return Finding(
            Verdict.WARNING,
            f"{active}, but has not said so for {who.renewed_s:.0f} s, and no other took over",
            "is a twin in standby up, and connected to the switch? Look for TWIN_ in the logs",
        )
    if who.lock_pid is not None:
        alone = f"a daemon is active for the switch {name} (Postgres session {who.lock_pid})"
        if config.twin.enabled:
            return Finding(Verdict.WARNING, f"{alone}, and is no twin", "set [twin] enabled there too")
        return Finding(Verdict.GOOD, alone)
    return Finding(Verdict.GOOD, f"no daemon is active for the switch {name} at the moment")


def _check_password(switch: SwitchConfig) -> Finding:
    if switch.password != SwitchConfig().password:
        return Finding(Verdict.GOOD, "the event socket has a password of its own")
    if is_loopback(switch.host):
        return Finding(
            Verdict.WARNING,
            "the event socket has FreeSWITCH's default password",
            "whoever has a shell on this machine can make calls: change it in event_socket.conf.xml",
        )
    return Finding(Verdict.BAD, "the event socket is off loopback with the default password", "change it now")


def _check_version(text: str) -> Finding:
    match = re.search(r"FreeSWITCH Version (\d+)\.(\d+)", text)
    if not match:
        return Finding(Verdict.WARNING, f"the switch says it is {text[:80]!r}", "is it FreeSWITCH?")
    version = int(match[1]), int(match[2])
    if version < FREESWITCH_MIN:
        return Finding(Verdict.BAD, f"FreeSWITCH {version[0]}.{version[1]} is too old", "use 1.10 or newer")
    return Finding(Verdict.GOOD, text.split("~")[0].split(" (")[0].strip())


def _check_clock(ask: Callable[[commands.Api], str]) -> Finding:
    before = time.time()
    text = ask(commands.strepoch())
    skew_s = int(text) - before if text.isdigit() else None
    if skew_s is None:
        what = f"the switch does not tell the time: {text[:40]!r}"
        return Finding(Verdict.WARNING, what, "is mod_commands loaded?")
    if -SKEW_MAX_S - 1 <= skew_s <= SKEW_MAX_S:
        return Finding(Verdict.GOOD, "the clocks of the switch and of this machine agree")
    return Finding(
        Verdict.WARNING,
        f"the switch's clock is {skew_s:+.0f} s off this machine's",
        "run NTP on both machines",
    )
