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
  scheduler is coarse (set to N seconds it fires between N - 1 and N + 0.5),
  so while more money may still come it is set to fire *before* the paid end,
  and is moved on by each extension; once the money is known to be all used, it
  is set *behind* the paid end and the agent's own cut decides to the millisecond.

Shortly before the money ends the caller is warned (call_warnings.py), and where
it has ended an announcement may follow the kill.

A hold that is refused is asked for once more just before the cut: another
call of the account may have ended meanwhile and left its money; and at once
when money comes in.  A hold that nobody answers buys nothing, so the call ends
with what it has.  A call whose account may make none any more must end now.

The machine neither reads a clock nor does anything: `now_us` is an argument
(microseconds, the switch's clock) and what is to be done comes back as effects.
Free legs (emergency, crisis, toll-free under the option) hold nothing and have
no timers; they walk through the same phases.  Every leg ends in one `Settle`.

Transitions
-----------
    phase     event         next phase   effects
    --------  ------------  -----------  ------------------------------------------
    asking    Held          ringing      (the money is held)
    asking    HoldRefused   ending       kill
    asking    HoldFailed    ending       kill
    asking    Answered      talking      cut timer at `unfunded_ms`
    asking    Ended         ended        settle
    ringing   Answered      talking      both cut-offs, ask timer
    ringing   Ended         ended        settle
    talking   Held          talking      both cut-offs and ask timer, moved on
    talking   HoldRefused   talking      switch cut behind the paid end, one more ask
    talking   HoldFailed    talking      as HoldRefused
    talking   AskDue        talking      hold; if one is out already: as HoldFailed
    talking   WarnDue       talking      the caller is warned
    talking   MoneyCame     talking      hold, where the last one was refused
    talking   CutDue        ending       kill, kill timer
    talking   Ended         ended        settle
    ending    Answered      ending       (answer time noted)
    ending    CutDue        ending       kill again, `KILLS_MAX` times at most
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
from esl_agent.core.admission.reasons import Reason
from esl_agent.core.call_signals import (
    AnnounceEnd,
    Answered,
    ArmSwitchCut,
    AskDue,
    CutDue,
    DisarmSwitchCut,
    DropTimers,
    Effect,
    Effects,
    Ended,
    Event,
    Held,
    HoldFailed,
    HoldMoney,
    HoldRefused,
    KillLeg,
    MoneyCame,
    MustEnd,
    Note,
    SetTimer,
    Settle,
    Timer,
    WarnDue,
)
from esl_agent.core.call_state import US_PER_MS, US_PER_S, Call, CallPolicy, Phase, paid_end_us
from esl_agent.core.leg import Direction, Leg, LegEnd
from esl_agent.core.money import ZERO
from esl_agent.core.price import Price
from esl_agent.core.rating import rate_leg

__all__ = [
    "TRANSITIONS", "Call", "CallPolicy", "Phase", "begin", "begin_held", "begin_refused", "end_unseen",
    "first_hold", "first_switch_cut_s", "paid_end_us", "step",
]  # fmt: skip

#: How often a kill is repeated before the machine leaves the leg to the switch's own cut.
KILLS_MAX: Final = 10
#: The switch's scheduler: a task set to N seconds fires after N - 1 and by N + 0.5.
SWITCH_EARLY_US: Final = 1_000_000
SWITCH_LATE_US: Final = 500_000

#: The cause of a leg that must end though it is paid for.
ENDED_CAUSE: Final = "MANAGER_REQUEST"
#: The reason of a refusal when the store did not answer.
NO_DECISION: Final = "no_decision"
#: The reason why a call gets no more that has talked for as long as any may.
LONGEST: Final = "longest_call"

Step = tuple[Call, Effects]


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
    return _hold(price, ZERO, 0, policy)


def begin_held(leg: Leg, price: Price, held: Decimal) -> Step:
    """A leg that admission planned: `held` is held for it.

    Where we sent the leg out, the switch arms a cut of its own on answer.
    """
    paid_s = budget.seconds_funded(price, held)
    is_armed = leg.direction is Direction.OUTBOUND and budget.is_metered(price)
    call = Call(leg, price, Phase.RINGING, held=held, paid_s=paid_s, switch_cut=is_armed)
    return call, (Note("CALL_TRYING", {"carrier": leg.carrier}),)


def first_switch_cut_s(price: Price, held: Decimal) -> int:
    """What the switch is to arm when a leg that `held` is held for is answered; see `begin_held`."""
    return _switch_cut_s(budget.talk_s(price, budget.seconds_funded(price, held)) * US_PER_S, is_last=False)


def begin_refused(leg: Leg, price: Price, reason: str, policy: CallPolicy, now_us: int) -> Step:
    """A leg that may not be: it is killed, and its CDR says why."""
    return _refuse(Call(leg, price, Phase.ASKING), reason, policy, now_us)


def end_unseen(end: LegEnd, price: Price, refused: str | None = None) -> Step:
    """A leg of which only the end was heard: nothing to hold or cut, its CDR is still owed."""
    return _end(Call(end.leg, price, Phase.ENDED, refused=refused), end)


def step(call: Call, event: Event, policy: CallPolicy, now_us: int) -> Step:
    """The call after `event`, and what is to be done."""
    handler = TRANSITIONS.get((call.phase, type(event)))
    return handler(call, event, policy, now_us) if handler else (call, ())


# --- transitions ----------------------------------------------------------


def _admitted(call: Call, event: Held, policy: CallPolicy, now_us: int) -> Step:
    call = _paid(call, event)
    note = Note("CALL_ADMITTED", {"held": call.held, "paid_s": call.paid_s, "available": event.available})
    return replace(call, phase=Phase.RINGING), (note,)


def _refused(call: Call, event: HoldRefused, policy: CallPolicy, now_us: int) -> Step:
    return _refuse(call, event.reason, policy, now_us)


def _undecided(call: Call, event: HoldFailed, policy: CallPolicy, now_us: int) -> Step:
    return _refuse(call, NO_DECISION, policy, now_us)


def _answered(call: Call, event: Answered, policy: CallPolicy, now_us: int) -> Step:
    call = replace(call, phase=Phase.TALKING, answered_us=event.answered_us)
    note = Note("CALL_ANSWERED", {"paid_s": call.paid_s})
    if not budget.is_metered(call.price):
        return call, (note,)
    if call.is_asking:
        return call, (note, SetTimer(Timer.CUT, event.answered_us + policy.unfunded_ms * US_PER_MS))
    call, effects = _set_cut_offs(call, policy, now_us)
    call, warnings = call_warnings.watch(call, policy, now_us)
    return call, (note, *effects, *warnings)


def _extended(call: Call, event: Held, policy: CallPolicy, now_us: int) -> Step:
    before = call.paid_s
    call = replace(_paid(call, event), is_last=False, is_spent=False)
    call, effects = _set_cut_offs(call, policy, now_us)
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
        return _refuse(call, reason, policy, now_us)
    known, is_spent = call.is_last, reason == Reason.NO_FUNDS
    call = replace(call, is_asking=False, is_last=True, is_spent=is_spent, funded_s=call.paid_s)
    effects: list[Effect] = []
    if not known:
        effects.append(
            Note("CALL_LOW_BALANCE", {"reason": reason, "left_s": _left_us(call, now_us) // US_PER_S})
        )
        effects.append(_switch_cut(call, now_us))
    cut_at_us = _cut_at_us(call, policy)
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
    # If the store stays silent until a second before the switch's early cut
    # can fire, that cut has to move behind the paid end.
    overdue_us = now_us + max(policy.extend_lead_ms - 3_000, 200) * US_PER_MS
    hold = _hold(call.price, call.held, call.paid_s, policy)
    return call, (hold, SetTimer(Timer.ASK, overdue_us))


def _cut(call: Call, event: CutDue, policy: CallPolicy, now_us: int) -> Step:
    call = replace(call, phase=Phase.ENDING, kills=1)
    note = Note(
        "CALL_CUT", {"held": call.held, "paid_s": call.paid_s, "left_ms": _left_us(call, now_us) // US_PER_MS}
    )
    before = (AnnounceEnd(),) if call.is_spent else ()
    return call, (*before, KillLeg(call.kill_cause), note, _kill_timer(policy, now_us))


def _warn(call: Call, event: WarnDue, policy: CallPolicy, now_us: int) -> Step:
    return call_warnings.warn(call, policy, now_us)


def _cut_again(call: Call, event: CutDue, policy: CallPolicy, now_us: int) -> Step:
    if call.kills >= KILLS_MAX:
        return call, (Note("CALL_CUT_FAILED", {"kills": call.kills}),)
    call = replace(call, kills=call.kills + 1)
    return call, (KillLeg(call.kill_cause), _kill_timer(policy, now_us))


def _must_end(call: Call, event: MustEnd, policy: CallPolicy, now_us: int) -> Step:
    call = replace(call, phase=Phase.ENDING, is_asking=False, kills=1, kill_cause=ENDED_CAUSE)
    return call, (
        KillLeg(ENDED_CAUSE),
        Note("CALL_ENDED", {"reason": event.reason}),
        _kill_timer(policy, now_us),
    )


def _answered_late(call: Call, event: Answered, policy: CallPolicy, now_us: int) -> Step:
    return replace(call, answered_us=event.answered_us), ()


def _ended(call: Call, event: Ended, policy: CallPolicy, now_us: int) -> Step:
    return _end(call, event.end)


Handler = Callable[[Call, Any, CallPolicy, int], Step]

TRANSITIONS: Final[dict[tuple[Phase, type[Event]], Handler]] = {
    (Phase.ASKING, Held): _admitted,
    (Phase.ASKING, HoldRefused): _refused,
    (Phase.ASKING, HoldFailed): _undecided,
    (Phase.ASKING, Answered): _answered,
    (Phase.ASKING, Ended): _ended,
    (Phase.RINGING, Answered): _answered,
    (Phase.RINGING, Ended): _ended,
    (Phase.TALKING, Held): _extended,
    (Phase.TALKING, HoldRefused): _not_extended,
    (Phase.TALKING, HoldFailed): _not_extended,
    (Phase.TALKING, AskDue): _ask,
    (Phase.TALKING, WarnDue): _warn,
    (Phase.TALKING, MoneyCame): _money_came,
    (Phase.TALKING, CutDue): _cut,
    (Phase.TALKING, Ended): _ended,
    (Phase.ENDING, Answered): _answered_late,
    (Phase.ENDING, CutDue): _cut_again,
    (Phase.ENDING, Ended): _ended,
    (Phase.ASKING, MustEnd): _must_end,
    (Phase.RINGING, MustEnd): _must_end,
    (Phase.TALKING, MustEnd): _must_end,
}


# --- parts ----------------------------------------------------------------


def _hold(price: Price, held: Decimal, paid_s: int, policy: CallPolicy) -> HoldMoney:
    least = budget.cost_of(price, budget.next_billed_s(price, paid_s))
    want = max(least, budget.cost_of(price, budget.billed_at_least(price, paid_s + policy.grant_s)))
    return HoldMoney(least, want, (want - held) * policy.rich_grants)


def _paid(call: Call, event: Held) -> Call:
    held = max(call.held, event.held)
    return replace(
        call,
        held=held,
        paid_s=budget.seconds_funded(call.price, held),
        funded_s=budget.seconds_funded(call.price, held + max(event.available, ZERO)),
        is_asking=False,
        money_came=False,
    )


def _set_cut_offs(call: Call, policy: CallPolicy, now_us: int) -> Step:
    cut_at_us = _cut_at_us(call, policy)
    ask_at_us = cut_at_us - policy.extend_lead_ms * US_PER_MS
    effects = (SetTimer(Timer.CUT, cut_at_us), SetTimer(Timer.ASK, ask_at_us), _switch_cut(call, now_us))
    return replace(call, switch_cut=True), effects


def _cut_at_us(call: Call, policy: CallPolicy) -> int:
    return (paid_end_us(call) or 0) - policy.cut_lead_ms * US_PER_MS


def _left_us(call: Call, now_us: int) -> int:
    return (paid_end_us(call) or 0) - now_us


def _switch_cut(call: Call, now_us: int) -> ArmSwitchCut:
    return ArmSwitchCut(_switch_cut_s(max(_left_us(call, now_us), 0), is_last=call.is_last), call.switch_cut)


def _switch_cut_s(left_us: int, *, is_last: bool) -> int:
    """The switch's kill: safely before the paid end while more may come, behind it when this is the last."""
    before_s = (left_us - SWITCH_LATE_US) // US_PER_S
    if is_last or before_s < 2:
        return -(-(left_us + SWITCH_EARLY_US) // US_PER_S)
    return before_s


def _refuse(call: Call, reason: str, policy: CallPolicy, now_us: int) -> Step:
    cause = "NORMAL_TEMPORARY_FAILURE" if reason == NO_DECISION else "CALL_REJECTED"
    call = replace(call, phase=Phase.ENDING, is_asking=False, refused=reason, kills=1, kill_cause=cause)
    return call, (KillLeg(cause), Note("CALL_REFUSED", {"reason": reason}), _kill_timer(policy, now_us))


def _kill_timer(policy: CallPolicy, now_us: int) -> SetTimer:
    return SetTimer(Timer.CUT, now_us + policy.kill_retry_ms * US_PER_MS)


def _end(call: Call, end: LegEnd) -> Step:
    if end.hangup_cause == ENDED_CAUSE == call.kill_cause:
        end = replace(end, ended_by="agent")
    charge = rate_leg(call.price, end.duration_us if end.leg.answered_us is not None else None)
    effects: list[Effect] = [DropTimers()]
    if call.switch_cut:
        effects.append(DisarmSwitchCut())
    effects.append(Settle(end, charge, call.price, call.refused))
    return replace(call, phase=Phase.ENDED), tuple(effects)
