"""`asyncio.wait` and `asyncio.as_completed` for workflows: the same meaning, but in a fixed order on every replay."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Iterator
from datetime import timedelta
from typing import Any, TypeVar

from actorflow.workflow.context import running_program, seconds_of

T = TypeVar("T")


async def wait(
    fs: Iterable[asyncio.Future[T]],
    *,
    timeout: float | timedelta | None = None,
    return_when: str = asyncio.ALL_COMPLETED,
) -> tuple[list[asyncio.Future[T]], list[asyncio.Future[T]]]:
    """Wait for some or all of several futures or tasks.

    Args:
        fs: what to wait for.
        timeout: give up waiting after this long; nothing is cancelled.
        return_when: `asyncio.ALL_COMPLETED`, `FIRST_COMPLETED` or `FIRST_EXCEPTION`.

    Returns:
        Those that are done and those that are not, each in the order given.

    Raises:
        ValueError: nothing to wait for.
        TypeError: a coroutine was given; make it a task first.
    """
    futures = list(dict.fromkeys(fs))
    if not futures:
        raise ValueError("nothing to wait for")
    if any(asyncio.iscoroutine(future) for future in futures):
        raise TypeError("workflow.wait takes futures and tasks; wrap a coroutine with asyncio.create_task")
    if not _is_over(futures, return_when):
        await _until_over(futures, return_when, timeout)
    return [future for future in futures if future.done()], [future for future in futures if not future.done()]


async def _until_over(futures: list[asyncio.Future[T]], return_when: str, timeout: float | timedelta | None) -> None:
    program = running_program()
    over: asyncio.Future[None] = program.loop.create_future()

    def look(_done: object = None) -> None:
        if not over.done() and (_done is None or _is_over(futures, return_when)):
            over.set_result(None)

    cancel = None if timeout is None else program.timers.start(seconds_of(timeout), look)
    for future in futures:
        future.add_done_callback(look)
    try:
        await over
    finally:
        if cancel is not None:
            cancel()
        for future in futures:
            future.remove_done_callback(look)


def _is_over(futures: list[asyncio.Future[T]], return_when: str) -> bool:
    done = [future for future in futures if future.done()]
    if return_when == asyncio.FIRST_COMPLETED and done:
        return True
    if return_when == asyncio.FIRST_EXCEPTION and any(not f.cancelled() and f.exception() for f in done):
        return True
    return len(done) == len(futures)


def as_completed(
    fs: Iterable[asyncio.Future[T] | Coroutine[Any, Any, T]], *, timeout: float | timedelta | None = None
) -> Iterator[Coroutine[Any, Any, T]]:
    """Awaitables that give the results of several futures, tasks or coroutines in the order in which they are done.

    Args:
        fs: what to wait for.
        timeout: for all of them together.

    Raises (when awaited):
        TimeoutError: the timeout ran out first.
    """
    program = running_program()
    futures = [f if isinstance(f, asyncio.Future) else program.loop.create_task(f) for f in fs]
    done: asyncio.Queue[asyncio.Future[T] | None] = asyncio.Queue()
    for future in futures:
        future.add_done_callback(done.put_nowait)

    def time_out() -> None:
        for _ in futures:
            done.put_nowait(None)

    cancel = None if timeout is None else program.timers.start(seconds_of(timeout), time_out)
    remaining = len(futures)

    async def next_one() -> T:
        nonlocal remaining
        future = await done.get()
        if future is None:
            raise TimeoutError
        remaining -= 1
        if remaining == 0 and cancel is not None:
            cancel()
        return future.result()

    for _ in futures:
        yield next_one()
