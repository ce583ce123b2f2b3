"""A leg, and how it ended, out of what the switch says of its channel.

Facts from FreeSWITCH 1.10 behind the rules here:

- `billusec` is `Caller-Channel-Hangup-Time` - `Caller-Channel-Answered-Time`
  (switch_channel.c, `switch_channel_set_timestamps`); `billsec` is the
  difference of two truncated seconds and is never read.
- `sip_hangup_disposition` says what happened on *this* leg: `recv_bye`,
  `recv_cancel` and `recv_refuse` came from its far end, `send_bye`,
  `send_cancel` and `send_refuse` were sent to it (mod_sofia.c, sofia.c).
- A far end may name any cause in a Reason header (sofia.c), so a cause is
  believed to be ours only where the switch did the hanging up.
- Media figures are set even where no packet came: MOS then says 4.50.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from esl_agent.core.leg import Direction, Leg, LegEnd, Product, Quality
from esl_agent.switch.events import EventError, HangupComplete, SwitchEvent, Value, text_of

#: The cause that both of our cut-offs give, the agent's own and the one that the switch holds.
CUT_CAUSE: Final = "ALLOTTED_TIMEOUT"
#: Causes by which the switch ends a leg of its own accord (switch_types.h, `switch_call_cause_t`).
SWITCH_CAUSES: Final = frozenset(
    {
        "CRASH",
        "LOSE_RACE",
        "MANAGER_REQUEST",
        "MEDIA_TIMEOUT",
        "NO_ANSWER",
        "PICKED_OFF",
        "PROGRESS_TIMEOUT",
        "RECOVERY_ON_TIMER_EXPIRE",
        "SRTP_READ_ERROR",
        "SYSTEM_SHUTDOWN",
    }
)
LOOPBACK_PREFIX: Final = "loopback/"  # mod_loopback.c names its channels so
LOOPBACK_MODULE: Final = "mod_loopback"
SIP_OK: Final = 200
SIP_FAILURE_MIN: Final = 300
SIP_FAILURE_MAX: Final = 699

_PRODUCTS: Final = {product.value: product for product in Product}
_ACCOUNT: Final = re.compile("[1-9][0-9]{0,17}", re.ASCII)
_SIP_CODE: Final = re.compile("(?:sip:)?([0-9]{3})", re.ASCII)
_WHOLE: Final = re.compile("[0-9]{1,18}", re.ASCII)
_FIGURE: Final = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,6})?", re.ASCII)
_HUNDREDTH: Final = Decimal("0.01")


def leg_of(event: SwitchEvent) -> Leg:
    """The leg that a channel event, a channel dump or a channel's headers tell of.

    An account that is no plain number, and a product of another name, count as
    none: `account_fault` says so.  Raises EventError where it tells of no leg.
    """
    if not event.unique_id or not event.created_us or event.direction not in ("inbound", "outbound"):
        raise EventError(f"a {event.name} event tells of no leg: it lacks its id, direction or time")
    destination = text_of(event.destination)
    account = text_of(event.account)
    return Leg(
        leg_uuid=event.unique_id,
        direction=Direction(event.direction),
        created_us=event.created_us,
        account_id=int(account) if _ACCOUNT.fullmatch(account) else None,
        product=_PRODUCTS.get(text_of(event.product)),
        priced_number=text_of(event.number) or destination,
        destination=destination,
        caller_number=text_of(event.caller_number),
        other_leg_uuid=event.other_leg_uuid or None,
        carrier=text_of(event.carrier) or None,
        forwarded_from=text_of(event.forwarded_from) or None,
        is_loopback=_is_loopback(event),
        is_users=text_of(event.authorized) == "true",
        answered_us=event.answered_us or None,
    )


def _is_loopback(event: SwitchEvent) -> bool:
    """By its name and by the module that made it.

    A phone can name its channel, and with it the carrier's (`X-FS-Channel-Name`);
    the module is handed on from a caller's leg to the one that is made for it
    (switch_ivr_originate.c).  `variable_is_loopback` comes with the end alone.
    """
    is_named_so = text_of(event.channel_name).startswith(LOOPBACK_PREFIX)
    return is_named_so and text_of(event.made_by) == LOOPBACK_MODULE


def account_fault(event: SwitchEvent) -> str | None:
    """Why the leg has no payer although its dialplan named one; None where there is nothing to say."""
    account = text_of(event.account)
    if account and not _ACCOUNT.fullmatch(account):
        return f"the account {account[:40]!r} is no number of 1 to 18 digits"
    product = text_of(event.product)
    if product and product not in _PRODUCTS:
        return f"the product {product[:40]!r} is none of {', '.join(_PRODUCTS)}"
    return None


def leg_end_of(event: SwitchEvent) -> LegEnd:
    """The end that a CHANNEL_HANGUP_COMPLETE tells of.  Raises EventError for anything less."""
    if not isinstance(event, HangupComplete) or not event.hangup_us:
        raise EventError(f"a {event.name} event tells of no end: it lacks its hang-up time")
    leg = leg_of(event)
    return LegEnd(
        leg=leg,
        ended_us=event.hangup_us,
        duration_us=_duration_us(event),
        hangup_cause=event.hangup_cause,
        sip_code=_sip_code(event),
        ended_by=_ended_by(event),
        quality=_quality(event),
        recording=text_of(event.recording) or None,
        recorded_us=_recorded_us(event),
    )


def _duration_us(event: HangupComplete) -> int:
    return max(0, event.hangup_us - event.answered_us) if event.answered_us else 0


def _recorded_us(event: HangupComplete) -> tuple[int, int] | None:
    """From when until when the leg was recorded, as our dialplan noted it; else to its end."""
    since, until = text_of(event.recording_at), text_of(event.recording_until)
    if not event.recording or not _WHOLE.fullmatch(since) or int(since) > event.hangup_us:
        return None
    until_us = int(until) if _WHOLE.fullmatch(until) else event.hangup_us
    return int(since), min(until_us, event.hangup_us)


def _sip_code(event: HangupComplete) -> int | None:
    """The final answer to the leg's INVITE, where it is known.

    Later answers (to a BYE, to a re-INVITE) stand in the same variables, so an
    answered leg had 200 whatever they say, and an unanswered one only a failure.
    """
    if event.answered_us:
        return SIP_OK
    return _failure_code(event.protocol_cause) or _failure_code(event.invite_failure)


def _failure_code(value: Value) -> int | None:
    match = _SIP_CODE.fullmatch(text_of(value))
    code = int(match[1]) if match else 0
    return code if SIP_FAILURE_MIN <= code <= SIP_FAILURE_MAX else None


def _ended_by(event: HangupComplete) -> str:
    """Who hung up: caller, callee, agent (the money ended), switch or unknown."""
    is_caller_leg = event.direction == Direction.INBOUND
    far_end, other_end = ("caller", "callee") if is_caller_leg else ("callee", "caller")
    disposition = text_of(event.hangup_disposition)
    if disposition.startswith("recv_"):
        return far_end
    if event.hangup_cause == CUT_CAUSE:
        return "agent"
    if event.hangup_cause in SWITCH_CAUSES:
        return "switch"
    if not event.answered_us and _failure_code(event.protocol_cause):
        return far_end  # a redirection is refused by a CANCEL of our own: the answer came first
    if disposition == "send_refuse" and not _failure_code(event.invite_failure):
        return "switch"  # no other leg had failed: the dialplan refused
    return other_end if disposition.startswith("send_") else "unknown"


def _quality(event: HangupComplete) -> Quality:
    """MOS as the switch says it; loss as per cent; jitter as the worst standard deviation.

    The switch tells loss as a fraction and jitter as a variance in ms²
    (switch_rtp.c, `burstr_calculate` and `check_jitter`).
    """
    packets = text_of(event.media_packets)
    if not _WHOLE.fullmatch(packets) or not int(packets):
        return Quality(None, None, None)
    mos, loss, variance = (_figure(value) for value in (event.mos, event.loss_rate, event.jitter_variance))
    return Quality(
        mos=None if mos is None else str(mos),
        packet_loss=None if loss is None else str((loss * 100).quantize(_HUNDREDTH)),
        jitter_ms=None if variance is None else str(variance.sqrt().quantize(_HUNDREDTH)),
    )


def _figure(value: Value) -> Decimal | None:
    text = text_of(value)
    return Decimal(text) if _FIGURE.fullmatch(text) else None
