"""How the work of a program ends: ``run`` and updates have an outcome, or what left them fails the turn."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from actorflow.converter import ValueConverter
from actorflow.core import events as ev
from actorflow.core.program.asked import Asked
from actorflow.core.program.errors import TurnError
from actorflow.core.program.mode import Mode
from actorflow.core.program.notes import ProgramNotes
from actorflow.core.program.succession import ContinueAsNewError
from actorflow.exceptions import (
    CancelledError,
    FailureError,
    RestrictedWorkflowAccessError,
    is_cancelled_exception,
)

_FAILURES: Final = (FailureError, TimeoutError)


class Ending:
    """Decides what is an outcome of one program, and what is a mistake in its code.

    Args:
        asked: takes the outcomes.
        mode: of the program.
        converter: for results and failures.
        failure_types: exceptions that are outcomes, beside `FailureError` and timeouts.

    Attributes:
        is_cancel_requested: somebody wanted the execution cancelled.
        cancel_reason: why, if so.
    """

    __slots__ = (
        "_asked",
        "_converter",
        "_failure_types",
        "_mode",
        "_notes",
        "_problem",
        "cancel_reason",
        "is_cancel_requested",
    )

    def __init__(
        self, asked: Asked, mode: Mode, converter: ValueConverter, failure_types: Sequence[type[BaseException]]
    ) -> None:
        self._asked = asked
        self._mode = mode
        self._converter = converter
        self._failure_types: tuple[type[BaseException], ...] = (
            (*_FAILURES, *failure_types) if failure_types else _FAILURES
        )
        self._notes: ProgramNotes | None = None
        self._problem: BaseException | None = None
        self.is_cancel_requested = False
        self.cancel_reason: str | None = None

    def replace_failure_types(
        self, declared: Sequence[type[BaseException]], said: Sequence[type[BaseException]]
    ) -> None:
        """The program says itself which exceptions are outcomes, in place of what its definition declares."""
        self._failure_types = (*(kind for kind in self._failure_types if kind not in declared), *said)

    def carry_over(self, notes: ProgramNotes) -> None:
        """A run that follows this one is to keep these notes."""
        self._notes = notes

    def request_cancel(self, reason: str) -> None:
        """From now on a cancellation that leaves the program is an outcome."""
        self.is_cancel_requested = True
        self.cancel_reason = reason

    def is_failure(self, problem: BaseException) -> bool:
        """True for what fails the workflow if it leaves ``run``, False for what fails only the turn."""
        return isinstance(problem, self._failure_types)

    def complete(self, result: Any) -> None:
        """Close the execution with the result of ``run``.

        Raises:
            PayloadError: it can't be encoded, or is too large.
        """
        self._asked.close(ev.Completed(result=None if result is None else self._converter.encode_one(result)))

    def end_with(self, problem: BaseException) -> None:
        """Close the execution, or fail the turn, by what left the program."""
        if isinstance(problem, KeyboardInterrupt):
            raise problem
        if self._mode.is_evicted:
            return
        if isinstance(problem, ContinueAsNewError):
            self._go_on(problem.decision)
        elif self.is_cancel_requested and is_cancelled_exception(problem):
            self._asked.close(ev.Cancelled())
        elif isinstance(problem, self._failure_types):
            self._asked.close(ev.Failed(self._converter.failure(problem)))
        else:
            self._fail_turn(problem)

    def _go_on(self, decision: ev.ContinuedAsNew) -> None:
        if decision.search_attributes is not None:
            self._asked.has_attributes = True
        self._asked.close(decision if self._notes is None else self._notes.kept_by(decision))

    def complete_update(self, accepted: ev.UpdateAccepted, result: Any) -> None:
        """Answer an update with its result.

        Raises:
            PayloadError: it can't be encoded, or is too large.
        """
        payload = None if result is None else self._converter.encode_one(result)
        self._asked.answer(ev.UpdateCompleted(accepted.update_id, payload))

    def fail_update(self, accepted: ev.UpdateAccepted, problem: BaseException) -> None:
        """What would fail the workflow fails the update alone; anything else fails the turn."""
        if isinstance(problem, KeyboardInterrupt):
            raise problem
        if self._mode.is_evicted:
            return
        if isinstance(problem, asyncio.CancelledError):
            problem = CancelledError("Update cancelled")
        elif isinstance(problem, ContinueAsNewError):
            problem = RuntimeError("an update can't continue as new; set something that the run method waits for")
        if isinstance(problem, self._failure_types):
            self._asked.answer(ev.UpdateCompleted(accepted.update_id, failure=self._converter.failure(problem)))
        else:
            self._fail_turn(problem)

    def refuse(self, problem: RestrictedWorkflowAccessError) -> None:
        """Fail the turn for what the code tried, also if the code catches what it is told.

        Whoever goes on after that has left the path that replay takes once the guard is lifted. A query is on no path.
        """
        if not (self._mode.is_evicted or self._mode.is_query):
            self._fail_turn(problem)

    def check(self) -> None:
        """Nothing has failed the turn so far.

        Raises:
            TurnError: something has; its cause says what.
        """
        if self._problem is not None:
            raise TurnError(self._problem)

    def _fail_turn(self, problem: BaseException) -> None:
        if self._problem is None:
            self._problem = problem
