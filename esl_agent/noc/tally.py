"""What has happened since the daemon began, as plain numbers.

Every fact is told to the log, so that is where facts are counted: `hear` is
called with each word, written out or not.  One costs about a microsecond.  Only
one greenlet at a time is in here, so there is no lock; money is added up as
decimals, to the last digit.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from itertools import product
from typing import Any, Final

from esl_agent.core.admission.reasons import Reason
from esl_agent.core.leg import Product
from esl_agent.noc.metrics import METRICS, Metric
from esl_agent.noc.words import WORDS

#: Bounds in seconds.  5 ms is what an admission is to take; 2 s is the deadline as shipped.
ADMISSION_S: Final = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0)
#: The agent's kill is sent 60 ms early, as shipped; the switch's own may come almost 3 s early …
CUT_EARLY_S: Final = (0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 1.0, 2.0)
#: … and 1.5 s late, where it stands behind the last increment.
CUT_LATE_S: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
EVENT_LAG_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

#: Rows of a word; what has other labels beyond that is counted as `other`.
ROWS_MAX: Final = 2_000
OTHER: Final = "other"
#: What a label is where its field has nothing.
NONE: Final = "none"

Fields = Mapping[str, Any]
#: A metric's values by those of its labels.
Values = Mapping[tuple[str, ...], "float | Decimal | Histogram"]
#: All metrics by their names in the catalogue.
Readings = dict[str, Values]

#: Labels that are not just a field's value.
DERIVED: Final[dict[str, Callable[[Fields], str]]] = {
    "asked": lambda fields: "yes" if "took_ms" in fields else "no",
    "answered": lambda fields: "yes" if fields.get("billed_s") else "no",
    "source": lambda fields: fields.get("source") or "live",
}
#: What Postgres may refuse: the `statement` of DB_REFUSED.
STATEMENTS: Final = ("hold", "settle", "lease", "phones", "recordings", "restrictions", "traffic", "web")
#: Where somebody asks, and what may go wrong there: `door` and `kind` of DOOR_TROUBLE.
DOORS: Final = ("outbound", "local", "web")
TROUBLES: Final = (
    "stranger", "pushed_out", "full", "silent", "bad_request", "no_decision", "late", "undelivered",
)  # fmt: skip
#: What labels may be, where that is known: at 0 from the start, for a series that begins
#: with its first 1 has not risen, as Prometheus sees it.
KNOWN: Final[dict[str, Iterable[tuple[str, ...]]]] = {
    "esl_agent_calls_admitted_total": tuple(product(Product, ("yes", "no"))),
    "esl_agent_calls_refused_total": tuple(product(Reason)),
    "esl_agent_cdrs_total": tuple(product(("live", "recovered", "switch file"))),
    "esl_agent_database_refusals_total": tuple(product(STATEMENTS)),
    "esl_agent_door_trouble_total": tuple(product(DOORS, TROUBLES)),
}


class Histogram:
    """How often a value was at most each bound and above the one before; and, last, above all."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """A clock that ran backwards counts as no time."""
        value = max(value, 0.0)
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


class _Word:
    """A word of the log, counted by all the labels that metrics want of it together: one look-up a time."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        labels = {label: None for metric in metrics for label in metric.labels}
        self._plain = [label for label in labels if label not in DERIVED]
        self._derived = [label for label in labels if label in DERIVED]
        self._derive = [DERIVED[label] for label in self._derived]
        self._amounts = list({metric.amount: None for metric in metrics if metric.amount})
        self._rows: dict[tuple[str | None, ...], list[Any]] = {}

    def hear(self, fields: Fields) -> None:
        get = fields.get
        key = (*[get(label) for label in self._plain], *[derive(fields) for derive in self._derive])
        row = self._rows.get(key) or self._new_row(key)
        row[0] += 1
        for place, amount in enumerate(self._amounts, 1):
            row[place] += get(amount, 0)

    def _new_row(self, key: tuple[str | None, ...]) -> list[Any]:
        if len(self._rows) >= ROWS_MAX:
            key = (OTHER,) * len(key)
        return self._rows.setdefault(key, [0] * (1 + len(self._amounts)))

    def of(self, metric: Metric) -> Counter[tuple[str, ...]]:
        """The sums by the labels of one metric."""
        labels = [*self._plain, *self._derived]
        places = [labels.index(label) for label in metric.labels]
        column = 1 + self._amounts.index(metric.amount) if metric.amount else 0
        sums: Counter[tuple[str, ...]] = Counter()
        for key, row in self._rows.items():
            sums[tuple([key[place] or NONE for place in places])] += row[column]
        return sums


class Tally:
    def __init__(self) -> None:
        self._event_lag = Histogram(EVENT_LAG_S)
        self._admission = Histogram(ADMISSION_S)
        self._cut_early = Histogram(CUT_EARLY_S)
        self._cut_late = Histogram(CUT_LATE_S)
        self._said = dict.fromkeys(WORDS, 0)
        labelled = [metric for metric in METRICS.values() if metric.word and metric.labels]
        self._words = {
            word: _Word([metric for metric in labelled if metric.word == word])
            for word in {metric.word for metric in labelled}
        }

    def hear(self, word: str, fields: Fields) -> None:
        """A fact, as it is told to the log: with or without the fields that metrics read, it never fails."""
        self._said[word] += 1
        if word in self._words:
            self._words[word].hear(fields)
            if "took_ms" in fields:
                self._admission.observe(fields["took_ms"] / 1_000)
        elif word == "CALL_CUT_LANDED":
            self._measure_cut(fields.get("early_ms", 0))

    def event_done(self, stamp_us: int, now_us: int) -> None:
        """An event of the switch's was worked on; both times are by the switch's clock."""
        if stamp_us:
            self._event_lag.observe((now_us - stamp_us) / 1_000_000)

    def _measure_cut(self, early_ms: float) -> None:
        if early_ms >= 0:
            self._cut_early.observe(early_ms / 1_000)
        else:
            self._cut_late.observe(-early_ms / 1_000)

    def readings(self) -> Readings:
        """All of it as it is now."""
        counted: Readings = {
            name: self._counted(name, metric) for name, metric in METRICS.items() if metric.word
        }
        return counted | {
            "esl_agent_admission_seconds": {(): self._admission},
            "esl_agent_cut_early_seconds": {(): self._cut_early},
            "esl_agent_cut_late_seconds": {(): self._cut_late},
            "esl_agent_event_lag_seconds": {(): self._event_lag},
            "esl_agent_log_words_total": {(WORDS[word].level, word): n for word, n in self._said.items()},
        }

    def _counted(self, name: str, metric: Metric) -> Values:
        if not metric.labels:
            return {(): self._said[metric.word]}
        return dict.fromkeys(KNOWN.get(name, ()), 0) | self._words[metric.word].of(metric)
