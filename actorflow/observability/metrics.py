"""The metrics of one engine."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from actorflow.metering import Instrument, MetricAttributes, MetricMeter
from actorflow.observability.custom import Family
from actorflow.observability.process import PROCESS, Process
from actorflow.observability.slots import Count, Histogram, Slot
from actorflow.observability.snapshot import Labels, Snapshot
from actorflow.observability.table import OVERFLOW, Spec

Gauge = tuple[Spec, Labels, float]


class Metrics:
    """Slots by metric and label values. Ask for a slot once and keep it: it is the same object each time.

    Args:
        process: whose sum they are part of while the engine is open, and whose bounds they share.
    """

    def __init__(self, process: Process = PROCESS) -> None:
        self._process = process
        self._reading = threading.Lock()
        self._slots: dict[tuple[str, Labels], tuple[Spec, Labels, Slot]] = {}
        self._gauges: Callable[[], Iterable[Gauge]] = tuple

    def count(self, spec: Spec, *labels: str) -> Count:
        """The counter of these label values, or of all that have no room."""
        slot = self._slot(spec, labels)
        assert isinstance(slot, Count)
        return slot

    def histogram(self, spec: Spec, *labels: str) -> Histogram:
        """The histogram of these label values, or of all that have no room."""
        slot = self._slot(spec, labels)
        assert isinstance(slot, Histogram)
        return slot

    def _slot(self, spec: Spec, labels: Labels) -> Slot:
        admitted = self._process.admission.admit(spec, labels)
        if admitted != labels:
            self.count(OVERFLOW, spec.name).value += 1
        known = self._slots.get((spec.name, admitted))
        if known is None:
            slot = Histogram(spec.buckets) if spec.kind == "histogram" else Count()
            known = self._slots.setdefault((spec.name, admitted), (spec, admitted, slot))
        return known[2]

    def open(self, gauges: Callable[[], Iterable[Gauge]]) -> None:
        """Be part of the process; ``gauges`` is called by each scrape, in its thread."""
        self._gauges = gauges
        self._process.join(self)

    def close(self) -> None:
        """The engine has closed: what was counted stays counted. Safe to call twice."""
        self._gauges = tuple
        self._process.leave(self)

    def meter(self, attributes: MetricAttributes) -> MetricMeter:
        """Makes metrics of a program's own; they belong to the process."""
        return MetricMeter(self.record, attributes)

    def record(self, instrument: Instrument, value: float, attributes: MetricAttributes) -> None:
        """See `actorflow.metering.Record`."""
        self._process.custom.record(instrument, value, attributes)

    def families(self) -> Iterable[Family]:
        """See `Source`: none, they are not this engine's."""
        return ()

    def fold(self) -> None:
        """Sort what was observed into buckets; called each second, from any thread, so that nothing piles up."""
        with self._reading:
            for _, _, slot in list(self._slots.values()):
                if isinstance(slot, Histogram):
                    slot.fold()

    def snapshot(self) -> Snapshot:
        """See `Source`."""
        taken = Snapshot()
        with self._reading:
            for spec, labels, slot in list(self._slots.values()):
                taken.add(spec, labels, slot.read())
        for spec, labels, value in self._gauges():
            taken.add(spec, self._process.admission.admit(spec, labels), [value])
        return taken
