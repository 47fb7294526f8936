"""Something that becomes true once, and can be waited for from tasks and threads alike."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable


class Flag:
    """See the module's head. Most are never waited for, so one costs a list and no lock."""

    __slots__ = ("_is_set", "_waiting")

    def __init__(self) -> None:
        self._is_set = False
        self._waiting: list[Callable[[], object]] = []

    def is_set(self) -> bool:
        """True once it is."""
        return self._is_set

    def set(self) -> None:
        """Make it true, and wake who waits; harmless if it is. Any thread may."""
        # In this order: whoever joins the line looks again afterwards, so either of the two sees the other.
        self._is_set = True
        for wake in list(self._waiting):
            wake()

    def when_set(self, call: Callable[[], object]) -> None:
        """Call this once it is true; twice at most, if it becomes so meanwhile."""
        self._waiting.append(call)
        if self._is_set:
            call()

    async def wait(self) -> None:
        """Wait in a task until it is true."""
        loop = asyncio.get_running_loop()
        woken: asyncio.Future[None] = loop.create_future()

        def wake() -> None:
            if not woken.done():
                woken.set_result(None)

        def wake_from_anywhere() -> None:
            if asyncio._get_running_loop() is loop:
                wake()
            else:
                loop.call_soon_threadsafe(wake)

        with _Place(self._waiting, wake_from_anywhere):
            if not self._is_set:
                await woken

    def wait_sync(self, timeout: float | None = None) -> None:
        """Wait in a thread until it is true, or so many seconds have passed."""
        woken = threading.Event()
        with _Place(self._waiting, woken.set):
            if not self._is_set:
                woken.wait(timeout)


class _Place:
    """A place in the line, left in any case."""

    def __init__(self, line: list[Callable[[], object]], wake: Callable[[], object]) -> None:
        self._line = line
        self._wake = wake

    def __enter__(self) -> None:
        self._line.append(self._wake)

    def __exit__(self, *_problem: object) -> None:
        self._line.remove(self._wake)
