"""One call: a caller's leg that goes through the dialplan, and the legs it makes."""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

from esl_agent.simulator import apps, causes, ending
from esl_agent.simulator.dialling import Dialling
from esl_agent.simulator.dialplan import Application, route
from esl_agent.simulator.leg import Leg, State
from esl_agent.simulator.plan import CallPlan, Kind, Outcome
from esl_agent.simulator.script import Field
from esl_agent.simulator.timers import Timer

if TYPE_CHECKING:
    from esl_agent.simulator.core import Core

#: Orders of a client that may wait for the application that runs.
ORDERS_MAX: Final = 1_000

_ANSWER_ACTIONS: Final = ("api_on_answer", "execute_on_answer")


class Controller(Protocol):
    """The client that a call is connected to by the `socket` application."""

    def leg_is_down(self) -> None: ...


@dataclass(slots=True, eq=False)
class Frame:
    """An application that runs on the caller's leg."""

    application: str
    argument: str
    uuid: str = ""  # "": one is made when it is asked for

    def begun(self) -> list[Field]:
        """What the event says that tells of its begin."""
        self.uuid = self.uuid or str(uuid.uuid4())
        return [*self._fields(), Field("Application-UUID", self.uuid)]

    def done(self) -> list[Field]:
        """What the event says that tells of its end."""
        self.uuid = self.uuid or str(uuid.uuid4())
        response = Field("Application-Response", "_none_")
        return [*self._fields(), response, Field("Application-UUID", self.uuid)]

    def _fields(self) -> list[Field]:
        fields = [Field("Application", self.application)]
        if self.argument:
            fields.append(Field("Application-Data", self.argument))
        return fields


class Call:
    """A call as the switch holds it; what the phones and carriers do is the plan's."""

    def __init__(self, core: Core, plan: CallPlan) -> None:
        self.core = core
        self.plan: CallPlan = plan
        self.caller = self._make_caller()
        self.peer: Leg | None = None  # the outbound leg that was answered
        self.dialling: Dialling | None = None
        self.controller: Controller | None = None
        self.carriers_tried = 0
        self.ended = False
        self.when_answered: Callable[[], None] = lambda: None
        self.when_ended: Callable[[], None] = lambda: None
        self._program: deque[Application] = deque()
        self._orders: deque[Frame] = deque()
        self._running: list[Frame] = []
        self._timers: list[Timer] = []

    def _make_caller(self) -> Leg:
        plan, core = self.plan, self.core
        outside = plan.kind is not Kind.OUTBOUND
        return Leg(
            uuid=plan.caller_leg_uuid or str(uuid.uuid4()),
            session_id=core.next_session(),
            is_outbound=False,
            profile="carrier" if outside else "customer",
            address=f"{plan.caller}@127.0.0.1:5070",
            caller_number=plan.caller,
            caller_name=plan.caller_name or plan.caller,
            destination=plan.did if outside else plan.number,
            context="carrier" if outside else "customer",
            created_us=core.stamp(),
            call=self,
            oli=plan.oli,
            has_codec=True,
        )

    def begin(self) -> None:
        """The INVITE is here."""
        leg = self.caller
        leg.step_if("caller.received", payphone=bool(leg.oli))
        self.core.calls[leg.uuid] = self
        self.core.add_leg(leg)
        self.core.fire("CHANNEL_CREATE", leg)
        self._route(leg.destination)

    # The dialplan

    def _route(self, destination: str) -> None:
        leg = self.caller
        leg.set_state(State.EXECUTE)
        if not leg.answered_us:
            leg.call_state = "RINGING"
        way = route(self.core.config, self.plan, destination)
        for name, value in way.variables.items():
            leg.set_variable(name, value)
        leg.set_variable("call_uuid", leg.uuid)
        leg.step("caller.routed")
        self._program = deque(way.applications)
        self._proceed()

    def _proceed(self) -> None:
        """Run the dialplan till an application keeps the leg, or it has been through."""
        while self.caller.is_up and not self._running and self._program:
            application, argument = self._program.popleft()
            self._execute(Frame(application, apps.expand(self, argument)))
        if self.caller.is_up and not self._running:
            self.hang_up(self.caller, causes.NORMAL_CLEARING, "switch")

    def _execute(self, frame: Frame) -> None:
        run = apps.APPLICATIONS.get(frame.application)
        leg = self.caller
        if run is None:
            self.hang_up(leg, "DESTINATION_OUT_OF_ORDER", "switch")  # "Invalid Application"
            return
        leg.application, leg.application_data = frame.application, frame.argument
        leg.step("executing")
        self.core.fire("CHANNEL_EXECUTE", leg, after=frame.begun)
        self._running.append(frame)
        if not run(self, frame.argument):
            self._finish(frame)

    def _finish(self, frame: Frame) -> None:
        if frame not in self._running:
            return  # a transfer or the end of the call swept it away
        self._running.remove(frame)
        self.core.fire("CHANNEL_EXECUTE_COMPLETE", self.caller, after=frame.done)

    def application_done(self) -> None:
        """The application that kept the leg lets it go."""
        if not self._running:
            return
        self._finish(self._running[-1])
        if self._running:
            self._run_orders()
        else:
            self._proceed()

    def order(self, application: str, argument: str, order_uuid: str) -> bool:
        """A client wants an application run on the caller's leg; False if too many wait already."""
        if len(self._orders) >= ORDERS_MAX:
            return False
        self._orders.append(Frame(application, apps.expand(self, argument), order_uuid))
        self._run_orders()
        return True

    def _run_orders(self) -> None:
        # One that a client asked for runs inside what the dialplan runs, and one at a time.
        while self._orders and self.caller.is_up and len(self._running) <= 1:
            self._execute(self._orders.popleft())

    def socket_closed(self, *, resume: bool) -> None:
        """The client of the `socket` application is gone, or never came."""
        self.controller = None
        if not self.caller.is_up:
            return
        if resume:
            del self._running[1:]
            self.application_done()
        else:
            self.hang_up(self.caller, causes.NORMAL_CLEARING, "switch")

    # What the legs do

    def answer(self) -> None:
        """The switch itself answers the caller."""
        leg = self.caller
        if leg.is_up and not leg.answered_us:
            leg.answered_us = self.core.stamp()
            leg.call_state = "ACTIVE"
            leg.step("caller.answered")
            self.core.fire("CHANNEL_ANSWER", leg)
            leg.step("accepted")
            self.caller_answered()

    def caller_answered(self) -> None:
        self._on_answer(self.caller)

    def leg_answered(self, leg: Leg) -> None:
        """An outbound leg was answered: from here on it talks."""
        self.peer = leg
        self.when_answered()
        plan = self.plan
        by = "callee" if plan.hangup_by_callee else "caller"
        hanging_up = leg if plan.hangup_by_callee else self.caller
        if plan.transfer_to:
            self.later(self.core.after(plan.transfer_after_ms * 1000, self._transfer_as_planned))
        else:
            talk_us = plan.talk_ms * 1000
            self.later(self.core.after(talk_us, self.hang_up, hanging_up, causes.NORMAL_CLEARING, by))
        self._on_answer(leg)

    def _on_answer(self, leg: Leg) -> None:
        """Run what the leg's variables say is to run on answer; they are matched by prefix."""
        names = [name for name in leg.variables if name.lower().startswith(_ANSWER_ACTIONS)]
        for name in names:
            value = leg.variables[name]
            for text in (value,) if isinstance(value, str) else value:
                command, _, argument = text.partition(" ")
                if name.lower().startswith("api"):
                    self.core.api(command, argument)
                elif leg is self.caller:
                    self._execute(Frame(command, argument))

    def dialling_failed(self, cause: str) -> None:
        """No carrier took the call; the dialplan goes on if it was told to."""
        self.dialling = None
        caller = self.caller
        carry_on = str(caller.variables.get("continue_on_fail", ""))
        if carry_on.lower() != "true" and cause not in carry_on.split(","):
            self.hang_up(caller, cause, "switch")
        elif self._running and self._running[-1].application == "bridge":
            self.application_done()

    def hang_up(self, leg: Leg, cause: str, ended_by: str) -> None:
        """End a leg of this call; the other one follows as the switch has it."""
        if not leg.is_up:
            return
        if leg is self.caller:
            self._hang_up_caller(cause, ended_by)
        elif leg is self.peer:
            self._hang_up_peer(leg, cause, ended_by)
        elif self.dialling is not None:
            self.dialling.call_off(leg, cause, ended_by)

    def _hang_up_caller(self, cause: str, ended_by: str) -> None:
        core, caller, peer = self.core, self.caller, self.peer
        self._stop_timers()
        ringing = self.dialling.stop() if self.dialling is not None else []
        if peer is not None and peer.is_up:
            ending.end_bridge_by_caller(core, caller, peer, cause, ended_by)
        elif ringing:
            ending.end_dialling_by_caller(core, caller, ringing, cause, ended_by)
        else:
            ending.end_caller_alone(core, caller, cause, ended_by)
        self._end()

    def _hang_up_peer(self, peer: Leg, cause: str, ended_by: str) -> None:
        caller = self.caller
        self._stop_timers()
        hang_up = str(caller.variables.get("hangup_after_bridge", "")).lower() == "true"
        ending.end_bridge_by_callee(self.core, caller, peer, cause, ended_by, hang_up=hang_up)
        self.peer = self.dialling = None
        if hang_up:
            self._end()
        else:
            self.application_done()

    def _end(self) -> None:
        self.ended = True
        self._program.clear()
        self._orders.clear()
        self._running.clear()
        self.dialling = None
        if self.controller is not None:
            self.controller.leg_is_down()
        self.core.call_is_over(self)
        self.when_ended()

    def forget(self) -> None:
        """The switch died with this call in it."""
        self.ended = True
        self.controller = None
        self.when_ended()

    # Transfers

    def _transfer_as_planned(self) -> None:
        plan = self.plan
        self.plan = replace(
            plan,
            number=plan.transfer_to,
            talk_ms=plan.talk_after_transfer_ms,
            transfer_to="",
            outcome=Outcome.ANSWERED,
            carriers_refusing=0,
        )
        self.transfer(plan.transfer_to)

    def transfer(self, destination: str) -> None:
        """Send the caller elsewhere: the leg that it talks to ends, and the dialplan begins anew."""
        core, leg, peer = self.core, self.caller, self.peer
        if not leg.is_up:
            return
        self._stop_timers()
        for ringing in self.dialling.stop() if self.dialling is not None else []:
            ending.end_dialled(core, ringing, "ORIGINATOR_CANCEL", "caller")
        if peer is not None and peer.is_up:
            ending.end_by_transfer(core, peer)
            leg.peer_cause = peer.cause
        self._reprofile(destination)
        if peer is not None:
            leg.bridged_us = 0
            core.fire("CHANNEL_UNBRIDGE", leg, before=ending.bridge_fields(leg, peer))
        self.peer = self.dialling = None
        self.carriers_tried = 0
        self._running.clear()
        self.plan = replace(self.plan, number=destination)
        self._route(destination)

    def _reprofile(self, destination: str) -> None:
        leg = self.caller
        epoch_s = self.core.stamp() // 1_000_000
        leg.rdnis, leg.destination = leg.destination, destination
        leg.transfer_source = f"{epoch_s}:{uuid.uuid4()}:bl_xfer:{destination}/{leg.context}/XML"
        leg.profile_index += 1
        leg.profile_created_us = self.core.stamp()
        leg.max_forwards -= 1
        leg.shows_other, leg.other_callee = False, None
        leg.state = State.INIT
        leg.step("caller.transferred")

    # Bookkeeping

    def later(self, timer: Timer) -> None:
        """A timer that dies with the call."""
        self._timers.append(timer)

    def variable(self, name: str) -> str:
        """A variable of the caller's leg as text, "" if it has none of that name."""
        value = self.caller.variables.get(name, "")
        return value if isinstance(value, str) else value[0]

    def _stop_timers(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
