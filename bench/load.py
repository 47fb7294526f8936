"""Drives operations: many in flight, or one at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from time import perf_counter

Operation = Callable[[int], Awaitable[object]]


async def crowd(operation: Operation, count: int, *, in_flight: int) -> float:
    """Run an operation ``count`` times, so many in flight; the seconds it took."""
    numbers = iter(range(count))

    async def one_after_the_other() -> None:
        for number in numbers:
            await operation(number)

    started = perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(min(in_flight, count)):
            group.create_task(one_after_the_other())
    return perf_counter() - started


async def one_by_one(operation: Operation, count: int) -> Sequence[float]:
    """Run an operation ``count`` times; the seconds of each."""
    seconds: list[float] = []
    for number in range(count):
        started = perf_counter()
        await operation(number)
        seconds.append(perf_counter() - started)
    return seconds
