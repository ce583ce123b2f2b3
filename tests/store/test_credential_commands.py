"""Passwords of phones as an operator makes them: shown once, and never to be found again."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from contextlib import suppress
from typing import Any, Final

import pytest
from click.testing import CliRunner, Result
from fixtures.commands import Command, row_of
from fixtures.records import an_account

from esl_agent.cli.credential import PASSWORD_ALPHABET, PASSWORD_CHARACTERS
from esl_agent.cli.main import cli
from esl_agent.core.credential import a1_hash, check_password
from esl_agent.errors import EslAgentError
from esl_agent.store.pool import Connection
from esl_agent.store.sip_users import find_sip_user

DOMAIN: Final = "sip.example.com"
PHONE: Final = ("--user", "garage", "--domain", DOMAIN)
ADD: Final = ("credential", "add", "--account", "1001", *PHONE)
OWN: Final = "Operator's-0wn"


@pytest.fixture(autouse=True)
def customer(conn: Connection, told: Command) -> None:
    an_account(conn, 1001, "0")
    for number in ("514 555 0123", "438 555 0100", "1 800 555 0123"):
        told("number", "add", number, "--account", 1001)


def stored_hash(conn: Connection) -> str:
    row = find_sip_user(conn, "garage", DOMAIN)
    assert row is not None
    return row.a1_hash


def piped(database_url: str, text: bytes, *arguments: str) -> Result:
    """The command with `text` on its standard input."""
    environment = {"ESL_AGENT_DATABASE_URL": database_url}
    return CliRunner().invoke(cli, [*arguments, "--password-stdin"], input=text, env=environment)


def everything(conn: Connection) -> str:
    """All that the database has of phones."""
    return "\n".join(row for (row,) in conn.execute("SELECT s::text FROM sip_users AS s"))


def test_a_phone_s_password_is_shown_once_and_only_its_digest_kept(told: Command, conn: Connection) -> None:
    added: dict[str, Any] = json.loads(told(*ADD, "--caller-id", "(514) 555-0123", "--json"))

    password = added.pop("password")
    assert a1_hash("garage", DOMAIN, password) == stored_hash(conn)
    assert (added["account_id"], added["caller_number"]) == (1001, "15145550123")
    listed = told("credential", "list", "--json")
    assert json.loads(listed) == [added]
    for shown in (json.dumps(added), listed, told("credential", "list")):
        assert stored_hash(conn) not in shown
    assert password not in everything(conn) + listed


def test_the_password_stands_on_a_line_of_its_own(told: Command, conn: Connection) -> None:
    lines = [line.split() for line in told(*ADD).splitlines()]

    [[_, password]] = [line for line in lines if line[0] == "password" and len(line) == 2]
    assert a1_hash("garage", DOMAIN, password) == stored_hash(conn)
    assert lines[-1][:5] == ["The", "password", "is", "shown", "this"]


def test_passwords_that_are_made_are_strong_and_differ(told: Command) -> None:
    told(*ADD)

    made = [json.loads(told("credential", "rotate", *PHONE, "--json"))["password"] for _ in range(10)]

    assert len(set(made)) == 10
    assert len(PASSWORD_ALPHABET) ** PASSWORD_CHARACTERS >= 2**100
    for password in made:
        assert (len(password), set(password) - set(PASSWORD_ALPHABET)) == (PASSWORD_CHARACTERS, set())
        check_password("garage", password)


def test_a_rotated_password_is_worth_nothing_any_more(told: Command, conn: Connection) -> None:
    first = json.loads(told(*ADD, "--caller-id", "5145550123", "--json"))

    second = json.loads(told("credential", "rotate", *PHONE, "--json"))

    assert first["password"] != second["password"]
    assert a1_hash("garage", DOMAIN, second["password"]) == stored_hash(conn)
    assert second["caller_number"] == "15145550123"


@pytest.mark.parametrize("line_end", [b"", b"\n", b"\r\n"])
def test_an_operator_s_own_password_is_taken_from_a_pipe_and_not_shown(
    database_url: str, conn: Connection, line_end: bytes
) -> None:
    result = piped(database_url, OWN.encode() + line_end, *ADD)

    assert result.exit_code == 0
    assert stored_hash(conn) == a1_hash("garage", DOMAIN, OWN)
    assert OWN not in result.output + everything(conn)
    assert "password is shown" not in result.output

    result = piped(database_url, b"An0ther-one!!" + line_end, "credential", "rotate", *PHONE, "--json")
    assert stored_hash(conn) == a1_hash("garage", DOMAIN, "An0ther-one!!")
    assert "password" not in json.loads(result.stdout)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "12 to 128 characters"),
        (b"too-short\n", "12 to 128 characters"),
        (b"abcdefgh" * 100, "12 to 128 characters"),
        (b"one-password\nanother-password\n", "no blanks"),
        (b"not-utf-8-\xff\xfe-at-all", "beyond ASCII"),
        (b"the-garage-door", "the user's name"),
    ],
)
def test_a_weak_password_is_refused_without_being_repeated(
    database_url: str, told: Command, text: bytes, said: str
) -> None:
    result = piped(database_url, text, *ADD)

    assert isinstance(result.exception, EslAgentError)
    assert said in str(result.exception)
    assert not text or text.decode("latin-1").split()[0] not in result.output + str(result.exception)
    assert json.loads(told("credential", "list", "--json")) == []


def test_a_password_typed_on_a_terminal_is_not_echoed(database_url: str, conn: Connection) -> None:
    terminal, its_end = pty.openpty()
    try:
        with subprocess.Popen(
            [sys.executable, "-m", "esl_agent", *ADD, "--password-stdin"],
            env=os.environ | {"ESL_AGENT_DATABASE_URL": database_url},
            stdin=its_end,
            stdout=subprocess.PIPE,
            stderr=its_end,
            start_new_session=True,
        ) as process:
            os.close(its_end)
            seen = b""
            for prompts in (1, 2):
                while seen.count(b": ") < prompts:
                    seen += os.read(terminal, 1_000)
                os.write(terminal, OWN.encode() + b"\n")
            printed, _ = process.communicate()
        with suppress(OSError):  # what Linux says when all is read and nobody is at the other end
            while more := os.read(terminal, 1_000):
                seen += more
    finally:
        os.close(terminal)

    assert process.returncode == 0
    assert stored_hash(conn) == a1_hash("garage", DOMAIN, OWN)
    assert OWN.encode() not in seen + printed


def test_a_phone_shows_other_numbers_and_none(told: Command, refused: Command) -> None:
    told(*ADD)
    change = ("credential", "change", *PHONE)

    told(*change, "--caller-id", "514 555 0123", "--emergency-caller-id", "438 555 0100")
    assert row_of(told("credential", "list", "--account", 1001), "garage")[:5] == [
        *("garage", DOMAIN, "1001", "15145550123", "14385550100")
    ]
    assert "is the caller ID of a phone" in refused("number", "remove", "4385550100")

    changed = json.loads(told(*change, "--emergency-caller-id", "none", "--json"))
    assert (changed["caller_number"], changed["emergency_caller_number"]) == ("15145550123", None)
    assert "password" not in changed
    told("number", "remove", "4385550100")


def test_a_phone_is_removed(told: Command, refused: Command) -> None:
    told(*ADD)

    assert told("credential", "remove", *PHONE) == "garage in domain sip.example.com is unknown now\n"

    assert json.loads(told("credential", "list", "--json")) == []
    assert "no user garage" in refused("credential", "remove", *PHONE)


def test_who_changes_a_phone_is_told_what_a_switch_may_remember(database_url: str, told: Command) -> None:
    told(*ADD)
    environment = {"ESL_AGENT_DATABASE_URL": database_url}

    for command in (["rotate"], ["change", "--caller-id", "none"], ["remove"]):
        result = CliRunner().invoke(cli, ["credential", *command, *PHONE], env=environment)
        assert "fs_cli -x 'xml_flush_cache id garage sip.example.com'" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([*ADD, "--caller-id", "15145559999"], "is not a number of account 1001"),
        ([*ADD, "--emergency-caller-id", "1 800 555 0123"], "18005550123 is toll-free"),
        ([*ADD, "--caller-id", "abc"], "isn't a telephone number"),
        (["credential", "add", "--account", "9999", *PHONE], "there is no account 9999"),
        (["credential", "add", "--account", "1001", "--user", "g:", "--domain", DOMAIN], "user 'g:' is not"),
        (["credential", "rotate", *PHONE], "there is no user garage in domain sip.example.com"),
        (["credential", "change", *PHONE, "--caller-id", "none"], "there is no user garage"),
        (["credential", "change", *PHONE], "say --caller-id, --emergency-caller-id or both"),
        (["credential", "remove", "--user", "\udcff", "--domain", DOMAIN], r"user '\udcff' is not"),
    ],
    ids=lambda value: ascii(value) if isinstance(value, list) else "",
)
def test_what_is_typed_wrong_is_told_in_a_line(
    refused: Command, told: Command, arguments: list[str], text: str
) -> None:
    assert text in refused(*arguments)
    assert json.loads(told("credential", "list", "--json")) == []
