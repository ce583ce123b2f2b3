"""What went wrong lately and what is wrong now, told from the words of the log; and the last refusals.

An alert is a word of level warning or error.  Said again of the same account
it is the same alert, counted.  Some stand until another word ends them: while
`DB_DOWN` stands there is no database, however long ago it was said.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from esl_agent.noc.words import WORDS, Level

#: Alerts kept; beyond it the one is forgotten that was said longest ago of those that do not stand.
ALERTS_MAX: Final = 100
#: Refusals kept; the minutes (noc/minutes.py) have counted the others.
REFUSALS_MAX: Final = 100
#: After so long a word that is said again begins a new alert.
QUIET_US: Final = 900_000_000
#: What is kept of a word's fields.
FIELDS_MAX: Final = 12
FIELD_CHARACTERS_MAX: Final = 300
REFUSED: Final = "CALL_REFUSED"

#: The words that stand, and what ends each.
STANDS_UNTIL: Final[dict[str, str]] = {
    "SWITCH_LOST": "SWITCH_CONNECTED",
    "RECOVERY_FAILED": "RECOVERY_DONE",
    "CLOCK_SKEWED": "CLOCK_AGREES",
    "DB_DOWN": "DB_UP",
    "NOTICES_LOST": "NOTICES_HEARD",
    "JOURNAL_FULL": "JOURNAL_HAS_ROOM",
    "JOURNAL_FAILED": "JOURNAL_HAS_ROOM",
    "CDR_FOLDER_FAILED": "CDR_FOLDER_READ",
    "RECORDING_FOLDER_FAILED": "RECORDING_FOLDER_GOOD",
    "TRAFFIC_WEBHOOK_DOWN": "TRAFFIC_WEBHOOK_UP",
    "CONFIG_REJECTED": "CONFIG_RELOADED",
    "TWIN_TAKING": "TWIN_ACTIVE",
    "DOOR_CLOSED": "TWIN_OPEN",
}
_ENDS: Final = {
    end: tuple(word for word, by in STANDS_UNTIL.items() if by == end) for end in STANDS_UNTIL.values()
}
_LOUD: Final[dict[str, Level]] = {
    word: entry.level
    for word, entry in WORDS.items()
    if entry.level in ("warning", "error") and word != REFUSED
}


@dataclass(frozen=True, slots=True)
class Alert:
    """A word that was said, so often since `first_us`; times as `now_us` of Alerts tells them."""

    key: str  # the word, and the account that it was said of
    word: str
    level: Level
    count: int
    first_us: int
    last_us: int
    stands: bool  # it holds until another word ends it
    ended_us: int | None  # when that was
    fields: dict[str, str] = field(default_factory=dict)  # as it was said last


@dataclass(frozen=True, slots=True)
class Refused:
    """A call that was refused."""

    number: int  # counted from 1 since the start
    at_us: int
    account: str
    caller: str
    to: str
    reason: str
    detail: str


class Alerts:
    """Hears the log (noc/overheard.py)."""

    def __init__(self, now_us: Callable[[], int]) -> None:
        self._now_us = now_us
        self._alerts: OrderedDict[str, Alert] = OrderedDict()
        self._refused: deque[Refused] = deque(maxlen=REFUSALS_MAX)
        self._refusals = 0

    def hear(self, word: str, fields: Mapping[str, object]) -> None:
        if word == REFUSED:
            self._refuse(fields)
        elif word in _LOUD:
            self._raise(word, fields)
        elif word in _ENDS:
            self._end(_ENDS[word])

    def alerts(self) -> Iterator[Alert]:
        """The one that was said last comes last."""
        return iter(tuple(self._alerts.values()))

    def refused(self) -> Iterator[Refused]:
        """The last ones, in order."""
        return iter(tuple(self._refused))

    def _refuse(self, fields: Mapping[str, object]) -> None:
        self._refusals += 1
        texts = (_text(fields.get(name)) for name in ("account", "caller", "to", "reason", "detail"))
        self._refused.append(Refused(self._refusals, self._now_us(), *texts))

    def _raise(self, word: str, fields: Mapping[str, object]) -> None:
        key, now_us = f"{word} {_text(fields.get('account'))}".strip(), self._now_us()
        before = self._alerts.pop(key, None)
        kept = {name: _text(value) for name, value in list(fields.items())[:FIELDS_MAX] if value is not None}
        if before is None or before.ended_us or (not before.stands and now_us - before.last_us > QUIET_US):
            alert = Alert(key, word, _LOUD[word], 1, now_us, now_us, word in STANDS_UNTIL, None, kept)
        else:
            alert = replace(before, count=before.count + 1, last_us=now_us, fields=kept)
        self._alerts[key] = alert
        if len(self._alerts) > ALERTS_MAX:
            over = (each.key for each in self._alerts.values() if not each.stands or each.ended_us)
            del self._alerts[next(over, key)]

    def _end(self, words: tuple[str, ...]) -> None:
        for key, alert in self._alerts.items():
            if alert.word in words and alert.ended_us is None:
                self._alerts[key] = replace(alert, ended_us=self._now_us())


def _text(value: object) -> str:
    return "" if value is None else str(value)[:FIELD_CHARACTERS_MAX]
