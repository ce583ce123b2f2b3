"""The rows of the live page, as they go over the wire: arrays, the key first.

page/js/rows.js names the same columns; a test holds the two together.  Times
are microseconds since 1970 on the switch's clock, amounts and rates are texts.
"""

from __future__ import annotations

from typing import Final, Self

import msgspec

from esl_agent.noc.log import NUMBER_FIELDS, mask_number

#: Fields of the log in which people write what they like, by word: as in the API, not for everybody.
FREE_TEXTS: Final[dict[str, frozenset[str]]] = {"TRAFFIC_RESTRICTED": frozenset({"reason"})}


class Row(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A row of a table; the first column is its key."""

    def masked(self) -> Self:
        """The row for those who may not see whole numbers or names."""
        return self


class CallRow(Row, frozen=True):
    """A call that is up.

    What it has cost by now the browser counts itself, from the price and the answer.
    """

    leg_uuid: str
    account: str  # a number that a browser's floats could not hold
    product: str
    caller: str
    to: str
    country: str
    destination: str
    carrier: str | None
    forwarded_from: str | None
    phase: str
    began_us: int
    answered_us: int | None
    is_free: bool
    rate_per_minute: str
    forwarding_rate_per_minute: str
    flat: str  # on answer: connection fee and payphone surcharge
    minimum_s: int
    step_s: int
    grace_ms: int
    currency: str
    held: str
    paid_until_us: int | None  # what is held for it ends then; None: free, or not answered
    funded_until_us: int | None  # as `paid_until_us`, with all that its account had when it was last asked
    is_low: bool  # no more could be held: it ends at `paid_until_us`

    def masked(self) -> CallRow:
        forwarded_from = self.forwarded_from and mask_number(self.forwarded_from)
        caller, to = mask_number(self.caller), mask_number(self.to)
        return msgspec.structs.replace(self, caller=caller, to=to, forwarded_from=forwarded_from)


class BalanceRow(Row, frozen=True):
    """An account whose money is near its end."""

    account: str
    name: str
    available: str
    funds: str  # what its calls use up: `available`, and what they hold
    currency: str
    calls_up: int
    spent_today: str

    def masked(self) -> BalanceRow:
        return msgspec.structs.replace(self, name="")


class AlertRow(Row, frozen=True):
    """See noc/alerts.py."""

    key: str
    word: str
    level: str
    count: int
    first_us: int
    last_us: int
    stands: bool
    ended_us: int | None
    fields: dict[str, str]

    def masked(self) -> AlertRow:
        fields = {
            name: mask_number(text) if name in NUMBER_FIELDS else text
            for name, text in self.fields.items()
            if name not in FREE_TEXTS.get(self.word, ())
        }
        return msgspec.structs.replace(self, fields=fields)


class RefusalRow(Row, frozen=True):
    """A call that was refused lately."""

    number: int
    at_us: int
    account: str
    caller: str
    to: str
    reason: str
    detail: str

    def masked(self) -> RefusalRow:
        caller, to = mask_number(self.caller), mask_number(self.to)
        return msgspec.structs.replace(self, caller=caller, to=to, detail="")


class MinuteRow(Row, frozen=True):
    """What happened within a minute; see noc/minutes.py."""

    begins_us: int
    admitted: int
    answered: int
    refused: dict[str, int]  # by reason
    cut: int
    ended: int
    spend: dict[str, str]  # by currency
    up_max: int | None


class StateRow(Row, frozen=True):
    """How the daemon is.  There is one row."""

    version: str
    switch: str
    is_switch_up: bool
    is_database_up: bool
    is_twin: bool
    may_act: bool  # False: a twin in standby
    live_calls: int
    unsettled: int  # records that wait to be written to Postgres
    journal_has_room: bool
    low_balance: str  # below it an account is among the balances near the end
