"""What was decided on a call, and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from esl_agent.core.admission.facts import Facts
from esl_agent.core.admission.question import Question
from esl_agent.core.admission.reasons import Reason, Refusal
from esl_agent.core.admission.recording import Recording
from esl_agent.core.leg import Product
from esl_agent.core.money import ZERO
from esl_agent.core.numbering.number import Number
from esl_agent.core.price import UNPRICED, Price


@dataclass(frozen=True, slots=True)
class Admit:
    """A rule's word that the call goes ahead whatever the rules after it would say."""

    why: str


@dataclass(frozen=True, slots=True)
class Refuse:
    """A rule's word that the call doesn't go ahead; `detail` is for the operator's eyes."""

    reason: Reason
    detail: str = ""


Verdict = Admit | Refuse
#: None where the rule has nothing against the call.
Rule = Callable[[Question, Facts], Verdict | None]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one rule said, for `esl-agent admit`."""

    rule: str
    outcome: str  # `ok`, `admit` or `refuse`
    text: str  # what it found; of `ok`, what it asks for


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What became of a question.

    Admitted does not mean paid: where `needs` is above zero, that much has to
    be held by the store before the call goes out, and a refusal of the store's
    makes another decision of this one (`refused_by_store`).
    """

    admitted: bool
    rule: str  # the rule that decided
    refusal: Refusal | None = None
    detail: str = ""
    account_id: int = 0  # who pays; 0 where nobody is known
    product: Product = Product.TERMINATION
    number: Number | None = None
    price: Price = UNPRICED
    currency: str = ""
    needs: Decimal = ZERO  # the first charge
    most: Decimal | None = None  # never to hold more than this for the call
    throttle: str = ""  # what keeps the account to fewer calls for a time, in words
    caller_id: str = ""  # to send; digits, "" for none
    forwarded_from: str | None = None  # the DID, in digits
    forward_to: str = ""  # of a call that comes in: where its DID sends calls on to, in digits
    forward_when: str = "never"  # and when: always, busy, no_answer or never
    recording: Recording | None = None  # how it is to be recorded, if it is
    tags: tuple[str, ...] = ()
    trace: tuple[Judgement, ...] = ()

    @property
    def reason(self) -> Reason | None:
        return self.refusal.reason if self.refusal else None
