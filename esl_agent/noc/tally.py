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
from functools import partial
from itertools import product
from typing import Any, Final

from esl_agent.core.admission.reasons import Reason
from esl_agent.core.leg import Product
from esl_agent.noc.metrics import METRICS, Metric
from esl_agent.noc.words import WORDS

#: Bounds in seconds.  5 ms is what an admission is to take; 2 s is the deadline as shipped.
ADMISSION_S: Final = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0)
#: The agent's kill is sent 60 ms early, as shipped; the switch's own may come 1.5 s early …
CUT_EARLY_S: Final = (0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 1.0, 2.0)
#: … and 2.5 s late, where it stands behind the last increment.
CUT_LATE_S: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
EVENT_LAG_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

Fields = Mapping[str, Any]

#: Labels that are not just a field's value.
LABELS: Final[dict[str, Callable[[Fields], str]]] = {
    "asked": lambda fields: "yes" if "took_ms" in fields else "no",
    "answered": lambda fields: "yes" if fields["billed_s"] else "no",
    "source": lambda fields: fields["source"] or "live",
}
#: What a label is where its field has nothing.
NONE: Final = "none"
#: What labels may be, where that is known: at 0 from the start, for a series that begins
#: with its first 1 has not risen, as Prometheus sees it.
KNOWN: Final[dict[str, Iterable[tuple[str, ...]]]] = {
    "esl_agent_calls_admitted_total": product(Product, ("yes", "no")),
    "esl_agent_calls_refused_total": product(Reason),
    "esl_agent_cdrs_total": product(("live", "recovered", "switch file")),
}
#: Series of a metric; what has other labels beyond that is counted as `other`.
SERIES_MAX: Final = 500
OTHER: Final = "other"


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


#: Values by those of the metric's labels; all metrics by their names in the catalogue.
Values = Mapping[tuple[str, ...], "float | Decimal | Histogram"]
Readings = dict[str, Values]


class Tally:
    def __init__(self) -> None:
        self._event_lag = Histogram(EVENT_LAG_S)
        self._admission = Histogram(ADMISSION_S)
        self._cut_early = Histogram(CUT_EARLY_S)
        self._cut_late = Histogram(CUT_LATE_S)
        self._words = dict.fromkeys(WORDS, 0)
        self._counted: dict[str, Counter[tuple[str, ...]]] = {}
        self._readers: dict[str, list[Callable[[Fields], None]]] = {
            "CALL_ADMITTED": [self._time_admission],
            "CALL_REFUSED": [self._time_admission],
            "CALL_CUT_LANDED": [self._measure_cut],
        }
        for name, metric in METRICS.items():
            if metric.word and metric.labels:
                self._count(name, metric)

    def hear(self, word: str, fields: Fields) -> None:
        """A fact, as it is told to the log."""
        self._words[word] += 1
        for read in self._readers.get(word, ()):
            read(fields)

    def event_done(self, stamp_us: int, now_us: int) -> None:
        """An event of the switch's was worked on; both times are by the switch's clock."""
        if stamp_us:
            self._event_lag.observe((now_us - stamp_us) / 1_000_000)

    def _count(self, name: str, metric: Metric) -> None:
        """Have a metric counted whenever its word is said."""
        counts: Counter[tuple[str, ...]] = Counter(dict.fromkeys(KNOWN.get(name, ()), 0))
        labels = [LABELS.get(label) or partial(_field, label) for label in metric.labels]
        amount, others = metric.amount, (OTHER,) * len(labels)

        def read(fields: Fields) -> None:
            key = tuple([label(fields) for label in labels])
            if len(counts) >= SERIES_MAX and key not in counts:
                key = others
            counts[key] += fields[amount] if amount else 1

        self._counted[name] = counts
        self._readers.setdefault(metric.word, []).append(read)

    def _time_admission(self, fields: Fields) -> None:
        """A leg that came without having asked has waited for nothing."""
        took_ms = fields.get("took_ms")
        if took_ms is not None:
            self._admission.observe(took_ms / 1_000)

    def _measure_cut(self, fields: Fields) -> None:
        early_ms = fields["early_ms"]
        if early_ms >= 0:
            self._cut_early.observe(early_ms / 1_000)
        else:
            self._cut_late.observe(-early_ms / 1_000)

    def readings(self) -> Readings:
        """All of it as it is now."""
        words = self._words
        plain: Readings = {
            name: {(): words[metric.word]}
            for name, metric in METRICS.items()
            if metric.word and not metric.labels
        }
        measured: Readings = {
            "esl_agent_admission_seconds": {(): self._admission},
            "esl_agent_cut_early_seconds": {(): self._cut_early},
            "esl_agent_cut_late_seconds": {(): self._cut_late},
            "esl_agent_event_lag_seconds": {(): self._event_lag},
            "esl_agent_log_words_total": {(WORDS[word].level, word): n for word, n in words.items()},
        }
        return plain | measured | self._counted


def _field(name: str, fields: Fields) -> str:
    return fields.get(name) or NONE
