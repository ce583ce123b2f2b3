"""What the transitions of a call's machine (call.py) share: asking, both cut-offs, refusal and end."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Final

from esl_agent.core import budget
from esl_agent.core.call_signals import (
    ArmSwitchCut,
    DisarmSwitchCut,
    DropTimers,
    Effect,
    Effects,
    Held,
    HoldMoney,
    KillLeg,
    Note,
    SetTimer,
    Settle,
    Timer,
)
from esl_agent.core.call_state import CUT_CAUSE, US_PER_MS, US_PER_S, Call, CallPolicy, Phase, paid_end_us
from esl_agent.core.leg import LegEnd
from esl_agent.core.money import ZERO
from esl_agent.core.price import Price
from esl_agent.core.rating import billed_seconds, rate_leg

#: The switch's scheduler counts whole seconds and looks every half second: a task set to a time fires then or
#: by 0.5 s later, one set to a distance of N seconds after N - 1 and by N + 0.5.
SWITCH_COUNTS_US: Final = 1_000_000
SWITCH_POLL_US: Final = 500_000
#: It fires later where the switch is busy: with 400 legs on two cores up to 0.65 s were seen.  For a cut at a
#: distance, which may be a second early besides, there is less room: paid talk is not to be cut.
SWITCH_BUSY_US: Final = 750_000
SWITCH_BUSY_AT_FIRST_US: Final = 250_000

#: The cause of a leg that must end though it is paid for.
ENDED_CAUSE: Final = "MANAGER_REQUEST"
#: The reason of a refusal when the store did not answer.
NO_DECISION: Final = "no_decision"

Step = tuple[Call, Effects]


def hold_for(price: Price, held: Decimal, paid_s: int, policy: CallPolicy) -> HoldMoney:
    least = budget.cost_of(price, budget.next_billed_s(price, paid_s))
    want = max(least, budget.cost_of(price, budget.billed_at_least(price, paid_s + policy.grant_s)))
    return HoldMoney(least, want, (want - held) * policy.rich_grants)


def hold_from(call: Call, policy: CallPolicy, now_us: int) -> int:
    """The billed seconds above which more is asked for: what is paid, or talked where that is more.

    A leg that was found again may have talked longer than what is held pays for.
    """
    if call.answered_us is None:
        return call.paid_s
    price, soon_us = call.price, now_us + policy.last_ask_ms * US_PER_MS
    talked_s = billed_seconds(soon_us - call.answered_us, price.minimum_s, price.step_s, price.grace_ms)
    return max(call.paid_s, talked_s - 1)


def paid(call: Call, event: Held) -> Call:
    held = max(call.held, event.held)
    return replace(
        call,
        held=held,
        paid_s=budget.seconds_funded(call.price, held),
        funded_s=budget.seconds_funded(call.price, held + max(event.available, ZERO)),
        is_asking=False,
        money_came=False,
    )


def set_cut_offs(call: Call, policy: CallPolicy, now_us: int, *, with_switch: bool = True) -> Step:
    """Both cut-offs, or without the switch's, and the timer that asks for more."""
    cut_at_us = cut_due_us(call, policy)
    ask_at_us = cut_at_us - policy.extend_lead_ms * US_PER_MS
    timers = (SetTimer(Timer.CUT, cut_at_us), SetTimer(Timer.ASK, ask_at_us))
    arming = (switch_cut(call, now_us),) if with_switch else ()
    return replace(call, switch_cut=True), (*timers, *arming)


def cut_due_us(call: Call, policy: CallPolicy) -> int:
    return (paid_end_us(call) or 0) - policy.cut_lead_ms * US_PER_MS


def left_us(call: Call, now_us: int) -> int:
    return (paid_end_us(call) or 0) - now_us


def switch_cut(call: Call, now_us: int) -> ArmSwitchCut:
    """The switch's kill: safely before the paid end while more may come, behind it when this is the last.

    It is set to a time of the switch's own clock, which stamps the answer too: however late the
    switch hears of it, the call ends when it should.  Behind the paid end it fires 0 to 1.5 s late.  So
    much a call can talk unpaid, and no more, if the agent dies after the last refusal: in the last
    `extend_lead_ms` of its money.  The scheduler can't do better: it counts whole seconds and looks twice
    in each, so a kill that is never late is up to 1.5 s early, and would cut paid talk of a call whose
    agent is alive.
    """
    end_us = max(paid_end_us(call) or 0, now_us)
    before_s = (end_us - SWITCH_POLL_US - SWITCH_BUSY_US) // US_PER_S
    is_behind = call.is_last or before_s * US_PER_S < now_us + SWITCH_COUNTS_US
    at_s = -(-end_us // US_PER_S) if is_behind else before_s
    # What a switch that stalls has received it carries out, when it may be past, and its sender dead.
    or_after_s = at_s - now_us // US_PER_S + 1
    return ArmSwitchCut(at_s, or_after_s, call.switch_cut)


def first_switch_cut_s(talk_s: int) -> int:
    """As `switch_cut`, in seconds from the answer, for the switch to arm as soon as that is heard.

    A call that is paid for too short for the scheduler is cut behind its paid end.
    """
    before_s = (talk_s * US_PER_S - SWITCH_POLL_US - SWITCH_BUSY_AT_FIRST_US) // US_PER_S
    return before_s if before_s >= 2 else -(-(talk_s * US_PER_S + SWITCH_COUNTS_US) // US_PER_S)


def refuse(call: Call, reason: str, policy: CallPolicy, now_us: int) -> Step:
    cause = "NORMAL_TEMPORARY_FAILURE" if reason == NO_DECISION else "CALL_REJECTED"
    call = replace(call, phase=Phase.ENDING, is_asking=False, refused=reason, kills=1, kill_cause=cause)
    return call, (KillLeg(cause), Note("CALL_REFUSED", {"reason": reason}), kill_timer(policy, now_us))


def kill_timer(policy: CallPolicy, now_us: int) -> SetTimer:
    return SetTimer(Timer.CUT, now_us + policy.kill_retry_ms * US_PER_MS)


def wait_for_hold(call: Call, answered_us: int, policy: CallPolicy) -> Step:
    """The leg talks and has nothing yet: it asks after half of the time that it may do so."""
    call = replace(call, phase=Phase.TALKING, answered_us=answered_us, held=ZERO, paid_s=0, is_asking=False)
    wait_us = policy.unfunded_ms * US_PER_MS
    return call, (
        Note("CALL_ANSWERED", {"paid_s": 0}),
        SetTimer(Timer.CUT, answered_us + wait_us),
        SetTimer(Timer.ASK, answered_us + wait_us // 2),
    )


def end_of(call: Call, end: LegEnd, *, has_lost: bool = False) -> Step:
    if end.hangup_cause == ENDED_CAUSE == call.kill_cause:
        end = replace(end, ended_by="agent")
    is_billed = end.leg.answered_us is not None and not has_lost
    charge = rate_leg(call.price, end.duration_us if is_billed else None)
    effects: list[Effect] = [DropTimers()]
    if call.switch_cut:
        effects.append(DisarmSwitchCut())
    effects.append(Settle(end, charge, call.price, call.refused))
    paid_until_us = paid_end_us(call)
    if end.hangup_cause == CUT_CAUSE and call.paid_s and paid_until_us is not None:
        effects.append(Note("CALL_CUT_LANDED", {"early_ms": (paid_until_us - end.ended_us) / US_PER_MS}))
    return replace(call, phase=Phase.ENDED), tuple(effects)
