"""Carriers: which may take the call, and in which order they are tried (terms 17)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class NumberFormat(StrEnum):
    """How a carrier wants numbers written; short codes (911) are always sent as they are."""

    E164 = "e164"  # 15145551234
    PLUS = "plus"  # +15145551234
    NATIONAL = "national"  # of country code 1: 5145551234; else as e164
    INTERNATIONAL = "international"  # of country code 1: 15145551234; else 011 and the digits


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """A carrier with a route to the number: what the store's carriers and routes say together."""

    name: str
    dial_template: str  # as `sofia/gateway/alpha/{number}`
    number_format: NumberFormat = NumberFormat.E164
    strip_digits: int = 0  # taken off the front of the formatted number
    prepend: str = ""  # put before what is left
    capacity: int | None = None  # calls at a time; None for no limit
    in_use: int = 0  # calls up by it now, as far as this agent knows
    priority: int = 1  # lower is tried first
    weight: int = 1  # the share among carriers of one priority; 0: only after those with a share
    progress_timeout_s: int | None = None  # without a sign of life for so long it has failed

    @property
    def has_room(self) -> bool:
        return self.capacity is None or self.in_use < self.capacity
