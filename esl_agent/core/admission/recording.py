"""Which calls are recorded (terms 12): those with a department's number at one end, and no other.

A number at an end of a call is only believed where we know it ourselves: the
number that is called, the number of ours whose call goes on, and the caller ID
of a customer, which has been found to be the customer's own.  What a carrier says of
who calls is a claim: by it anybody could have anybody's call recorded.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from esl_agent.core.admission.facts import Facts
from esl_agent.core.admission.question import Question
from esl_agent.core.admission.readings import caller_to_send, goes_out
from esl_agent.core.leg import Product
from esl_agent.core.tariff import NEVER_CHARGED


class Tell(StrEnum):
    """Who has to hear that the call is recorded: whoever is not the department."""

    CALLER = "caller"
    CALLED = "called"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Recording:
    """That a call is to be recorded, because of which department's number (digits), and who is told."""

    department: str
    tell: Tell


def recording_of(question: Question, facts: Facts) -> Recording | None:
    """How the call is to be recorded; None for every call without a department, and for emergencies."""
    number = facts.number
    if number is None or (goes_out(question) and number.number_class in NEVER_CHARGED):
        return None
    called = _called(question, facts)
    caller = caller_to_send(question, facts) if question.product is Product.TERMINATION else None
    if caller is not None and caller in facts.departments:
        return Recording(called or caller, Tell.BOTH if called else Tell.CALLED)
    return Recording(called, Tell.CALLER) if called else None


def _called(question: Question, facts: Facts) -> str | None:
    """The department's number that was called: where the call goes to, else the one that forwards it."""
    did = facts.did.number if facts.did and question.product is not Product.TERMINATION else ""
    to = facts.number.digits if facts.number else ""
    return next((digits for digits in (to, did) if digits in facts.departments), None)
