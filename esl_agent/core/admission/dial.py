"""Dial strings, one for each carrier: the leg's UUID, who pays for it, and its cut-off.

`[origination_uuid=U1,esl_account=1001,…]sofia/gateway/alpha/15145551234`

The dialplan bridges to one after the other.  In one string, with `|` between
them, the switch would try the next after busy and no answer, too.

Every piece comes through `tokens`: nothing that a phone sent can end a bracket,
add a variable or a carrier, or be expanded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from esl_agent.core.admission import tokens
from esl_agent.core.admission.carriers import Carrier
from esl_agent.core.admission.decision import Decision
from esl_agent.core.numbering.number import Number

ACCOUNT_ID_MAX: Final = 999_999_999_999_999_999
#: The switch runs every variable whose name begins with `api_on_answer`; the suffix keeps ours apart.
CUT_VARIABLE: Final = "api_on_answer_esl"
CUT_CAUSE: Final = "ALLOTTED_TIMEOUT"

_E164_DIGITS_MIN: Final = 7


@dataclass(frozen=True, slots=True)
class PlannedLeg:
    """A leg that will be made if the carriers before it fail.  Money is held under its UUID."""

    leg_uuid: str
    carrier: Carrier


def dial_strings(
    decision: Decision, legs: Sequence[PlannedLeg], cut_after_s: int | None = None
) -> tuple[str, ...]:
    """What `bridge` is given, time after time; nothing where nothing was admitted.

    The switch itself ends the call `cut_after_s` seconds after its answer, if
    the agent never speaks again (`call.first_switch_cut_s`); None for a call
    that isn't metered.  Raises TokenError or CarrierError.
    """
    if not decision.admitted or decision.number is None:
        return ()
    number = decision.number
    return tuple(
        f"[{_brackets(decision, number, leg, cut_after_s)}]{leg.carrier.dials(number)}" for leg in legs
    )


def number_for_pricing(number: Number) -> str:
    """The number such that it reads back as the same one: with its "+", or the short code bare."""
    digits = tokens.digits(number.digits)
    return f"+{digits}" if len(digits) >= _E164_DIGITS_MIN else digits


def cut_command(leg_uuid: str, after_s: int) -> str:
    """The switch's API command that ends a leg, in a group that the agent can take back.

    Each kill is one of a thread of its own (`&`): many that are due at once don't wait for each other.
    """
    leg = tokens.uuid(leg_uuid)
    return f"sched_api +{after_s:d} cut_{leg} uuid_kill {leg} {CUT_CAUSE}&"


def account_token(account_id: int) -> str:
    """The account's number as text; raises TokenError where it can't be one."""
    if not 0 <= account_id <= ACCOUNT_ID_MAX:
        raise tokens.TokenError(f"{account_id} is not an account's number")
    return f"{account_id:d}"


def _brackets(decision: Decision, number: Number, leg: PlannedLeg, cut_after_s: int | None) -> str:
    """The variables of one leg."""
    carrier = leg.carrier
    payer = {"esl_account": account_token(decision.account_id)} if decision.account_id else {}
    variables = {
        "origination_uuid": tokens.uuid(leg.leg_uuid),
        **payer,
        "esl_product": decision.product.value,
        "esl_number": number_for_pricing(number),
        "esl_carrier": tokens.name(carrier.name),
        # A 302 would lead to a number that nobody priced.
        "outbound_redirect_fatal": "true",
    }
    if decision.forwarded_from is not None:
        variables["esl_forwarded_from"] = tokens.digits(decision.forwarded_from)
    if decision.caller_id:
        # The name too, or the phone's own would go along.
        variables["origination_caller_id_number"] = carrier.shows(decision.caller_id)
        variables["origination_caller_id_name"] = carrier.shows(decision.caller_id)
    if carrier.progress_timeout_s is not None:
        variables["leg_progress_timeout"] = f"{carrier.progress_timeout_s:d}"
    if cut_after_s is not None:
        variables[CUT_VARIABLE] = cut_command(leg.leg_uuid, cut_after_s)
    return ",".join(f"{name}={value}" for name, value in variables.items())
