"""A customer's phone as the switch's SIP directory has it, made of what the agent knows of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from esl_agent.switch.errors import SwitchError

#: How the switch calls such a phone where it is registered (mod_sofia.c, `sofia_contact`).
DIAL_STRING: Final = (
    "{sip_invite_domain=${dialed_domain},presence_id=${dialed_user}@${dialed_domain}}"
    "${sofia_contact(*/${dialed_user}@${dialed_domain})}"
)
#: Calls go back to where the phone registered from, and nobody takes over its calls by their Call-ID.
SAFEGUARDS: Final = MappingProxyType(
    {"sip-force-contact": "NDLB-connectile-dysfunction", "intercept_unbridged_only": "true"}
)
#: The switch multiplies it by 1,000 in an int (switch_xml.c, `switch_xml_locate_user_merged`).
CACHE_S_MAX: Final = 2_147

_A1_HASH: Final = re.compile("[0-9a-f]{32}", re.ASCII)
_NAME: Final = re.compile(r"[A-Za-z0-9_.+-]{1,64}", re.ASCII)
_VALUE: Final = re.compile(r"[^\x00-\x1f\x7f$\\]*")


class DirectoryError(SwitchError):
    """A phone that can't stand in the directory; the message says what about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SipUser:
    """One phone.  `variables` are set on every leg that it brings, after it authenticated.

    The switch keeps a user `cache_s` seconds, for which its calls need no look-up;
    None is until `xml_flush_cache` is said (`commands.forget_user`): then phones
    authenticate for as long as the agent is away, emergency calls among them.
    Raises DirectoryError.
    """

    user: str
    domain: str
    a1_hash: str = field(repr=False)  # MD5 of user:domain:password (RFC 7616, 3.4.2); as good as the password
    account_id: int
    context: str = "esl_customer"
    caller_number: str = ""
    caller_name: str = ""
    emergency_caller_number: str = ""
    max_calls: int | None = None
    calls_per_second: int | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    cache_s: int | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.user) or not _NAME.fullmatch(self.domain):
            raise DirectoryError(f"{self.user[:64]!r}@{self.domain[:64]!r} is no user of a domain")
        who = f"{self.user}@{self.domain}"
        if not _A1_HASH.fullmatch(self.a1_hash):
            raise DirectoryError(f"{who}: its a1-hash is not 32 small hexadecimal digits")
        if self.cache_s is not None and not 0 <= self.cache_s <= CACHE_S_MAX:
            raise DirectoryError(f"{who}: cached {self.cache_s} s: give 0 to {CACHE_S_MAX}")
        for name, value in self._all_variables().items():
            if not _VALUE.fullmatch(value):
                raise DirectoryError(f"{who}: {name} has a character that can't be in it")

    def entry(self) -> dict[str, Any]:
        """What `embedded.xml_fetch` writes as XML: texts only."""
        cacheable = "true" if self.cache_s is None else str(self.cache_s * 1_000)
        return {
            "id": self.user,
            "domain": self.domain,
            "cacheable": cacheable,
            "params": {"a1-hash": self.a1_hash, "dial-string": DIAL_STRING},
            "variables": self._all_variables(),
        }

    def _all_variables(self) -> dict[str, str]:
        """Without those that have no value: an empty limit would read as none at all, or as 0."""
        ours = {
            "accountcode": str(self.account_id),
            "user_context": self.context,
            "effective_caller_id_number": self.caller_number,
            "effective_caller_id_name": self.caller_name,
            "emergency_caller_id_number": self.emergency_caller_number,
            "esl_max_calls": "" if self.max_calls is None else str(self.max_calls),
            "esl_calls_per_second": "" if self.calls_per_second is None else str(self.calls_per_second),
        }
        return {**self.variables, **SAFEGUARDS, **{name: value for name, value in ours.items() if value}}
