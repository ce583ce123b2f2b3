"""The life of a billed leg: `step(call, event, policy, now_us) -> (call, effects)`.

Theory of operation
-------------------
A leg that costs money talks only on money that is held for it.  When it is
created the machine asks the store to hold its first charge; when it is
answered, and again whenever what is held runs low, it asks for more.  What is
held buys whole increments; the end of the last one that is paid is the call's
*paid end*.  Two cut-offs stand there:

- the agent's own: a kill sent `cut_lead_ms` before the paid end;
- the switch's: a scheduled kill, in case the agent is gone.  The switch's
  scheduler is coarse: set to a time, as each extension does, it fires then or up
  to 0.5 s later; set to N seconds from now, as the first one is on answer, between
  N - 1 and N + 0.5.  So while more money may still come it is set to fire *before*
  the paid end; once the money is known to be all used, and where what is paid is
  too short for that, it is set *behind* the paid end, by 1.5 s at the most, and the
  agent's own cut decides to the millisecond.

Shortly before the money ends the caller is warned (call_warnings.py), and where
it has ended an announcement may follow the kill.

A hold that is refused is asked for once more just before the cut: another
call of the account may have ended meanwhile and left its money; and at once
when money comes in.  A hold that nobody answers buys nothing, so the call ends
with what it has.  A call whose account may make none any more must end now.

A leg that was up before the agent was begins again: with what is held for it,
from its real answer on.  What is held may have run out meanwhile; such a leg
is cut only when one more asking was refused, or not answered.

The machine neither reads a clock nor does anything: `now_us` is an argument
(microseconds, the switch's clock) and what is to be done comes back as effects.
Free legs (emergency, crisis, toll-free under the option) hold nothing and have
no timers; they walk through the same phases.  Every leg ends in one `Settle`.

Legs of one call that ring at once share what is held (agent/calls/itinerary.py) and
hear the same of it.  One that is answered after another waits for the switch to
let go of one of the two, before it asks for money of its own.

Transitions
-----------
    phase     event         next phase   effects
    --------  ------------  -----------  ------------------------------------------
    asking    Held          ringing      (the money is held)
    asking    HoldRefused   ending       kill
    asking    HoldFailed    ending       kill
    asking    Answered      talking      cut timer at `unfunded_ms`
    asking    AnsweredToo   talking      cut timer at `unfunded_ms`, ask timer at half of it
    asking    FoundUp       talking      as Answered, if it was
    asking    Ended         ended        settle
    ringing   Answered      talking      both cut-offs, ask timer
    ringing   AnsweredToo   talking      as asking
    ringing   FoundUp       talking      both cut-offs, or hold where the money is used up; if it was answered
    ringing   Ended         ended        settle
    talking   Held          talking      both cut-offs and ask timer, moved on
    talking   HoldRefused   talking      switch cut behind the paid end, one more ask
    talking   HoldFailed    talking      as HoldRefused
    talking   AskDue        talking      hold; if one is out already: as HoldFailed
    talking   WarnDue       talking      the caller is warned
    talking   MoneyCame     talking      hold, where the last one was refused
    talking   CutDue        ending       kill, kill timer
    talking   FoundUp       talking      switch cut set anew
    talking   Leaving       talking      hold, if what is held ends soon and more may come
    talking   Ended         ended        settle
    ending    Answered      ending       (answer time noted)
    ending    CutDue        ending       kill again, `KILLS_MAX` times at most
    ending    FoundUp       ending       kill, and again as before
    ending    Ended         ended        settle
    asking    MustEnd       ending       kill
    ringing   MustEnd       ending       kill
    talking   MustEnd       ending       kill

Any other pair changes nothing: events come twice, late and out of order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from esl_agent.core import budget, call_warnings
from esl_agent.core import call_parts as parts
from esl_agent.core.admission.reasons import Reason
from esl_agent.core.call_parts import ENDED_CAUSE, NO_DECISION, Step
from esl_agent.core.call_signals import (
    AnnounceEnd,
    Answered,
    AnsweredToo,
    AskDue,
    CutDue,
    Effect,
    Ended,
    Event,
    FoundUp,
    Held,
    HoldFailed,
    HoldMoney,
    HoldRefused,
    KillLeg,
    Leaving,
    MoneyCame,
    MustEnd,
    Note,
    SetTimer,
    Timer,
    WarnDue,
)
from esl_agent.core.call_state import US_PER_MS, US_PER_S, Call, CallPolicy, Phase, paid_end_us
from esl_agent.core.leg import Direction, Leg, LegEnd
from esl_agent.core.money import ZERO
from esl_agent.core.price import Price

__all__ = [
    "TRANSITIONS", "Call", "CallPolicy", "Phase", "begin", "begin_again", "begin_held", "begin_refused",
    "begin_sharing", "end_unseen", "first_hold", "first_switch_cut_s", "paid_end_us", "step",
]  # fmt: skip

#: How often a kill is repeated before the machine leaves the leg to the switch's own cut.
KILLS_MAX: Final = 10
#: The reason why a call gets no more that has talked for as long as any may.
LONGEST: Final = "longest_call"


def begin(leg: Leg, price: Price, policy: CallPolicy) -> Step:
    """A leg that the switch is sending out, or has let in, at `price`."""
    if not budget.is_metered(price):
        return Call(leg, price, Phase.RINGING), (Note("CALL_ADMITTED", {"free": True}),)
    call = Call(leg, price, Phase.ASKING, is_asking=True)
    return call, (first_hold(price, policy),)


def first_hold(price: Price, policy: CallPolicy) -> HoldMoney:
    """What is asked for before a leg is there; for a free one only a place among the account's calls."""
    if not budget.is_metered(price):
        return HoldMoney(ZERO, ZERO, ZERO)
    return parts.hold_for(price, ZERO, 0, policy)


def begin_held(leg: Leg, price: Price, held: Decimal, *, is_planned: bool = True) -> Step:
    """A leg that `held` is held for; one that admission planned brings the switch's cut.

    One that came in does so where its name is a UUID: its cut is set again when the answer is heard.
    """
    paid_s = budget.seconds_funded(price, held)
    is_armed = is_planned and budget.is_metered(price)
    brings_cut = is_armed and leg.direction is Direction.OUTBOUND
    call = Call(leg, price, Phase.RINGING, held, paid_s, switch_cut=is_armed, brings_cut=brings_cut)
    return call, (Note("CALL_TRYING", {"carrier": leg.carrier}),)


def first_switch_cut_s(price: Price, held: Decimal) -> int:
    """What the switch is to arm when a leg that `held` is held for is answered; see `begin_held`."""
    return parts.first_switch_cut_s(budget.talk_s(price, budget.seconds_funded(price, held)))


def begin_sharing(leg: Leg, price: Price) -> Step:
    """A leg that rings beside one of its call whose first hold is asked for: it is told what comes of it."""
    return Call(leg, price, Phase.ASKING, is_asking=True), ()


def begin_refused(leg: Leg, price: Price, reason: str, policy: CallPolicy, now_us: int) -> Step:
    """A leg that may not be: it is killed, and its CDR says why."""
    return parts.refuse(Call(leg, price, Phase.ASKING), reason, policy, now_us)


def begin_again(leg: Leg, price: Price, held: Decimal, policy: CallPolicy, now_us: int) -> Step:
    """A leg that is up and that this agent never heard of, or has forgotten: `held` is held for it."""
    note = Note("CALL_RECOVERED", {"held": held, "talk_s": _talk_s(leg, now_us)})
    is_metered = budget.is_metered(price)
    if is_metered:
        call = Call(leg, price, Phase.RINGING, held, budget.seconds_funded(price, held), switch_cut=True)
    else:
        call = Call(leg, price, Phase.RINGING)
    if leg.answered_us is not None:
        call = replace(call, phase=Phase.TALKING, answered_us=leg.answered_us)
        call, effects = _go_on(call, policy, now_us) if is_metered else (call, ())
        return call, (note, *effects)
    if is_metered and not call.paid_s:
        return replace(call, phase=Phase.ASKING, is_asking=True), (note, first_hold(price, policy))
    return call, (note,)


def end_unseen(end: LegEnd, price: Price, refused: str | None = None) -> Step:
    """A leg of which only the end was heard: nothing to hold or cut, its CDR is still owed."""
    return parts.end_of(Call(end.leg, price, Phase.ENDED, refused=refused), end)


def step(call: Call, event: Event, policy: CallPolicy, now_us: int) -> Step:
    """The call after `event`, and what is to be done."""
    handler = TRANSITIONS.get((call.phase, type(event)))
    return handler(call, event, policy, now_us) if handler else (call, ())


# --- transitions ----------------------------------------------------------


def _admitted(call: Call, event: Held, policy: CallPolicy, now_us: int) -> Step:
    call = parts.paid(call, event)
    note = Note("CALL_ADMITTED", {"held": call.held, "paid_s": call.paid_s, "available": event.available})
    return replace(call, phase=Phase.RINGING), (note,)


def _refused(call: Call, event: HoldRefused, policy: CallPolicy, now_us: int) -> Step:
    return parts.refuse(call, event.reason, policy, now_us)


def _undecided(call: Call, event: HoldFailed, policy: CallPolicy, now_us: int) -> Step:
    return parts.refuse(call, NO_DECISION, policy, now_us)


def _answered(call: Call, event: Answered, policy: CallPolicy, now_us: int) -> Step:
    call = replace(call, phase=Phase.TALKING, answered_us=event.answered_us)
    note = Note("CALL_ANSWERED", {"paid_s": call.paid_s})
    if not budget.is_metered(call.price):
        return call, (note,)
    if call.is_asking:
        return call, (note, SetTimer(Timer.CUT, event.answered_us + policy.unfunded_ms * US_PER_MS))
    call, effects = parts.set_cut_offs(call, policy, now_us, with_switch=not call.brings_cut)
    call, warnings = call_warnings.watch(call, policy, now_us)
    return call, (note, *effects, *warnings)


def _answered_too(call: Call, event: AnsweredToo, policy: CallPolicy, now_us: int) -> Step:
    return parts.wait_for_hold(call, event.answered_us, policy)


def _extended(call: Call, event: Held, policy: CallPolicy, now_us: int) -> Step:
    before = call.paid_s
    call = replace(parts.paid(call, event), is_last=False, is_spent=False)
    if parts.cut_due_us(call, policy) <= now_us:
        return _ask_now(call, policy, now_us)  # it has talked longer than that pays for
    call, effects = parts.set_cut_offs(call, policy, now_us)
    call, warnings = call_warnings.watch(call, policy, now_us)
    word = "CALL_EXTENDED" if before else "CALL_ADMITTED"
    note = Note(word, {"held": call.held, "paid_s": call.paid_s, "available": event.available})
    return call, (note, *effects, *warnings)


def _not_extended(call: Call, event: HoldRefused | HoldFailed, policy: CallPolicy, now_us: int) -> Step:
    """No more money for now.  The cut stands where it was; ask once more just before it."""
    reason = event.reason if isinstance(event, HoldRefused) else NO_DECISION
    if call.money_came and isinstance(event, HoldRefused):
        return _ask_now(call, policy, now_us)  # what was refused was asked for before it came
    if not call.paid_s:
        return parts.refuse(call, reason, policy, now_us)
    known, is_spent = call.is_last, reason == Reason.NO_FUNDS
    call = replace(call, is_asking=False, is_last=True, is_spent=is_spent, funded_s=call.paid_s)
    effects: list[Effect] = []
    if not known:
        left_s = parts.left_us(call, now_us) // US_PER_S
        low = Note("CALL_LOW_BALANCE", {"reason": reason, "left_s": left_s})
        effects += [low, parts.switch_cut(call, now_us)]
    cut_at_us = parts.cut_due_us(call, policy)
    effects.append(SetTimer(Timer.CUT, cut_at_us))  # the lead may be another by now
    ask_again_us = cut_at_us - policy.last_ask_ms * US_PER_MS
    if ask_again_us > now_us:
        effects.append(SetTimer(Timer.ASK, ask_again_us))
    call, warnings = call_warnings.warn(replace(call, switch_cut=True), policy, now_us)
    return call, (*effects, *warnings)


def _ask(call: Call, event: AskDue, policy: CallPolicy, now_us: int) -> Step:
    if call.is_asking:
        return _not_extended(call, HoldFailed(), policy, now_us)
    return _ask_now(call, policy, now_us)


def _money_came(call: Call, event: MoneyCame, policy: CallPolicy, now_us: int) -> Step:
    """A call that was refused asks again; one that will ask anyway need not hurry."""
    if call.is_asking:
        return replace(call, money_came=True), ()
    return _ask_now(call, policy, now_us) if call.is_last else (call, ())


def _ask_now(call: Call, policy: CallPolicy, now_us: int) -> Step:
    call = replace(call, is_asking=True, money_came=False)
    if budget.next_billed_s(call.price, call.paid_s) > budget.SECONDS_FUNDED_MAX:
        return _not_extended(call, HoldRefused(LONGEST), policy, now_us)
    # If the store stays silent until half a second before the switch's early
    # cut can fire, that cut has to move behind the paid end.
    overdue_us = now_us + max(policy.extend_lead_ms - 3_250, 200) * US_PER_MS
    hold = parts.hold_for(call.price, call.held, parts.hold_from(call, policy, now_us), policy)
    return call, (hold, SetTimer(Timer.ASK, overdue_us))


def _go_on(call: Call, policy: CallPolicy, now_us: int) -> Step:
    """A metered leg talks, and neither cut-off is sure to stand: set both, or ask where money runs short."""
    if parts.left_us(call, now_us) <= policy.extend_lead_ms * US_PER_MS:
        return _ask_now(call, policy, now_us)
    call, effects = parts.set_cut_offs(call, policy, now_us)
    call, warnings = call_warnings.watch(call, policy, now_us)
    return call, (*effects, *warnings)


def _talk_s(leg: Leg, now_us: int) -> int | None:
    return None if leg.answered_us is None else (now_us - leg.answered_us) // US_PER_S


def _cut(call: Call, event: CutDue, policy: CallPolicy, now_us: int) -> Step:
    call = replace(call, phase=Phase.ENDING, kills=1)
    left_ms = parts.left_us(call, now_us) // US_PER_MS
    note = Note("CALL_CUT", {"held": call.held, "paid_s": call.paid_s, "left_ms": left_ms})
    before = (AnnounceEnd(),) if call.is_spent else ()
    return call, (*before, KillLeg(call.kill_cause), note, parts.kill_timer(policy, now_us))


def _warn(call: Call, event: WarnDue, policy: CallPolicy, now_us: int) -> Step:
    return call_warnings.warn(call, policy, now_us)


def _cut_again(call: Call, event: CutDue, policy: CallPolicy, now_us: int) -> Step:
    if call.kills >= KILLS_MAX:
        return call, (Note("CALL_CUT_FAILED", {"kills": call.kills}),)
    call = replace(call, kills=call.kills + 1)
    return call, (KillLeg(call.kill_cause), parts.kill_timer(policy, now_us))


def _must_end(call: Call, event: MustEnd, policy: CallPolicy, now_us: int) -> Step:
    call = replace(call, phase=Phase.ENDING, is_asking=False, kills=1, kill_cause=ENDED_CAUSE)
    return call, (
        KillLeg(ENDED_CAUSE),
        Note("CALL_ENDED", {"reason": event.reason}),
        parts.kill_timer(policy, now_us),
    )


def _answered_late(call: Call, event: Answered, policy: CallPolicy, now_us: int) -> Step:
    return replace(call, answered_us=event.answered_us), ()


def _answer_found(call: Call, event: FoundUp, policy: CallPolicy, now_us: int) -> Step:
    """The answer may have been missed, and lie so far back that the money is used up."""
    if event.answered_us is None:
        return call, ()
    if call.is_asking or not budget.is_metered(call.price):
        return _answered(call, Answered(event.answered_us), policy, now_us)
    call = replace(call, phase=Phase.TALKING, answered_us=event.answered_us)
    call, effects = _go_on(call, policy, now_us)
    return call, (Note("CALL_ANSWERED", {"paid_s": call.paid_s}), *effects)


def _found_talking(call: Call, event: FoundUp, policy: CallPolicy, now_us: int) -> Step:
    """What the switch was told of its cut may not have reached it."""
    if not budget.is_metered(call.price) or not call.paid_s:
        return call, ()
    call = replace(call, switch_cut=True)
    return call, (parts.switch_cut(call, now_us),)


def _found_ending(call: Call, event: FoundUp, policy: CallPolicy, now_us: int) -> Step:
    return replace(call, kills=1), (KillLeg(call.kill_cause), parts.kill_timer(policy, now_us))


def _leave(call: Call, event: Leaving, policy: CallPolicy, now_us: int) -> Step:
    """Hold a whole grant from now on if the account has it, however little that leaves it."""
    lasts_us = policy.grant_s * US_PER_S
    if not budget.is_metered(call.price) or call.is_last or parts.left_us(call, now_us) >= lasts_us:
        return call, ()
    from_s = parts.hold_from(call, policy, now_us)
    want = budget.cost_of(call.price, budget.billed_at_least(call.price, from_s + policy.grant_s))
    return call, (HoldMoney(call.held, max(call.held, want), ZERO),)


def _ended(call: Call, event: Ended, policy: CallPolicy, now_us: int) -> Step:
    return parts.end_of(call, event.end, has_lost=event.has_lost)


Handler = Callable[[Call, Any, CallPolicy, int], Step]

TRANSITIONS: Final[dict[tuple[Phase, type[Event]], Handler]] = {
    (Phase.ASKING, Held): _admitted,
    (Phase.ASKING, HoldRefused): _refused,
    (Phase.ASKING, HoldFailed): _undecided,
    (Phase.ASKING, Answered): _answered,
    (Phase.ASKING, AnsweredToo): _answered_too,
    (Phase.ASKING, FoundUp): _answer_found,
    (Phase.ASKING, Ended): _ended,
    (Phase.RINGING, Answered): _answered,
    (Phase.RINGING, AnsweredToo): _answered_too,
    (Phase.RINGING, FoundUp): _answer_found,
    (Phase.RINGING, Ended): _ended,
    (Phase.TALKING, Held): _extended,
    (Phase.TALKING, HoldRefused): _not_extended,
    (Phase.TALKING, HoldFailed): _not_extended,
    (Phase.TALKING, AskDue): _ask,
    (Phase.TALKING, WarnDue): _warn,
    (Phase.TALKING, MoneyCame): _money_came,
    (Phase.TALKING, CutDue): _cut,
    (Phase.TALKING, FoundUp): _found_talking,
    (Phase.TALKING, Leaving): _leave,
    (Phase.TALKING, Ended): _ended,
    (Phase.ENDING, Answered): _answered_late,
    (Phase.ENDING, CutDue): _cut_again,
    (Phase.ENDING, FoundUp): _found_ending,
    (Phase.ENDING, Ended): _ended,
    (Phase.ASKING, MustEnd): _must_end,
    (Phase.RINGING, MustEnd): _must_end,
    (Phase.TALKING, MustEnd): _must_end,
}
