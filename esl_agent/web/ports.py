"""What the HTTP server is told of the daemon, and may ask of it: plain values and a few callables.

The server knows nothing of how the daemon does it; agent/web/ says that.
Times are microseconds since 1970, amounts in the account's currency.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Protocol, TypeVar

from esl_agent.core.admission.decision import Decision
from esl_agent.core.admission.question import Question
from esl_agent.core.leg import Product
from esl_agent.core.numbering import Number
from esl_agent.core.price import Price
from esl_agent.errors import EslAgentError
from esl_agent.store.accounts import Account
from esl_agent.store.pool import Connection
from esl_agent.web.live.feed import Feed

Result = TypeVar("Result")
#: By which live calls are ordered: when they began, and the UUID of the billed leg.
LiveKey = tuple[int, str]


class DatabaseAwayError(EslAgentError):
    """Postgres does not answer now."""


class TooSlowError(EslAgentError):
    """Postgres was stopped over a statement that took too long."""


class DatabaseRefusedError(EslAgentError):
    """The login may not do it, or the tables are of another version."""


@dataclass(frozen=True, slots=True)
class LiveView:
    """A call that is up, as of now."""

    leg_uuid: str  # of the billed leg
    account_id: int
    product: str
    caller: str
    number: str  # normalised digits
    number_class: str
    country: str
    destination: str
    carrier: str | None
    phase: str
    created_us: int
    answered_us: int | None
    talked_us: int | None  # since it was answered
    rate_per_minute: Decimal | None  # None: it is free
    currency: str
    cost: Decimal  # so far
    held: Decimal
    funded_until_us: int | None  # None: it is free, or not answered yet
    is_low: bool  # it was refused more money, and ends at `funded_until_us`

    @property
    def key(self) -> LiveKey:
        return self.created_us, self.leg_uuid


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveFilter:
    """Which live calls are meant; None: any.  `number` is the caller's or the called, in whole digits."""

    account_id: int | None = None
    number: str | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """How the daemon is."""

    switch: str  # its name in the database
    is_switch_up: bool
    is_database_up: bool
    is_twin: bool
    may_act: bool  # False: a twin that is in standby, or that has lost the lease
    live_calls: int
    unsettled: int  # records that wait, in the journal or in memory, to be written to Postgres
    journal_has_room: bool


class LiveCalls(Protocol):
    """The calls that are up.  A long list is gone through in pieces, and calls are served between them."""

    def __len__(self) -> int: ...
    def page(self, which: LiveFilter, after: LiveKey | None, limit: int) -> list[LiveView]:
        """The `limit` calls that began first of those after that key."""
        ...

    def find(self, leg_uuid: str) -> LiveView | None: ...


class Books(Protocol):
    """A database for short pieces of work, which may be repeated.

    Raises DatabaseAwayError, TooSlowError and DatabaseRefusedError.
    """

    def work(self, work: Callable[[Connection], Result]) -> Result: ...


class Killed(Enum):
    """What became of a person's word that a call is to end."""

    ORDERED = "ordered"  # the switch is told, again and again until the leg is gone
    NOT_LIVE = "not_live"
    NOT_SURE = "not_sure"  # none is known, and it is not known yet which calls the switch has
    EMERGENCY = "emergency"  # never: terms 13
    STANDBY = "standby"  # another daemon looks after the switch's calls


@dataclass(frozen=True, slots=True)
class Quoted:
    """By what a call would be rated."""

    account: Account
    number: Number
    price: Price


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What would become of a call now."""

    decision: Decision
    account: Account | None  # who pays, as he is before the call
    held: Decimal
    carriers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """What the daemon tells, and does when asked."""

    live: LiveCalls
    health: Callable[[], Health]
    metrics: Callable[[str], tuple[bytes, str]]  # by an Accept header: the text, and its media type
    now_us: Callable[[], int]
    kill: Callable[[str], Killed]  # by the UUID of the billed leg
    #: By the rates of now: None without such an account, raises EslAgentError without a price.
    quote: Callable[[Connection, int, str, Product], Quoted | None]
    #: What the rules say and what the account has free, only read.
    rehearse: Callable[[Connection, Question], Rehearsed]
    feed: Feed
