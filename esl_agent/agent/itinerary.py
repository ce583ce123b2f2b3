"""Itineraries: the legs that admission planned for a call, one for each carrier in order.

The money of a call is held under one leg at a time.  While a planned leg is
not there yet it is *awaited*; when a leg ends unanswered the next one is
awaited, and the store hands the hold over.  When the caller's leg ends, or
nothing happens for too long, an awaited leg will not come: it is given up.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from esl_agent.agent.book import Priced

#: How long a planned leg is awaited, in case the end of the caller's leg is missed.
AWAITED_MAX_US: Final = 600_000_000


@dataclass(slots=True)
class Itinerary:
    """`awaited` is the leg that the hold is under and that isn't there; None while a leg is up."""

    priced: Priced  # as of the caller's leg; each planned leg is priced the same
    caller_leg_uuid: str
    leg_uuids: tuple[str, ...]
    held: Decimal
    since_us: int
    awaited: str | None = None
    begun: set[str] = field(default_factory=set)  # legs that came: the end of one may be heard after the next
    is_over: bool = False  # no further leg will come
    carriers: Mapping[str, str | None] = field(default_factory=dict)  # of the legs, where known
    #: Of one that is taken up again: whether its first leg was there, and when it was last known to be.
    was_there: bool = False
    seen_us: int | None = None

    def after(self, leg_uuid: str) -> str | None:
        """The leg that is tried when this one fails."""
        position = self.leg_uuids.index(leg_uuid) + 1
        return self.leg_uuids[position] if position < len(self.leg_uuids) and not self.is_over else None


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
        itinerary.awaited = itinerary.leg_uuids[0]
        for leg_uuid in itinerary.leg_uuids:
            self._by_leg[leg_uuid] = itinerary
        self._by_caller.setdefault(itinerary.caller_leg_uuid, []).append(itinerary)

    def of_leg(self, leg_uuid: str) -> Itinerary | None:
        return self._by_leg.get(leg_uuid)

    def leg_began(self, leg_uuid: str) -> None:
        itinerary = self._by_leg[leg_uuid]
        itinerary.begun.add(leg_uuid)
        if itinerary.awaited == leg_uuid:
            itinerary.awaited = None

    def leg_ended(self, leg_uuid: str, *, was_answered: bool) -> str | None:
        """The leg to which the hold goes: it is awaited now, or is there; None where the call is over."""
        itinerary = self._by_leg[leg_uuid]
        following = None if was_answered else itinerary.after(leg_uuid)
        itinerary.awaited = following if following not in itinerary.begun else None
        if following is None:
            self._close(itinerary)
        return following

    def caller_ended(self, caller_leg_uuid: str) -> list[tuple[int, str]]:
        """The legs (account, UUID) that will not come now that the caller is gone."""
        gone = list(self._by_caller.get(caller_leg_uuid, ()))
        return [leg for itinerary in gone for leg in self._give_up(itinerary)]

    def newest_gone(self, caller_leg_uuid: str) -> list[tuple[int, str]]:
        """As `caller_ended`, for the last call alone that this caller was admitted with."""
        return [leg for each in self._by_caller.get(caller_leg_uuid, [])[-1:] for leg in self._give_up(each)]

    def of_accounts_gone(self, account_ids: Container[int]) -> list[tuple[int, str]]:
        """As `caller_ended`, for accounts that may make no calls any more."""
        itineraries = [each for siblings in self._by_caller.values() for each in siblings]
        gone = [itinerary for itinerary in itineraries if itinerary.priced.account_id in account_ids]
        return [leg for itinerary in gone for leg in self._give_up(itinerary)]

    def overdue(self, now_us: int) -> list[tuple[int, str]]:
        """The legs that were awaited for too long."""
        late = [
            itinerary
            for itineraries in self._by_caller.values()
            for itinerary in itineraries
            if itinerary.awaited and now_us - itinerary.since_us > AWAITED_MAX_US
        ]
        return [leg for itinerary in late for leg in self._give_up(itinerary)]

    def _give_up(self, itinerary: Itinerary) -> list[tuple[int, str]]:
        itinerary.is_over = True
        if itinerary.awaited is None:
            return []  # a leg of it is up, and its end closes the itinerary
        given_up = (itinerary.priced.account_id, itinerary.awaited)
        self._close(itinerary)
        return [given_up]

    def _close(self, itinerary: Itinerary) -> None:
        for leg_uuid in itinerary.leg_uuids:
            self._by_leg.pop(leg_uuid, None)
        siblings = self._by_caller.get(itinerary.caller_leg_uuid, [])
        if itinerary in siblings:
            siblings.remove(itinerary)
        if not siblings:
            self._by_caller.pop(itinerary.caller_leg_uuid, None)
