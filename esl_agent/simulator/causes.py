"""Hangup causes and SIP answers as FreeSWITCH pairs them.

Names and numbers: src/include/switch_types.h; the text to number rule:
`switch_channel_str2cause`; SIP to cause: sofia_glue.c
(`sofia_glue_sip_cause_to_freeswitch`); cause to SIP: mod_sofia.c
(`hangup_cause_to_sip`).
"""

from __future__ import annotations

from typing import Final

NORMAL_CLEARING: Final = "NORMAL_CLEARING"
ALLOTTED_TIMEOUT: Final = "ALLOTTED_TIMEOUT"

_NUMBERS: Final = {
    "NONE": 0,
    "UNALLOCATED_NUMBER": 1,
    "NO_ROUTE_TRANSIT_NET": 2,
    "NO_ROUTE_DESTINATION": 3,
    "CHANNEL_UNACCEPTABLE": 6,
    "CALL_AWARDED_DELIVERED": 7,
    NORMAL_CLEARING: 16,
    "USER_BUSY": 17,
    "NO_USER_RESPONSE": 18,
    "NO_ANSWER": 19,
    "SUBSCRIBER_ABSENT": 20,
    "CALL_REJECTED": 21,
    "NUMBER_CHANGED": 22,
    "REDIRECTION_TO_NEW_DESTINATION": 23,
    "EXCHANGE_ROUTING_ERROR": 25,
    "DESTINATION_OUT_OF_ORDER": 27,
    "INVALID_NUMBER_FORMAT": 28,
    "FACILITY_REJECTED": 29,
    "RESPONSE_TO_STATUS_ENQUIRY": 30,
    "NORMAL_UNSPECIFIED": 31,
    "NORMAL_CIRCUIT_CONGESTION": 34,
    "NETWORK_OUT_OF_ORDER": 38,
    "NORMAL_TEMPORARY_FAILURE": 41,
    "SWITCH_CONGESTION": 42,
    "ACCESS_INFO_DISCARDED": 43,
    "REQUESTED_CHAN_UNAVAIL": 44,
    "PRE_EMPTED": 45,
    "FACILITY_NOT_SUBSCRIBED": 50,
    "OUTGOING_CALL_BARRED": 52,
    "INCOMING_CALL_BARRED": 54,
    "BEARERCAPABILITY_NOTAUTH": 57,
    "BEARERCAPABILITY_NOTAVAIL": 58,
    "SERVICE_UNAVAILABLE": 63,
    "BEARERCAPABILITY_NOTIMPL": 65,
    "CHAN_NOT_IMPLEMENTED": 66,
    "FACILITY_NOT_IMPLEMENTED": 69,
    "SERVICE_NOT_IMPLEMENTED": 79,
    "INVALID_CALL_REFERENCE": 81,
    "INCOMPATIBLE_DESTINATION": 88,
    "INVALID_MSG_UNSPECIFIED": 95,
    "MANDATORY_IE_MISSING": 96,
    "MESSAGE_TYPE_NONEXIST": 97,
    "WRONG_MESSAGE": 98,
    "IE_NONEXIST": 99,
    "INVALID_IE_CONTENTS": 100,
    "WRONG_CALL_STATE": 101,
    "RECOVERY_ON_TIMER_EXPIRE": 102,
    "MANDATORY_IE_LENGTH_ERROR": 103,
    "PROTOCOL_ERROR": 111,
    "INTERWORKING": 127,
    "SUCCESS": 142,
    "ORIGINATOR_CANCEL": 487,
    "CRASH": 700,
    "SYSTEM_SHUTDOWN": 701,
    "LOSE_RACE": 702,
    "MANAGER_REQUEST": 703,
    "BLIND_TRANSFER": 800,
    "ATTENDED_TRANSFER": 801,
    ALLOTTED_TIMEOUT: 802,
    "USER_CHALLENGE": 803,
    "MEDIA_TIMEOUT": 804,
    "PICKED_OFF": 805,
    "USER_NOT_REGISTERED": 806,
    "PROGRESS_TIMEOUT": 807,
    "INVALID_GATEWAY": 808,
    "GATEWAY_DOWN": 809,
    "INVALID_URL": 810,
    "INVALID_PROFILE": 811,
    "NO_PICKUP": 812,
    "SRTP_READ_ERROR": 813,
    "BOWOUT": 814,
    "BUSY_EVERYWHERE": 815,
    "DECLINE": 816,
    "DOES_NOT_EXIST_ANYWHERE": 817,
    "NOT_ACCEPTABLE": 818,
    "UNWANTED": 819,
    "NO_IDENTITY": 820,
    "BAD_IDENTITY_INFO": 821,
    "UNSUPPORTED_CERTIFICATE": 822,
    "INVALID_IDENTITY": 823,
    "STALE_DATE": 824,
    "REJECT_ALL": 825,
}
_NAMES: Final = {number: name for name, number in _NUMBERS.items()}
_INTERWORKING: Final = 127

_BY_SIP_STATUS: Final = {
    200: NORMAL_CLEARING,
    302: "REQUESTED_CHAN_UNAVAIL",  # where following a redirection is forbidden
    **dict.fromkeys((401, 402, 403, 407, 603, 608), "CALL_REJECTED"),
    **dict.fromkeys((400, 481, 500, 503), "NORMAL_TEMPORARY_FAILURE"),
    **dict.fromkeys((408, 504), "RECOVERY_ON_TIMER_EXPIRE"),
    **dict.fromkeys((485, 604), "NO_ROUTE_DESTINATION"),
    **dict.fromkeys((486, 600), "USER_BUSY"),
    **dict.fromkeys((488, 606), "INCOMPATIBLE_DESTINATION"),
    **dict.fromkeys((482, 483), "EXCHANGE_ROUTING_ERROR"),
    **dict.fromkeys((406, 415, 501), "SERVICE_NOT_IMPLEMENTED"),
    404: "UNALLOCATED_NUMBER",
    405: "SERVICE_UNAVAILABLE",
    410: "NUMBER_CHANGED",
    480: "NO_USER_RESPONSE",
    484: "INVALID_NUMBER_FORMAT",
    487: "ORIGINATOR_CANCEL",
    502: "NETWORK_OUT_OF_ORDER",
    607: "UNWANTED",
}

_SIP_PHRASES: Final = {
    200: "OK",
    302: "Moved Temporarily",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    408: "Request Timeout",
    480: "Temporarily Unavailable",
    484: "Address Incomplete",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    500: "Server Internal Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Server Time-out",
    600: "Busy Everywhere",
    603: "Decline",
}


def cause_named(text: str) -> str:
    """The cause that FreeSWITCH takes `text` for: a name in any case, a number, else NORMAL_CLEARING."""
    if text[:1].isdecimal():
        digits = text[: len(text) - len(text.lstrip("0123456789"))]
        return _NAMES.get(int(digits), "UNKNOWN")
    name = text.upper()
    return name if name in _NUMBERS else NORMAL_CLEARING


def q850(cause: str) -> int:
    """The Q.850 number of a cause; FreeSWITCH's own causes count as 16 (`switch_channel_cause_q850`)."""
    number = _NUMBERS.get(cause, 0)
    return number if number <= _INTERWORKING else _NUMBERS[NORMAL_CLEARING]


def cause_of_sip(status: int) -> str:
    """The hangup cause of a leg that was refused with a SIP status."""
    return _BY_SIP_STATUS.get(status, "NORMAL_UNSPECIFIED")


def phrase_of_sip(status: int) -> str:
    """The reason phrase that goes with a SIP status."""
    return _SIP_PHRASES.get(status, "")
