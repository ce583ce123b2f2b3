"""Itineraries: the legs of one call out, which all live on one hold.

Admission plans a leg for each carrier; what nobody asked for is gathered by its
caller's leg.  The money is held under one leg at a time, the *holder*:

- While the legs are tried one after the other it is the one that is up, or the
  next one, which is *awaited*.  When it ends unanswered the store hands its
  hold to the next with the settlement.
- Legs that ring at once share it.  The first to be answered takes it over, and
  a loser hands on what it may still have.  Where two are answered within the
  time of an event the switch lets go of one of them (LOSE_RACE); until it has,
  the hold stays where it is.  A leg that is answered and stays is paid for, so
  nothing is ever taken from it.

A settlement can be on its way for long.  So whatever is asked for a leg names
the others of its call, from which the store may take what is held: no leg is
refused what its own call holds, and none holds beside another.

When the caller's leg ends, or nothing happens for too long, a leg that is
awaited will not come: it is given up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum, auto
from typing import Final, NamedTuple

from esl_agent.agent.pricing import Priced
from esl_agent.core import budget
from esl_agent.core.leg import Direction, LegEnd

#: How long a leg is awaited, in case the end of the caller's leg is missed.
AWAITED_MAX_US: Final = 600_000_000
#: A far end may name any cause: one that says LOSE_RACE after more talk than this lost none.
RACE_MAX_US: Final = 1_000_000
LOST: Final = "LOSE_RACE"

#: (account, leg)
Gone = tuple[int, str]


class Answer(Enum):
    """What an answer means for the hold of the call."""

    ITS_OWN = auto()  # the hold is the leg's already
    TAKES = auto()  # it has to come from another leg
    TOO = auto()  # another leg was answered before, and has it


class AfterEnd(NamedTuple):
    """Who gets the hold of a leg that has ended, and the legs that nothing is to be held for any more."""

    heir: str | None = None
    gone: tuple[Gone, ...] = ()


class Heard(NamedTuple):
    """Of a leg that talked before the agent forgot it: since when, and when it was last known to."""

    answered_us: int
    seen_us: int


@dataclass(slots=True)
class Itinerary:
    """`leg_uuids` in the order in which they are tried; with `is_planned` more of them may be to come."""

    priced: Priced  # as of the caller's leg; each planned leg is priced the same
    caller_leg_uuid: str
    leg_uuids: tuple[str, ...]
    held: Decimal
    since_us: int
    is_planned: bool = True
    holder: str = ""
    begun: tuple[str, ...] = ()  # legs that came: the end of one may be heard after the next
    up: tuple[str, ...] = ()
    answered: tuple[str, ...] = ()  # without those that lost; the first has the hold
    is_over: bool = False  # no further leg will come
    carriers: Mapping[str, str | None] = field(default_factory=dict)  # of the legs, where known
    #: Of one that is taken up again: whether its first leg was there, and when it was last known to be.
    was_there: bool = False
    seen_us: int | None = None
    heard: Mapping[str, Heard] = field(default_factory=dict)  # its legs that were answered

    def __post_init__(self) -> None:
        self.holder = self.holder or self.leg_uuids[0]

    @property
    def awaited(self) -> str | None:
        """The leg that the hold is under and that isn't there."""
        return None if self.holder in self.begun else self.holder

    @property
    def is_missing(self) -> bool:
        """Whether the leg that is awaited was there already, before the agent forgot it: its end is owed."""
        return self.awaited is not None and self.was_up(self.awaited)

    def was_up(self, leg_uuid: str) -> bool:
        """Whether it is known to have been there.

        That a later one came tells nothing: where a carrier can't be called no leg is made for it.
        """
        return leg_uuid in self.heard or (self.was_there and leg_uuid == self.leg_uuids[0])

    def last_seen_us(self, leg_uuid: str) -> int:
        """Until when it, or its caller's leg, is known to have been up."""
        heard = self.heard.get(leg_uuid)
        return heard.seen_us if heard else self.seen_us or self.since_us

    def others(self, leg_uuid: str) -> tuple[str, ...]:
        """The legs that this one may take what is held from."""
        return tuple(each for each in self.leg_uuids if each != leg_uuid and each not in self.answered)

    def heir(self, leg_uuid: str) -> str | None:
        """The leg that goes on when this one has ended: answered, or ringing, or the next to be tried."""
        going_on = [each for each in self.answered if each in self.up] or self.up
        if going_on:
            return going_on[0]
        later = self.leg_uuids[self.leg_uuids.index(leg_uuid) + 1 :]
        return next((each for each in later if each not in self.begun), None) if not self.is_over else None

    def skipped(self) -> list[str]:
        """Legs that never came though later ones did: their carrier could not even be called."""
        last = max((place for place, leg in enumerate(self.leg_uuids) if leg in self.begun), default=0)
        return [leg for leg in self.leg_uuids[:last] if leg not in self.begun]


class Itineraries:
    """All that are not over, by their legs and by the caller's leg."""

    def __init__(self) -> None:
        self._by_leg: dict[str, Itinerary] = {}
        self._by_caller: dict[str, list[Itinerary]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._by_caller.values()))

    def all(self) -> list[Itinerary]:
        return [itinerary for siblings in self._by_caller.values() for itinerary in siblings]

    def add(self, itinerary: Itinerary) -> None:
        for leg_uuid in itinerary.leg_uuids:
            self._by_leg[leg_uuid] = itinerary
        self._by_caller.setdefault(itinerary.caller_leg_uuid, []).append(itinerary)

    def of_leg(self, leg_uuid: str) -> Itinerary | None:
        return self._by_leg.get(leg_uuid)

    def join(self, priced: Priced, now_us: int) -> Itinerary | None:
        """The unplanned legs of the same call, with this one among them; None for one that has no such call.

        It shares their hold if that pays for it and nobody has answered yet.
        """
        leg = priced.leg
        if leg.direction is Direction.INBOUND or leg.other_leg_uuid is None:
            return None
        if not budget.is_metered(priced.price):
            return None
        for each in self._by_caller.get(leg.other_leg_uuid, ()):
            if _takes_in(each, priced):
                each.leg_uuids += (leg.leg_uuid,)
                self._by_leg[leg.leg_uuid] = each
                return each
        made = Itinerary(priced, leg.other_leg_uuid, (leg.leg_uuid,), Decimal(0), now_us, is_planned=False)
        self.add(made)
        return made

    def leg_began(self, leg_uuid: str) -> None:
        itinerary = self._by_leg[leg_uuid]
        if leg_uuid not in itinerary.begun:
            itinerary.begun += (leg_uuid,)
            itinerary.up += (leg_uuid,)
        if not itinerary.is_planned and itinerary.holder not in itinerary.up:
            itinerary.holder = leg_uuid

    def leg_answered(self, leg_uuid: str) -> Answer:
        itinerary = self._by_leg.get(leg_uuid)
        if itinerary is None:
            return Answer.ITS_OWN
        if leg_uuid not in itinerary.answered:
            itinerary.answered += (leg_uuid,)
        if itinerary.answered[0] != leg_uuid:
            return Answer.TOO
        is_its_own = itinerary.holder == leg_uuid
        itinerary.holder = leg_uuid
        return Answer.ITS_OWN if is_its_own else Answer.TAKES

    def takes_from(self, leg_uuid: str) -> tuple[str, ...]:
        """The legs whose hold may be taken for this one."""
        itinerary = self._by_leg.get(leg_uuid)
        return itinerary.others(leg_uuid) if itinerary else ()

    def sharing(self, leg_uuid: str) -> tuple[str, ...]:
        """The legs that live on what is held for this one."""
        itinerary = self._by_leg.get(leg_uuid)
        if itinerary is None or itinerary.answered or itinerary.holder != leg_uuid:
            return (leg_uuid,)
        return itinerary.up

    def has_lost(self, end: LegEnd) -> bool:
        """Whether the switch let go of this leg because another of its call was answered."""
        itinerary = self._by_leg.get(end.leg.leg_uuid)
        is_race = itinerary is not None and len(itinerary.begun) > 1
        return is_race and end.hangup_cause == LOST and end.duration_us < RACE_MAX_US

    def leg_ended(self, leg_uuid: str, *, was_answered: bool) -> AfterEnd:
        """`was_answered` is False of one that has lost: the call goes on with another."""
        itinerary = self._by_leg.get(leg_uuid)
        if itinerary is None:
            return AfterEnd()
        itinerary.up = _without(itinerary.up, leg_uuid)
        if was_answered:
            itinerary.is_over = True
            heir = None
        else:
            itinerary.answered = _without(itinerary.answered, leg_uuid)
            heir = itinerary.heir(leg_uuid)
        if heir is not None and itinerary.holder == leg_uuid:
            itinerary.holder = heir
        may_come = heir is not None or (not itinerary.is_planned and not itinerary.is_over)
        if itinerary.up or may_come:
            return AfterEnd(heir)
        return AfterEnd(None, tuple(self._close(itinerary)))

    def caller_ended(self, caller_leg_uuid: str) -> list[Gone]:
        """The legs that will not come now that the caller is gone."""
        gone = list(self._by_caller.get(caller_leg_uuid, ()))
        return [leg for itinerary in gone for leg in self._give_up(itinerary)]

    def newest_gone(self, caller_leg_uuid: str) -> list[Gone]:
        """As `caller_ended`, for the last call alone that this caller was admitted with."""
        planned = [each for each in self._by_caller.get(caller_leg_uuid, ()) if each.is_planned]
        return [leg for each in planned[-1:] for leg in self._give_up(each)]

    def that_may_not_be(self, is_barred: Callable[[Priced], bool]) -> list[Gone]:
        """As `caller_ended`, for calls that are not to be any more."""
        itineraries = [each for siblings in self._by_caller.values() for each in siblings]
        gone = [itinerary for itinerary in itineraries if is_barred(itinerary.priced)]
        return [leg for itinerary in gone for leg in self._give_up(itinerary)]

    def overdue(self, now_us: int) -> list[Gone]:
        """The legs that were awaited for too long."""
        late = [
            itinerary
            for itineraries in self._by_caller.values()
            for itinerary in itineraries
            if not itinerary.up and now_us - itinerary.since_us > AWAITED_MAX_US
        ]
        return [leg for itinerary in late for leg in self._give_up(itinerary)]

    def _give_up(self, itinerary: Itinerary) -> list[Gone]:
        itinerary.is_over = True
        if itinerary.up or itinerary.is_missing:
            return []  # a leg of it is up, or was: its end closes the itinerary
        return self._close(itinerary)

    def _close(self, itinerary: Itinerary) -> list[Gone]:
        for leg_uuid in itinerary.leg_uuids:
            if self._by_leg.get(leg_uuid) is itinerary:  # else it has one of its own by now
                del self._by_leg[leg_uuid]
        siblings = self._by_caller.get(itinerary.caller_leg_uuid, [])
        if itinerary in siblings:
            siblings.remove(itinerary)
        if not siblings:
            self._by_caller.pop(itinerary.caller_leg_uuid, None)
        never_came = dict.fromkeys([*itinerary.skipped(), *filter(None, [itinerary.awaited])])
        return [(itinerary.priced.account_id, leg_uuid) for leg_uuid in never_came]


def _takes_in(itinerary: Itinerary, priced: Priced) -> bool:
    """Whether an unplanned leg may live on the hold of these."""
    is_open = not itinerary.is_planned and not itinerary.answered and not itinerary.is_over
    mine, theirs = budget.first_charge(priced.price), budget.first_charge(itinerary.priced.price)
    return is_open and itinerary.priced.account_id == priced.account_id and mine <= theirs


def _without(leg_uuids: tuple[str, ...], leg_uuid: str) -> tuple[str, ...]:
    return tuple(each for each in leg_uuids if each != leg_uuid)
