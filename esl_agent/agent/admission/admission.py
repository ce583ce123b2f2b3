"""Admission: a call waits in the dialplan; decide, hold its money, and say how it goes on.

The decision is the core's (core/admission).  Here its facts are gathered, the
first grant is held, and the answer becomes channel variables.  A refusal
leaves a log line and a CDR, and nothing reserved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Final
from uuid import uuid4

from gevent.event import AsyncResult

from esl_agent.agent.admission.cached import CachedFunds
from esl_agent.agent.admission.facts import gather
from esl_agent.agent.admission.planning import dial, is_emergency, own_cut, plan_legs
from esl_agent.agent.admission.refusals import refused_cdr
from esl_agent.agent.admission.tempo import Tempo
from esl_agent.agent.book import Book, Payer
from esl_agent.agent.calls.desk import Desk
from esl_agent.agent.calls.itinerary import Itinerary
from esl_agent.agent.calls.known import remember
from esl_agent.agent.money.holder import Tell
from esl_agent.agent.pricing import Priced
from esl_agent.core.admission.decide import decide, refused_by_store
from esl_agent.core.admission.decision import Decision
from esl_agent.core.admission.dial import PlannedLeg
from esl_agent.core.admission.limits import OperatorPolicy
from esl_agent.core.admission.question import Question
from esl_agent.core.admission.readings import goes_out
from esl_agent.core.admission.reasons import Reason
from esl_agent.core.admission.variables import answer_variables
from esl_agent.core.call import CallPolicy, first_hold
from esl_agent.core.call_signals import Event, Held, HoldMoney, HoldRefused
from esl_agent.core.leg import Direction, Leg
from esl_agent.core.money import ZERO
from esl_agent.noc.log import Log
from esl_agent.store.cdrs import CdrRow

#: The store's word when it did not answer in time.
SILENT: Final = "silent"


class Admission:
    """Answers questions; `answer` may be called from many greenlets at once."""

    def __init__(
        self,
        *,
        book: Book,
        desk: Desk,
        policy: CallPolicy,
        operator: OperatorPolicy,
        today: Callable[[], date],
        hold: Callable[[int, str, HoldMoney, Tell, str], None],
        settle: Callable[[CdrRow], None],
        release: Callable[[int, str], None],
        has_journal_room: Callable[[], bool],
        can_record: Callable[[], bool],
        cached: CachedFunds,
        deadline_s: float,
        now_us: Callable[[], int],
        log: Log,
    ) -> None:
        self._book = book
        self._desk = desk
        self._policy = policy
        self._operator = operator
        self._today = today
        self._hold = hold
        self._settle = settle
        self._release = release
        self._has_journal_room = has_journal_room
        self._can_record = can_record
        self._cached = cached
        self._deadline_s = deadline_s
        self._now_us = now_us
        self._log = log
        self._tempo = Tempo()

    def answer(self, question: Question) -> Mapping[str, str]:
        """The variables that the caller's leg is to get."""
        gathered = gather(self._book, question, self._operator, self._desk.carriers_up, self._today())
        facts = replace(
            gathered.facts, has_journal_room=self._has_journal_room(), can_record=self._can_record()
        )
        decision = decide(question, self._tempo.paced(question, facts))
        legs = plan_legs(question, decision, gathered.facts.carriers)
        held = ZERO
        if decision.admitted and not is_emergency(decision):
            decision, held = self._fund(question, decision, legs, gathered.payer)
        admission_uuid = str(uuid4())
        if not decision.admitted:
            self._refuse(question, decision, admission_uuid)
            return answer_variables(decision, admission_uuid)
        self._expect(question, decision, legs, held)
        self._say("CALL_ADMITTED", question, decision, held=held, carriers=len(legs) or None)
        dialling, cut = dial(decision, legs, held), own_cut(question, decision, held)
        return answer_variables(decision, admission_uuid, dialling, cut)

    def _fund(
        self, question: Question, decision: Decision, legs: tuple[PlannedLeg, ...], payer: Payer | None
    ) -> tuple[Decision, Decimal]:
        """Hold the first grant, under the first leg that is to come; the store's word is final."""
        outcome: AsyncResult[Event] = AsyncResult()
        own: list[tuple[str, str | None]] = [(leg.leg_uuid, leg.carrier.name) for leg in legs]
        own = own or [(question.caller_leg_uuid, None)]
        known = remember(
            _priced(question, decision), question.caller_leg_uuid, own, as_of_us=question.asked_us
        )
        leg_uuid = own[0][0]
        self._hold(
            decision.account_id, leg_uuid, first_hold(decision.price, self._policy), outcome.set, known
        )
        outcome.wait(self._deadline_s)
        if isinstance(outcome.value, Held | HoldRefused):
            self._cached.database_answered()
        match outcome.value:
            case Held(held, _):
                return decision, held
            case HoldRefused(reason):
                return refused_by_store(decision, reason), ZERO
        cached = self._cached.grant(payer, decision.price)
        if cached is not None:
            return decision, cached  # what is held after all is settled with the leg
        # It may still be held later: a leg that is given up never is.
        self._release(decision.account_id, leg_uuid)
        return refused_by_store(decision, Reason.OUTAGE_LIMIT if self._cached.is_on else SILENT), ZERO

    def _expect(
        self, question: Question, decision: Decision, legs: tuple[PlannedLeg, ...], held: Decimal
    ) -> None:
        """Tell the desk which legs will come; an emergency call's are nobody's concern."""
        if is_emergency(decision):
            return
        own = tuple(leg.leg_uuid for leg in legs) or (question.caller_leg_uuid,)
        priced = _priced(question, decision)
        carriers = {leg.leg_uuid: leg.carrier.name for leg in legs}
        self._desk.expect(
            Itinerary(priced, question.caller_leg_uuid, own, held, question.asked_us, carriers=carriers)
        )

    def _refuse(self, question: Question, decision: Decision, admission_uuid: str) -> None:
        self._say("CALL_REFUSED", question, decision, reason=decision.reason, rule=decision.rule,
                  detail=decision.detail or None)  # fmt: skip
        if not goes_out(question) and decision.account_id:
            self._desk.refuse_inbound(question.caller_leg_uuid, str(decision.reason))
        elif self._has_journal_room():  # what is left of it otherwise is for calls that were made
            self._settle(refused_cdr(question, decision, admission_uuid))

    def _say(self, word: str, question: Question, decision: Decision, **more: object) -> None:
        self._log(
            word,
            leg=question.caller_leg_uuid,
            account=decision.account_id,
            product=question.product,
            caller=question.caller_number,
            to=decision.number.digits if decision.number else question.dialled,
            rate=None if decision.price.is_free else decision.price.rate_per_minute,
            tags=",".join(decision.tags) or None,
            **more,
            took_ms=(self._now_us() - question.asked_us) / 1_000,
        )


def _priced(question: Question, decision: Decision) -> Priced:
    """As of the caller's leg; a planned leg takes its own place in it when it comes."""
    number = decision.number
    if number is None:
        raise ValueError("an admitted call has a number")
    leg = Leg(
        leg_uuid=question.caller_leg_uuid,
        direction=Direction.INBOUND,
        created_us=question.asked_us,
        account_id=decision.account_id,
        product=decision.product,
        priced_number=question.dialled,
        destination=question.dialled,
        caller_number=question.caller_number,
        other_leg_uuid=None,
        carrier=None,
        forwarded_from=decision.forwarded_from,
        is_loopback=False,
    )
    return Priced(
        leg, decision.account_id, number, decision.price, decision.currency,
        rule=decision.rule, tags=decision.tags,
    )  # fmt: skip
