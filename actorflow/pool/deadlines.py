"""Timeouts of attempts, most of which never ring.

Attempts have few distinct timeouts, and those that start later end later, so one line per duration is in order by
itself: adding and cancelling cost no heap, and one timer of the event loop watches the head of each line.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from actorflow.clock import Clock


class Deadline:
    """An instant that rings unless it is cancelled before."""

    __slots__ = ("at", "ring")

    def __init__(self, at: float, ring: Callable[[], None]) -> None:
        self.at = at
        self.ring: Callable[[], None] | None = ring

    def cancel(self) -> None:
        """Don't ring."""
        self.ring = None


class Deadlines:
    """Lines of deadlines by duration.

    Args:
        clock: the time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lines: dict[float, deque[Deadline]] = {}

    def __len__(self) -> int:
        return sum(len(line) for line in self._lines.values())

    def add(self, seconds: float, ring: Callable[[], None]) -> Deadline:
        """Ring after so many seconds."""
        deadline = Deadline(self._clock.monotonic() + seconds, ring)
        line = self._lines.get(seconds)
        if line is None:
            self._lines[seconds] = deque((deadline,))
            self._clock.call_later(seconds, lambda: self._look(seconds))
            return deadline
        while line and line[0].ring is None:
            line.popleft()
        line.append(deadline)
        return deadline

    def _look(self, seconds: float) -> None:
        line = self._lines[seconds]
        now = self._clock.monotonic()
        while line and (line[0].ring is None or line[0].at <= now):
            ring = line.popleft().ring
            if ring is not None:
                ring()
        if line:
            self._clock.call_later(line[0].at - now, lambda: self._look(seconds))
        else:
            del self._lines[seconds]
