"""The rules of admission, one small function each; the first that has a word decides.

A rule reads the question and the facts and says `Refuse(reason)`, `Admit(why)`
or, where it has nothing against the call, None.  Its name stands in the log and
on the CDR, its docstring in `esl-agent admit`.  Where a fact is missing a rule
says nothing: that it is missing is another rule's matter.  To add a rule, write
the function and put it in its place in RULES (docs/admission.md).
"""

from __future__ import annotations

from typing import Final

from esl_agent.core.admission.decision import Admit, Refuse, Rule, Verdict
from esl_agent.core.admission.facts import AccountState, Facts, PayphonePolicy
from esl_agent.core.admission.limits import TollFree
from esl_agent.core.admission.question import Question
from esl_agent.core.admission.readings import (
    caller_to_send,
    first_charge,
    goes_out,
    is_payphone,
    own_numbers,
    payer_id,
    restricts,
)
from esl_agent.core.admission.reasons import Reason
from esl_agent.core.admission.recording import recording_of
from esl_agent.core.admission.restricted import REASON_OF_ACTION, stopping
from esl_agent.core.leg import Product
from esl_agent.core.numbering.number import NumberClass
from esl_agent.core.tariff import NEVER_CHARGED
from esl_agent.core.traffic.restriction import by_and_until
from esl_agent.core.traffic.verdict import Action

REASON_OF_STATE: Final = {
    AccountState.PENDING: Reason.TERMS_NOT_ACCEPTED,
    AccountState.SUSPENDED: Reason.ACCOUNT_SUSPENDED,
    AccountState.CLOSED: Reason.ACCOUNT_CLOSED,
}


def emergency(question: Question, facts: Facts) -> Verdict | None:
    """An emergency or crisis call goes ahead, whatever else holds."""
    if facts.number is not None and facts.number.number_class in NEVER_CHARGED and goes_out(question):
        return Admit(f"{facts.number.digits} is never refused or metered")
    return None


def facts_known(question: Question, facts: Facts) -> Verdict | None:
    """The database answered."""
    return None if facts.is_known else Refuse(Reason.NO_DECISION)


def journal_room(question: Question, facts: Facts) -> Verdict | None:
    """What the call will cost can be kept on disk until it is in the database."""
    return None if facts.has_journal_room else Refuse(Reason.JOURNAL_FULL)


def did_known(question: Question, facts: Facts) -> Verdict | None:
    """The number that was called from outside is one of ours."""
    if question.product is not Product.TERMINATION and facts.did is None:
        return Refuse(Reason.UNKNOWN_DID)
    return None


def payer(question: Question, facts: Facts) -> Verdict | None:
    """There is an account that pays: the customer who calls, or the owner of the DID."""
    account_id = payer_id(question, facts)
    if facts.customer is None or facts.customer.account_id != account_id:
        return Refuse(Reason.UNKNOWN_ACCOUNT, "nobody" if account_id is None else f"account {account_id}")
    return None


def account_state(question: Question, facts: Facts) -> Verdict | None:
    """The account is active."""
    reason = REASON_OF_STATE.get(facts.customer.state) if facts.customer else None
    return Refuse(reason) if reason else None


def terms(question: Question, facts: Facts) -> Verdict | None:
    """The customer accepted the terms of service."""
    if facts.customer is not None and not facts.customer.terms_accepted:
        return Refuse(Reason.TERMS_NOT_ACCEPTED)
    return None


def traffic(question: Question, facts: Facts) -> Verdict | None:
    """Calls like this one are not suspended for what the account's traffic was like."""
    number_class = facts.number.number_class if facts.number else NumberClass.WORLD
    # The toll-free option has a rule of its own: the operator may prefer to rate those calls.
    suspensions = [each for each in facts.restrictions if each.action is not Action.TOLL_FREE_OFF]
    numbers = own_numbers(question, facts)
    by = stopping(suspensions, number_class, numbers, goes_out=goes_out(question))
    return Refuse(REASON_OF_ACTION[by.action], by_and_until(by)) if by else None


def number_understood(question: Question, facts: Facts) -> Verdict | None:
    """What was dialled is a number."""
    return Refuse(Reason.NUMBER_NOT_UNDERSTOOD, facts.number_problem) if facts.number is None else None


def forwarding_loop(question: Question, facts: Facts) -> Verdict | None:
    """A DID is not forwarded to itself."""
    if question.product is not Product.FORWARDING or facts.did is None or facts.number is None:
        return None
    return Refuse(Reason.FORWARDED_TO_ITSELF) if facts.did.number == facts.number.digits else None


def operator_blocks(question: Question, facts: Facts) -> Verdict | None:
    """The operator lets anybody call this class of number and this country."""
    number, policy = facts.number, facts.operator
    if number is None or not goes_out(question):
        return None
    if number.number_class in policy.blocked_classes:
        return Refuse(Reason.BLOCKED_BY_OPERATOR, f"class {number.number_class}")
    if number.country in policy.blocked_countries:
        return Refuse(Reason.BLOCKED_BY_OPERATOR, f"country {number.country}")
    return None


def account_blocks(question: Question, facts: Facts) -> Verdict | None:
    """The account may call this class of number, this country and this prefix."""
    number, limits = facts.number, facts.limits
    if number is None or not goes_out(question):
        return None
    if number.number_class in limits.blocked_classes:
        return Refuse(Reason.BLOCKED_BY_ACCOUNT, f"class {number.number_class}")
    if number.country in limits.blocked_countries:
        return Refuse(Reason.BLOCKED_BY_ACCOUNT, f"country {number.country}")
    for prefix in limits.blocked_prefixes:
        if number.digits.startswith(prefix):
            return Refuse(Reason.BLOCKED_BY_ACCOUNT, f"prefix {prefix}")
    return None


def premium(question: Question, facts: Facts) -> Verdict | None:
    """Premium rate numbers are called only where the operator sells them."""
    number = facts.number
    if number is None or number.number_class is not NumberClass.PREMIUM or not goes_out(question):
        return None
    return None if facts.operator.allow_premium else Refuse(Reason.PREMIUM_BLOCKED)


def caller_id(question: Question, facts: Facts) -> Verdict | None:
    """The caller ID is the account's own or verified, or is replaced by its default."""
    return Refuse(Reason.CALLER_ID_NOT_OWNED) if caller_to_send(question, facts) is None else None


def payphone(question: Question, facts: Facts) -> Verdict | None:
    """A toll-free DID takes this call, if it comes from a payphone."""
    if facts.did and facts.did.payphone_policy is PayphonePolicy.REJECT and is_payphone(question, facts):
        return Refuse(Reason.PAYPHONE_REJECTED, f"OLI {question.oli}")
    return None


def toll_free_option(question: Question, facts: Facts) -> Verdict | None:
    """The account may call toll-free numbers, if this is one."""
    is_toll_free = facts.number is not None and facts.number.number_class is NumberClass.TOLL_FREE
    if is_toll_free and facts.limits.toll_free is TollFree.OFF and goes_out(question):
        return Refuse(Reason.TOLL_FREE_OFF, restricts(facts, Action.TOLL_FREE_OFF))
    return None


def priced(question: Question, facts: Facts) -> Verdict | None:
    """The account's plan has a price for the call."""
    if not facts.has_plan:
        return Refuse(Reason.NO_PLAN)
    return Refuse(Reason.NO_RATE) if facts.price is None else None


def routed(question: Question, facts: Facts) -> Verdict | None:
    """A carrier has a route to the number, and room for the call."""
    if not goes_out(question) or any(carrier.has_room for carrier in facts.carriers):
        return None
    return Refuse(Reason.CARRIERS_FULL if facts.carriers else Reason.NO_ROUTE)


def concurrent_calls(question: Question, facts: Facts) -> Verdict | None:
    """The account has not as many calls out as it may."""
    most = facts.limits.max_calls
    if most is None or facts.calls_up < most or not goes_out(question):
        return None
    return Refuse(Reason.TOO_MANY_CALLS, _throttled(f"{facts.calls_up} of {most} calls are up", facts))


def calls_per_second(question: Question, facts: Facts) -> Verdict | None:
    """The account does not place calls faster than it may."""
    if facts.is_within_rate or not goes_out(question):
        return None
    return Refuse(Reason.TOO_FAST, _throttled(f"{facts.limits.calls_per_second} a second are allowed", facts))


def spend_per_day(question: Question, facts: Facts) -> Verdict | None:
    """The first charge fits into what the account may spend today."""
    needs, most = first_charge(question, facts), facts.limits.spend_per_day
    if most is None or not needs or facts.spent_today + needs <= most:
        return None
    return Refuse(Reason.DAY_SPEND, f"{facts.spent_today} of {most} is spent, the call needs {needs}")


def spend_per_call(question: Question, facts: Facts) -> Verdict | None:
    """The first charge fits into what the account may spend on one call."""
    needs, most = first_charge(question, facts), facts.limits.spend_per_call
    if most is None or needs <= most:
        return None
    return Refuse(Reason.CALL_SPEND, f"the call needs {needs}, {most} is allowed")


def recordable(question: Question, facts: Facts) -> Verdict | None:
    """The call can be recorded, if it is a department's."""
    recording = None if facts.can_record else recording_of(question, facts)
    return Refuse(Reason.NOT_RECORDABLE, f"department {recording.department}") if recording else None


def funds(question: Question, facts: Facts) -> Verdict | None:
    """The free balance covers the first charge: the store says so, by holding it."""
    needs = first_charge(question, facts)
    return Admit(f"if {needs} can be held" if needs else "free: nothing to hold")


def _throttled(detail: str, facts: Facts) -> str:
    """The detail, with what may have made the limit what it is."""
    throttle = restricts(facts, Action.THROTTLE)
    return f"{detail}; throttled: {throttle}" if throttle else detail


RULES: Final[tuple[Rule, ...]] = (
    emergency,
    facts_known,
    journal_room,
    did_known,
    payer,
    account_state,
    terms,
    traffic,
    number_understood,
    forwarding_loop,
    operator_blocks,
    account_blocks,
    premium,
    caller_id,
    payphone,
    toll_free_option,
    priced,
    routed,
    concurrent_calls,
    calls_per_second,
    spend_per_day,
    spend_per_call,
    recordable,
    funds,
)
