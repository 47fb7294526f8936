"""Takes a program out of memory: its tasks end now, in their own context, and not in the garbage collector."""

from __future__ import annotations

import asyncio
from typing import Any

from actorflow.core import limits
from actorflow.core.program.errors import Evicted, TurnTooLongError
from actorflow.core.program.loop import ProgramLoop


def evict(loop: ProgramLoop) -> int:
    """Throw `Evicted` into every task and close every generator of a loop; returns how many tasks resisted."""
    if loop.unfinished_tasks() or loop.open_generators():
        loop.run(lambda: _evict_all(loop))
    return len(loop.unfinished_tasks())


def _evict_all(loop: ProgramLoop) -> None:
    for _ in range(limits.TEAR_DOWN_ROUNDS_MAX):
        for task in loop.unfinished_tasks():
            _throw_into(task)
        for generator in loop.open_generators():
            loop.create_task(_close_generator(generator), name="close generator")
        _drain(loop)
        if not loop.unfinished_tasks():
            return


def _drain(loop: ProgramLoop) -> None:
    try:
        loop.drain(limits.TURN_STEPS_MAX)
    except (SystemExit, TurnTooLongError):
        return  # whatever it does on its way out, the next round goes on from there


def _throw_into(task: asyncio.Task[Any]) -> None:
    """Wake a task with `Evicted`, through the future it waits for; one that waits for another task is woken by that."""
    waits_for: asyncio.Future[Any] | None = getattr(task, "_fut_waiter", None)
    if waits_for is None:
        task.cancel()  # it has not begun, or is about to step
    elif not isinstance(waits_for, asyncio.Task) and not waits_for.done():
        waits_for.set_exception(Evicted())


async def _close_generator(generator: Any) -> None:
    try:
        await generator.aclose()
    except (Exception, Evicted):
        return  # a program that leaves memory has nobody to tell
