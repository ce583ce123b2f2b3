"""Why a call is refused: each reason with its SIP answer, hangup cause, announcement and meaning.

The hangup causes are those that mod_sofia itself would answer with the same
SIP code (mod_sofia.c, `hangup_cause_to_sip`; RFC 4497 8.4.1), so that it makes
no difference whether the dialplan responds or hangs up; 402 has no such cause.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple


class Reason(StrEnum):
    """The words stand in the log, on refused CDRs and in channel variables."""

    NO_DECISION = "no_decision"
    JOURNAL_FULL = "journal_full"
    UNKNOWN_DID = "unknown_did"
    UNKNOWN_ACCOUNT = "unknown_account"
    TERMS_NOT_ACCEPTED = "terms_not_accepted"
    ACCOUNT_SUSPENDED = "account_suspended"
    ACCOUNT_CLOSED = "account_closed"
    TRAFFIC_SUSPENDED = "traffic_suspended"
    OUTBOUND_SUSPENDED = "outbound_suspended"
    DID_SUSPENDED = "did_suspended"
    NUMBER_NOT_UNDERSTOOD = "number_not_understood"
    BLOCKED_BY_OPERATOR = "blocked_by_operator"
    BLOCKED_BY_ACCOUNT = "blocked_by_account"
    PREMIUM_BLOCKED = "premium_blocked"
    CALLER_ID_NOT_OWNED = "caller_id_not_owned"
    PAYPHONE_REJECTED = "payphone_rejected"
    TOLL_FREE_OFF = "toll_free_off"
    FORWARDED_TO_ITSELF = "forwarded_to_itself"
    NO_PLAN = "no_plan"
    NO_RATE = "no_rate"
    NO_ROUTE = "no_route"
    CARRIERS_FULL = "carriers_full"
    TOO_MANY_CALLS = "too_many_calls"
    TOO_FAST = "too_fast"
    DAY_SPEND = "day_spend"
    CALL_SPEND = "call_spend"
    NO_FUNDS = "no_funds"
    OUTAGE_LIMIT = "outage_limit"
    NOT_RECORDABLE = "not_recordable"


class Refusal(NamedTuple):
    """How a refused call is answered, what it means, and what to do about it."""

    reason: Reason
    sip_code: int
    hangup_cause: str
    announcement: str  # the name of a recording that the dialplan may play; "" for none
    meaning: str
    action: str


_FORBIDDEN: Final = (403, "OUTGOING_CALL_BARRED")
_BARRED_IN: Final = (403, "INCOMING_CALL_BARRED")
_NO_SUCH_NUMBER: Final = (404, "UNALLOCATED_NUMBER")
_NO_WAY_THERE: Final = (404, "NO_ROUTE_DESTINATION")
_INCOMPLETE: Final = (484, "INVALID_NUMBER_FORMAT")
_LINES_BUSY: Final = (486, "USER_BUSY")
_NOT_NOW: Final = (503, "NORMAL_TEMPORARY_FAILURE")
_CONGESTED: Final = (503, "SWITCH_CONGESTION")
_PAY_FIRST: Final = (402, "OUTGOING_CALL_BARRED")


def _table(*refusals: Refusal) -> Mapping[Reason, Refusal]:
    return MappingProxyType({refusal.reason: refusal for refusal in refusals})


REFUSALS: Final = _table(
    Refusal(
        Reason.NO_DECISION,
        *_NOT_NOW,
        "try_later",
        "The database did not answer, so nothing is known of the account.",
        "Bring Postgres back: look for `DB_DOWN`.",
    ),
    Refusal(
        Reason.JOURNAL_FULL,
        *_NOT_NOW,
        "try_later",
        "The journal has no room for what the call would cost, or its disk fails; calls that are up go on.",
        "Look for `JOURNAL_FULL` or `JOURNAL_FAILED`, and see docs/journal.md.",
    ),
    Refusal(
        Reason.UNKNOWN_DID,
        *_NO_SUCH_NUMBER,
        "invalid_number",
        "The number that was called belongs to no account.",
        "Add it with `esl-agent number add`, or have the carrier stop sending its calls.",
    ),
    Refusal(
        Reason.UNKNOWN_ACCOUNT,
        *_FORBIDDEN,
        "",
        "The switch names a payer that is no account, or names none.",
        "Is `accountcode` in the SIP directory an account's number?",
    ),
    Refusal(
        Reason.TERMS_NOT_ACCEPTED,
        *_FORBIDDEN,
        "account_inactive",
        "The customer has not accepted the terms of service (terms 16).",
        "`esl-agent account accept-terms` when they are.",
    ),
    Refusal(
        Reason.ACCOUNT_SUSPENDED,
        *_FORBIDDEN,
        "account_inactive",
        "The account is suspended (terms 2).",
        "`esl-agent account show` says why and by whom; `resume` lifts it.",
    ),
    Refusal(
        Reason.ACCOUNT_CLOSED,
        *_FORBIDDEN,
        "account_inactive",
        "The account was closed, for good.",
        "Take its phones out of the SIP directory.",
    ),
    Refusal(
        Reason.TRAFFIC_SUSPENDED,
        *_FORBIDDEN,
        "account_inactive",
        "All calls of the account are suspended for its traffic (terms 10, 11).",
        "`esl-agent traffic explain` has the evidence; `traffic clear` lifts it.",
    ),
    Refusal(
        Reason.OUTBOUND_SUSPENDED,
        *_FORBIDDEN,
        "account_inactive",
        "The account's calls out are suspended for its traffic (terms 10, 13); calls that come in go on.",
        "`esl-agent traffic explain` has the evidence; `traffic clear` lifts it.",
    ),
    Refusal(
        Reason.DID_SUSPENDED,
        *_BARRED_IN,
        "",
        "The DID that was called, forwards or is the caller ID is suspended for its traffic (terms 11).",
        "`esl-agent traffic explain` has the evidence; `traffic clear` lifts it.",
    ),
    Refusal(
        Reason.NUMBER_NOT_UNDERSTOOD,
        *_INCOMPLETE,
        "invalid_number",
        "What was dialled is no number that can be called; the detail says in which way.",
        "`esl-agent quote` reads numbers the same way.",
    ),
    Refusal(
        Reason.BLOCKED_BY_OPERATOR,
        *_FORBIDDEN,
        "destination_blocked",
        "The class or country of the number is blocked for everybody (terms 13).",
        "`[admission]` in the configuration has the lists.",
    ),
    Refusal(
        Reason.BLOCKED_BY_ACCOUNT,
        *_FORBIDDEN,
        "destination_blocked",
        "The class, country or prefix of the number is blocked for this account (terms 13).",
        "`esl-agent account show` has the lists.",
    ),
    Refusal(
        Reason.PREMIUM_BLOCKED,
        *_FORBIDDEN,
        "destination_blocked",
        "A premium rate number, such as 1 900 or 976 (terms 13).",
        "`[admission] allow_premium` lets them pass, for every account.",
    ),
    Refusal(
        Reason.CALLER_ID_NOT_OWNED,
        *_FORBIDDEN,
        "caller_id_refused",
        "The caller ID is neither a DID of the account nor verified for it (terms 11).",
        "Add the number as `verified`, or set the account to replace it by a default one.",
    ),
    Refusal(
        Reason.PAYPHONE_REJECTED,
        *_BARRED_IN,
        "payphone_refused",
        "A payphone called a toll-free DID that takes no calls from payphones (terms 6).",
        "The DID's `payphone_policy` is the customer's to choose.",
    ),
    Refusal(
        Reason.TOLL_FREE_OFF,
        *_FORBIDDEN,
        "destination_blocked",
        "The account's option of calling toll-free numbers is off (terms 5).",
        "Where a rule did that, the detail says which and until when; else `esl-agent account limits`.",
    ),
    Refusal(
        Reason.FORWARDED_TO_ITSELF,
        *_NO_WAY_THERE,
        "invalid_number",
        "A DID is forwarded to itself; the call would go round for ever.",
        "Have the customer forward it elsewhere.",
    ),
    Refusal(
        Reason.NO_PLAN,
        *_NOT_NOW,
        "try_later",
        "The account's plan does not exist, or was not read yet.",
        "`esl-agent plan list`; the daemon reads plans on SIGHUP.",
    ),
    Refusal(
        Reason.NO_RATE,
        *_NO_WAY_THERE,
        "destination_blocked",
        "No prefix of the account's deck matches the number, so it has no price.",
        "Add the prefix to the deck, or block the destination.",
    ),
    Refusal(
        Reason.NO_ROUTE,
        *_NO_WAY_THERE,
        "destination_blocked",
        "No carrier has a route to the number.",
        "`esl-agent route list`; a carrier that is disabled has none.",
    ),
    Refusal(
        Reason.CARRIERS_FULL,
        *_CONGESTED,
        "try_later",
        "Every carrier with a route to the number has as many calls up as it may.",
        "Raise a carrier's capacity, or add a route by another.",
    ),
    Refusal(
        Reason.TOO_MANY_CALLS,
        *_LINES_BUSY,
        "too_many_calls",
        "The account has as many calls up as it may (terms 13).",
        "`esl-agent account show` has the limit, and what throttles it.",
    ),
    Refusal(
        Reason.TOO_FAST,
        *_CONGESTED,
        "",
        "The account places more calls a second than it may (terms 10, 13).",
        "Is it a dialer? If not, raise the limit.",
    ),
    Refusal(
        Reason.DAY_SPEND,
        *_FORBIDDEN,
        "spend_limit",
        "The call would bring what the account spent today above its limit (terms 13).",
        "Ask the customer whether the traffic is genuine before raising it.",
    ),
    Refusal(
        Reason.CALL_SPEND,
        *_FORBIDDEN,
        "spend_limit",
        "The first charge alone is above what the account may spend on one call (terms 13).",
        "`esl-agent account show` has the limit.",
    ),
    Refusal(
        Reason.NO_FUNDS,
        *_PAY_FIRST,
        "no_funds",
        "The account's free balance doesn't cover the call's first charge (terms 1).",
        "The customer has to top up.",
    ),
    Refusal(
        Reason.OUTAGE_LIMIT,
        *_NOT_NOW,
        "try_later",
        "The database is away, and what is granted on the last known balance until it is back is used up.",
        "Bring Postgres back: look for `DB_DOWN`. How much that is stands in `[admission] cached_call_max`"
        " and `cached_account_max`.",
    ),
    Refusal(
        Reason.NOT_RECORDABLE,
        *_NOT_NOW,
        "try_later",
        "A department's call can't be recorded (terms 12), and `[recording] when_failed` is `refuse`.",
        "Mend the folder of recordings: `RECORDING_FOLDER_FAILED` says what is wrong with it.",
    ),
)
