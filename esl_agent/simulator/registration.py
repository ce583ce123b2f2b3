"""What mod_sofia tells of a phone that registers (sofia_reg.c, `sofia_reg_handle_register_token`)."""

from __future__ import annotations

from typing import Final

from esl_agent.simulator.script import Field

ATTEMPT: Final = "sofia::register_attempt"


def attempt_fields(user: str, domain: str, address: str, *, is_right: bool) -> list[Field]:
    """A password was given, which was right or not; the same for a REGISTER and for an INVITE."""
    return [
        Field("profile-name", "customer"),
        Field("from-user", user),
        Field("from-host", domain),
        Field("contact", f'"" <sip:{user}@{address}:5060>'),
        Field("call-id", "1-1@simulator"),
        Field("rpid", "unknown"),
        Field("status", "Registered(UDP)"),
        Field("expires", "3600"),
        Field("to-user", user),
        Field("to-host", domain),
        Field("network-ip", address),
        Field("network-port", "5060"),
        Field("username", user),
        Field("realm", domain),
        Field("user-agent", "unknown"),
        Field("auth-result", "SUCCESS" if is_right else "FORBIDDEN"),
    ]
