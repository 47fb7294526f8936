"""What metrics say at one moment; snapshots of several engines add up to one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from actorflow.observability.table import Spec

Labels = tuple[str, ...]


class Snapshot:
    """Numbers by metric and label values: one for a counter or a gauge, one per bucket and the sum for a histogram."""

    def __init__(self) -> None:
        self._values: dict[str, dict[Labels, Sequence[float]]] = {}

    def of(self, spec: Spec) -> Iterable[tuple[Labels, Sequence[float]]]:
        """The numbers of one metric."""
        return self._values.get(spec.name, {}).items()

    def add(self, spec: Spec, labels: Labels, numbers: Sequence[float]) -> None:
        """Take numbers in, as the metric says they fold."""
        of_metric = self._values.setdefault(spec.name, {})
        known = of_metric.get(labels)
        of_metric[labels] = numbers if known is None else _folded(spec, known, numbers)

    def merge(self, other: Snapshot, specs: Iterable[Spec]) -> None:
        """Take in what another snapshot says of these metrics."""
        for spec in specs:
            for labels, numbers in other.of(spec):
                self.add(spec, labels, numbers)


def _folded(spec: Spec, mine: Sequence[float], theirs: Sequence[float]) -> Sequence[float]:
    if spec.fold == "sum":
        return [one + other for one, other in zip(mine, theirs, strict=True)]
    choose = max if spec.fold == "max" else min
    return [choose(one, other) for one, other in zip(mine, theirs, strict=True)]
