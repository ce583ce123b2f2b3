"""What restrictions leave of what an account may do (terms 5, 10, 11)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from esl_agent.core.admission.limits import Limits, TollFree
from esl_agent.core.admission.reasons import Reason
from esl_agent.core.numbering.number import NumberClass
from esl_agent.core.tariff import NEVER_CHARGED
from esl_agent.core.traffic.restriction import Restriction
from esl_agent.core.traffic.verdict import Action

REASON_OF_ACTION: Final[Mapping[Action, Reason]] = MappingProxyType(
    {
        Action.SUSPEND_ACCOUNT: Reason.TRAFFIC_SUSPENDED,
        Action.SUSPEND_OUTBOUND: Reason.OUTBOUND_SUSPENDED,
        Action.SUSPEND_DID: Reason.DID_SUSPENDED,
        Action.TOLL_FREE_OFF: Reason.TOLL_FREE_OFF,
    }
)
_STRICTNESS: Final = (TollFree.FREE, TollFree.RATED, TollFree.OFF)


def stopping(
    restrictions: Iterable[Restriction],
    number_class: NumberClass,
    numbers: Collection[str],
    *,
    goes_out: bool,
) -> Restriction | None:
    """The first that stops such calls, in which `numbers` of ours take part; none stops a call for help."""
    if number_class in NEVER_CHARGED:
        return None
    found = (each for each in restrictions if each.stops(number_class, numbers, goes_out=goes_out))
    return next(found, None)


def limits_under(limits: Limits, restrictions: Iterable[Restriction], when_off: TollFree) -> Limits:
    """The account's limits, or those of its open restrictions where they are stricter.

    `when_off` is what becomes of toll-free calls where a restriction takes the option away.
    """
    for each in restrictions:
        if each.action is Action.THROTTLE:
            limits = replace(
                limits,
                max_calls=_fewer(limits.max_calls, each.max_calls),
                calls_per_second=_fewer(limits.calls_per_second, each.calls_per_second),
            )
        elif each.action is Action.TOLL_FREE_OFF:
            limits = replace(limits, toll_free=max(limits.toll_free, when_off, key=_STRICTNESS.index))
    return limits


def _fewer(own: int | None, throttled: int | None) -> int | None:
    return min((each for each in (own, throttled) if each is not None), default=None)
