"""A clock of its own for one environment: it runs as the system's does, stands still while work is done, and can jump.

Time that passes while an engine works is of no interest to a test, and would tear apart what belongs together: of a
thousand workflows that are started at once and sleep for an hour, each would wake in a microsecond of its own. So the
instant is held while something is under way, and what was asked for in one burst falls due in one. It never goes back,
and an alarm rings in real time too, if nothing skips to it.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Callable
from typing import Final

from actorflow.clock import SystemClock, TimerHandle

_COMPACT_FROM: Final = 128
_MICROS: Final = 1_000_000


class _Alarm:
    """A callback that waits for its instant."""

    __slots__ = ("_cancelled", "callback")

    def __init__(self, callback: Callable[[], object], cancelled: Callable[[], None]) -> None:
        self.callback: Callable[[], object] | None = callback
        self._cancelled = cancelled

    def cancel(self) -> None:
        """See `TimerHandle.cancel`."""
        if self.callback is not None:
            self.callback = None
            self._cancelled()


_Entry = tuple[int, int, _Alarm]


def _always() -> bool:
    return True


class VirtualClock(SystemClock):
    """See the module's head. It belongs to the event loop on which it was made.

    Attributes:
        is_flowing: asked whenever somebody wants to know the time; False while it has to stand still.
    """

    def __init__(self) -> None:
        super().__init__()
        self.is_flowing: Callable[[], bool] = _always
        self._loop = asyncio.get_running_loop()
        self._skipped = 0
        self._began_at = self._instant = super()._micros()
        self._is_held = False
        self._is_ringing = False
        self._alarms: list[_Entry] = []
        self._armed = 0
        self._cancelled = 0
        self._handle: TimerHandle | None = None
        self._handle_at: int | None = None

    def monotonic(self) -> float:
        """See `Clock.monotonic`."""
        return (self._micros() - self._began_at) / _MICROS

    def _micros(self) -> int:
        if self._is_held or not self.is_flowing():
            return self._instant
        if asyncio._get_running_loop() is not self._loop:  # somebody who only looks, from a thread
            return self._flowing()
        self._instant = self._flowing()
        # One instant for a round of the loop: a delay that was worked out from this one is added to this one.
        self._is_held = True
        self._loop.call_soon(self._let_go)
        return self._instant

    def _let_go(self) -> None:
        self._is_held = False

    def _flowing(self) -> int:
        """Where the clock would be if it had never stood still."""
        return super()._micros() + self._skipped

    def call_later(self, delay: float, callback: Callable[[], object]) -> TimerHandle:
        """See `Clock.call_later`. Alarms of one instant ring in the order in which they were armed."""
        at = self._micros() + (max(1, round(delay * _MICROS)) if delay > 0 else 0)
        alarm = _Alarm(callback, self._count_cancelled)
        self._armed += 1
        heapq.heappush(self._alarms, (at, self._armed, alarm))
        if self._handle_at is None or at < self._handle_at:
            self._arm()
        return alarm

    @property
    def has_alarms(self) -> bool:
        """True if there is something to skip to."""
        self._drop_cancelled()
        return bool(self._alarms)

    def skip(self) -> None:
        """Jump to the earliest alarm, and ring whatever is due then."""
        self._drop_cancelled()
        if self._alarms:
            self._skipped += max(0, self._alarms[0][0] - self._flowing())
            self._ring()

    def close(self) -> None:
        """Ring no more."""
        self._alarms.clear()
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _ring(self) -> None:
        """Ring what is due at the instant of the earliest alarm; what is due later, or armed meanwhile, rings later."""
        self._instant = max(self._instant, self._alarms[0][0])
        due: deque[_Entry] = deque()
        while self._alarms and self._alarms[0][0] <= self._instant:
            due.append(heapq.heappop(self._alarms))
        was_held, self._is_held, self._is_ringing = self._is_held, True, True
        try:
            while due:
                alarm = due.popleft()[2]
                callback, alarm.callback = alarm.callback, None
                if callback is not None:
                    callback()
        finally:
            for entry in due:  # one has raised: the others ring at once, and the loop hears of it
                heapq.heappush(self._alarms, entry)
            self._is_held, self._is_ringing = was_held, False
            self._arm()

    def _ring_in_time(self) -> None:
        self._handle = self._handle_at = None
        self._drop_cancelled()
        if self._alarms and self._alarms[0][0] <= self._flowing():
            self._ring()
        else:
            self._arm()

    def _arm(self) -> None:
        """Ring in real time what nobody skips to."""
        if self._is_ringing:
            return  # once they have rung
        if self._handle is not None:
            self._handle.cancel()
            self._handle = self._handle_at = None
        if self._alarms:
            self._handle_at = self._alarms[0][0]
            seconds = (self._handle_at - self._flowing()) / _MICROS
            self._handle = self._loop.call_later(max(seconds, 0.0), self._ring_in_time)

    def _count_cancelled(self) -> None:
        """Most alarms are timeouts that never ring: don't keep them until then."""
        self._cancelled += 1
        if self._cancelled >= max(_COMPACT_FROM, len(self._alarms) // 2):
            self._alarms = [entry for entry in self._alarms if entry[2].callback is not None]
            heapq.heapify(self._alarms)
            self._cancelled = 0

    def _drop_cancelled(self) -> None:
        while self._alarms and self._alarms[0][2].callback is None:
            heapq.heappop(self._alarms)
