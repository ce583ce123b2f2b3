"""When a caller is warned that the money is about to end: at each of the policy's marks, once.

A call's money ends when what is held for it and what the account had free
beside that, when it was last asked for, are both used up.  The account's other
calls may use that up sooner, or leave more: each answer of the store corrects it.
Where more money came since a warning, the marks before the new end count anew.
"""

from __future__ import annotations

from dataclasses import replace

from esl_agent.core.call_signals import Effects, Note, SetTimer, Timer, WarnCaller
from esl_agent.core.call_state import US_PER_S, Call, CallPolicy, paid_end_us, talk_end_us


def watch(call: Call, policy: CallPolicy, now_us: int) -> tuple[Call, Effects]:
    """A timer for the next mark, unless more is asked for before it: the answer to that knows better."""
    end_us = _money_end_us(call)
    if end_us is None:
        return call, ()
    left_us = end_us - now_us
    if call.warned_s is not None and left_us > call.warned_s * US_PER_S:
        call = replace(call, warned_s=None)
    ahead = [mark_s for mark_s in _marks_left(call, policy) if mark_s * US_PER_S < left_us]
    due_us = end_us - max(ahead, default=0) * US_PER_S
    if not ahead or due_us >= (paid_end_us(call) or 0):
        return call, ()
    return call, (SetTimer(Timer.WARN, due_us),)


def warn(call: Call, policy: CallPolicy, now_us: int) -> tuple[Call, Effects]:
    """The warning of the lowest mark that is reached, if one is; those above it are done with it."""
    end_us = _money_end_us(call)
    if end_us is None:
        return call, ()
    left_us = end_us - now_us
    reached = [mark_s for mark_s in _marks_left(call, policy) if mark_s * US_PER_S >= left_us]
    if not reached:
        return watch(call, policy, now_us)
    call, effects = watch(replace(call, warned_s=min(reached)), policy, now_us)
    note = Note("CALL_WARNED", {"left_s": max(left_us, 0) // US_PER_S})
    return call, (WarnCaller(), note, *effects)


def _marks_left(call: Call, policy: CallPolicy) -> list[int]:
    return [mark_s for mark_s in policy.warn_at_s if call.warned_s is None or mark_s < call.warned_s]


def _money_end_us(call: Call) -> int | None:
    return None if call.funded_s is None else talk_end_us(call, call.funded_s)
