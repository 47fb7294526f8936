"""Bounded slots of the workers of one task queue, given out in the order of arrival."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Generic, TypeVar

W = TypeVar("W")


class Slots(Generic[W]):
    """One worker's slots. ``worker`` is whatever the caller wants back with a slot."""

    __slots__ = ("free", "maximum", "worker")

    def __init__(self, worker: W, maximum: int) -> None:
        self.worker = worker
        self.maximum = maximum
        self.free = maximum


class Waiting(Generic[W]):
    """A place in the line; ``granted`` is called with the worker's slots, one of them already taken."""

    __slots__ = ("granted", "is_cancelled", "since")

    def __init__(self, granted: Callable[[Slots[W]], None], since: datetime | None = None) -> None:
        self.granted = granted
        self.since = since
        self.is_cancelled = False


class TaskQueue(Generic[W]):
    """The line of one task queue: those who wait for a slot, and the workers that offer some."""

    def __init__(self) -> None:
        self._workers: list[Slots[W]] = []
        self._line: deque[Waiting[W]] = deque()
        self._is_granting = False

    @property
    def workers(self) -> list[W]:
        """Who offers slots here."""
        return [slots.worker for slots in self._workers]

    def add(self, slots: Slots[W]) -> None:
        """A worker offers its slots."""
        self._workers.append(slots)
        self._grant()

    def remove(self, slots: Slots[W]) -> None:
        """A worker offers no more slots; those in use stay its own."""
        self._workers.remove(slots)

    def reserve(self) -> Slots[W] | None:
        """A free slot at once; None if there is none, or others wait."""
        return None if self._line else self._take()

    @property
    def waiting(self) -> Sequence[Waiting[W]]:
        """The line, without those who have left it; a copy any thread may take."""
        return [place for place in list(self._line) if not place.is_cancelled]

    def wait(self, granted: Callable[[Slots[W]], None], since: datetime | None = None) -> Waiting[W]:
        """Join the line; set ``is_cancelled`` of the returned place to leave it. ``since`` is for whoever looks on."""
        place = Waiting(granted, since)
        self._line.append(place)
        self._grant()
        return place

    def release(self, slots: Slots[W]) -> None:
        """Give a slot back."""
        slots.free += 1
        self._grant()

    def _take(self) -> Slots[W] | None:
        for slots in self._workers:
            if slots.free > 0:
                slots.free -= 1
                return slots
        return None

    def _grant(self) -> None:
        if self._is_granting or not self._line:
            return  # granting may release at once; the outer loop goes on with it
        self._is_granting = True
        try:
            while self._line:
                if self._line[0].is_cancelled:
                    self._line.popleft()
                    continue
                slots = self._take()
                if slots is None:
                    return
                self._line.popleft().granted(slots)
        finally:
            self._is_granting = False
