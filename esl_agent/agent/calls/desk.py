"""The desk: every leg's events come in here, go through the call's machine, and their effects go out.

The machine (core/call.py) decides; the desk only looks things up and passes
them on.  It runs in one greenlet, so no step of a call ever overlaps another.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Final

from esl_agent.agent.calls.barring import Barring
from esl_agent.agent.calls.cdr import cdr_of
from esl_agent.agent.calls.desk_needs import Alarm, AskHold, Switchboard
from esl_agent.agent.calls.itinerary import Answer, Gone, Itineraries, Itinerary
from esl_agent.agent.calls.live_call import LiveCall, is_newly_answered, known_of, who
from esl_agent.agent.calls.sounds import SILENCE, Sounds
from esl_agent.agent.calls.timers import DUE
from esl_agent.agent.calls.timing import Timing
from esl_agent.agent.database import OUTAGE
from esl_agent.agent.pricing import Priced, Pricing
from esl_agent.core import call as machine
from esl_agent.core.budget import is_metered
from esl_agent.core.call import CallPolicy, Phase
from esl_agent.core.call_parts import Step
from esl_agent.core.call_signals import (
    AnnounceEnd,
    Answered,
    AnsweredToo,
    ArmSwitchCut,
    AskDue,
    DisarmSwitchCut,
    DropTimers,
    Effects,
    Ended,
    Event,
    FoundUp,
    HoldMoney,
    KillLeg,
    MoneyCame,
    Note,
    SetTimer,
    Settle,
    Timer,
    WarnCaller,
)
from esl_agent.core.call_state import US_PER_MS
from esl_agent.core.leg import Leg, LegEnd
from esl_agent.noc.log import Log
from esl_agent.store.cdrs import CdrRow, Source

#: Calls that came in and were refused, until their leg has ended.
REFUSED_INBOUND_MAX: Final = 20_000
#: Legs that ended lately, so that an event of theirs that comes late does not start them again.
ENDED_LATELY_MAX: Final = 20_000
#: Legs that are over and can't be priced while the database is away; the switch's files have them too.
UNPRICED_MAX: Final = 20_000


class Desk:
    """Live calls by the UUID of their billed leg."""

    def __init__(
        self,
        *,
        policy: CallPolicy,
        pricing: Pricing,
        now_us: Callable[[], int],
        timers: Alarm,
        ask_hold: AskHold,
        settle: Callable[[CdrRow, str | None], None],
        release: Callable[[int, str], None],
        keep_answer: Callable[[int, str, str], None] = lambda account_id, leg_uuid, known: None,
        switchboard: Switchboard,
        log: Log,
        live_max: int,
        ends_barred: bool = True,
        sounds: Sounds = SILENCE,
        may_act: Callable[[], bool] = lambda: True,
    ) -> None:
        self.live: dict[str, LiveCall] = {}
        self._timing = Timing(policy, switchboard, timers)
        self._pricing = pricing
        self._now_us = now_us
        self._timers = timers
        self._ask_hold = ask_hold
        self._settle = settle
        self._release = release
        self._keep_answer = keep_answer
        self.itineraries = Itineraries()
        self._switchboard = switchboard
        self._log = log
        self._live_max = live_max
        self._ends_barred = ends_barred
        self._let_hear = sounds.let_hear
        self._may_act = may_act
        self._ended_lately: OrderedDict[str, None] = OrderedDict()
        self._refused_inbound: OrderedDict[str, str] = OrderedDict()
        self._unpriced: OrderedDict[str, tuple[LegEnd, Source]] = OrderedDict()
        self.carriers_up: Counter[str] = Counter()
        self._low: set[str] = set()  # legs that talk and were refused more money
        #: Legs that take over a hold, and their end if it comes before the store's answer.
        self._taking: dict[str, tuple[LegEnd, Source, Priced | None] | None] = {}

    # What the switch says.

    def leg_created(self, leg: Leg) -> None:
        """A leg came up; it is taken on if it is one of ours."""
        if leg.leg_uuid in self.live or leg.leg_uuid in self._ended_lately:
            return
        itinerary = self.itineraries.of_leg(leg.leg_uuid)
        if itinerary is not None:
            if leg.leg_uuid not in itinerary.begun:
                self._begin_planned(leg, itinerary)
            return
        priced = self._pricing.price(leg)
        if priced is not None:
            self._begin(priced)

    def _begin_planned(self, leg: Leg, itinerary: Itinerary) -> None:
        """A leg that was admitted: its money is held already."""
        self.itineraries.leg_began(leg.leg_uuid)
        # One that came in was created before the answer could be set on it.
        leg = replace(leg, product=itinerary.priced.leg.product)
        priced = replace(itinerary.priced, leg=leg)
        begun = machine.begin_held(leg, priced.price, itinerary.held)
        self._take_up(LiveCall(begun[0], priced), begun[1])

    def _begin(self, priced: Priced) -> None:
        """A leg that nobody asked for: money is held now, or it is refused."""
        refused = priced.refused
        if len(self.live) >= self._live_max and not priced.price.is_free:
            self._log("QUEUE_FULL", queue="live calls", limit=self._live_max)
            refused = refused or "too_many_calls"
        if refused:
            begun = machine.begin_refused(
                priced.leg, priced.price, refused, self._timing.policy, self._now_us()
            )
        else:
            begun = self._begin_beside(priced) or machine.begin(priced.leg, priced.price, self._timing.policy)
        self._take_up(LiveCall(begun[0], priced), begun[1])

    def _begin_beside(self, priced: Priced) -> Step | None:
        """A leg that rings beside others of its call lives on what is held for them; None where none do."""
        leg = priced.leg
        itinerary = self.itineraries.join(priced, self._now_us())
        if itinerary is None:
            return None
        self.itineraries.leg_began(leg.leg_uuid)
        holder = self.live.get(itinerary.holder)
        if holder is None:
            return None
        if holder.call.phase is Phase.ASKING:
            return machine.begin_sharing(leg, priced.price)
        if holder.call.phase is Phase.RINGING:
            return machine.begin_held(leg, priced.price, holder.call.held, is_planned=False)
        return None

    def _take_up(self, live: LiveCall, effects: Effects) -> None:
        leg = live.call.leg
        if leg.leg_uuid not in self.live and leg.carrier is not None:
            self.carriers_up[leg.carrier] += 1
        self.live[leg.leg_uuid] = live
        self._carry_out(live, effects)

    def leg_answered(self, leg: Leg) -> None:
        self.leg_created(leg)  # where its creation was missed, or comes later
        if leg.answered_us is None or leg.leg_uuid not in self.live:
            return
        answer = self.itineraries.leg_answered(leg.leg_uuid)
        is_second = answer is Answer.TOO and is_metered(self.live[leg.leg_uuid].call.price)
        self.tell(leg.leg_uuid, AnsweredToo(leg.answered_us) if is_second else Answered(leg.answered_us))
        if answer is Answer.TAKES:
            self._take_over(leg.leg_uuid)

    def _take_over(self, leg_uuid: str) -> None:
        """Ask for what the leg is thought to have already: the store is to hold it under its name."""
        live = self.live[leg_uuid]
        if is_metered(live.call.price):
            self._taking.setdefault(leg_uuid, None)  # it may be taking over, and have ended
            self._ask(live, machine.first_hold(live.call.price, self._timing.policy))

    def _ask(self, live: LiveCall, ask: HoldMoney) -> None:
        leg_uuid = live.call.leg.leg_uuid
        tell = partial(self._hold_told, leg_uuid)
        takes_from = self.itineraries.takes_from(leg_uuid)
        known, account_id = known_of(live, self._now_us()), live.priced.account_id
        self._ask_hold(account_id, leg_uuid, ask, tell, known, takes_from, can_wait=live.call.paid_s > 0)

    def _hold_told(self, leg_uuid: str, event: Event) -> None:
        """What the store says of a hold, to all legs that live on it."""
        for each in self.itineraries.sharing(leg_uuid):
            self.tell(each, event)
        if over := self._taking.pop(leg_uuid, None):
            self.leg_ended(*over)

    def leg_ended(self, end: LegEnd, source: Source = Source.LIVE, priced: Priced | None = None) -> None:
        """A leg is over: what it cost is settled, whether or not we saw it begin.

        `source` says how that is known, `priced` what the leg costs where that is known elsewhere.
        """
        leg_uuid = end.leg.leg_uuid
        has_lost = self.itineraries.has_lost(end)
        if self.itineraries.of_leg(leg_uuid):
            self.leg_created(end.leg)
            if not has_lost:
                self.leg_answered(end.leg)  # where that was missed, or comes later
        if source is not Source.RECOVERED:  # else recovery looks for each leg that the caller was to bring
            self.caller_gone(leg_uuid)
        live = self.live.get(leg_uuid)
        if leg_uuid in self._taking and not has_lost:
            self._taking[leg_uuid] = (end, source, priced)
        elif live is not None:
            live.source = source
            self.tell(leg_uuid, Ended(end, has_lost))
        elif leg_uuid not in self._ended_lately:
            self._settle_unseen(end, source, priced)

    def _settle_unseen(self, end: LegEnd, source: Source, priced: Priced | None) -> None:
        try:
            priced = priced or self._pricing.price_over(end.leg)
        except OUTAGE:
            self._wait_for_price(end, source)
        else:
            if priced is not None:
                call, effects = machine.end_unseen(end, priced.price, priced.refused)
                self._carry_out(LiveCall(call, priced, source), effects)

    def _wait_for_price(self, end: LegEnd, source: Source) -> None:
        self._unpriced[end.leg.leg_uuid] = (end, source)
        if len(self._unpriced) > UNPRICED_MAX:
            leg_uuid, _ = self._unpriced.popitem(last=False)
            self._log("QUEUE_FULL", queue="legs without a price", limit=UNPRICED_MAX, leg=leg_uuid)

    def price_again(self) -> None:
        """Settle the legs whose payer could not be told while the database was away."""
        waiting, self._unpriced = self._unpriced, OrderedDict()
        for end, source in waiting.values():
            self.leg_ended(end, source)

    # What admission says.

    def expect(self, itinerary: Itinerary) -> None:
        """A call was admitted and its money is held: these legs will come, one after the other.

        The leg of a call that came in is there already, or its event is on its way.
        """
        self.itineraries.add(itinerary)
        live = self.live.get(itinerary.leg_uuids[0])
        if live is not None and live.call.phase in (Phase.ASKING, Phase.RINGING):
            self._begin_planned(live.call.leg, itinerary)

    def give_up_newest(self, caller_leg_uuid: str) -> None:
        """The switch never heard that the caller's last call was admitted."""
        self._release_all(self.itineraries.newest_gone(caller_leg_uuid))

    def refuse_inbound(self, leg_uuid: str, reason: str) -> None:
        """A call that came in is refused; its own leg's CDR says why."""
        self._refused_inbound[leg_uuid] = reason
        if len(self._refused_inbound) > REFUSED_INBOUND_MAX:
            self._refused_inbound.popitem(last=False)

    def give_up_overdue(self) -> None:
        """Free what is held for legs that did not come."""
        self._release_all(self.itineraries.overdue(self._now_us()))

    # What recovery finds (agent/recovery/finds.py).

    def has_ended(self, leg_uuid: str) -> bool:
        """Whether it was settled lately."""
        return leg_uuid in self._ended_lately

    def begin_again(self, priced: Priced, held: Decimal) -> None:
        """A leg that is up and is not known here; `held` is held for it."""
        leg = priced.leg
        itinerary = self.itineraries.of_leg(leg.leg_uuid)
        if itinerary is not None:
            self.itineraries.leg_began(leg.leg_uuid)
        begun = machine.begin_again(leg, priced.price, held, self._timing.policy, self._now_us())
        is_kept = itinerary is not None and leg.leg_uuid in itinerary.heard
        self._take_up(LiveCall(begun[0], priced, is_answer_kept=is_kept), begun[1])
        self._take_what_is_held(leg)

    def found_up(self, leg: Leg) -> None:
        """A live leg is up, and may have been answered unheard."""
        self.tell(leg.leg_uuid, FoundUp(leg.answered_us))
        self._take_what_is_held(leg)

    def _take_what_is_held(self, leg: Leg) -> None:
        if leg.answered_us and self.itineraries.leg_answered(leg.leg_uuid) is Answer.TAKES:
            self._take_over(leg.leg_uuid)

    def caller_gone(self, caller_leg_uuid: str) -> None:
        """The caller's leg is over, of whichever kind it is: what it was to bring will not come."""
        self._release_all(self.itineraries.caller_ended(caller_leg_uuid))

    # What the books say.

    def accounts(self) -> set[int]:
        """Whose calls are up, of those that are known."""
        return {live.priced.account_id for live in self.live.values()} - {0}

    def accounts_changed(self, account_ids: Collection[int]) -> None:
        """These have more or less money, other limits or another state: their calls ask again, or end."""
        if not account_ids:
            return
        barring = Barring(self._pricing, self._now_us(), ends_calls=self._ends_barred)
        for leg_uuid, live in list(self.live.items()):
            if live.priced.account_id in account_ids and (event := barring.news_for(live.priced)):
                self.tell(leg_uuid, event)
        self._release_all(self.itineraries.that_may_not_be(barring.bars))

    def money_freed(self, account_ids: Collection[int]) -> None:
        """What calls of these left is free: for those that have asked for the last time already."""
        policy = self._timing.policy
        soon_us = self._now_us() + (policy.last_ask_ms + policy.cut_lead_ms) * US_PER_MS
        for leg_uuid in tuple(self._low):
            live = self.live[leg_uuid]
            if live.priced.account_id in account_ids and (machine.paid_end_us(live.call) or 0) <= soon_us:
                self.tell(leg_uuid, MoneyCame())

    # What our own timers and the store say.

    def timer_rang(self, leg_uuid: str, timer: Timer) -> None:
        self.tell(leg_uuid, DUE[timer])

    def tell(self, leg_uuid: str, event: Event) -> None:
        """Step a live call; events for calls that are gone are passed over."""
        live = self.live.get(leg_uuid)
        if live is None:
            return
        live.call, effects = machine.step(
            live.call, event, self._timing.policy_for(live.call), self._now_us()
        )
        if live.call.is_last and live.call.phase is Phase.TALKING:
            self._low.add(leg_uuid)
        else:
            self._low.discard(leg_uuid)
        self._carry_out(live, effects)

    def _carry_out(self, live: LiveCall, effects: Effects) -> None:
        if not self._may_act():
            return  # another daemon has its own view of the call
        if is_newly_answered(live):
            self._keep(live)
        self._carry_out_all(live, effects)

    def _keep(self, live: LiveCall) -> None:
        live.is_answer_kept = live.call.answered_us is not None
        self._keep_answer(live.priced.account_id, live.call.leg.leg_uuid, known_of(live, self._now_us()))

    def keep_ringing(self) -> None:
        """The daemon stops: it is kept which legs are there, though nobody has answered them yet."""
        for live in self.live.values():
            if not live.is_answer_kept and self._may_act():
                self._keep(live)

    def _carry_out_all(self, live: LiveCall, effects: Effects) -> None:
        leg_uuid = live.call.leg.leg_uuid
        for effect in effects:
            match effect:
                case HoldMoney():
                    self._ask(live, effect)
                case SetTimer(timer, at_us):
                    self._timers.set(leg_uuid, timer, at_us)
                case DropTimers():
                    self._timers.drop(leg_uuid)
                case ArmSwitchCut():
                    self._switchboard.arm_cut(leg_uuid, effect)
                case DisarmSwitchCut():
                    self._switchboard.disarm_cut(leg_uuid)
                case WarnCaller() | AnnounceEnd():
                    self._let_hear(live.priced.leg, effect)
                case KillLeg(cause):
                    self._switchboard.kill(leg_uuid, cause)
                case Settle():
                    refused = self._refused_inbound.pop(leg_uuid, None)
                    settle = replace(effect, refused=refused) if refused else effect
                    self._settle_leg(live, settle)
                case Note(word, fields):
                    self._log(word, **who(live), **fields)
        if live.call.phase is Phase.ENDED:
            self._forget(leg_uuid)

    def _settle_leg(self, live: LiveCall, settle: Settle) -> None:
        """The hold of a leg that cost nothing goes on to the next of its call, which may wait for it."""
        end = settle.end
        was_answered = end.leg.answered_us is not None and not self.itineraries.has_lost(end)
        heir, gone = self.itineraries.leg_ended(end.leg.leg_uuid, was_answered=was_answered)
        self._settle(cdr_of(live.priced, settle, live.source), heir)
        self._release_all(gone)
        going_on = self.live.get(heir or "")
        if going_on is None:
            return
        if going_on.call.phase is Phase.ASKING:
            self._take_over(going_on.call.leg.leg_uuid)
        elif not going_on.call.paid_s and not going_on.call.is_asking:
            self.tell(going_on.call.leg.leg_uuid, AskDue())

    def _release_all(self, gone: Iterable[Gone]) -> None:
        for account_id, leg_uuid in gone:
            self._release(account_id, leg_uuid)

    def _forget(self, leg_uuid: str) -> None:
        live = self.live.pop(leg_uuid, None)
        if live is not None and live.call.leg.carrier is not None:
            self.carriers_up[live.call.leg.carrier] -= 1
        self._ended_lately[leg_uuid] = None
        if len(self._ended_lately) > ENDED_LATELY_MAX:
            self._ended_lately.popitem(last=False)
