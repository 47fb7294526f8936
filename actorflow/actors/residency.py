"""Who stays in memory: the most recently used actors, up to a bound, and none that has been idle for long."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Resident(Protocol):
    """An actor that can leave memory."""

    last_used: float

    @property
    def is_evictable(self) -> bool:
        """False while something is under way that only memory holds."""
        ...

    def passivate(self, reason: str) -> None:
        """Leave memory: 'lru' or 'idle'."""
        ...


class Residency:
    """Residents in order of use.

    Args:
        maximum: how many may stay; with 0 every actor leaves as soon as it can.
        monotonic: the time, in seconds.
    """

    def __init__(self, maximum: int, monotonic: Callable[[], float]) -> None:
        self.maximum = maximum
        self._monotonic = monotonic
        self._by_use: dict[int, Resident] = {}

    def __len__(self) -> int:
        return len(self._by_use)

    def touch(self, key: int, actor: Resident) -> None:
        """The actor was used just now."""
        self._by_use.pop(key, None)
        self._by_use[key] = actor
        actor.last_used = self._monotonic()

    def drop(self, key: int) -> None:
        """The actor has left."""
        self._by_use.pop(key, None)

    def trim(self) -> None:
        """Let the least recently used leave until the bound is kept; those that can't leave yet are passed over."""
        excess = len(self._by_use) - self.maximum
        if excess > 0:
            self._passivate("lru", excess, before=None)

    def passivate_idle(self, idle_seconds: float) -> None:
        """Let those leave that were not used for that long."""
        self._passivate("idle", len(self._by_use), before=self._monotonic() - idle_seconds)

    def _passivate(self, reason: str, count: int, *, before: float | None) -> None:
        leaving: list[Resident] = []
        for actor in self._by_use.values():
            if len(leaving) >= count or (before is not None and actor.last_used > before):
                break
            if actor.is_evictable:
                leaving.append(actor)
        for actor in leaving:
            actor.passivate(reason)
