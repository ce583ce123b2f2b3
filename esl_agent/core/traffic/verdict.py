"""A verdict: a rule of traffic was broken, by whom, what is to be done, and the evidence for it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

#: Of the calls that made a verdict, the last so many are kept with it.
EVIDENCE_CALLS_MAX: Final = 20


class Action(StrEnum):
    """What a rule asks for; everything but an alert restricts the account until it expires or is cleared."""

    ALERT = "alert"
    THROTTLE = "throttle"  # fewer calls at once and a second
    TOLL_FREE_OFF = "toll_free_off"  # the option alone: other calls go on (terms 5)
    SUSPEND_OUTBOUND = "suspend_outbound"
    SUSPEND_DID = "suspend_did"
    SUSPEND_ACCOUNT = "suspend_account"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measure at the moment of the verdict; numbers as text, exact: `0.1523`."""

    measure: str
    window: str  # 1h, 24h or 30d
    value: str
    sample: int  # the calls that it was measured on
    threshold: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSeen:
    """A call among the evidence."""

    leg_uuid: str
    at_us: int
    number: str  # the other end: digits
    talk_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`expires_after_s` is None where only somebody's word lifts it."""

    account_id: int
    did: str = ""  # digits; "" where it is about the account's traffic as a whole
    rule: str
    action: Action
    at_us: int
    expires_after_s: int | None = None
    ends_calls: bool = False  # calls that are up are cut; otherwise they may finish
    max_calls: int | None = None  # of a throttle
    calls_per_second: int | None = None  # of a throttle
    figures: tuple[Figure, ...] = ()
    calls: tuple[CallSeen, ...] = ()
