"""Which label values get a series of their own: so many of each label, so many series in all."""

from __future__ import annotations

import threading
from typing import Final

from actorflow.core import limits
from actorflow.observability.table import OPEN_LABELS, Spec

OTHER: Final = "__other__"
"""Stands for every value that has no room."""


class Admission:
    """Once admitted, always admitted: no series ever disappears into another one. Any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: set[tuple[str, tuple[str, ...]]] = set()
        self._values: dict[tuple[str, str], set[str]] = {}
        self._series = 0

    def admit(self, spec: Spec, labels: tuple[str, ...]) -> tuple[str, ...]:
        """The label values to count under: these, or with `OTHER` where there is no room."""
        if (spec.name, labels) in self._known:
            return labels
        with self._lock:
            admitted = self._with_room(spec, labels)
            if (spec.name, admitted) not in self._known:
                self._known.add((spec.name, admitted))
                self._series += spec.width
            return admitted

    def _with_room(self, spec: Spec, labels: tuple[str, ...]) -> tuple[str, ...]:
        admitted = tuple(
            value if label not in OPEN_LABELS or self._has_room(spec, label, value) else OTHER
            for label, value in zip(spec.labels, labels, strict=True)
        )
        if (spec.name, admitted) in self._known or not spec.is_open:
            return admitted
        if self._series + spec.width > limits.METRIC_SERIES_MAX - limits.METRIC_SERIES_KEPT:
            return tuple(
                OTHER if label in OPEN_LABELS else value for label, value in zip(spec.labels, labels, strict=True)
            )
        for label, value in zip(spec.labels, admitted, strict=True):
            if label in OPEN_LABELS and value != OTHER:
                self._values.setdefault((spec.name, label), set()).add(value)
        return admitted

    def _has_room(self, spec: Spec, label: str, value: str) -> bool:
        values = self._values.get((spec.name, label), ())
        return value in values or len(values) < limits.METRIC_LABEL_VALUES_MAX
