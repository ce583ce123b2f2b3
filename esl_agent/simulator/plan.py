"""What is to happen in a call: the script for the phones and carriers around the switch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from esl_agent.core.leg import Product


class Kind(StrEnum):
    """Where a call comes from and goes to."""

    OUTBOUND = "outbound"  # a customer's phone calls out through a carrier
    INBOUND = "inbound"  # a carrier brings a call for a customer's DID, which rings a device
    FORWARDED = "forwarded"  # … and the DID forwards it out through a carrier


class Outcome(StrEnum):
    """What comes of the leg that the carrier (or the device) takes."""

    ANSWERED = "answered"
    BUSY = "busy"  # 486
    REJECTED = "rejected"  # 603
    NO_ROUTE = "no_route"  # 404
    UNAVAILABLE = "unavailable"  # 503
    NO_ANSWER = "no_answer"  # rings for ring_ms, then the switch gives up
    CANCELLED = "cancelled"  # rings for ring_ms, then the caller hangs up
    REDIRECTED = "redirected"  # 302 to redirect_to


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPlan:
    """One call; every time is in milliseconds.  The first positional idea: who calls what, for how long."""

    account: str = "1001"  # who pays: the caller, or the DID's owner
    number: str = "12125550147"  # where the paid leg goes, as dialled
    caller: str = "15145550100"
    caller_name: str = "Alice"
    kind: Kind = Kind.OUTBOUND
    product: Product | None = Product.TERMINATION  # None: a leg that nobody pays for
    did: str = "15145550199"  # inbound and forwarded: the number that was called
    device: str = "1001"  # inbound: the device that rings
    oli: str = ""  # inbound: ANI-II digits that the carrier brings

    outcome: Outcome = Outcome.ANSWERED
    setup_ms: int = 0  # from the INVITE to a carrier till its first answer
    ring_ms: int = 200
    early_media_ms: int | None = None  # after how much ringing early media begins; None: never
    talk_ms: int = 3000  # from answer till somebody hangs up
    hangup_by_callee: bool = False
    carriers_refusing: int = 0  # so many carriers answer refusal_sip_status before one takes the call
    refusal_sip_status: int = 503
    redirect_to: str = "525512345678"

    transfer_to: str = ""  # the caller transfers itself there …
    transfer_after_ms: int = 1000  # … so long after the first answer
    talk_after_transfer_ms: int = 2000

    audio: bool = False  # whether RTP flowed, for the packet counts in the last events
    mos: str = "4.50"
    packet_loss: str = "0.00"  # per cent
    jitter_ms: str = "0.00"

    caller_leg_uuid: str = ""  # "" for a new one
    variables: Mapping[str, str] = field(default_factory=dict)  # further ones on the caller's leg
