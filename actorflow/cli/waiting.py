"""The event loop of a command, and Ctrl-C in it.

asyncio hears Ctrl-C only once its loop is running. In the instant before, the interpreter raises KeyboardInterrupt
where it stands: while the loop is being made, say, and then complains of half a loop and a coroutine nobody awaited.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


def waited_for(work: Callable[[], Awaitable[T]]) -> T:
    """What an asynchronous function returns. Only the main thread may ask.

    Raises:
        KeyboardInterrupt: Ctrl-C; the function was cancelled and has tidied up.
    """
    waiting = _Waiting(work)
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:  # else whoever started us does not want it heard, or hears it itself
        signal.signal(signal.SIGINT, waiting.hear)
    try:
        outcome = asyncio.run(waiting.end())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    finally:
        signal.signal(signal.SIGINT, before)
    if waiting.is_interrupted:  # too late to cancel anything, but not to stop
        raise KeyboardInterrupt
    return outcome


class _Waiting(Generic[T]):
    def __init__(self, work: Callable[[], Awaitable[T]]) -> None:
        self._work = work
        self._cancel: Callable[[], object] | None = None
        self.is_interrupted = False

    def hear(self, _signal: int, _frame: object) -> None:
        """Ctrl-C was pressed. Whoever presses it again does not want to wait for anything to be tidied up."""
        if self.is_interrupted:
            raise KeyboardInterrupt
        self.is_interrupted = True
        if self._cancel is not None:
            self._cancel()

    async def end(self) -> T:
        """Do the work, unless Ctrl-C came first."""
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None
        self._cancel = lambda: loop.call_soon_threadsafe(task.cancel)
        if self.is_interrupted:
            raise asyncio.CancelledError
        return await self._work()
