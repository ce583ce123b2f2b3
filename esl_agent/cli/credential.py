"""`esl-agent credential`: the phones of customers, their passwords and what they show as caller ID."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import click

from esl_agent.cli.account_limits import NONE
from esl_agent.cli.arguments import ACCOUNT_ID
from esl_agent.cli.database import configured, operator, with_database
from esl_agent.cli.output import as_json_option, print_done, print_facts, print_json, print_table
from esl_agent.config import numbering_of
from esl_agent.core.credential import PASSWORD_CHARACTERS_MAX, a1_hash, check_password
from esl_agent.core.numbering import NumberClass
from esl_agent.store import sip_users
from esl_agent.store.pool import Connection
from esl_agent.store.sip_users import NewSipUser, SipUserRow

#: Small letters and digits, without those taken for one another: people type it into a phone's keypad.
PASSWORD_ALPHABET: Final = "abcdefghijkmnpqrstuvwxyz23456789"  # noqa: S105
PASSWORD_CHARACTERS: Final = 20  # of 32: 100 bits

#: What is shown of a phone, ever: not its digest.
SHOWN: Final = (
    "user",
    "domain",
    "account_id",
    "caller_number",
    "emergency_caller_number",
    "password_since",
    "password_by",
)


def _phone(command: Callable[..., None]) -> Callable[..., None]:
    """The options that name a phone."""
    command = click.option("--domain", required=True, help="The SIP domain, spelt as in the phone.")(command)
    return click.option("--user", metavar="NAME", required=True, help="As the phone gives it.")(command)


def _callers(command: Callable[..., None]) -> Callable[..., None]:
    """The options that say which numbers a phone shows."""
    command = click.option(
        "--emergency-caller-id",
        "emergency_number",
        metavar="NUMBER",
        help="What emergency calls show: where help is sent to. By default the caller ID.",
    )(command)
    return click.option(
        "--caller-id", "caller_number", metavar="NUMBER", help="One of the account's numbers."
    )(command)


_password_stdin = click.option(
    "--password-stdin", is_flag=True, help="Take the password from standard input, and make none."
)


@click.group()
def credential() -> None:
    """Phones of customers: a password is shown once, when it is made, and kept nowhere."""


@credential.command()
@click.option("--account", "account_id", type=ACCOUNT_ID, required=True, help="Who pays for its calls.")
@_phone
@_callers
@_password_stdin
@as_json_option
@with_database
def add(
    conn: Connection,
    account_id: int,
    user: str,
    domain: str,
    caller_number: str | None,
    emergency_number: str | None,
    password_stdin: bool,
    as_json: bool,
) -> None:
    """Make a phone known, and a password for it."""
    password = _read_password(user) if password_stdin else _new_password()
    new = NewSipUser(
        user=user,
        domain=domain,
        account_id=account_id,
        a1_hash=a1_hash(user, domain, password),
        password_by=operator(),
        caller_number=_digits(caller_number) if caller_number else None,
        emergency_caller_number=_emergency_digits(emergency_number) if emergency_number else None,
    )
    _tell(sip_users.add_sip_user(conn, new), None if password_stdin else password, as_json)


@credential.command()
@_phone
@_password_stdin
@as_json_option
@with_database
def rotate(conn: Connection, user: str, domain: str, password_stdin: bool, as_json: bool) -> None:
    """Give a phone another password; the one it has is worth nothing any more."""
    password = _read_password(user) if password_stdin else _new_password()
    made = a1_hash(user, domain, password)
    changed = sip_users.replace_a1_hash(conn, user, domain, made, operator())
    _tell(changed, None if password_stdin else password, as_json)
    _say_how_to_forget(user, domain)


@credential.command()
@_phone
@_callers
@as_json_option
@with_database
def change(
    conn: Connection,
    user: str,
    domain: str,
    caller_number: str | None,
    emergency_number: str | None,
    as_json: bool,
) -> None:
    """Have a phone show other numbers; `none` takes one away. Its password stays."""
    changes: dict[str, Any] = {}
    if caller_number:
        changes["caller_number"] = None if caller_number == NONE else _digits(caller_number)
    if emergency_number:
        is_none = emergency_number == NONE
        changes["emergency_caller_number"] = None if is_none else _emergency_digits(emergency_number)
    if not changes:
        raise click.UsageError("say --caller-id, --emergency-caller-id or both")
    changed = sip_users.change_callers(conn, user, domain, lambda before: replace(before, **changes))
    _tell(changed, None, as_json)
    _say_how_to_forget(user, domain)


@credential.command("list")
@click.option("--account", "account_id", type=ACCOUNT_ID, help="Only this account's.")
@as_json_option
@with_database
def list_(conn: Connection, account_id: int | None, as_json: bool) -> None:
    """The phones of one account, or all."""
    rows = [_shown(row) for row in sip_users.list_sip_users(conn, account_id)]
    if as_json:
        print_json(rows)
    else:
        print_table(SHOWN, [list(row.values()) for row in rows], numbers=("account_id",))


@credential.command()
@_phone
@as_json_option
@with_database
def remove(conn: Connection, user: str, domain: str, as_json: bool) -> None:
    """Make a phone unknown: it can't call any more, not even for help."""
    sip_users.remove_sip_user(conn, user, domain)
    print_done(as_json, f"{user} in domain {domain} is unknown now", user=user, domain=domain, removed=True)
    _say_how_to_forget(user, domain)


def _new_password() -> str:
    return "".join(secrets.choice(PASSWORD_ALPHABET) for _ in range(PASSWORD_CHARACTERS))


def _read_password(user: str) -> str:
    """From a pipe as it is, up to a line end; on a terminal typed twice, and not shown."""
    if sys.stdin.isatty():
        password = str(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    else:
        line = sys.stdin.buffer.read(PASSWORD_CHARACTERS_MAX + len(b"\r\n") + 1)
        password = line.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8", "replace")
    check_password(user, password)
    return password


def _digits(text: str) -> str:
    return numbering_of(configured()).parse(text).digits


def _emergency_digits(text: str) -> str:
    number = numbering_of(configured()).parse(text)
    if number.number_class is NumberClass.TOLL_FREE:
        raise click.BadParameter(
            f"{number.digits} is toll-free: emergency services find no address by it",
            param_hint="--emergency-caller-id",
        )
    return number.digits


def _shown(row: SipUserRow) -> dict[str, object]:
    return {name: getattr(row, name) for name in SHOWN}


def _tell(row: SipUserRow, made: str | None, as_json: bool) -> None:
    facts = _shown(row) | ({"password": made} if made else {})
    if as_json:
        print_json(facts)
        return
    print_facts([(name.replace("_", " "), value) for name, value in facts.items()])
    if made:
        click.echo("The password is shown this once: nobody can look it up.")


def _say_how_to_forget(user: str, domain: str) -> None:
    """To the side of what is printed for programs."""
    click.echo(
        "The daemon tells its switch. One whose daemon is down remembers the phone as it was:"
        f" fs_cli -x 'xml_flush_cache id {user} {domain}'",
        err=True,
    )
