"""How a SIP phone shows who it is: its names, its password, and the digest that is kept of both."""

from __future__ import annotations

import hashlib
import re
from typing import Final

from esl_agent.errors import EslAgentError

#: Small letters only: the switch takes names that differ in their case for one (switch_xml.c,
#: `switch_xml_find_child`), while a digest holds for one spelling.
USER: Final = re.compile(r"[a-z0-9_.+-]{1,64}", re.ASCII)
DOMAIN: Final = re.compile(r"[a-z0-9.-]{1,64}", re.ASCII)
A1_HASH: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)

#: Whoever records one registration can try passwords at home, billions a second.
PASSWORD_CHARACTERS_MIN: Final = 12
PASSWORD_CHARACTERS_MAX: Final = 128
DIFFERENT_CHARACTERS_MIN: Final = 6
#: A name so short is in many a good password by chance.
NAME_CHARACTERS_IGNORED: Final = 3


class CredentialError(EslAgentError):
    """A name or password that can't be one; the text never has the password."""


def a1_hash(user: str, domain: str, password: str) -> str:
    """What a phone and the switch both have to know: 32 small hexadecimal digits (RFC 7616, 3.4.2).

    It holds for this user in this domain, letter by letter, and is as good as
    the password there: to be kept as secret.  Raises CredentialError for names.
    """
    check_names(user, domain)
    secret = f"{user}:{domain}:{password}".encode()
    return hashlib.md5(secret, usedforsecurity=False).hexdigest()  # the one digest that every phone knows


def check_names(user: str, domain: str) -> None:
    """Raises CredentialError for names that no phone of ours can have."""
    if not USER.fullmatch(user):
        raise CredentialError(f"user {user[:64]!r} is not 1 to 64 small letters, digits or any of _.+-")
    if not DOMAIN.fullmatch(domain):
        raise CredentialError(f"domain {domain[:64]!r} is not 1 to 64 small letters, digits, dots or hyphens")


def check_password(user: str, password: str) -> None:
    """Raises CredentialError for a password that is easily guessed, or that phones don't agree about."""
    if not all("!" <= character <= "~" for character in password):
        raise CredentialError("a password has no blanks, and no characters beyond ASCII: phones differ there")
    if not PASSWORD_CHARACTERS_MIN <= len(password) <= PASSWORD_CHARACTERS_MAX:
        raise CredentialError(
            f"a password has {PASSWORD_CHARACTERS_MIN} to {PASSWORD_CHARACTERS_MAX} characters"
        )
    if len(set(password)) < DIFFERENT_CHARACTERS_MIN:
        raise CredentialError(f"a password has {DIFFERENT_CHARACTERS_MIN} different characters or more")
    if len(user) > NAME_CHARACTERS_IGNORED and user in password.lower():
        raise CredentialError("a password has not the user's name in it")
