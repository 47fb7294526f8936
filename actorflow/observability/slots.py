"""Where an engine counts: plain numbers, written by one thread and read by others without making it wait."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable


class Count:
    """A number that only rises; ``value`` may be raised in place."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0

    def read(self) -> list[float]:
        """See `Snapshot`."""
        return [self.value]


class Histogram:
    """How many values fell into which bucket, and their sum.

    A value is only put down when it is observed, and sorted into its bucket later, together with others: that costs
    a third. Whoever folds or reads holds the lock of its `Metrics`; whoever observes does not.

    Args:
        bounds: the upper bound of each bucket, rising; one more is without bound.

    Attributes:
        observe: takes a value.
    """

    __slots__ = ("_bounds", "_counts", "_fresh", "_sum", "observe")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0
        self._fresh: list[float] = []
        self.observe: Callable[[float], None] = self._fresh.append

    def fold(self) -> None:
        """Sort what was observed into the buckets; copying and deleting are one step each for who observes."""
        count = len(self._fresh)
        if not count:
            return
        values = sorted(self._fresh[:count])
        del self._fresh[:count]
        below = 0
        for place, bound in enumerate(self._bounds):
            up_to = bisect_right(values, bound, below)
            self._counts[place] += up_to - below
            below = up_to
        self._counts[-1] += count - below
        self._sum += sum(values)

    def read(self) -> list[float]:
        """See `Snapshot`: the count of each bucket by itself, then the sum."""
        self.fold()
        return [*self._counts, self._sum]


Slot = Count | Histogram
