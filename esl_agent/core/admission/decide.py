"""The decision: the rules in order, the first that has a word decides, and nothing is admitted by default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from esl_agent.core import budget
from esl_agent.core.admission import rules
from esl_agent.core.admission.decision import Admit, Decision, Judgement, Refuse, Rule, Verdict
from esl_agent.core.admission.facts import Facts
from esl_agent.core.admission.question import Question
from esl_agent.core.admission.readings import (
    caller_to_send,
    emergency_caller,
    first_charge,
    is_payphone,
    price_of,
    restricts,
)
from esl_agent.core.admission.reasons import REFUSALS, Reason
from esl_agent.core.admission.recording import recording_of
from esl_agent.core.leg import Product
from esl_agent.core.money import ZERO
from esl_agent.core.price import UNPRICED
from esl_agent.core.traffic.verdict import Action

OK: Final = "ok"
ADMIT: Final = "admit"
REFUSE: Final = "refuse"

TAG_EMERGENCY: Final = "emergency"
TAG_PAYPHONE: Final = "payphone"
TAG_CALLER_ID_REPLACED: Final = "caller_id_replaced"
TAG_TO_RECORD: Final = "to_record"

#: Why the money can't be held, though no rule had a word against the call, and the rule that stands for it.
_LATE_REFUSALS: Final[Mapping[str, Rule]] = MappingProxyType(
    {
        Reason.NO_FUNDS: rules.funds,
        Reason.OUTAGE_LIMIT: rules.funds,
        Reason.TOO_MANY_CALLS: rules.concurrent_calls,
        Reason.DAY_SPEND: rules.spend_per_day,
        Reason.CALL_SPEND: rules.spend_per_call,
        Reason.TERMS_NOT_ACCEPTED: rules.account_state,
        Reason.ACCOUNT_SUSPENDED: rules.account_state,
        Reason.ACCOUNT_CLOSED: rules.account_state,
        Reason.UNKNOWN_ACCOUNT: rules.payer,
    }
)


def decide(question: Question, facts: Facts) -> Decision:
    """What becomes of the call, with what each rule said of it."""
    trace: list[Judgement] = []
    for rule in rules.RULES:
        verdict = rule(question, facts)
        trace.append(_judgement(rule, verdict))
        if verdict is not None:
            return _decision(question, facts, rule, verdict, tuple(trace))
    return _decision(question, facts, rules.facts_known, Refuse(Reason.NO_DECISION), tuple(trace))


def refused_by_store(decision: Decision, outcome: str) -> Decision:
    """The decision after the store said `outcome` instead of holding the money.

    An outcome of which nothing is known, or no answer at all, is no decision.
    """
    rule = _LATE_REFUSALS.get(outcome, rules.facts_known)
    reason = Reason(outcome) if outcome in _LATE_REFUSALS else Reason.NO_DECISION
    last = Judgement(rule.__name__, REFUSE, f"{reason}: the store says {outcome}")
    return replace(
        decision,
        admitted=False,
        rule=rule.__name__,
        refusal=REFUSALS[reason],
        detail=decision.throttle if reason is Reason.TOO_MANY_CALLS and decision.throttle else outcome,
        trace=(*decision.trace, last),
    )


def summary(rule: Rule) -> str:
    """What a rule asks for, in a sentence."""
    return (rule.__doc__ or "").partition("\n")[0]


def _judgement(rule: Rule, verdict: Verdict | None) -> Judgement:
    match verdict:
        case Admit(why):
            return Judgement(rule.__name__, ADMIT, why)
        case Refuse(reason, detail):
            return Judgement(rule.__name__, REFUSE, f"{reason}: {detail}" if detail else str(reason))
    return Judgement(rule.__name__, OK, summary(rule))


def _decision(
    question: Question, facts: Facts, rule: Rule, verdict: Verdict, trace: tuple[Judgement, ...]
) -> Decision:
    is_emergency = rule is rules.emergency
    caller_id = emergency_caller(question, facts) if is_emergency else caller_to_send(question, facts)
    price = price_of(question, facts)
    if is_emergency and budget.is_metered(price):
        price = UNPRICED  # whatever was looked up: nothing is held, metered or charged
    refuse = verdict if isinstance(verdict, Refuse) else None
    onward = facts.did if refuse is None and question.product is Product.INBOUND else None
    recording = recording_of(question, facts) if refuse is None and not is_emergency else None
    return Decision(
        admitted=refuse is None,
        rule=rule.__name__,
        refusal=REFUSALS[refuse.reason] if refuse else None,
        detail=refuse.detail if refuse else "",
        account_id=facts.customer.account_id if facts.customer else 0,
        product=question.product,
        number=facts.number,
        price=price,
        currency=facts.customer.currency if facts.customer else "",
        needs=ZERO if is_emergency else first_charge(question, facts),
        most=facts.limits.spend_per_call,
        throttle=restricts(facts, Action.THROTTLE),
        caller_id=caller_id or "",
        forwarded_from=facts.did.number if facts.did and question.product is Product.FORWARDING else None,
        forward_to=onward.forward_to if onward else "",
        forward_when=onward.forward_when if onward else "never",
        recording=recording,
        tags=_tags(question, facts, caller_id, is_emergency=is_emergency, is_recorded=recording is not None),
        trace=trace,
    )


def _tags(
    question: Question, facts: Facts, caller_id: str | None, *, is_emergency: bool, is_recorded: bool
) -> tuple[str, ...]:
    is_replaced = bool(caller_id) and (facts.caller is None or caller_id != facts.caller.digits)
    tags = {
        TAG_EMERGENCY: is_emergency,
        TAG_PAYPHONE: is_payphone(question, facts),
        TAG_CALLER_ID_REPLACED: is_replaced,
        TAG_TO_RECORD: is_recorded,
    }
    return tuple(tag for tag, holds in tags.items() if holds)
