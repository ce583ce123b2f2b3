"""The digest of a phone's password, and which passwords and names there can be."""

from __future__ import annotations

import pytest

from esl_agent.core.credential import CredentialError, a1_hash, check_names, check_password

GOOD = "correct-horse"


def test_the_digest_is_the_one_that_a_phone_computes() -> None:
    # printf '%s' '1001:sip.example.com:secret' | md5sum
    assert a1_hash("1001", "sip.example.com", "secret") == "97761dcab48af7d4db6ae96a85381a9c"


@pytest.mark.parametrize("other", [("1002", "sip.example.com"), ("1001", "sip.example.org")])
def test_the_digest_of_one_phone_is_of_no_use_to_another(other: tuple[str, str]) -> None:
    assert a1_hash(*other, GOOD) != a1_hash("1001", "sip.example.com", GOOD)


@pytest.mark.parametrize("user", ["garage", "1001", "+15145550123", "front.desk_2-b", "a" * 64])
@pytest.mark.parametrize("domain", ["sip.example.com", "192.0.2.7", "xn--qubec-esa.example"])
def test_names_that_a_phone_can_have(user: str, domain: str) -> None:
    check_names(user, domain)


@pytest.mark.parametrize(
    "user", ["", "Garage", "gar age", "garage\n", "a:b", "a@b", "*", "é", "\x00", "a" * 65]
)
def test_users_that_cannot_be_have_no_digest(user: str) -> None:
    with pytest.raises(CredentialError, match=r"^user .* is not 1 to 64 small letters"):
        a1_hash(user, "sip.example.com", GOOD)


@pytest.mark.parametrize("domain", ["", "SIP.example.com", "sip example", "[2001:db8::1]", "a" * 65])
def test_domains_that_cannot_be_have_no_digest(domain: str) -> None:
    with pytest.raises(CredentialError, match=r"^domain .* is not 1 to 64 small letters"):
        a1_hash("garage", domain, GOOD)


@pytest.mark.parametrize("password", ["abcdef012345", GOOD, '":{}$\\"' * 2, "x7" * 60 + "abcdefgh"])
def test_passwords_that_can_be(password: str) -> None:
    check_password("garage", password)


@pytest.mark.parametrize(
    ("password", "text"),
    [
        ("", "12 to 128 characters"),
        ("abcdefghijk", "12 to 128 characters"),
        ("abcdefgh" * 16 + "i", "12 to 128 characters"),
        ("aaaabbbbccccddddeeee", "6 different characters"),
        ("my-GARAGE-2026", "the user's name"),
        ("correct horse battery", "no blanks"),
        ("correct-horse\n", "no blanks"),
        ("mot-de-passe-québécois", "beyond ASCII"),
        ("correct-horse\udc80", "beyond ASCII"),
    ],
)
def test_passwords_that_cannot_be_and_are_not_repeated(password: str, text: str) -> None:
    with pytest.raises(CredentialError, match=text) as caught:
        check_password("garage", password)
    assert not password or password not in str(caught.value)


def test_a_short_name_may_be_in_a_password_by_chance() -> None:
    check_password("7", "k7mqx3vdp2ha")
