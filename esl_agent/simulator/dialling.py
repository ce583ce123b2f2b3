"""A `bridge` at work: carriers tried in their order, till one answers or none is left.

What the carriers do is the plan's: the first few refuse where it says so, the
next one does what the plan calls the outcome.  src/switch_ivr_originate.c.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from esl_agent.simulator import causes, ending, recording
from esl_agent.simulator.dialstring import Target
from esl_agent.simulator.leg import Leg, State
from esl_agent.simulator.plan import Outcome
from esl_agent.simulator.script import Field
from esl_agent.simulator.timers import Timer

if TYPE_CHECKING:
    from esl_agent.simulator.call import Call

SIGNAL_US: Final = 20_000  # a step of signalling from one leg to the other: a tick of the recorded switch
CALLEE_NAME: Final = "Outbound Call"

_REFUSALS: Final = {
    Outcome.BUSY: 486,
    Outcome.REJECTED: 603,
    Outcome.NO_ROUTE: 404,
    Outcome.UNAVAILABLE: 503,
    Outcome.REDIRECTED: 302,
}


class Dialling:
    """The legs of one `bridge` till one of them answers; `call` is told how it goes."""

    def __init__(self, call: Call, groups: list[list[Target]]) -> None:
        self.call = call
        self.core = call.core
        self.legs: list[Leg] = []  # made and not answered
        self._groups = groups
        self._timers: list[Timer] = []
        self._cause = "DESTINATION_OUT_OF_ORDER"

    def start(self) -> bool:
        """Try the next carriers; False if there are none left to try."""
        while self._groups and not self.legs and self.call.caller.is_up:
            for target in self._groups.pop(0):
                self._dial(target)
        return bool(self.legs)

    @property
    def cause(self) -> str:
        """Why the last leg that was tried ended."""
        return self._cause

    def stop(self) -> list[Leg]:
        """Nothing more is to happen; the legs that are left are the caller's business."""
        for timer in self._timers:
            timer.cancel()
        legs, self.legs, self._groups = self.legs, [], []
        return legs

    def _dial(self, target: Target) -> None:
        if target.error:
            self._cause = target.error
            return
        leg_uuid = target.variables.get("origination_uuid") or str(uuid.uuid4())
        if leg_uuid in self.core.legs:
            self._cause = "DESTINATION_OUT_OF_ORDER"  # "Duplicate UUID!"
            return
        leg = self._make_leg(target, leg_uuid)
        is_rival = bool(self.legs)
        self.legs.append(leg)
        self.core.add_leg(leg)
        self.core.fire("CHANNEL_CREATE", leg)
        caller = self.call.caller
        caller.legs_tried.append((leg.uuid, target.number))
        caller.other = leg
        caller.step("caller.dialling" if len(caller.legs_tried) == 1 else "caller.dialling_next")
        self._script(leg, is_rival)

    def _make_leg(self, target: Target, leg_uuid: str) -> Leg:
        caller = self.call.caller
        variables = target.variables
        number = caller.variables.get("effective_caller_id_number", caller.caller_number)
        name = caller.variables.get("effective_caller_id_name", caller.caller_name)
        leg = Leg(
            uuid=leg_uuid,
            session_id=self.core.next_session(),
            is_outbound=True,
            profile=target.profile,
            address=target.address,
            caller_number=variables.get("origination_caller_id_number", str(number)),
            caller_name=variables.get("origination_caller_id_name", str(name)),
            destination=target.number,
            context=caller.context,
            created_us=self.core.stamp(),
            call=self.call,
            callee_name=CALLEE_NAME,
            callee_number=target.number,
            oli=caller.oli,
            rdnis=caller.rdnis,
            max_forwards=caller.max_forwards - 1,
            other=caller,
            shows_other=True,
            other_callee=(caller.callee_name, caller.callee_number) if caller.callee_number else None,
        )
        for variable, value in variables.items():
            leg.set_variable(variable, value)
        if "export_vars" in caller.variables:
            leg.set_variable("export_vars", caller.variables["export_vars"])
        for variable, value in caller.exports.items():
            leg.set_variable(variable, value)
        recording.mark(self.core, caller, leg)
        leg.step("callee.created")
        return leg

    def _script(self, leg: Leg, is_rival: bool) -> None:
        """Set the timers for what the far end is going to do."""
        plan = self.call.plan
        setup_us = plan.setup_ms * 1000
        if is_rival:  # rings along till somebody wins
            self._after(setup_us, self._ring, leg)
            return
        tried = self.call.carriers_tried
        self.call.carriers_tried += 1
        if tried < plan.carriers_refusing:
            self._after(setup_us, self._refuse, leg, plan.refusal_sip_status)
            return
        status = _REFUSALS.get(plan.outcome)
        if status == 302 and leg.variables.get("outbound_redirect_fatal") != "true":
            status = None  # followed, past the dialplan: the leg goes on under the number that was dialled
        if status is not None:
            self._after(setup_us, self._refuse, leg, status)
            return
        self._after(setup_us, self._ring, leg)
        if plan.early_media_ms is not None:
            self._after(setup_us + plan.early_media_ms * 1000, self._early_media, leg)
        self._after(setup_us + plan.ring_ms * 1000, self._end_of_ringing, leg)

    def _after(self, delay_us: int, do: Callable[..., None], *arguments: object) -> None:
        self._timers.append(self.core.after(delay_us, do, *arguments))

    def _ring(self, leg: Leg) -> None:
        leg.progress_us = self.core.stamp()
        leg.step("callee.replied")
        leg.step_if("callee.dialogue", payphone=bool(leg.oli))
        leg.set_state(State.CONSUME_MEDIA)
        self.core.fire("CHANNEL_PROGRESS", leg)
        leg.call_state = "RINGING"
        caller = self.call.caller
        if not caller.progress_us and not caller.answered_us:
            caller.progress_us = self.core.stamp()
            caller.callee_name, caller.callee_number = leg.callee_name, leg.callee_number
            caller.step("caller.ringing")
            self.core.fire("CHANNEL_PROGRESS", caller)

    def _early_media(self, leg: Leg) -> None:
        leg.early_us = self.core.stamp()
        self._describe(leg)
        leg.step("callee.early")
        self.core.fire("CHANNEL_PROGRESS_MEDIA", leg)
        self._after(SIGNAL_US, self._early_bridge, leg)

    def _early_bridge(self, leg: Leg) -> None:
        caller, core = self.call.caller, self.core
        if not caller.answered_us:
            caller.early_us = core.stamp()
            caller.step("caller.early")
            core.fire("CHANNEL_PROGRESS_MEDIA", caller)
            caller.call_state = "EARLY"
        self._bridge(leg)
        leg.call_state = "EARLY"
        self._tell_bridged(leg)
        leg.step("callee.bridged")

    def _end_of_ringing(self, leg: Leg) -> None:
        outcome = self.call.plan.outcome
        if outcome is Outcome.CANCELLED:
            self.call.hang_up(self.call.caller, causes.NORMAL_CLEARING, "caller")
        elif outcome is Outcome.NO_ANSWER:
            self.call_off(leg, "NO_ANSWER", "switch")
        else:
            self._answer(leg)

    def _refuse(self, leg: Leg, sip_status: int) -> None:
        redirect = self.call.plan.redirect_to if sip_status == 302 else ""
        leg.set_state(State.CONSUME_MEDIA)
        ending.end_refused(self.core, leg, sip_status, redirected_to=redirect)
        self._lost(leg)

    def call_off(self, leg: Leg, cause: str, ended_by: str) -> None:
        """End one leg that isn't answered; the next carrier gets its chance."""
        ending.end_dialled(self.core, leg, cause, ended_by)
        self._lost(leg)

    def _lost(self, leg: Leg) -> None:
        self.legs.remove(leg)
        self._cause = leg.cause
        caller = self.call.caller
        caller.causes_had.append((leg.uuid, leg.cause))
        caller.lost_cause, caller.lost_sip_status = leg.cause, leg.sip_status
        if self.legs:
            return
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        if self._groups:
            caller.step_if("caller.dial_failed", refused=not leg.redirected_to)
        else:
            caller.step("caller.dial_exhausted")
        if not self.start():
            self.call.dialling_failed(self._cause)

    def _answer(self, leg: Leg) -> None:
        core, caller = self.core, self.call.caller
        leg.answered_us = core.stamp()
        leg.has_codec = True
        if leg.early_us:
            leg.step_if("callee.answered", early=True)
            leg.step("callee.early", "callee.bridged")
            self._describe(leg)
        else:
            leg.step("callee.sdp", "callee.codec", "callee.answered")
        core.fire("CHANNEL_ANSWER", leg)
        self.legs.remove(leg)
        caller.other = leg
        recording.begin(core, leg)
        self.call.leg_answered(leg)
        for rival in self.stop():
            ending.end_dialled(core, rival, "LOSE_RACE", "switch")
        if leg.is_up and caller.is_up:
            self.call.later(core.after(SIGNAL_US, self._connect, leg))

    def _describe(self, leg: Leg) -> None:
        """The far end sent SDP before it answered: the leg is described anew, dialogue and all."""
        leg.step("callee.replied", "callee.codec")
        leg.step_if("callee.dialogue", payphone=bool(leg.oli))
        leg.step("callee.sdp")

    def _connect(self, leg: Leg) -> None:
        """The answer reaches the caller."""
        core, caller = self.core, self.call.caller
        early = bool(caller.early_us) and not caller.answered_us
        if not caller.answered_us:
            caller.answered_us = core.stamp()
            if early:
                caller.step("caller.bridged", "caller.early_answered")
            else:
                caller.step("caller.media", "caller.answered")
            core.fire("CHANNEL_ANSWER", caller)
            if not early:
                caller.step("accepted")
            self.call.caller_answered()
        else:
            caller.step("caller.media")
        if not caller.is_up or not leg.is_up:
            return
        if not leg.bridged_us:
            self._bridge(leg)
        self.call.later(core.after(SIGNAL_US, self._update, leg, early))

    def _bridge(self, leg: Leg) -> None:
        core, caller = self.core, self.call.caller
        caller.causes_had.append((leg.uuid, "NONE"))
        caller.other = leg
        caller.callee_name, caller.callee_number = leg.callee_name, leg.callee_number
        caller.shows_other = True
        caller.other_callee = (leg.callee_name, leg.callee_number)
        caller.bridged_us = leg.bridged_us = core.stamp()
        if caller.answered_us:
            caller.call_state = "ACTIVE"
        caller.step("caller.bridging")
        core.fire("CHANNEL_BRIDGE", caller, before=ending.bridge_fields(caller, leg))
        leg.set_state(State.EXCHANGE_MEDIA)
        if leg.answered_us:
            leg.call_state = "ACTIVE"

    def _tell_bridged(self, leg: Leg) -> None:
        caller = self.call.caller
        caller.bridged_to, leg.bridged_to = leg, caller

    def _update(self, leg: Leg, early: bool) -> None:
        """Each side is told whom it talks to."""
        core, caller = self.core, self.call.caller
        if not caller.is_up or not leg.is_up:
            return
        caller.call_state = leg.call_state = "ACTIVE"
        self._tell_bridged(leg)
        first = len([1 for _, cause in caller.causes_had if cause == "NONE"]) == 1
        caller.step(
            *(("accepted",) if early else ("caller.bridged",)),
            *(("caller.acknowledged",) if first else ()),
            "caller.updated",
        )
        caller.told = (leg.callee_name, leg.callee_number)
        core.fire("CALL_UPDATE", caller, before=_update_fields(leg.callee_name, leg.callee_number, leg))
        leg.step("accepted", *(() if early else ("callee.bridged",)), "callee.updated")
        core.fire("CALL_UPDATE", leg, before=_update_fields(leg.caller_name, leg.caller_number, caller))


def _update_fields(name: str, number: str, other: Leg) -> list[Field]:
    return [
        Field("Direction", "SEND"),
        Field("Sent-Callee-ID-Name", name),
        Field("Sent-Callee-ID-Number", number),
        Field("Bridged-To", other.uuid),
    ]
