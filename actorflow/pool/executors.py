"""Runs one attempt of an activity: on the event loop, or in a thread."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from functools import partial
from typing import Any, Protocol

from actorflow.pool.interruption import Interruption

Done = Callable[[Any, BaseException | None], None]
"""Called on the event loop when an attempt has ended: with its result, or with what it raised."""


class RunningAttempt(Protocol):
    """An attempt under way."""

    def cancel(self, msg: Any = None, /) -> object:
        """Ask it to stop; it ends when it ends. The message is for an exception that has one."""
        ...


class LoopExecutor:
    """Runs ``async def`` activities as tasks of the event loop, and keeps them from being collected."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._tasks: set[asyncio.Task[None]] = set()

    def start(
        self, call: Callable[[], Awaitable[Any]], context: contextvars.Context, done: Done, *, name: str
    ) -> RunningAttempt:
        """Start an attempt; ``done`` is called once, whatever happens."""
        task = self._loop.create_task(self._attempt(call, done), context=context, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _attempt(self, call: Callable[[], Awaitable[Any]], done: Done) -> None:
        try:
            result = await call()
        except (KeyboardInterrupt, GeneratorExit):
            raise  # the process, or the loop, is going: the attempt counts as lost
        except BaseException as problem:
            done(None, problem)
        else:
            done(result, None)


class ThreadExecutor:
    """Runs plain functions in an executor of the user's."""

    def __init__(self, loop: asyncio.AbstractEventLoop, executor: Executor) -> None:
        self._loop = loop
        self._executor = executor

    def runs_in(self, executor: Executor) -> bool:
        """True if this is its executor."""
        return executor is self._executor

    def start(
        self,
        call: Callable[[], Any],
        context: contextvars.Context,
        done: Done,
        *,
        interruption: Interruption | None,
    ) -> RunningAttempt:
        """Start an attempt; ``done`` is called once, on the loop, whatever happens.

        Without an interruption an attempt that has begun is not told to stop.
        """
        try:
            run = call if interruption is None else partial(interruption.run, call)
            future = self._executor.submit(_call_in, context, run)
        except RuntimeError as refusal:  # the executor was shut down
            self._loop.call_soon(done, None, refusal)
            return _NothingRuns()

        future.add_done_callback(handing_over(self._loop, done))
        return _ThreadAttempt(future, interruption)


def handing_over(loop: asyncio.AbstractEventLoop, done: Done) -> Callable[[Any], None]:
    """For a future of a thread: bring its outcome to the loop."""

    def tell(finished: Any) -> None:
        try:
            loop.call_soon_threadsafe(_hand_over, finished, done)
        except RuntimeError:
            return  # the loop has been closed: nobody is left to tell, and the attempt counts as lost

    return tell


class _NothingRuns:
    """An attempt that could not even begin."""

    def cancel(self, msg: Any = None, /) -> None:
        """There is nothing to stop."""


class _ThreadAttempt:
    """One that has not begun is taken back; later only an exception thrown into its thread can stop it."""

    def __init__(self, future: Any, interruption: Interruption | None) -> None:
        self._future = future
        self._interruption = interruption

    def cancel(self, msg: Any = None, /) -> None:
        if not self._future.cancel() and self._interruption is not None:
            self._interruption.throw()


def _call_in(context: contextvars.Context, call: Callable[[], Any]) -> Any:
    try:
        return context.run(call)
    except SystemExit as problem:
        raise RuntimeError(f"the activity called sys.exit({problem.code!r})") from problem


def _hand_over(finished: Any, done: Done) -> None:
    if finished.cancelled():
        done(None, asyncio.CancelledError())
        return
    problem = finished.exception()
    if problem is None:
        done(finished.result(), None)
    else:
        done(None, problem)
