"""Conditions a program waits for, looked at whenever nothing else is ready."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from actorflow.core.program.loop import ProgramFuture, ProgramLoop
from actorflow.core.program.mode import Mode


class Conditions:
    """Those of one program that have not held yet.

    Args:
        loop: of the program.
        mode: of the program.
    """

    __slots__ = ("_loop", "_mode", "_waiting")

    def __init__(self, loop: ProgramLoop, mode: Mode) -> None:
        self._loop = loop
        self._mode = mode
        self._waiting: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []

    def future_for(self, condition: Callable[[], bool]) -> asyncio.Future[None]:
        """A future that is resolved once the condition holds when the program rests."""
        self._mode.check_writable("wait for a condition")
        future: ProgramFuture[None] = ProgramFuture(self._loop)
        self._waiting.append((condition, future))
        return future

    def resolve(self) -> bool:
        """Look at all of them; True if one holds now."""
        if not self._waiting:
            return False
        has_resolved = False
        waiting: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []
        conditions, self._waiting = self._waiting, waiting
        for condition, future in conditions:
            if future.done():
                continue
            if self._loop.context.run(condition):
                future.set_result(None)
                has_resolved = True
            else:
                waiting.append((condition, future))
        return has_resolved

    def forget(self) -> None:
        """Let go of all of them."""
        self._waiting.clear()
