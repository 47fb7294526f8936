"""A clock that runs as the system's does, and can be moved ahead by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from actorflow.clock import SystemClock


class _Alarm:
    """A callback that waits for its time, or for the clock to be moved there."""

    def __init__(self, at: float, callback: Callable[[], object]) -> None:
        self.at = at
        self._callback = callback
        self._is_over = False

    def ring(self) -> None:
        """Call back, unless it was done before or is not wanted any more."""
        if not self._is_over:
            self._is_over = True
            self._callback()

    def cancel(self) -> None:
        """Forget it."""
        self._is_over = True


class MovableClock(SystemClock):
    """The system's time, plus what was skipped."""

    def __init__(self) -> None:
        super().__init__()
        self._skipped = timedelta(0)
        self._alarms: list[_Alarm] = []

    def now(self) -> datetime:
        """See `Clock.now`."""
        return super().now() + self._skipped

    def monotonic(self) -> float:
        """See `Clock.monotonic`."""
        return super().monotonic() + self._skipped.total_seconds()

    def call_later(self, delay: float, callback: Callable[[], object]) -> _Alarm:
        """See `Clock.call_later`."""
        alarm = _Alarm(self.monotonic() + delay, callback)
        self._alarms.append(alarm)
        super().call_later(delay, alarm.ring)
        return alarm

    def skip(self, duration: timedelta) -> None:
        """Move ahead; whatever is due then rings now."""
        self._skipped += duration
        due = [alarm for alarm in self._alarms if alarm.at <= self.monotonic()]
        self._alarms = [alarm for alarm in self._alarms if alarm not in due]
        for alarm in due:
            alarm.ring()
