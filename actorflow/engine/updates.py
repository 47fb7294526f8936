"""Who waits for updates, and what they are told. Whoever calls knows that what is told is durable."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec

from actorflow.converter import Failure
from actorflow.core import events as ev
from actorflow.core.program.updates import Rejection
from actorflow.service import Parked, UpdateAnswer


class _Waiter(msgspec.Struct, frozen=True, eq=False):
    answer: asyncio.Future[UpdateAnswer | Parked]
    wants_outcome: bool


class Updates:
    """Waiters of one engine, by run and update id.

    Args:
        loop: of the engine.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._by_run: dict[int, dict[str, list[_Waiter]]] = {}

    def wait(self, key: int, update_id: str, *, wants_outcome: bool) -> asyncio.Future[UpdateAnswer | Parked]:
        """A future for the acceptance of an update, or for its outcome."""
        waiter = _Waiter(self._loop.create_future(), wants_outcome)
        self._by_run.setdefault(key, {}).setdefault(update_id, []).append(waiter)
        return waiter.answer

    def forget(self, key: int, update_id: str, answer: asyncio.Future[UpdateAnswer | Parked]) -> None:
        """Somebody waits no longer, answered or not."""
        of_run = self._by_run.get(key, {})
        rest = [waiter for waiter in of_run.pop(update_id, ()) if waiter.answer is not answer]
        if rest:
            of_run[update_id] = rest
        elif not of_run:
            self._by_run.pop(key, None)

    def is_awaited(self, key: int) -> bool:
        """True if somebody waits for an update of a run."""
        return key in self._by_run

    def accepted(self, key: int, update_id: str) -> None:
        """Its handler has begun."""
        for waiter in self._of(key, update_id):
            if not waiter.wants_outcome:
                _tell(waiter, UpdateAnswer())

    def completed(self, key: int, outcome: ev.UpdateCompleted) -> None:
        """Its handler has ended."""
        for waiter in self._of(key, outcome.update_id):
            _tell(waiter, answer_of(outcome))

    def rejected(self, key: int, rejection: Rejection) -> None:
        """It did not begin."""
        for waiter in self._of(key, rejection.update_id):
            _tell(waiter, UpdateAnswer(is_over=True, failure=rejection.failure))

    def known(self, key: int, update_id: str, outcome: ev.UpdateCompleted | None) -> None:
        """Somebody asked for it again."""
        if outcome is None:
            self.accepted(key, update_id)
        else:
            self.completed(key, outcome)

    def closed(self, key: int, updates: Mapping[str, ev.UpdateCompleted | None], problem: Exception) -> None:
        """The run is over: accepted updates are lost with it, others were never accepted."""
        for update_id in list(self._by_run.get(key, ())):
            if update_id in updates:
                self.completed(key, updates[update_id] or abandoned(update_id))
            else:
                for waiter in self._of(key, update_id):
                    _refuse(waiter, problem)

    def parked(self, key: int, parked: Parked) -> None:
        """The run does not go on now."""
        for update_id in list(self._by_run.get(key, ())):
            for waiter in self._of(key, update_id):
                _tell(waiter, parked)

    def stop(self, problem: BaseException) -> None:
        """Nobody is told anything any more."""
        for of_run in self._by_run.values():
            for waiters in of_run.values():
                for waiter in waiters:
                    _refuse(waiter, problem)

    def _of(self, key: int, update_id: str) -> list[_Waiter]:
        return self._by_run.get(key, {}).get(update_id, [])


def answer_of(outcome: ev.UpdateCompleted) -> UpdateAnswer:
    """What a caller is told of an outcome."""
    return UpdateAnswer(is_over=True, result=outcome.result, failure=outcome.failure)


def abandoned(update_id: str) -> ev.UpdateCompleted:
    """What became of an accepted update whose workflow ended first."""
    failure = Failure(
        message="Workflow Update failed because the Workflow completed before the Update completed.",
        type="AcceptedUpdateCompletedWorkflow",
    )
    return ev.UpdateCompleted(update_id, failure=failure)


def _tell(waiter: _Waiter, answer: UpdateAnswer | Parked) -> None:
    if not waiter.answer.done():
        waiter.answer.set_result(answer)


def _refuse(waiter: _Waiter, problem: BaseException) -> None:
    if not waiter.answer.done():
        waiter.answer.set_exception(problem)
