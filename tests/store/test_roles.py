"""Each role of the database may do its own work, and nothing that is another's (terms 15)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Final, LiteralString

import msgspec
import psycopg
import pytest
from fixtures.commands import Command
from fixtures.postgres import as_role
from fixtures.records import a_cdr, an_account
from fixtures.verdicts import a_verdict

from esl_agent.core.money import amount as money
from esl_agent.core.phones import Phone
from esl_agent.core.traffic.restriction import restriction_of
from esl_agent.store import traffic_calls
from esl_agent.store.accounts import get_account
from esl_agent.store.answers import keep_answers
from esl_agent.store.cdrs import ensure_partitions
from esl_agent.store.departments import Department, load_all, put_department
from esl_agent.store.holds import HoldRequest, Outcome, hold_many
from esl_agent.store.journal_records import Answer
from esl_agent.store.networks import saw, spendings, spike_is_told
from esl_agent.store.open_holds import open_holds
from esl_agent.store.pool import Connection, connected
from esl_agent.store.recordings import Begun, newest, put_begun, put_stopped
from esl_agent.store.release import release_many
from esl_agent.store.restrictions import clear, find_open, list_restrictions, made_by_rules, restrict
from esl_agent.store.settle import settle_many
from esl_agent.store.sip_users import NewSipUser, add_sip_user

PAYER: Final = 1001
ROLES: Final = ("esl_agent_daemon", "esl_agent_noc", "esl_agent_office", "esl_agent_auditor")

#: What no role but the owner may do, whatever it is for.
NOBODYS: Final[tuple[LiteralString, ...]] = (
    "DELETE FROM ledger",
    "UPDATE ledger SET amount = amount + 1",
    "DELETE FROM cdrs",
    "UPDATE cdrs SET charged = 0, total = 0",
    "DELETE FROM accounts",
    "DELETE FROM reservations",
    "TRUNCATE ledger",
    "DROP TABLE cdrs",
    "CREATE TABLE mine (a int)",
    "DELETE FROM schema_migrations",
)

FORBIDDEN: Final[dict[str, tuple[LiteralString, ...]]] = {
    "esl_agent_daemon": (
        "UPDATE accounts SET credit_limit = 1000000",
        "UPDATE accounts SET state = 'active'",
        "INSERT INTO accounts (account_id, name, plan, state) VALUES (1, 'x', 'standard', 'pending')",
        "SELECT * FROM payments",
        "SELECT body FROM terms_versions",
        "UPDATE plans SET deck = 'mine'",
        "INSERT INTO numbers (number, account_id, kind) VALUES ('15145550199', 1001, 'did')",
        "UPDATE sip_users SET a1_hash = repeat('0', 32)",
        "DELETE FROM account_networks",
        "DELETE FROM recordings",
        "UPDATE recordings SET deleted_at = now()",
        "UPDATE recordings SET path = 'x'",
        "INSERT INTO departments (number, name, days, added_by) VALUES ('15145550199', 'x', 1, 'x')",
        "INSERT INTO api_tokens (name, role, secret_sha256, added_by) VALUES ('me', 'admin', '', 'me')",
        "UPDATE api_tokens SET role = 'admin'",
        "UPDATE api_tokens SET revoked_at = NULL",
        "UPDATE restrictions SET until = now()",
        "DELETE FROM restrictions",
    ),
    "esl_agent_noc": (
        "SELECT name FROM accounts",
        "SELECT caller FROM cdrs",
        "SELECT number FROM numbers",
        "SELECT * FROM ledger",
        "SELECT known FROM reservations",
        "SELECT * FROM sip_users",
        "SELECT * FROM account_networks",
        "SELECT * FROM answers",
        "SELECT * FROM payments",
        "UPDATE accounts SET state = 'suspended'",
        "SELECT * FROM restrictions",
        "UPDATE noc_restrictions SET until = now()",
        "SELECT name FROM api_tokens",
        "SELECT body FROM api_answers",
    ),
    "esl_agent_office": (
        "SELECT a1_hash FROM sip_users",
        "UPDATE invoices SET total = 0",
        "DELETE FROM invoices",
        "UPDATE invoice_lines SET amount = 0",
        "DELETE FROM payments",
        "UPDATE terms_versions SET body = 'x'",
        "UPDATE terms_acceptances SET accepted_at = now()",
        "INSERT INTO reservations (account_id, leg_uuid, state, held) VALUES (1001, 'x', 'held', 1)",
        "UPDATE leases SET holder = 'me'",
        "SELECT secret_sha256 FROM api_tokens",
        "INSERT INTO api_tokens (name, role, secret_sha256, added_by) VALUES ('me', 'admin', '', 'me')",
        "SELECT body FROM api_answers",
        "UPDATE account_networks SET spike_at = now()",
        "UPDATE recordings SET deleted_at = now()",
        "UPDATE restrictions SET figures = '[]'",
        "UPDATE restrictions SET until = now()",
        "DELETE FROM restrictions",
    ),
    "esl_agent_auditor": (
        "SELECT a1_hash FROM sip_users",
        "SELECT secret_sha256 FROM api_tokens",
        "SELECT body FROM api_answers",
        "UPDATE accounts SET balance = 0",
        "INSERT INTO ledger (account_id, idempotency_key, debit, credit, amount, kind)"
        " VALUES (1001, 'x', 'cash', 'customer', 1, 'top_up')",
        "INSERT INTO payments (account_id, reference, method, amount, received_on, recorded_by)"
        " VALUES (1001, 'x', 'cash', 1, now(), 'me')",
        "UPDATE restrictions SET cleared_at = now()",
    ),
}  # fmt: skip


@pytest.fixture(autouse=True)
def payer(conn: Connection) -> None:
    an_account(conn, PAYER, "5", name="A garage")


@pytest.fixture
def daemon(database_url: str) -> Iterator[Connection]:
    with connected(as_role(database_url, "esl_agent_daemon")) as connection:
        yield connection


@pytest.mark.parametrize(
    ("role", "statement"),
    [(role, statement) for role in ROLES for statement in (*NOBODYS, *FORBIDDEN[role])],
)
def test_what_is_forbidden_fails(database_url: str, role: str, statement: LiteralString) -> None:
    with connected(as_role(database_url, role)) as connection, pytest.raises(psycopg.Error) as refusal:
        connection.execute(statement)
    assert refusal.value.sqlstate == "42501", refusal.value


def test_the_daemon_holds_settles_releases_and_makes_partitions(conn: Connection, daemon: Connection) -> None:
    ensure_partitions(daemon, datetime(2031, 5, 1, tzinfo=UTC))
    asked = [HoldRequest(PAYER, leg, money("1"), money("1"), switch="montreal") for leg in ("leg", "planned")]
    assert {held.outcome for held in hold_many(daemon, asked)} == {Outcome.HELD}
    release_many(daemon, [(PAYER, "planned")])
    keep_answers(daemon, [Answer(PAYER, "leg", "montreal", "{}")])
    assert [each.leg_uuid for each in open_holds(daemon, "montreal")] == ["leg"]
    [settled] = settle_many(daemon, [a_cdr(PAYER, "leg")])
    assert settled.settled
    assert get_account(conn, PAYER).balance == money("5") - settled.charged
    assert conn.execute("SELECT to_regclass('cdrs_2031_05')").fetchone() != (None,)


def test_the_daemon_remembers_networks_and_the_office_and_the_auditor_read_them(
    conn: Connection, daemon: Connection, database_url: str
) -> None:
    add_sip_user(
        conn, NewSipUser(user="desk", domain="a.test", account_id=PAYER, a1_hash="0" * 32, password_by="x")
    )
    assert saw(daemon, Phone("desk", "a.test"), "192.0.2.0/24")
    spendings(daemon, 24, money("0"))
    spike_is_told(daemon, PAYER, 24)
    for role in ("esl_agent_office", "esl_agent_auditor"):
        with connected(as_role(database_url, role)) as reader:
            assert reader.execute("SELECT account_id FROM account_networks").fetchall() == [(PAYER,)]


def test_the_daemon_writes_down_what_is_recorded(daemon: Connection, conn: Connection) -> None:
    put_department(conn, Department("15145550199", "support"), "test")
    assert load_all(daemon).keys() == {"15145550199"}
    begun = Begun(
        account_id=PAYER, leg_uuid="leg", caller_leg_uuid=None, path="leg.wav", department="15145550199",
        told="caller", told_us=None, started_us=0, days=1,
    )  # fmt: skip
    assert put_begun(daemon, begun)
    put_stopped(daemon, PAYER, "leg", 1_000_000, 1_000, None)
    [row] = newest(daemon, PAYER, None, None, 10)
    assert row.stopped_at is not None


def test_the_daemon_restricts_the_office_clears_the_auditor_reads_and_noc_sees_no_numbers(
    conn: Connection, daemon: Connection, database_url: str
) -> None:
    made = restriction_of(a_verdict(expires_after_s=None, did="15145550100"))
    kept = restrict(daemon, made, a_verdict().figures, a_verdict().calls)
    assert kept is not None
    assert kept.restriction.restriction is not None
    assert find_open(daemon, [PAYER]) == {PAYER: (kept.restriction,)}
    with connected(as_role(database_url, "esl_agent_auditor")) as auditor:
        assert list_restrictions(auditor) == [kept]
    with connected(as_role(database_url, "esl_agent_noc")) as noc:
        [seen] = noc.execute("SELECT did, figures, calls->0->>'number' FROM noc_restrictions").fetchall()
    assert seen == ("xxxxxxx0100", [msgspec.to_builtins(each) for each in kept.figures], "xxxxxxxx0000")
    with connected(as_role(database_url, "esl_agent_office")) as office:
        clear(office, kept.restriction.restriction, "he asked nicely", "office")
    assert find_open(conn, [PAYER]) == {}


def test_the_daemon_counts_traffic_and_lifts_what_a_rule_says(conn: Connection, daemon: Connection) -> None:
    settle_many(conn, [a_cdr(PAYER, "leg")])
    now_us = traffic_calls.now_us(daemon)
    pages = (
        traffic_calls.recorded_after(daemon, 0, "", 0),
        traffic_calls.before(daemon, traffic_calls.LAST, 0, now_us + 1),
        traffic_calls.of_account(daemon, PAYER, 0),
    )
    for page in pages:
        assert [facts.leg_uuid for rows in page.slices() for facts in rows] == ["leg"]
    assert traffic_calls.plans_of(daemon, [PAYER]) == {PAYER: "standard"}
    kept = restrict(daemon, restriction_of(a_verdict(expires_after_s=None)), (), ())
    assert kept is not None
    assert made_by_rules(daemon, 0, with_open=True) == [kept]
    clear(daemon, kept.restriction.restriction or 0, "as its rule says", "traffic")


def test_noc_sees_what_calls_cost_and_not_whose_they_are(conn: Connection, database_url: str) -> None:
    settle_many(conn, [a_cdr(PAYER, "leg", caller="15145550101", number="442079460000")])
    with connected(as_role(database_url, "esl_agent_noc")) as noc:
        [cdr] = noc.execute("SELECT caller, number, charged FROM noc_cdrs").fetchall()
        [account] = noc.execute("SELECT * FROM noc_accounts").fetchall()
    assert cdr == ("xxxxxxx0101", "xxxxxxxx0000", money("0.0125"))
    assert "A garage" not in account


def test_the_office_does_its_work(database_url: str, told: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    url = as_role(database_url, "esl_agent_office")
    office = ("--database-url", url)
    told("account", "add", "--id", 1002, "--name", "A clinic", "--accept-terms", "2026-01", *office)
    told("payment", "take", 1002, "50", "--method", "check", "--reference", "check 1", *office)
    told("payment", "return", 1002, "check 1", "--reason", "no funds", *office)
    told("charge", "monthly", 1002, "9.95", "--id", "line", "--description", "Line",
         "--from", "2026-01-01", *office)  # fmt: skip
    told("charge", "run", "--on", "2026-02-01", *office)
    assert "1 invoices issued" in told("invoice", "run", *office)
    number = f"{date.today().year}-000001"  # noqa: DTZ011  (any day of the year will do)
    told("invoice", "credit", number, "--line", "1", "--reason", "a mistake", *office)
    told("interest", "run", *office)
    told("dunning", "run", "--dry-run", *office)
    told("number", "add", "15145550101", "--account", 1002, *office)
    told("account", "suspend", 1002, "--reason", "late", *office)


def test_the_auditor_re_adds_the_books(database_url: str, told: Command) -> None:
    assert "every balance" in told(
        "ledger", "check", "--database-url", as_role(database_url, "esl_agent_auditor")
    )


def test_no_table_is_forgotten(conn: Connection) -> None:
    unread = conn.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
        " AND NOT relispartition AND NOT has_any_column_privilege('esl_agent_auditor', oid, 'SELECT')"
    ).fetchall()
    assert unread == []
