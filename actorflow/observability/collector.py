"""Metrics as prometheus_client wants them: a collector that reads the slots when it is scraped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Final, Literal

from prometheus_client import Metric
from prometheus_client.registry import Collector as PrometheusCollector
from prometheus_client.utils import floatToGoString  # pyright: ignore[reportUnknownVariableType] - it has no types

from actorflow.observability.custom import Family, label_of
from actorflow.observability.process import PROCESS, Source
from actorflow.observability.snapshot import Labels, Snapshot
from actorflow.observability.table import LATENCY, TABLE, Spec

Cardinality = Literal["low", "full"]


class Collector(PrometheusCollector):
    """Register it with a registry of yours to serve our metrics beside your own.

    Args:
        source: whose metrics: of all engines of this process, or ``client.engine.metrics`` for one engine's.
        cardinality: 'low' adds up over the label ``type``, for those who pay by the series.
        labels: that every series has; where a series has one of that name itself, its own counts.
    """

    def __init__(
        self, source: Source = PROCESS, *, cardinality: Cardinality = "full", labels: Mapping[str, str] | None = None
    ) -> None:
        self._source = source
        self._labels = {label_of(name): value for name, value in (labels or {}).items()}
        self._dropped = ("type",) if cardinality == "low" else ()

    def describe(self) -> Iterable[Metric]:
        """The metrics without numbers; a registry refuses a second collector that has them."""
        return [_Family(spec, self._dropped).metric for spec in TABLE]

    def collect(self) -> Iterable[Metric]:
        """The numbers of this moment; metrics that have none are left out."""
        snapshot = self._source.snapshot()
        families = (_Family(spec, self._dropped).filled(snapshot) for spec in TABLE)
        found = [metric for metric in (*families, *map(_custom, self._source.families())) if metric.samples]
        if self._labels:
            for metric in found:
                metric.samples = [
                    sample._replace(labels={**self._labels, **sample.labels}) for sample in metric.samples
                ]
        return found


_SUFFIX: Final = {"counter": "_total", "info": "_info"}


class _Family:
    """One metric of ours becoming one of theirs."""

    def __init__(self, spec: Spec, dropped: Sequence[str]) -> None:
        self._spec = spec
        self._kept = [place for place, label in enumerate(spec.labels) if label not in dropped]
        self._bounds = _bounds(spec.buckets)
        self._names = [spec.labels[place] for place in self._kept]
        self.metric = Metric(spec.name.removesuffix(_SUFFIX.get(spec.kind, "")), spec.help, spec.kind)

    def filled(self, snapshot: Snapshot) -> Metric:
        """With numbers; those of one set of remaining labels are added up."""
        total = Snapshot()
        for labels, numbers in snapshot.of(self._spec):
            total.add(self._spec, tuple([labels[place] for place in self._kept]), numbers)
        for labels, numbers in sorted(total.of(self._spec)):
            self._add(labels, numbers)
        return self.metric

    def _add(self, values: Labels, numbers: Sequence[float]) -> None:
        labels = dict(zip(self._names, values, strict=True))
        if self._spec.kind != "histogram":
            self.metric.add_sample(self._spec.name, labels, numbers[0])
            return
        _add_histogram(self.metric, self._spec.name, labels, self._bounds, numbers)


def _add_histogram(
    metric: Metric, name: str, labels: dict[str, str], bounds: Sequence[str], numbers: Sequence[float]
) -> None:
    *counts, total = numbers
    running = list(accumulate(counts))
    for bound, count in zip(bounds, running, strict=True):
        metric.add_sample(f"{name}_bucket", {**labels, "le": bound}, count)
    metric.add_sample(f"{name}_count", labels, running[-1])
    metric.add_sample(f"{name}_sum", labels, total)


def _custom(family: Family) -> Metric:
    """A metric of a program."""
    metric = Metric(family.name, family.help, family.kind)
    for attributes, numbers in sorted(family.series.items()):
        if family.kind == "histogram":
            _add_histogram(metric, family.name, dict(attributes), _bounds(LATENCY), numbers)
        else:
            suffix = "_total" if family.kind == "counter" else ""
            metric.add_sample(f"{family.name}{suffix}", dict(attributes), numbers[0])
    return metric


def _bounds(buckets: Sequence[float]) -> Sequence[str]:
    return [floatToGoString(bound) for bound in (*buckets, float("inf"))]
