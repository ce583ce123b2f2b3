"""What is asked before a call goes ahead."""

from __future__ import annotations

from dataclasses import dataclass

from esl_agent.core.leg import Product


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A call that waits in the dialplan.

    `account_id` is the customer whose phone calls, and None where the call
    came from outside: the owner of the DID pays for it, whoever the caller
    claims to be.  `dialled`, `caller_number` and `oli` are text that a phone or a
    carrier sent, and may hold anything.
    """

    account_id: int | None
    product: Product
    dialled: str  # where the call is to go; of product inbound: the DID that was called
    caller_number: str
    caller_leg_uuid: str
    did: str | None = None  # the number of ours that was called, of products inbound and forwarding
    oli: str | None = None  # originating line information: what kind of telephone calls (terms 6)
    is_trunk: bool = False  # it came from a carrier's trunk, the only ones whose OLI is believed
    asked_us: int
