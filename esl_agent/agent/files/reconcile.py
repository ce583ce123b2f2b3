"""The switch's CDR files against the books: which legs have a CDR, and which are still owed one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from esl_agent.agent.calls.known import KnownError, priced_of, recall
from esl_agent.agent.database import Connects
from esl_agent.agent.pricing import Priced, Pricing
from esl_agent.core.leg import LegEnd
from esl_agent.store.pool import Connection
from esl_agent.store.reconcile import (
    BilledLeg,
    FileLeg,
    ReservedLeg,
    find_billed,
    find_billed_near,
    find_reserved,
)


class Standing(StrEnum):
    """How a leg that a file tells of stands in the books."""

    BILLED = "billed"  # it is settled
    FREE = "free"  # it is none of ours to bill: a customer's own leg, or one inside the switch
    OWED = "owed"  # it has no CDR


@dataclass(frozen=True, slots=True)
class Compared:
    end: LegEnd
    standing: Standing
    billed: BilledLeg | None = None  # its CDR
    priced: Priced | None = None  # of one that is owed: who pays what
    next_leg: str | None = None  # of one that is owed and cost nothing: what was to be tried after it

    @property
    def differs(self) -> bool:
        """Whether file and CDR say another duration; both are the switch's own, to the microsecond."""
        return self.billed is not None and self.billed.duration_us != self.end.duration_us


def compare(database: Connects, pricing: Pricing, ends: Sequence[LegEnd]) -> list[Compared]:
    """How each leg stands, in order; raises one of OUTAGE."""
    with database.connection() as conn:
        billed = find_billed(conn, [_key(end) for end in ends])
    priced = {end.leg.leg_uuid: pricing.price_over(end.leg) for end in ends if end.leg.leg_uuid not in billed}
    payers = [(each.account_id, leg_uuid) for leg_uuid, each in priced.items() if each is not None]
    with database.connection() as conn:
        reserved = find_reserved(conn, payers)
        return [_compare(conn, end, billed, priced, reserved) for end in ends]


def _compare(
    conn: Connection,
    end: LegEnd,
    billed: dict[str, BilledLeg],
    priced: dict[str, Priced | None],
    reserved: dict[tuple[int, str], ReservedLeg],
) -> Compared:
    leg_uuid = end.leg.leg_uuid
    if leg_uuid in billed:
        return Compared(end, Standing.BILLED, billed[leg_uuid])
    now = priced[leg_uuid]
    if now is None:
        return Compared(end, Standing.FREE)
    held = reserved.get((now.account_id, leg_uuid))
    if held is not None and held.is_settled:
        return Compared(end, Standing.BILLED, find_billed_near(conn, now.account_id, _key(end)))
    return _owed(end, now, held)


def _owed(end: LegEnd, priced: Priced, held: ReservedLeg | None) -> Compared:
    """At the price that it was admitted with, where that was written down."""
    if held is None or held.known is None:
        return Compared(end, Standing.OWED, priced=priced)
    try:
        known = recall(held.known)
    except KnownError:
        return Compared(end, Standing.OWED, priced=priced)
    leg_uuid = end.leg.leg_uuid
    planned = [leg.leg_uuid for leg in known.legs]
    following = planned[planned.index(leg_uuid) + 1 :] if leg_uuid in planned else []
    return Compared(
        end,
        Standing.OWED,
        priced=priced_of(known, priced.account_id, leg_uuid),
        next_leg=following[0] if following and end.leg.answered_us is None else None,
    )


def _key(end: LegEnd) -> FileLeg:
    return FileLeg(end.leg.leg_uuid, end.leg.created_us)
