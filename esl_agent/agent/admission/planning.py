"""From a decision to the legs that are to be made for it, and the dial strings that make them."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from decimal import Decimal
from typing import Final
from uuid import uuid4

from esl_agent.core import budget
from esl_agent.core.admission.carriers import Carrier, choose
from esl_agent.core.admission.decide import TAG_EMERGENCY
from esl_agent.core.admission.decision import Decision
from esl_agent.core.admission.dial import PlannedLeg, cut_command, dial_strings
from esl_agent.core.admission.question import Question
from esl_agent.core.admission.readings import goes_out
from esl_agent.core.admission.tokens import TokenError
from esl_agent.core.call import first_switch_cut_s
from esl_agent.core.leg import Product

#: Random bits for the order of carriers of one priority.
CHOICE_BITS: Final = 128


def is_emergency(decision: Decision) -> bool:
    return TAG_EMERGENCY in decision.tags


def plan_legs(question: Question, decision: Decision, carriers: Iterable[Carrier]) -> tuple[PlannedLeg, ...]:
    """The legs in the order in which they are tried; none for a call that comes in, or is refused."""
    if not decision.admitted or not goes_out(question):
        return ()
    order = choose(carriers, secrets.randbits(CHOICE_BITS), even_full=is_emergency(decision))
    return tuple(PlannedLeg(str(uuid4()), carrier) for carrier in order)


def own_cut(question: Question, decision: Decision, held: Decimal) -> str:
    """What the switch is to arm when a metered call that came in is answered, as for legs that go out.

    "" where there is nothing to cut, or the switch names its legs by something else than UUIDs.
    """
    cut_after_s = _cut_after_s(decision, held)
    if decision.product is not Product.INBOUND or cut_after_s is None:
        return ""
    try:
        return cut_command(question.caller_leg_uuid, cut_after_s)
    except TokenError:
        return ""


def dial(decision: Decision, legs: tuple[PlannedLeg, ...], held: Decimal) -> tuple[str, ...]:
    """What `bridge` is given, one after the other, for a call that `held` is held for."""
    return dial_strings(decision, legs, _cut_after_s(decision, held))


def _cut_after_s(decision: Decision, held: Decimal) -> int | None:
    """None for a call that isn't metered."""
    return first_switch_cut_s(decision.price, held) if budget.is_metered(decision.price) else None
