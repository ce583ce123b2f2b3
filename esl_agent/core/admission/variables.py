"""The answer to the switch, as channel variables of the caller's leg.

Every answer sets every variable of its product, with "" for those that it has no value for:
a leg that asks again after a transfer must not find what it was told before.
The switch takes "" as "unset" (switch_channel.c, `switch_channel_add_variable_var_check`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Final

from esl_agent.core.admission import tokens
from esl_agent.core.admission.carriers import CARRIERS_TRIED_MAX
from esl_agent.core.admission.decision import Decision
from esl_agent.core.admission.dial import CUT_VARIABLE, account_token, number_for_pricing
from esl_agent.core.leg import Product

ADMITTED: Final = "esl_admitted"
#: The dial strings, in the order in which the dialplan bridges to them.
ROUTES: Final = tuple(f"esl_route_{place}" for place in range(1, CARRIERS_TRIED_MAX + 1))

#: Between variables of `multiset`; no value holds it.
_DELIMITER: Final = "~"
#: Nothing that the switch expands, splits or takes off: no $ \\ ' " ~ % and no line ends.
_VALUE: Final = re.compile(r"[A-Za-z0-9_.:;@/+=,|\[\]*# &-]*", re.ASCII)
_VARIABLE: Final = re.compile(r"[a-z_][a-z0-9_]{0,63}", re.ASCII)


def answer_variables(
    decision: Decision, admission_uuid: str, dial_strings: Sequence[str] = (), own_cut: str = ""
) -> dict[str, str]:
    """The variables in the order in which they are to be set: `esl_admitted` last, when all else stands.

    `own_cut` is the command that ends a leg that came in, when what is held for it is used up.
    """
    refusal = None if decision.admitted else decision.refusal
    variables = {
        "esl_admission": tokens.uuid(admission_uuid),
        "esl_reason": refusal.reason.value if refusal else "",
        "esl_sip_code": str(refusal.sip_code) if refusal else "",
        "esl_hangup_cause": refusal.hangup_cause if refusal else "",
        "esl_announcement": refusal.announcement if refusal else "",
        "esl_tags": ",".join(decision.tags),
        **dict(zip_longest(ROUTES, dial_strings if decision.admitted else (), fillvalue="")),
        "esl_forward_to": f"+{tokens.digits(decision.forward_to)}" if decision.forward_to else "",
        "esl_forward_when": tokens.name(decision.forward_when) if decision.forward_to else "",
    }
    variables |= _recording(decision)
    if decision.product is Product.INBOUND:
        variables |= _payer(decision) | {CUT_VARIABLE: own_cut}
    if decision.admitted and decision.caller_id:
        # Left out rather than unset: where there is none, the directory's own has to stand.
        variables["effective_caller_id_number"] = tokens.digits(decision.caller_id)
        variables["effective_caller_id_name"] = tokens.digits(decision.caller_id)
    variables[ADMITTED] = "true" if decision.admitted else "false"
    return {name: checked_value(name, value) for name, value in variables.items()}


def _recording(decision: Decision) -> dict[str, str]:
    """Whether the call is recorded, for which account it is kept, and who is to be told before."""
    recording = decision.recording if decision.admitted else None
    return {
        "esl_record": tokens.digits(recording.department) if recording else "",
        "esl_record_tell": recording.tell.value if recording else "",
        "esl_record_account": account_token(decision.account_id) if recording else "",
    }


def _payer(decision: Decision) -> dict[str, str]:
    """Who pays for the leg that asks, where it came in to a DID.

    Left alone on any other: the legs that go out have it in their dial strings,
    and one of these, sent on by a transfer, must stay what it was.
    """
    return {
        "esl_account": account_token(decision.account_id) if decision.account_id else "",
        "esl_product": decision.product.value,
        "esl_number": number_for_pricing(decision.number) if decision.number else "",
    }


def as_multiset(variables: Mapping[str, str]) -> str:
    """The argument of `multiset` that sets them in one go (mod_dptools.c, `multiset_function`)."""
    pairs = (f"{name}={checked_value(name, value)}" for name, value in variables.items())
    return f"^^{_DELIMITER}" + _DELIMITER.join(pairs)


def checked_value(name: str, value: str) -> str:
    """`value`; raises TokenError where the switch would make something else of it."""
    if not _VARIABLE.fullmatch(name):
        raise tokens.TokenError(f"{name[:40]!r} is not the name of a variable of ours")
    if not _VALUE.fullmatch(value) or value != value.strip():
        raise tokens.TokenError(f"{name} can't be set to {value[:40]!r}")
    return value
