"""Who is in the demo, and who calls whom.

The numbers are fictional (exchange 555, lines 0100 to 0199), or end at a
carrier of the demo's own: nothing leaves this machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    account: int
    name: str
    top_up: str
    phone: str  # the number that its phone shows


@dataclass(frozen=True, slots=True, kw_only=True)
class Did:
    """A number of the operator's; its calls ring its owner's phone, or all go on to `forward_to`."""

    number: str
    owner: int
    forward_to: str = ""


class Ending(StrEnum):
    """How a call ends."""

    CALLER_HANGS_UP = "the caller hangs up"
    MONEY_RUNS_OUT = "the agent ends it"
    BUSY = "the far end is busy"
    REFUSED = "the agent does not let it go ahead"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One call: from the phone of `account`, or from outside to a DID that `account` owns."""

    title: str
    account: int
    number: str  # as dialled
    talk_ms: int = 4_000  # until the caller hangs up, if it is the one who does
    ending: Ending = Ending.CALLER_HANGS_UP
    is_from_outside: bool = False
    costs: tuple[str, ...] | None = None  # of each leg that is answered, in CAD; None where nobody can know


CUSTOMERS: Final = (
    Customer(account=1001, name="A garage", top_up="25.00", phone="15145550101"),
    Customer(account=1002, name="A clinic", top_up="10.00", phone="15145550102"),
    Customer(account=1003, name="A café", top_up="0.25", phone="15145550103"),
)
DIDS: Final = (
    Did(number="15145550199", owner=1001),
    Did(number="15145550198", owner=1002, forward_to="12125550147"),
)
STRANGER: Final = "12025550123"
BUSY_NUMBER: Final = "16045550186"
SECOND_CARRIER_NUMBER: Final = "442079460001"
HAVANA: Final = "0115352345678"
EMERGENCY: Final = "911"

#: The scenes of an act overlap; the next act begins when all of its calls are over.
ACTS: Final = (
    (
        Scene(
            title="Havana, with money for 12 s",
            account=1003,
            number=HAVANA,
            ending=Ending.MONEY_RUNS_OUT,
            costs=("0.2100",),
        ),
        Scene(title="Toronto", account=1001, number="4165550182", talk_ms=8_000, costs=("0.0010",)),
        Scene(title="New York", account=1001, number="12125550147", talk_ms=5_000, costs=("0.0010",)),
        Scene(
            title="Mexico City, by the minute",
            account=1001,
            number="+525512345678",
            talk_ms=3_000,
            costs=("0.0200",),
        ),
        Scene(title="London", account=1002, number="011442079460000", costs=("0.0013",)),
        Scene(title="toll-free", account=1002, number="18005550199", costs=("0.0000",)),
        Scene(
            title="a number that is forwarded",
            account=1002,
            number=DIDS[1].number,
            is_from_outside=True,
            costs=("0.0000", "0.0025"),
        ),
        Scene(title="Vancouver", account=1001, number=BUSY_NUMBER, ending=Ending.BUSY, costs=()),
        Scene(
            title="London, by the second carrier",
            account=1001,
            number=f"+{SECOND_CARRIER_NUMBER}",
            costs=("0.0013",),
        ),
        Scene(
            title="a number that rings a phone",
            account=1001,
            number=DIDS[0].number,
            is_from_outside=True,
            costs=("0.0000",),
        ),
    ),
    (
        Scene(title="Havana, without money", account=1003, number=HAVANA, ending=Ending.REFUSED, costs=()),
        Scene(title="911, without money", account=1003, number=EMERGENCY, talk_ms=2_000, costs=("0.0000",)),
    ),
)
