"""The CDR of a call that was refused before any leg was made for it."""

from __future__ import annotations

from esl_agent.core.admission.decision import Decision
from esl_agent.core.admission.question import Question
from esl_agent.core.leg import Quality
from esl_agent.core.rating import rate_leg
from esl_agent.store.cdrs import CdrRow, Source


def refused_cdr(question: Question, decision: Decision, leg_uuid: str) -> CdrRow:
    """A row of its own, for the caller's leg may be refused again, or billed."""
    number, refusal = decision.number, decision.refusal
    return CdrRow(
        account_id=decision.account_id,
        leg_uuid=leg_uuid,
        other_leg_uuid=question.caller_leg_uuid,
        product=question.product,
        caller=question.caller_number,
        dialled=question.dialled,
        number=number.digits if number else "",
        number_class=number.number_class if number else "",
        country=number.country if number else "",
        price=decision.price,
        charge=rate_leg(decision.price, None),
        created_us=question.asked_us,
        answered_us=None,
        ended_us=question.asked_us,
        duration_us=0,
        currency=decision.currency,
        hangup_cause=refusal.hangup_cause if refusal else "",
        sip_code=refusal.sip_code if refusal else None,
        ended_by="agent",
        forwarded_from=decision.forwarded_from,
        carrier=None,
        quality=Quality(None, None, None),
        recording=None,
        source=Source.LIVE,
        refused=str(refusal.reason) if refusal else decision.rule,
        rule=decision.rule,
        tags=decision.tags,
    )
