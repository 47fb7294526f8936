"""Metrics that programs make for themselves; they belong to the process, and outlive its engines.

A program chooses names and attributes while it runs, so both have a bound: what has no room is counted under
``__other__`` in place of its attributes, and a name that has none is not counted.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable
from typing import Final, NamedTuple

from actorflow.core import limits
from actorflow.metering import Instrument, InstrumentKind, MetricAttributes
from actorflow.observability.admission import OTHER
from actorflow.observability.slots import Histogram
from actorflow.observability.table import LATENCY

Attributes = tuple[tuple[str, str], ...]
_OTHERS: Final[Attributes] = (("other", OTHER),)
_NAME: Final = re.compile(r"[^a-zA-Z0-9_:]")
_LABEL: Final = re.compile(r"[^a-zA-Z0-9_]")
_RESERVED_PREFIX: Final = "actorflow_"


class Family(NamedTuple):
    """One metric: what it is, and the numbers of its series, as a `Snapshot` has them."""

    name: str
    kind: InstrumentKind
    help: str
    series: dict[Attributes, list[float]]


class _Metric:
    def __init__(self, kind: InstrumentKind, help: str) -> None:
        self.kind: InstrumentKind = kind
        self.help = help
        self.values: dict[Attributes, float] = {}
        self.histograms: dict[Attributes, Histogram] = {}

    def knows(self, attributes: Attributes) -> bool:
        return attributes in self.values or attributes in self.histograms

    def take(self, attributes: Attributes, value: float) -> None:
        match self.kind:
            case "counter":
                self.values[attributes] = self.values.get(attributes, 0) + value
            case "gauge":
                self.values[attributes] = value
            case "histogram":
                histogram = self.histograms.get(attributes)
                if histogram is None:
                    histogram = self.histograms[attributes] = Histogram(LATENCY)
                histogram.observe(value)
                histogram.fold()

    def read(self) -> dict[Attributes, list[float]]:
        if self.kind == "histogram":
            return {attributes: histogram.read() for attributes, histogram in self.histograms.items()}
        return {attributes: [value] for attributes, value in self.values.items()}


class CustomMetrics:
    """See the module's head. Any thread may record and read."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._metrics: dict[tuple[str, InstrumentKind], _Metric] = {}
        self._series = 0

    def record(self, instrument: Instrument, value: float, attributes: MetricAttributes) -> None:
        """See `actorflow.metering.Record`."""
        labels = tuple(sorted((label_of(name), str(found)) for name, found in attributes.items()))
        with self._lock:
            metric = self._metric(instrument)
            if metric is not None:
                metric.take(self._admitted(metric, labels), value)

    def families(self) -> Iterable[Family]:
        """Every metric with its numbers, by name."""
        with self._lock:
            return [
                Family(name, kind, metric.help, metric.read()) for (name, kind), metric in sorted(self._metrics.items())
            ]

    def _metric(self, instrument: Instrument) -> _Metric | None:
        name = _name(instrument)
        known = self._metrics.get((name, instrument.kind))
        if known is not None:
            return known
        is_taken = any((name, kind) in self._metrics for kind in ("counter", "gauge", "histogram"))
        if is_taken or len(self._metrics) >= limits.CUSTOM_METRICS_MAX:
            return None  # a page that names a metric twice is refused as a whole
        made = self._metrics[name, instrument.kind] = _Metric(instrument.kind, _help(instrument))
        return made

    def _admitted(self, metric: _Metric, attributes: Attributes) -> Attributes:
        if metric.knows(attributes):
            return attributes
        if self._series >= limits.CUSTOM_SERIES_MAX:
            return _OTHERS
        self._series += 1
        return attributes


def _name(instrument: Instrument) -> str:
    """A name Prometheus takes, and that is none of ours; a counter's without the suffix it gets."""
    name = _NAME.sub("_", instrument.name)
    if not name or name[0].isdigit() or name.startswith(_RESERVED_PREFIX):
        name = f"app_{name}"
    return name.removesuffix("_total") if instrument.kind == "counter" else name


def label_of(name: str) -> str:
    """A name of a label that Prometheus takes."""
    label = _LABEL.sub("_", name)
    return f"_{label}" if not label or label[0].isdigit() or label == "le" else label


def _help(instrument: Instrument) -> str:
    unit = f" ({instrument.unit})" if instrument.unit else ""
    return f"{instrument.description or 'A metric of the program'}{unit}"
