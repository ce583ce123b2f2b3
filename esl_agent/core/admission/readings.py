"""What follows from a question and its facts, read by more than one rule."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Final

from esl_agent.core import budget
from esl_agent.core.admission.facts import Facts, PayphonePolicy
from esl_agent.core.admission.limits import CallerIdPolicy
from esl_agent.core.admission.question import Question
from esl_agent.core.leg import Product
from esl_agent.core.money import ZERO
from esl_agent.core.numbering.number import Number
from esl_agent.core.price import UNPRICED, Price
from esl_agent.core.traffic.restriction import by_and_until
from esl_agent.core.traffic.verdict import Action

#: A caller's number shorter than this is a short code, or a fancy of the telephone's.
_CALLER_DIGITS_MIN: Final = 7


def goes_out(question: Question) -> bool:
    """Whether the call goes to a carrier; one that comes in to a DID doesn't."""
    return question.product is not Product.INBOUND


def payer_id(question: Question, facts: Facts) -> int | None:
    """The account that ought to pay: the customer who calls, or the owner of the DID (terms 4)."""
    if question.product is Product.TERMINATION:
        return question.account_id
    return facts.did.account_id if facts.did else None


def caller_to_send(question: Question, facts: Facts) -> str | None:
    """The caller ID for the carrier, in digits, or "" for none; None where the call may have none.

    A customer's call bears a number of the customer's own (terms 11).  A
    forwarded call bears that of the one who called, for the one who is called
    wants to know; the DID where it is hidden.
    """
    if not goes_out(question):
        return ""
    if question.product is Product.FORWARDING:
        if facts.caller is not None and _is_whole(facts.caller):
            return facts.caller.digits
        return facts.did.number if facts.did else None
    if facts.owns_caller and facts.caller is not None:
        return facts.caller.digits
    limits = facts.limits
    return limits.default_caller_id if limits.caller_id_policy is CallerIdPolicy.REPLACE else None


def emergency_caller(question: Question, facts: Facts) -> str:
    """The caller ID of an emergency call, which never lacks one for a rule's sake; "" leaves it as it is."""
    return caller_to_send(question, facts) or facts.limits.default_caller_id or ""


def own_numbers(question: Question, facts: Facts) -> frozenset[str]:
    """The numbers of ours that take part: the DID that was called, and a caller ID that is the account's."""
    did = facts.did.number if facts.did and question.product is not Product.TERMINATION else None
    shown = caller_to_send(question, facts) if question.product is Product.TERMINATION else None
    return frozenset(number for number in (did, shown) if number)


def restricts(facts: Facts, action: Action) -> str:
    """Which of the customer's restrictions is of that kind, in words; "" where none is."""
    return next((by_and_until(each) for each in facts.restrictions if each.action is action), "")


def is_payphone(question: Question, facts: Facts) -> bool:
    """Whether a payphone calls a toll-free DID (terms 6); only a carrier's word is taken for it."""
    did = facts.did
    if (
        question.product is not Product.INBOUND
        or did is None
        or not did.is_toll_free
        or not question.is_trunk
    ):
        return False
    return _two_digits(question.oli or "") in facts.operator.payphone_oli


def price_of(question: Question, facts: Facts) -> Price:
    """What the call costs, a payphone's surcharge included (terms 6)."""
    price = facts.price or UNPRICED
    did = facts.did
    if did is None or did.payphone_policy is not PayphonePolicy.SURCHARGE or not is_payphone(question, facts):
        return price
    return replace(price, payphone_surcharge=did.payphone_surcharge, is_free=False)


def first_charge(question: Question, facts: Facts) -> Decimal:
    """What has to be held before the call goes ahead (terms 1); 0 for a free one."""
    price = price_of(question, facts)
    return budget.first_charge(price) if budget.is_metered(price) else ZERO


def _is_whole(number: Number) -> bool:
    return len(number.digits) >= _CALLER_DIGITS_MIN


def _two_digits(oli: str) -> str:
    """`7`, `07` and ` 07 ` are one code; "" for what is none."""
    text = oli.strip()
    return text.zfill(2) if text.isascii() and text.isdecimal() else ""
