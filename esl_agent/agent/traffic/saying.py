"""What is said of verdicts and restrictions: a line of the log, and a message for the operator's programs."""

from __future__ import annotations

from typing import Final

import msgspec

from esl_agent.core.traffic.restriction import TRAFFIC, Restriction
from esl_agent.core.traffic.verdict import Action, Figure, Verdict
from esl_agent.noc.log import mask_number
from esl_agent.store.cdrs import to_time
from esl_agent.store.restrictions import Kept

#: The names of messages, as receivers of webhooks tell them apart.
ALERT_EVENT: Final = "traffic.alert"
RESTRICTED_EVENT: Final = "traffic.restricted"


def word_of(action: Action) -> str:
    return "TRAFFIC_ALERT" if action is Action.ALERT else "TRAFFIC_RESTRICTED"


def fields_of(restriction: Restriction) -> dict[str, object]:
    """Of a restriction, for the log; `number` is the DID, which the log may mask."""
    is_rules = restriction.made_by == TRAFFIC
    return {
        "restriction": restriction.restriction,
        "account": restriction.account_id,
        "number": restriction.did or None,
        "action": restriction.action,
        "rule": restriction.rule if is_rules else None,
        "by": None if is_rules else restriction.made_by,
        "reason": restriction.reason or None,
        "until": _time(restriction.until_us),
    }


def fields_of_verdict(verdict: Verdict, restriction: Restriction, stored: str | None) -> dict[str, object]:
    """As `fields_of`, with the figures; `stored` says how where it is not in the database."""
    figures = ",".join(map(_figure_text, verdict.figures)) or None
    return fields_of(restriction) | {"figures": figures, "stored": stored}


def fields_of_cleared(kept: Kept) -> dict[str, object]:
    fields = fields_of(kept.restriction)
    return fields | {"by": kept.cleared_by, "reason": kept.cleared_reason, "until": None}


def message_of(verdict: Verdict, restriction: Restriction, *, mask_numbers: bool) -> str:
    """JSON: the verdict with its evidence; times are UTC, numbers of figures are text, exact."""
    hide = mask_number if mask_numbers else str
    message = {
        "type": ALERT_EVENT if verdict.action is Action.ALERT else RESTRICTED_EVENT,
        "timestamp": _time(verdict.at_us),
        "data": {
            "restriction": restriction.restriction,
            "account_id": verdict.account_id,
            "did": hide(verdict.did),
            "rule": verdict.rule,
            "action": verdict.action,
            "until": _time(restriction.until_us),
            "ends_calls": verdict.ends_calls,
            "max_calls": verdict.max_calls,
            "calls_per_second": verdict.calls_per_second,
            "figures": verdict.figures,
            "calls": [
                {
                    "leg_uuid": call.leg_uuid,
                    "at": _time(call.at_us),
                    "number": hide(call.number),
                    "talk_us": call.talk_us,
                }
                for call in verdict.calls
            ],
        },
    }
    return msgspec.json.encode(message).decode()


def _figure_text(figure: Figure) -> str:
    return f"{figure.measure}/{figure.window}:{figure.value}({figure.threshold})"


def _time(us: int | None) -> str | None:
    return None if us is None else f"{to_time(us):%Y-%m-%dT%H:%M:%SZ}"
