"""A restriction: what a verdict, or somebody's word, keeps an account from, since when and until when.

It ends by itself when its time is over: nothing has to be written or told for that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from esl_agent.core.numbering.number import NumberClass
from esl_agent.core.traffic.verdict import Action, Verdict

#: Who made a restriction that a rule asked for; others bear the name of an operator.
TRAFFIC: Final = "traffic"
#: An alert restricts nothing; while it is open the same rule does not tell of the same traffic again.
ALERT_OPEN_S: Final = 86_400
US_PER_S: Final = 1_000_000

#: One account's rule about one DID ("": about all its traffic) that asked for one thing: open once at a time.
Key = tuple[int, str, str, Action]


@dataclass(frozen=True, slots=True, kw_only=True)
class Restriction:
    """`until_us` is None where only somebody's word lifts it."""

    account_id: int
    restriction: int | None = None  # its number in the books; None while it is not written
    did: str = ""  # digits; whose traffic it was, where not the account's as a whole
    rule: str
    action: Action
    max_calls: int | None = None  # of a throttle
    calls_per_second: int | None = None  # of a throttle
    ends_calls: bool = False  # calls that were up are ended
    since_us: int
    until_us: int | None = None
    made_by: str = TRAFFIC
    reason: str = ""  # an operator's; a rule's evidence stands beside

    @property
    def key(self) -> Key:
        return self.account_id, self.did, self.rule, self.action

    def is_open(self, at_us: int) -> bool:
        return self.until_us is None or at_us < self.until_us

    def stops(self, number_class: NumberClass, numbers: Collection[str], *, goes_out: bool) -> bool:
        """Whether calls to that class are not to be; `numbers` of ours take part in them, in digits."""
        match self.action:
            case Action.SUSPEND_ACCOUNT:
                return True
            case Action.SUSPEND_OUTBOUND:
                return goes_out
            case Action.SUSPEND_DID:
                return self.did in numbers
            case Action.TOLL_FREE_OFF:
                return goes_out and number_class is NumberClass.TOLL_FREE
        return False


def restriction_of(verdict: Verdict) -> Restriction:
    """What a verdict makes, from the moment it was given."""
    lasts_s = verdict.expires_after_s
    if verdict.action is Action.ALERT and lasts_s is None:
        lasts_s = ALERT_OPEN_S
    return Restriction(
        account_id=verdict.account_id,
        did=verdict.did,
        rule=verdict.rule,
        action=verdict.action,
        max_calls=verdict.max_calls,
        calls_per_second=verdict.calls_per_second,
        ends_calls=verdict.ends_calls,
        since_us=verdict.at_us,
        until_us=None if lasts_s is None else verdict.at_us + lasts_s * US_PER_S,
    )


def open_at(restrictions: Iterable[Restriction], at_us: int) -> tuple[Restriction, ...]:
    return tuple(each for each in restrictions if each.is_open(at_us))


def by_and_until(restriction: Restriction) -> str:
    """Who made it, its number and when it ends, for a line of the log or a screen."""
    who = f"rule {restriction.rule}" if restriction.made_by == TRAFFIC else f"by {restriction.made_by}"
    number = "" if restriction.restriction is None else f", restriction {restriction.restriction}"
    return f"{who}{number}, {until_text(restriction)}"


def until_text(restriction: Restriction) -> str:
    if restriction.until_us is None:
        return "until it is cleared"
    return f"until {datetime.fromtimestamp(restriction.until_us // US_PER_S, UTC):%Y-%m-%d %H:%M:%S} UTC"
