"""Who lives on the tests' network, and what the tests look for in events."""

from __future__ import annotations

from typing import Final

from esl_agent.lab.console import Event
from esl_agent.lab.network import Carrier, Did, Network, Phone
from esl_agent.lab.ports import free_port

LONDON: Final = "442079460000"
TORONTO: Final = "14165550123"
TOLL_FREE: Final = "18005550123"
AMSTERDAM: Final = "31201234567"


def phone(user: str, account: str) -> Phone:
    return Phone(user, f"secret of {user}", account, caller_id=f"1514555{user}", port=free_port())


ALICE: Final = phone("0101", "1001")
VICTIM: Final = phone("0102", "1002")  # whom others would like to charge
OWNER: Final = phone("0103", "1003")  # has the DIDs
POOR: Final = phone("0104", "1004")
PENNILESS: Final = phone("0105", "1005")
NOBODY: Final = phone("0106", "")  # a user without an account
SUSPENDED: Final = phone("0107", "1007")
UNVERIFIED: Final = phone("0108", "1008")  # its number is not its account's
AT_HOME: Final = phone("0109", "1009")  # may not call London
BUSY_LINE: Final = phone("0110", "1010")  # may have no call up
DAY_OVER: Final = phone("0111", "1011")  # may spend nothing more today
CAREFUL: Final = phone("0112", "1012")  # may spend a cent a call
NO_TOLL_FREE: Final = phone("0113", "1013")
STRANGER: Final = phone("0114", "1999")  # the account is none
SIX_SECONDS: Final = phone("0115", "1015")  # has money for so long in London
CLOSED: Final = phone("0116", "1016")
NEWCOMER: Final = phone("0117", "1017")  # has accepted no terms
PLANLESS: Final = phone("0118", "1018")  # its plan does not exist
HASTY: Final = phone("0119", "1019")  # may place one call a second

TO_DEVICE: Final = Did("15145550181", OWNER.account, device=OWNER.user)
ALWAYS: Final = Did("15145550182", OWNER.account, OWNER.user, f"+{LONDON}", "always")
WHEN_BUSY: Final = Did("15145550183", OWNER.account, OWNER.user, f"+{LONDON}", "busy")
NO_ANSWER: Final = Did("15145550184", OWNER.account, OWNER.user, f"+{LONDON}", "no_answer")

#: Toll-free, with what becomes of calls from payphones.
ALLOWS: Final = Did("18005550191", OWNER.account, device=OWNER.user)
REJECTS: Final = Did("18005550192", OWNER.account, device=OWNER.user)
SURCHARGES: Final = Did("18005550193", OWNER.account, device=OWNER.user)

ALPHA: Final = Carrier("alpha", free_port())
BETA: Final = Carrier("beta", free_port())

PEOPLE: Final = Network(
    phones=(
        *(ALICE, VICTIM, OWNER, POOR, PENNILESS, NOBODY, SUSPENDED, UNVERIFIED, AT_HOME, BUSY_LINE),
        *(DAY_OVER, CAREFUL, NO_TOLL_FREE, STRANGER, SIX_SECONDS, CLOSED, NEWCOMER, PLANLESS, HASTY),
    ),
    carriers=(ALPHA, BETA),
    dids=(TO_DEVICE, ALWAYS, WHEN_BUSY, NO_ANSWER, ALLOWS, REJECTS, SURCHARGES),
)

#: Somebody outside, whose calls come by a carrier.
CALLER: Final = Phone("12025550150", "", "", "12025550150")


def payer(event: Event) -> dict[str, str]:
    """What a leg says of who pays: the variables that the agent reads, without their prefix."""
    names = ("account", "product", "number", "carrier", "forwarded_from")
    found = {name: event.get(f"variable_esl_{name}") for name in names}
    return {name: value for name, value in found.items() if value is not None}
