"""The durable timers of a program, from the command to the callback."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Final

from actorflow.core import events as ev, limits
from actorflow.core.program.asked import Asked
from actorflow.core.program.errors import CommandLimitError

_LONGEST: Final = limits.DURATION_MAX.total_seconds()


class Timers:
    """Those that have neither fired nor been cancelled.

    Args:
        asked: takes the commands.
    """

    __slots__ = ("_asked", "_callbacks", "_next")

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._callbacks: dict[str, Callable[[], None]] = {}
        self._next = 1

    def start(self, delay: float, callback: Callable[[], None], summary: str = "") -> Callable[[], None]:
        """Start a timer of so many seconds; returns what cancels it.

        Raises:
            ValueError: ``delay`` is not a number.
            CommandLimitError: too many are running.
        """
        duration = _duration(delay)
        if len(self._callbacks) >= limits.COMMANDS_OUTSTANDING_MAX:
            raise CommandLimitError("timers", limit=limits.COMMANDS_OUTSTANDING_MAX)
        timer_id = str(self._next)
        self._next += 1
        self._callbacks[timer_id] = callback
        self._asked.add(("timer", timer_id), ev.TimerStarted(timer_id, duration, summary))
        return partial(self._cancel, timer_id)

    def fire(self, timer_id: str) -> None:
        """Run a callback, unless it was cancelled in the meantime."""
        callback = self._callbacks.pop(timer_id, None)
        if callback is not None:
            callback()

    def _cancel(self, timer_id: str) -> None:
        if self._callbacks.pop(timer_id, None) is None or self._asked.is_arriving("timer", timer_id):
            return  # it has fired: with this very turn, perhaps
        if not self._asked.take_back(("timer", timer_id)):
            self._asked.add(("cancel timer", timer_id), ev.TimerCancelled(timer_id))


def _duration(delay: float) -> timedelta:
    """Seconds as the duration of a timer, which is a century at most."""
    if delay != delay:
        raise ValueError("can't wait for NaN seconds")
    return timedelta(seconds=min(delay, _LONGEST))
