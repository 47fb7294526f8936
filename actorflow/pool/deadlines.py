"""Timeouts of attempts, most of which never ring.

Attempts have few distinct timeouts, and those that start later end later, so one line per duration is in order by
itself: adding and cancelling cost no heap, and one timer of the event loop watches the head of each line.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from actorflow.clock import Clock

_COMPACT_FROM: Final = 128


class Deadline:
    """An instant that rings unless it is cancelled before."""

    __slots__ = ("at", "ring")

    def __init__(self, at: float, ring: Callable[[], None]) -> None:
        self.at = at
        self.ring: Callable[[], None] | None = ring

    def cancel(self) -> None:
        """Don't ring."""
        self.ring = None


class _Line:
    """Deadlines of one duration, in order; those that were cancelled are left out now and then."""

    __slots__ = ("_compact_at", "waiting")

    def __init__(self) -> None:
        self.waiting: deque[Deadline] = deque()
        self._compact_at = _COMPACT_FROM

    def add(self, deadline: Deadline) -> None:
        waiting = self.waiting
        while waiting and waiting[0].ring is None:
            waiting.popleft()
        waiting.append(deadline)
        if len(waiting) >= self._compact_at:
            self.waiting = deque([known for known in waiting if known.ring is not None])
            self._compact_at = max(_COMPACT_FROM, 2 * len(self.waiting))

    def take_due(self, now: float) -> Callable[[], None] | None:
        """What rings next, if it is time."""
        while self.waiting and (self.waiting[0].ring is None or self.waiting[0].at <= now):
            ring = self.waiting.popleft().ring
            if ring is not None:
                return ring
        return None


class Deadlines:
    """Lines of deadlines by duration.

    Args:
        clock: the time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lines: dict[float, _Line] = {}

    def __len__(self) -> int:
        return sum(len(line.waiting) for line in self._lines.values())

    def add(self, seconds: float, ring: Callable[[], None]) -> Deadline:
        """Ring after so many seconds."""
        deadline = Deadline(self._clock.monotonic() + seconds, ring)
        line = self._lines.get(seconds)
        if line is None:
            line = self._lines[seconds] = _Line()
            self._clock.call_later(seconds, lambda: self._look(seconds))
        line.add(deadline)
        return deadline

    def _look(self, seconds: float) -> None:
        line, now = self._lines[seconds], self._clock.monotonic()
        try:
            while (ring := line.take_due(now)) is not None:
                ring()
        finally:
            if line.waiting:
                self._clock.call_later(max(line.waiting[0].at - now, 0.0), lambda: self._look(seconds))
            else:
                del self._lines[seconds]
