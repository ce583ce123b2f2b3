"""What is written down of a call with the money that is held for it, and read by a daemon that never saw it.

`remember` makes the text that the store keeps beside a hold, `recall` reads
it.  It names all that taking the call up again needs, and that its CDR needs if
nothing more is ever heard of it: who pays what, the legs that were planned, and
when it was last known to be up.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from esl_agent.agent.pricing import Priced
from esl_agent.core.leg import Direction, Leg, Product
from esl_agent.core.numbering.number import Number, NumberClass
from esl_agent.core.price import Price
from esl_agent.errors import EslAgentError

#: A text that came over the wire is cut to this, as on a CDR.
TEXT_CHARACTERS_MAX: Final = 256


class KnownError(EslAgentError):
    """A text that no daemon of this version wrote."""


class KnownLeg(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A leg that was planned for the call, in the order in which they are tried."""

    leg_uuid: str
    carrier: str | None = None


class Known(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Times are microseconds since 1970 on the switch's clock."""

    legs: tuple[KnownLeg, ...]
    caller_leg_uuid: str  # "" where it isn't known
    product: Product
    caller: str
    dialled: str
    number: str  # normalised digits
    number_class: NumberClass
    price: Price
    currency: str
    created_us: int
    as_of_us: int  # the call was up then, as far as the agent knew
    answered_us: int | None = None
    is_up: bool = False  # the leg itself was there at `as_of_us`, and not only to come
    country: str = ""
    forwarded_from: str | None = None
    rule: str | None = None
    tags: tuple[str, ...] = ()


_decoder = msgspec.json.Decoder(Known)


def remember(
    priced: Priced,
    caller_leg_uuid: str,
    legs: Iterable[tuple[str, str | None]],
    *,
    as_of_us: int,
    answered_us: int | None = None,
    is_up: bool = False,
) -> str:
    """The text for a call whose planned legs, with their carriers, are `legs`."""
    leg = priced.leg
    known = Known(
        legs=tuple(KnownLeg(leg_uuid, carrier and _clean(carrier)) for leg_uuid, carrier in legs),
        caller_leg_uuid=_clean(caller_leg_uuid),
        product=leg.product or Product.TERMINATION,
        caller=_clean(leg.caller_number),
        dialled=_clean(leg.priced_number),
        number=priced.number.digits,
        number_class=priced.number.number_class,
        country=priced.number.country,
        price=priced.price,
        currency=priced.currency,
        created_us=leg.created_us,
        as_of_us=as_of_us,
        answered_us=answered_us,
        is_up=is_up,
        forwarded_from=leg.forwarded_from,
        rule=priced.rule,
        tags=priced.tags,
    )
    return msgspec.json.encode(known).decode()


def recall(text: str) -> Known:
    """Raises KnownError."""
    try:
        known = _decoder.decode(text)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise KnownError(f"what is known of a call can't be read: {error}") from None
    if not known.legs:
        raise KnownError("what is known of a call names no leg")
    return known


def newest(texts: Iterable[str | None]) -> Known:
    """The best of what was written of one leg: that it was answered, then the latest; raises KnownError.

    While nobody has answered, further legs may be to come: those that any of them names.  One that can't be
    read does not matter where another can.
    """
    readable, error = [], KnownError("nothing is known of the call")
    for text in filter(None, texts):
        try:
            readable.append(recall(text))
        except KnownError as unreadable:
            error = unreadable
    if not readable:
        raise error
    best = max(readable, key=lambda known: (known.answered_us is not None, known.as_of_us))
    if best.answered_us is not None:
        return best
    planned = max(readable, key=lambda known: len(known.legs))
    return msgspec.structs.replace(best, legs=planned.legs, caller_leg_uuid=planned.caller_leg_uuid)


def priced_of(known: Known, account_id: int, leg_uuid: str) -> Priced:
    """The call as of one of its legs, at the price that it was admitted with."""
    carrier = next((each.carrier for each in known.legs if each.leg_uuid == leg_uuid), None)
    is_inbound = known.product is Product.INBOUND
    leg = Leg(
        leg_uuid=leg_uuid,
        direction=Direction.INBOUND if is_inbound else Direction.OUTBOUND,
        created_us=known.created_us,
        account_id=account_id,
        product=known.product,
        priced_number=known.dialled,
        destination=known.dialled,
        caller_number=known.caller,
        other_leg_uuid=None if is_inbound else known.caller_leg_uuid or None,
        carrier=carrier,
        forwarded_from=known.forwarded_from,
        is_loopback=False,
        answered_us=known.answered_us,
    )
    number = Number(known.dialled, known.number, known.country, known.number_class)
    return Priced(leg, account_id, number, known.price, known.currency, rule=known.rule, tags=known.tags)


def _clean(text: str) -> str:
    """What can be written as JSON: no half of a surrogate pair, not too long."""
    return text[:TEXT_CHARACTERS_MAX].encode(errors="replace").decode()
