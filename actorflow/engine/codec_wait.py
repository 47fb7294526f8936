"""How an actor waits for a codec: one call is under way, and the actor does nothing else meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Generic, Protocol, TypeVar

from actorflow.engine.codecs import outcome_of
from actorflow.engine.site import Site
from actorflow.exceptions import CodecError

T = TypeVar("T")


class Waiting(Protocol):
    """Who can wait for a codec."""

    def wait_for_codec(
        self, work: Coroutine[Any, Any, T], then: Callable[[T | CodecError], None], put_back: Callable[[], None]
    ) -> None:
        """Do nothing until a codec has done something, and then go on.

        Args:
            work: the call.
            then: is given the outcome, in a step of the actor.
            put_back: what to do with what was taken for it, if nobody waits for the outcome any more.
        """
        ...


class UnderWay(Generic[T]):
    """What a codec does for one actor.

    Args:
        site: runs it.
        work: the call.
        then: is given the outcome when the actor has its next step; it must not be called from within a task.
        put_back: see `Waiting`.
        wake: gives the actor its next step.
    """

    __slots__ = ("_outcome", "_then", "_wake", "is_done", "put_back")

    def __init__(
        self,
        site: Site,
        work: Coroutine[Any, Any, T],
        *,
        then: Callable[[T | CodecError], None],
        put_back: Callable[[], None],
        wake: Callable[[], None],
    ) -> None:
        self._then = then
        self._wake = wake
        self._outcome: T | CodecError | None = None
        self.put_back = put_back
        self.is_done = False
        site.spawn(self._run(work))

    async def _run(self, work: Coroutine[Any, Any, T]) -> None:
        self._outcome = await outcome_of(work)
        self.is_done = True
        self._wake()

    def go_on(self) -> None:
        """Go on with the outcome."""
        outcome: Any = self._outcome
        self._then(outcome)
