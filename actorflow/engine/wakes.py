"""Wakes executions when their earliest timer is due.

One entry per execution, not per timer: the execution itself knows which of its timers are due. An execution that left
memory keeps its entry and nothing else. Those asleep since an earlier process are found through the store's index.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import datetime

from actorflow.clock import Clock, TimerHandle


class Wakes:
    """A heap of (when, run key).

    Args:
        clock: the time.
        wake: called with the key of each run that is due, oldest first.
        lag: told how late each is woken, in seconds.
    """

    def __init__(self, clock: Clock, wake: Callable[[int], None], lag: Callable[[float], None]) -> None:
        self._clock = clock
        self._wake = wake
        self._lag = lag
        self._heap: list[tuple[datetime, int]] = []
        self._handle: TimerHandle | None = None
        self._handle_at: datetime | None = None

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, at: datetime, key: int) -> None:
        """Wake a run at that instant; being woken too early must be harmless, entries are never taken back."""
        heapq.heappush(self._heap, (at, key))
        if self._handle_at is None or at < self._handle_at:
            self._arm()

    def close(self) -> None:
        """Wake nobody any more."""
        self._heap.clear()
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _arm(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = self._handle_at = None
        if self._heap:
            self._handle_at = self._heap[0][0]
            delay = (self._handle_at - self._clock.now()).total_seconds()
            self._handle = self._clock.call_later(max(delay, 0.0), self._fire)

    def _fire(self) -> None:
        self._handle = self._handle_at = None
        now = self._clock.now()
        while self._heap and self._heap[0][0] <= now:
            at, key = heapq.heappop(self._heap)
            self._lag((now - at).total_seconds())
            self._wake(key)
        self._arm()
