"""What the switch says of a leg, in our words.

The switch layer turns events, channel dumps and CDR files into these; the
call's machine and the settlement read nothing else.  Times are microseconds
since 1970 on the switch's clock; None where the thing has not happened.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Product(StrEnum):
    """What a leg is sold as."""

    TERMINATION = "termination"  # a customer's call out to a carrier
    FORWARDING = "forwarding"  # the outbound leg of a forwarded inbound call
    INBOUND = "inbound"  # a call to a customer's DID, on its A leg


class Direction(StrEnum):
    """As FreeSWITCH says it: `inbound` came to the switch, `outbound` was sent by it."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


@dataclass(frozen=True, slots=True)
class Leg:
    """One leg as last told by the switch.

    `account_id`, `product` and `priced_number` come from channel variables that
    only our dialplan sets; everything else a phone or a carrier may have forged.
    """

    leg_uuid: str
    direction: Direction
    created_us: int
    account_id: int | None
    product: Product | None
    priced_number: str  # what the rate is looked up for: set by us, else the destination
    destination: str  # as dialled on this leg
    caller_number: str
    other_leg_uuid: str | None
    carrier: str | None
    forwarded_from: str | None
    is_loopback: bool
    is_users: bool = False  # its caller authenticated as a user of the directory: no carrier brought it
    answered_us: int | None = None


@dataclass(frozen=True, slots=True)
class Quality:
    """How the call sounded, as the switch measured it; None where it did not."""

    mos: str | None  # 1.00 to 4.50, as text with the switch's decimals
    packet_loss: str | None  # per cent
    jitter_ms: str | None


@dataclass(frozen=True, slots=True)
class LegEnd:
    """A leg that is over, with everything a CDR needs to know of it."""

    leg: Leg
    ended_us: int
    duration_us: int  # answered to ended; 0 if never answered
    hangup_cause: str
    sip_code: int | None
    ended_by: str  # caller, callee, agent, switch or unknown
    quality: Quality
    recording: str | None
    recorded_us: tuple[int, int] | None = None  # from when until when
