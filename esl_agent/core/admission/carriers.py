"""Carriers: which may take the call, and in which order they are tried (terms 17)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from typing import Final

from esl_agent.core.admission import tokens
from esl_agent.core.numbering.number import Number, NumberClass
from esl_agent.errors import EslAgentError

#: Tried for one call; a caller hears silence while they are.
CARRIERS_TRIED_MAX: Final = 4
WEIGHT_MAX: Final = 1_000
STRIP_DIGITS_MAX: Final = 15
PROGRESS_TIMEOUT_S_MAX: Final = 120

#: Sent as they were dialled, with nothing put before them: 911 is 911.
_SHORT_CODES: Final = frozenset({NumberClass.EMERGENCY, NumberClass.CRISIS, NumberClass.SERVICE})

_PLACE: Final = "{number}"
_TEMPLATE: Final = re.compile(r"[a-z_]+/[A-Za-z0-9_.:;@/+=-]*", re.ASCII)
_TEMPLATE_CHARACTERS_MAX: Final = 200
_PREPEND: Final = re.compile(r"[0-9+*#]{0,16}", re.ASCII)
#: `:_:` would make two calls of one (switch_types.h, SWITCH_ENT_ORIGINATE_DELIM).
_ENTERPRISE: Final = ":_:"
#: A loopback leg would walk through the dialplan again, and is never billed.
_NOT_CARRIERS: Final = ("loopback/", "group/", "user/", "error/")


class NumberFormat(StrEnum):
    """How a carrier wants numbers written; short codes (911) are always sent as they are."""

    E164 = "e164"  # 15145551234
    PLUS = "plus"  # +15145551234
    NATIONAL = "national"  # of country code 1: 5145551234; else 011 and the digits
    INTERNATIONAL = "international"  # of country code 1: 15145551234; else 011 and the digits


class CarrierError(EslAgentError):
    """A carrier that can't be called as it is described; the message says what to put right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """A carrier with a route to the number: what the store's carriers and routes say together.

    One that exists can be dialled: making one raises CarrierError where a part
    of it would mean something else to the switch.
    """

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

    def __post_init__(self) -> None:
        problem = _problem(self)
        if problem:
            raise CarrierError(f"carrier {self.name!r}: {problem}")

    @property
    def has_room(self) -> bool:
        return self.capacity is None or self.in_use < self.capacity

    def sends(self, number: Number) -> str:
        """`number` as this carrier is sent it; raises CarrierError where nothing of it is left."""
        if number.number_class in _SHORT_CODES:
            return tokens.digits(number.digits)
        formatted = _written(number.digits, self.number_format, abroad="011")
        left = formatted[self.strip_digits :]
        if not left:
            raise CarrierError(f"carrier {self.name!r}: strips {self.strip_digits} digits off {formatted}")
        return tokens.sent_number(self.prepend + left)

    def dials(self, number: Number) -> str:
        """Where the switch is to call, as `sofia/gateway/alpha/15145551234`."""
        return self.dial_template.replace(_PLACE, self.sends(number))

    def shows(self, caller_id: str) -> str:
        """The caller ID, E.164 digits, as this carrier wants it."""
        return tokens.sent_number(_written(tokens.digits(caller_id), self.number_format, abroad=""))


def _written(digits: str, number_format: NumberFormat, abroad: str) -> str:
    """E.164 digits in a carrier's format; `abroad` is what is dialled before another country's."""
    match number_format:
        case NumberFormat.PLUS:
            return "+" + digits
        case NumberFormat.NATIONAL if digits.startswith("1"):
            return digits[1:]
        case NumberFormat.NATIONAL | NumberFormat.INTERNATIONAL if not digits.startswith("1"):
            return abroad + digits
    return digits


def choose(
    carriers: Iterable[Carrier], seed: int, *, most: int = CARRIERS_TRIED_MAX, even_full: bool = False
) -> tuple[Carrier, ...]:
    """The carriers in the order in which to try them; `most` of them.

    By priority, and within one by chance, each as likely to be next as its
    weight among those that are left (RFC 2782, "Weight").  `seed` is that
    chance: a whole number of 64 random bits or more.  A carrier that is full is
    left out, unless `even_full`: an emergency call tries everyone.
    """
    usable = sorted((c for c in carriers if even_full or c.has_room), key=lambda c: (c.priority, c.name))
    order: list[Carrier] = []
    for _, group in groupby(usable, key=lambda c: c.priority):
        drawn, seed = _draw_all(list(group), seed)
        order += drawn
    return tuple(order[:most])


def _draw_all(carriers: list[Carrier], seed: int) -> tuple[list[Carrier], int]:
    """Each draw takes its chance off the seed, as a digit whose base is the weight that is left."""
    drawn = []
    while carriers:
        total = sum(carrier.weight for carrier in carriers)
        seed, ticket = divmod(seed, total or len(carriers))
        drawn.append(carriers.pop(_holder(carriers, ticket) if total else ticket))
    return drawn, seed


def _holder(carriers: list[Carrier], ticket: int) -> int:
    """Whose ticket it is, where each carrier has as many as its weight."""
    for index, carrier in enumerate(carriers):
        ticket -= carrier.weight
        if ticket < 0:
            return index
    raise AssertionError("a ticket beyond the last")


def _problem(carrier: Carrier) -> str:
    template = carrier.dial_template
    try:
        tokens.name(carrier.name)
    except tokens.TokenError as error:
        return str(error)
    if template.count(_PLACE) != 1 or len(template) > _TEMPLATE_CHARACTERS_MAX:
        return f"the dial template {template[:40]!r} has to hold {_PLACE} once: sofia/gateway/alpha/{_PLACE}"
    if not _TEMPLATE.fullmatch(template.replace(_PLACE, "0")) or _ENTERPRISE in template:
        return f"the dial template {template!r} holds what the switch would take apart"
    if template.startswith(_NOT_CARRIERS):
        return f"{template.partition('/')[0]} is no way to a carrier: use sofia"
    if not _PREPEND.fullmatch(carrier.prepend):
        return f"prepends {carrier.prepend!r}: at most 16 of 0-9 + * #"
    return _problem_of_figures(carrier)


def _problem_of_figures(carrier: Carrier) -> str:
    timeout_s = carrier.progress_timeout_s
    if not 0 <= carrier.strip_digits <= STRIP_DIGITS_MAX:
        return f"strips {carrier.strip_digits} digits: give 0 to {STRIP_DIGITS_MAX}"
    if not 0 <= carrier.weight <= WEIGHT_MAX:
        return f"has a weight of {carrier.weight}: give 0 to {WEIGHT_MAX}"
    if timeout_s is not None and not 1 <= timeout_s <= PROGRESS_TIMEOUT_S_MAX:
        return f"times out after {timeout_s} s: give 1 to {PROGRESS_TIMEOUT_S_MAX}"
    return ""
