"""Gives ready actors their turns, in order, without keeping the event loop for itself.

Turns are plain function calls from a plain loop callback: no task, no queue and no context switch per actor. After a
slice of time the dispatcher steps back behind everything else that is ready on the loop.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

_CLOCK_EVERY = 8


class Turnable(Protocol):
    """An actor the dispatcher can step."""

    is_ready: bool

    def step(self) -> None:
        """Take one turn. Must not raise."""
        ...


T = TypeVar("T", bound=Turnable)


class Dispatcher(Generic[T]):
    """Steps actors in the order in which they became ready.

    Args:
        loop: where turns run.
        after_slice: called after each slice, to write what it decided.
        slice_seconds: how long one slice may take.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, after_slice: Callable[[], None], *, slice_seconds: float
    ) -> None:
        self._loop = loop
        self._after_slice = after_slice
        self._slice_seconds = slice_seconds
        self._ready: deque[T] = deque()
        self._is_scheduled = False

    @property
    def ready(self) -> Sequence[T]:
        """Who waits for a turn; a copy any thread may take."""
        return list(self._ready)

    @property
    def is_idle(self) -> bool:
        """True if nobody waits for a turn, and no slice is under way."""
        return not self._ready and not self._is_scheduled

    def wake(self, actor: T) -> None:
        """Give the actor a turn soon; once is enough however often it is asked."""
        if actor.is_ready:
            return
        actor.is_ready = True
        self._ready.append(actor)
        self._schedule()

    def _schedule(self) -> None:
        if not self._is_scheduled:
            self._is_scheduled = True
            self._loop.call_soon(self._run_slice)

    def _run_slice(self) -> None:
        ready = self._ready
        ends_at = time.perf_counter() + self._slice_seconds
        try:
            while ready:
                for _ in range(min(_CLOCK_EVERY, len(ready))):
                    actor = ready.popleft()
                    actor.is_ready = False
                    actor.step()
                if time.perf_counter() >= ends_at:
                    break
        finally:
            self._is_scheduled = False
            if ready:
                self._schedule()
            self._after_slice()
