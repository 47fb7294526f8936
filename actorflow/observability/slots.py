"""Where an engine counts: plain numbers, written by one thread and read by another without a lock."""

from __future__ import annotations

from bisect import bisect_left


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

    Args:
        bounds: the upper bound of each bucket, rising; one more is without bound.
    """

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Count one value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def read(self) -> list[float]:
        """See `Snapshot`: the count of each bucket by itself, then the sum."""
        return [*self._counts, self._sum]


Slot = Count | Histogram
