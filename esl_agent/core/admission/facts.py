"""What was looked up to answer a question.  Facts are gathered once; rules only read them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from esl_agent.core.admission.carriers import Carrier
from esl_agent.core.admission.limits import NO_LIMITS, Limits, OperatorPolicy
from esl_agent.core.money import ZERO
from esl_agent.core.numbering.number import Number
from esl_agent.core.price import Price
from esl_agent.core.traffic.restriction import Restriction


class AccountState(StrEnum):
    """Terms 2 and 16: only an active account's calls are admitted."""

    PENDING = "pending"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    CLOSED = "closed"


class PayphonePolicy(StrEnum):
    """What a toll-free DID does with calls from payphones (terms 6)."""

    ALLOW = "allow"  # and tag them
    REJECT = "reject"
    SURCHARGE = "surcharge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """The account that would pay."""

    account_id: int
    state: AccountState
    terms_accepted: bool
    currency: str = "CAD"
    limits: Limits = NO_LIMITS  # the account's, or stricter ones of its restrictions
    restrictions: tuple[Restriction, ...] = ()  # those that are open


@dataclass(frozen=True, slots=True, kw_only=True)
class Did:
    """A number of ours that was called."""

    number: str  # digits from the country code on
    account_id: int  # its owner, who pays
    is_toll_free: bool = False
    payphone_policy: PayphonePolicy = PayphonePolicy.ALLOW
    payphone_surcharge: Decimal = ZERO
    forward_to: str = ""  # where its calls go on to; digits from the country code on
    forward_when: str = "never"  # always, busy, no_answer or never


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything that the rules go by.  What could not be found is None, with the reason beside it.

    `is_known` is False where the look-ups themselves failed (the database is
    away): then nothing but an emergency call goes out.
    """

    operator: OperatorPolicy
    is_known: bool = True
    has_journal_room: bool = True  # what the call costs is sure to be kept until it is in the database
    customer: Customer | None = None
    number: Number | None = None
    number_problem: str = ""  # numbering's reason word, where `number` is None
    did: Did | None = None
    caller: Number | None = None  # the caller's number, where it is one
    owns_caller: bool = False  # `caller` is a DID of the customer, or verified for the account
    has_plan: bool = True
    price: Price | None = None  # None where no rate matches
    calls_up: int = 0  # of this account, this one not counted, as far as this agent knows
    is_within_rate: bool = True  # the account's token bucket gave a token for this call
    spent_today: Decimal = ZERO  # as far as known; the store decides exactly
    carriers: tuple[Carrier, ...] = ()  # of the longest matching prefix
    departments: Collection[str] = ()  # digits of the numbers whose calls are recorded (terms 12)
    can_record: bool = True  # or the operator lets calls go that can't be recorded

    @property
    def limits(self) -> Limits:
        """The customer's; none where there is no customer."""
        return self.customer.limits if self.customer else NO_LIMITS

    @property
    def restrictions(self) -> tuple[Restriction, ...]:
        """The customer's; none where there is no customer."""
        return self.customer.restrictions if self.customer else ()
