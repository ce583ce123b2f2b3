"""Metrics as Prometheus asks for them: text, made when it asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from esl_agent.noc.metrics import METRICS
from esl_agent.noc.tally import Histogram, Readings, Values

FAMILIES: Final[dict[str, type[CounterMetricFamily | GaugeMetricFamily]]] = {
    "counter": CounterMetricFamily,
    "gauge": GaugeMetricFamily,
}


class Exposition:
    """`sources` are read one after the other whenever somebody asks; CPU, memory and files come along."""

    def __init__(self, sources: Iterable[Callable[[], Readings]]) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._registry.register(_Reader(tuple(sources)))

    def render(self, accept: str) -> tuple[bytes, str]:
        """The text and its media type, in the format that an Accept header asks for."""
        encode, media_type = choose_encoder(accept)
        return encode(self._registry), media_type


class _Reader(Collector):
    def __init__(self, sources: tuple[Callable[[], Readings], ...]) -> None:
        self._sources = sources

    def collect(self) -> Iterator[Family]:
        for read in self._sources:
            for name, values in read().items():
                yield _family(name, values)


def _family(name: str, values: Values) -> Family:
    metric = METRICS[name]
    if metric.kind == "histogram":
        return _histogram(name, metric.meaning, values)
    family = FAMILIES[metric.kind](name, metric.meaning, labels=metric.labels)
    for labels, value in values.items():
        if isinstance(value, Histogram):
            raise TypeError(f"{name} is no histogram")
        family.add_metric(labels, float(value))
    return family


def _histogram(name: str, meaning: str, values: Values) -> Family:
    family = HistogramMetricFamily(name, meaning)
    for labels, value in values.items():
        if not isinstance(value, Histogram):
            raise TypeError(f"{name} is a histogram")
        bounds = [*map(floatToGoString, value.bounds), "+Inf"]
        buckets = list(zip(bounds, accumulate(value.counts), strict=True))
        family.add_metric(labels, buckets, sum_value=value.sum)
    return family
