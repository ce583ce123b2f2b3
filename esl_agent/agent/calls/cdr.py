"""From a settled call to its CDR row."""

from __future__ import annotations

from esl_agent.agent.pricing import Priced
from esl_agent.core.call_signals import Settle
from esl_agent.store.cdrs import CdrRow, Source


def cdr_of(priced: Priced, settle: Settle, source: Source) -> CdrRow:
    """The row of a leg that is over: both parties, what was billed, and why."""
    end = settle.end
    # What the end says of the leg is newer; who pays was decided when it began.
    leg, payer = end.leg, priced.leg
    return CdrRow(
        account_id=priced.account_id,
        leg_uuid=leg.leg_uuid,
        other_leg_uuid=leg.other_leg_uuid or payer.other_leg_uuid,
        product=payer.product or "",
        caller=leg.caller_number,
        dialled=payer.priced_number,
        number=priced.number.digits,
        number_class=priced.number.number_class if priced.number.digits else "",
        country=priced.number.country,
        price=settle.price,
        charge=settle.charge,
        created_us=leg.created_us,
        answered_us=leg.answered_us,
        ended_us=end.ended_us,
        duration_us=end.duration_us,
        currency=priced.currency,
        hangup_cause=end.hangup_cause,
        sip_code=end.sip_code,
        ended_by="agent" if settle.refused else end.ended_by,
        forwarded_from=payer.forwarded_from,
        carrier=payer.carrier,
        quality=end.quality,
        recording=end.recording,
        recorded_us=end.recorded_us,
        source=source,
        refused=settle.refused,
        rule=priced.rule,
        tags=priced.tags,
    )
