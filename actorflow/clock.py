"""The one place where real time, chance and new identities come from."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol
from uuid import UUID


class TimerHandle(Protocol):
    """A callback that waits for its time."""

    def cancel(self) -> None:
        """Forget the callback; harmless if it ran already."""
        ...


class Clock(Protocol):
    """Time, waiting and identity, given to whoever needs them."""

    def now(self) -> datetime:
        """The current instant (aware, UTC); never goes back while the process lives."""
        ...

    def monotonic(self) -> float:
        """Seconds since some instant; for measuring waits."""
        ...

    def call_later(self, delay: float, callback: Callable[[], object]) -> TimerHandle:
        """Run the callback on the event loop after ``delay`` seconds."""
        ...

    def new_run_id(self) -> str:
        """A fresh UUIDv7 as text."""
        ...


class SystemClock:
    """The system's time, steady against steps of the wall clock.

    The wall clock is read once; from then on elapsed monotonic time is added. So a timer never fires before its
    duration has passed, whichever way somebody turns the wall clock meanwhile.
    """

    def __init__(self) -> None:
        self._wall_ns = time.time_ns()
        self._started_ns = time.monotonic_ns()
        self._last_id = 0
        self._pool = b""

    def now(self) -> datetime:
        """See `Clock.now`."""
        return _EPOCH + timedelta(microseconds=self._micros())

    def _micros(self) -> int:
        """Since the epoch."""
        return (self._wall_ns + time.monotonic_ns() - self._started_ns) // 1000

    def monotonic(self) -> float:
        """See `Clock.monotonic`."""
        return time.monotonic()

    def call_later(self, delay: float, callback: Callable[[], object]) -> TimerHandle:
        """See `Clock.call_later`."""
        return asyncio.get_running_loop().call_later(delay, callback)

    def _chance(self, size: int) -> bytes:
        """Random bytes, drawn from the system in blocks: a call for each id would cost as much as a turn's commands."""
        if len(self._pool) < size:
            self._pool = os.urandom(4096)
        drawn, self._pool = self._pool[:size], self._pool[size:]
        return drawn

    def new_run_id(self) -> str:
        """See `Clock.new_run_id`; ids of one clock rise strictly, so new runs are neighbours in an index."""
        millis = (self._wall_ns + time.monotonic_ns() - self._started_ns) // 1_000_000
        # 48 bits of time, then 74 random ones; within a millisecond the number is counted up instead
        candidate = (millis << 74) | (int.from_bytes(self._chance(10)) >> 6)
        self._last_id = max(candidate, self._last_id + 1)
        return str(uuid7_from_bits(self._last_id))


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def uuid7_from_bits(bits: int) -> UUID:
    """Lay 122 bits (48 of milliseconds, 74 of chance) out as a version 7 UUID (RFC 9562)."""
    millis, chance = bits >> 74, bits & ((1 << 74) - 1)
    high, low = chance >> 62, chance & ((1 << 62) - 1)
    return UUID(int=(millis << 80) | (0x7 << 76) | (high << 64) | (0b10 << 62) | low)
