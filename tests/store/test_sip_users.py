"""Customers' phones: found by their names alone, with what the switch has to know of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gevent
import pytest
from fixtures.records import an_account

from esl_agent.core.credential import CredentialError, a1_hash
from esl_agent.store.accounts import AccountError, close, suspend
from esl_agent.store.numbers import NumberKind, OwnedNumber, OwnedNumberError, add_number, remove_number
from esl_agent.store.pool import Connection, connected
from esl_agent.store.sip_users import (
    NewSipUser,
    SipUserError,
    add_sip_user,
    change_callers,
    find_sip_user,
    list_sip_users,
    remove_sip_user,
    replace_a1_hash,
)

PAYER = 1001
SOMEBODY = 1002
DOMAIN = "sip.example.com"
DID = "15145550123"
OFFICE = "14385550100"
HASH = a1_hash("garage", DOMAIN, "correct-horse")
OTHER_HASH = a1_hash("garage", DOMAIN, "battery-staple")


def phone(**fields: Any) -> NewSipUser:
    values = {"user": "garage", "domain": DOMAIN, "account_id": PAYER, "a1_hash": HASH, "password_by": "noc"}
    return NewSipUser(**values | fields)


@pytest.fixture
def two_customers(conn: Connection) -> None:
    """The payer, with two numbers, and somebody else."""
    an_account(conn, PAYER, "0")
    an_account(conn, SOMEBODY, "0")
    add_number(conn, OwnedNumber(DID, PAYER))
    add_number(conn, OwnedNumber(OFFICE, PAYER, NumberKind.VERIFIED))


pytestmark = pytest.mark.usefixtures("two_customers")


def test_a_phone_is_found_as_it_was_added(conn: Connection) -> None:
    added = add_sip_user(conn, phone(caller_number=DID, emergency_caller_number=OFFICE))

    found = find_sip_user(conn, "garage", DOMAIN)
    assert found == added
    assert found is not None
    assert (found.account_id, found.a1_hash, found.password_by) == (PAYER, HASH, "noc")
    assert (found.caller_number, found.emergency_caller_number) == (DID, OFFICE)
    assert HASH not in repr(found)


@pytest.mark.parametrize(
    ("user", "domain"),
    [
        ("shop", DOMAIN),
        ("garage", "sip.example.org"),
        ("Garage", DOMAIN),
        ("garage", DOMAIN.upper()),
        ("garage ", DOMAIN),
        ("garage\x00", DOMAIN),
        ("garage", f"{DOMAIN}\n"),
        ("\udcff", DOMAIN),
        ("%", "%"),
        ("' OR true --", DOMAIN),
        ("g" * 100_000, DOMAIN),
        ("", ""),
    ],
)
def test_whatever_else_somebody_sends_is_nobody(conn: Connection, user: str, domain: str) -> None:
    add_sip_user(conn, phone())

    assert find_sip_user(conn, user, domain) is None


def test_a_user_is_another_in_another_domain(conn: Connection) -> None:
    elsewhere = phone(domain="sip.example.org", account_id=SOMEBODY, a1_hash=OTHER_HASH)

    rows = [add_sip_user(conn, phone()), add_sip_user(conn, elsewhere), add_sip_user(conn, phone(user="bar"))]

    assert list_sip_users(conn) == [rows[2], rows[0], rows[1]]
    assert list_sip_users(conn, SOMEBODY) == [rows[1]]


@pytest.mark.parametrize("account_id", [PAYER, SOMEBODY])
def test_a_user_that_is_taken_is_left_as_it_is(conn: Connection, account_id: int) -> None:
    first = add_sip_user(conn, phone())

    with pytest.raises(SipUserError, match="there is a user garage in domain"):
        add_sip_user(conn, phone(account_id=account_id, a1_hash=OTHER_HASH))

    assert list_sip_users(conn) == [first]


def test_of_several_who_add_a_user_at_once_one_does(conn: Connection, database_url: str) -> None:
    hashes = [a1_hash("garage", DOMAIN, f"password of number {number}") for number in range(6)]
    added: list[str] = []
    refused: list[str] = []

    def add(its_hash: str) -> None:
        with connected(database_url) as own:
            try:
                add_sip_user(own, phone(a1_hash=its_hash))
                added.append(its_hash)
            except SipUserError:
                refused.append(its_hash)

    gevent.joinall([gevent.spawn(add, its_hash) for its_hash in hashes], raise_error=True)

    assert (len(added), len(refused)) == (1, 5)
    assert [row.a1_hash for row in list_sip_users(conn)] == added


@pytest.mark.parametrize(
    ("wrong", "error", "text"),
    [
        ({"user": "gar age"}, CredentialError, "user 'gar age' is not"),
        ({"user": "\udcff"}, CredentialError, "is not 1 to 64"),
        ({"domain": "SIP.example.com"}, CredentialError, "domain 'SIP.example.com' is not"),
        ({"account_id": 9999}, AccountError, "no account 9999"),
        ({"a1_hash": "correct-horse"}, SipUserError, "an a1-hash is 32 small hexadecimal digits"),
        ({"a1_hash": HASH.upper()}, SipUserError, "an a1-hash is 32 small hexadecimal digits"),
        ({"caller_number": "15145559999"}, SipUserError, "15145559999 is not a number of account 1001"),
        ({"emergency_caller_number": "911"}, SipUserError, "911 is not a number of account 1001"),
        ({"account_id": SOMEBODY, "caller_number": DID}, SipUserError, "not a number of account 1002"),
    ],
    ids=str,
)
def test_phones_that_cannot_be(
    conn: Connection, wrong: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text) as caught:
        add_sip_user(conn, phone(**wrong))

    assert list_sip_users(conn) == []
    assert str(wrong.get("a1_hash", HASH)) not in str(caught.value)


def test_a_suspended_customer_s_phone_can_still_authenticate_and_a_closed_one_gets_no_more(
    conn: Connection,
) -> None:
    row = add_sip_user(conn, phone())

    suspend(conn, PAYER, "late", "noc")
    assert find_sip_user(conn, "garage", DOMAIN) == row

    close(conn, PAYER, "left", "noc")
    with pytest.raises(AccountError, match="for good"):
        add_sip_user(conn, phone(user="shop"))


def test_another_password_replaces_the_first_and_nothing_else(conn: Connection) -> None:
    before = add_sip_user(conn, phone(caller_number=DID))
    other = add_sip_user(conn, phone(user="shop"))

    after = replace_a1_hash(conn, "garage", DOMAIN, OTHER_HASH, "roy")

    assert after == find_sip_user(conn, "garage", DOMAIN)
    assert after.password_since > before.password_since
    unchanged = {"password_since": before.password_since}
    assert replace(after, **unchanged) == replace(before, a1_hash=OTHER_HASH, password_by="roy")
    assert find_sip_user(conn, "shop", DOMAIN) == other


def test_a_phone_shows_other_numbers_and_keeps_its_password(conn: Connection) -> None:
    before = add_sip_user(conn, phone(caller_number=DID))

    shown = change_callers(conn, "garage", DOMAIN, lambda row: replace(row, emergency_caller_number=OFFICE))
    assert shown == replace(before, emergency_caller_number=OFFICE)

    with pytest.raises(SipUserError, match="15145559999 is not a number of account 1001"):
        change_callers(conn, "garage", DOMAIN, lambda row: replace(row, caller_number="15145559999"))
    assert find_sip_user(conn, "garage", DOMAIN) == shown


@pytest.mark.parametrize("shown", ["caller_number", "emergency_caller_number"])
def test_a_number_that_a_phone_shows_can_t_be_taken_away_to_become_another_s(
    conn: Connection, shown: str
) -> None:
    add_sip_user(conn, phone(**{shown: DID}))

    with pytest.raises(OwnedNumberError, match="is the caller ID of a phone"):
        remove_number(conn, DID)
    with pytest.raises(OwnedNumberError, match="belongs to another account"):
        add_number(conn, OwnedNumber(DID, SOMEBODY))

    change_callers(conn, "garage", DOMAIN, lambda row: replace(row, **{shown: None}))
    remove_number(conn, DID)
    add_number(conn, OwnedNumber(DID, SOMEBODY))


def test_a_removed_phone_is_nobody_s_and_its_name_free(conn: Connection) -> None:
    add_sip_user(conn, phone(caller_number=DID))

    remove_sip_user(conn, "garage", DOMAIN)

    assert find_sip_user(conn, "garage", DOMAIN) is None
    add_sip_user(conn, phone(account_id=SOMEBODY))


def test_what_is_not_there_can_t_be_changed(conn: Connection) -> None:
    for change in (
        lambda: replace_a1_hash(conn, "garage", DOMAIN, HASH, "noc"),
        lambda: change_callers(conn, "garage", DOMAIN, lambda row: row),
        lambda: remove_sip_user(conn, "garage", DOMAIN),
    ):
        with pytest.raises(SipUserError, match="there is no user garage in domain"):
            change()
