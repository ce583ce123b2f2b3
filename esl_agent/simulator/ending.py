"""How legs end: the events, in the order a FreeSWITCH sends them, and what each leg remembers of it.

CHANNEL_HANGUP comes when a leg goes down and does not know its end yet;
CHANNEL_HANGUP_COMPLETE when it has been reported, after the CDR file was
written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from esl_agent.simulator import causes, recording
from esl_agent.simulator.leg import Leg, State
from esl_agent.simulator.script import Field

if TYPE_CHECKING:
    from esl_agent.simulator.core import Core


def go_down(core: Core, leg: Leg, cause: str, ended_by: str) -> None:
    """The leg hangs up."""
    leg.cause = cause
    leg.ended_by = ended_by
    leg.state = State.HANGUP
    core.fire("CHANNEL_HANGUP", leg)
    recording.stop(core, leg)


def report(core: Core, leg: Leg, *, before: tuple[str, ...] = (), after: tuple[str, ...] = ()) -> None:
    """The leg is over and its numbers are known; `before` and `after` are steps around that one."""
    leg.hangup_us = core.stamp()
    leg.set_state(State.REPORTING)
    leg.call_state = "HANGUP"
    leg.step(*before)
    leg.step_if("ended", **_facts(leg))
    leg.step(*after)
    if leg.answered_us or leg.early_us:
        leg.step("measured")
    core.cdr_files.write(core.identity, leg)
    # The switch says the cause of this event twice: at its head, and where the channel's own stands.
    core.fire("CHANNEL_HANGUP_COMPLETE", leg, before=[Field("Hangup-Cause", leg.cause)])
    core.leg_is_over(leg)


def destroy(core: Core, leg: Leg) -> None:
    """The leg is gone: nothing finds it any more."""
    leg.state = State.DESTROY
    core.fire("CHANNEL_DESTROY", leg)
    core.legs.pop(leg.uuid, None)


def end_bridge_by_caller(core: Core, a: Leg, b: Leg, cause: str, ended_by: str) -> None:
    """The caller's phone sent BYE, or its leg was killed: the other leg follows."""
    bye = ended_by == "caller"
    a.step(*(("hung_up",) if bye else ()), "was_originator")
    go_down(core, a, cause, ended_by)
    b.lost_cause = b.peer_cause = cause
    b.step("unbridged", "follows" if bye else "follows_cut")
    go_down(core, b, causes.NORMAL_CLEARING, ended_by)
    a.peer_cause = b.cause
    a.disposition, b.disposition = "recv_bye" if bye else "send_bye", "send_bye"
    a.step("unbridged", *(("disposed",) if bye else ()), "bridge_over")
    if b.bridged_us:
        core.fire("CHANNEL_UNBRIDGE", a, before=bridge_fields(a, b))
    b.is_alone = True
    report(core, b, after=("disposed", "bridge_over", "callee.alone"))
    destroy(core, b)
    report(core, a, after=() if bye else ("disposed",))
    destroy(core, a)


def end_bridge_by_callee(core: Core, a: Leg, b: Leg, cause: str, ended_by: str, *, hang_up: bool) -> None:
    """The far end sent BYE, or its leg was killed; the caller follows if the dialplan said so."""
    bye = ended_by == "callee"
    b.step(*(("hung_up",) if bye else ()), "was_originatee")
    go_down(core, b, cause, ended_by)
    b.disposition = "recv_bye" if bye else "send_bye"
    a.lost_cause, a.lost_sip_status, a.peer_cause = cause, b.sip_status, cause
    a.step("unbridged", "follows" if bye else "follows_cut", "bridge_over")
    if b.bridged_us:
        core.fire("CHANNEL_UNBRIDGE", a, before=bridge_fields(a, b))
    if hang_up:
        go_down(core, a, cause, ended_by)
        a.disposition = "send_bye" if a.answered_us else "send_refuse"
        report(core, a, after=("disposed",))
        destroy(core, a)
    b.is_alone = True
    before = ("unbridged", *(("disposed",) if bye else ()), "callee.alone")
    report(core, b, before=before, after=() if bye else ("disposed",))
    destroy(core, b)


def end_caller_alone(core: Core, a: Leg, cause: str, ended_by: str) -> None:
    """The caller's leg ends with no other leg up: refused by the switch, hung up, killed."""
    bye = ended_by == "caller"
    a.step(*(("hung_up",) if bye else ()))
    go_down(core, a, cause, ended_by)
    a.disposition = "recv_bye" if bye else "send_bye" if a.answered_us else "send_refuse"
    report(core, a, before=("disposed",) if bye else (), after=() if bye else ("disposed",))
    destroy(core, a)


def end_dialling_by_caller(core: Core, a: Leg, legs: list[Leg], cause: str, ended_by: str) -> None:
    """The caller gives up, or is killed, while legs ring."""
    bye = ended_by == "caller"
    a.step(*(("hung_up",) if bye else ()))
    go_down(core, a, cause, ended_by)
    for b in legs:
        b.lost_cause = cause
        b.step("follows" if bye else "follows_cut")
        go_down(core, b, "ORIGINATOR_CANCEL", ended_by)
        a.causes_had.append((b.uuid, b.cause))
    a.disposition = "recv_bye" if bye else "send_refuse"
    if bye:
        a.step("disposed")
    report(core, a, before=("caller.dial_cancelled",), after=() if bye else ("disposed",))
    destroy(core, a)
    for b in legs:
        report_cancelled(core, b)


def end_dialled(core: Core, b: Leg, cause: str, ended_by: str) -> None:
    """A leg that was not answered is called off by the switch: nobody answers, another won, killed."""
    go_down(core, b, cause, ended_by)
    report_cancelled(core, b)


def report_cancelled(core: Core, b: Leg) -> None:
    """The rest of a leg that the switch sent CANCEL to."""
    b.disposition = "send_cancel"
    report(core, b, after=("disposed", "cancel_sent"))
    destroy(core, b)


def end_refused(core: Core, b: Leg, sip_status: int, *, redirected_to: str = "") -> None:
    """The far end refused the leg, or sent it elsewhere where that is forbidden."""
    b.sip_status = sip_status
    b.disposition = "recv_refuse"
    b.redirected_to = redirected_to
    b.cause = causes.cause_of_sip(sip_status)  # the script tells its Q.850 number already
    b.step("callee.redirected" if redirected_to else "callee.refused")
    go_down(core, b, b.cause, "callee")
    if redirected_to:
        report_cancelled(core, b)
    else:
        report(core, b)
        destroy(core, b)


def end_by_transfer(core: Core, b: Leg) -> None:
    """The caller is sent elsewhere: the leg that it talked to ends."""
    b.step("unbridged", "callee.unbridged")
    go_down(core, b, causes.NORMAL_CLEARING, "caller")
    b.disposition = "send_bye"
    report(core, b, after=("disposed",))
    b.is_alone = True
    b.step("callee.alone")
    destroy(core, b)


def bridge_fields(a: Leg, b: Leg) -> tuple[Field, Field]:
    """The headers that say who is bridged to whom."""
    return Field("Bridge-A-Unique-ID", a.uuid), Field("Bridge-B-Unique-ID", b.uuid)


def _facts(leg: Leg) -> dict[str, bool]:
    """What the script asks about a leg at its end."""
    return {
        "answered": bool(leg.answered_us),
        "bridged": bool(leg.bridged_us),
        "ringing": bool(leg.progress_us),
        "early": bool(leg.early_us),
        "application": bool(leg.application),
    }
