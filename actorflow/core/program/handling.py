"""Signals and updates at work: from their arrival to the end of their handlers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from actorflow.core import events as ev
from actorflow.core.program.ending import Ending
from actorflow.core.program.loop import ProgramLoop
from actorflow.core.program.mode import Mode
from actorflow.core.program.outside import Reporter
from actorflow.core.program.updates import RunningHandlers, UpdateInfo, current_update
from actorflow.core.program.workflow_object import WorkflowObject
from actorflow.exceptions import PayloadError, UnknownEncodingError


class Handling:
    """What handlers of one program do.

    Args:
        workflow: has the handlers.
        loop: they run on.
        ending: takes what comes of them.
        mode: of the program.
        reporter: hears of dropped signals.
    """

    __slots__ = ("_ending", "_loop", "_mode", "_reporter", "_running", "_workflow")

    def __init__(
        self, workflow: WorkflowObject, loop: ProgramLoop, ending: Ending, mode: Mode, reporter: Reporter
    ) -> None:
        self._workflow = workflow
        self._loop = loop
        self._ending = ending
        self._mode = mode
        self._reporter = reporter
        self._running = RunningHandlers()

    def set_signal_handler(self, name: str, handler: Callable[..., Any] | None) -> None:
        """Set or remove a signal handler; signals that waited for it are handled now, in order."""
        self._mode.check_writable("set a signal handler")
        for signal in self._workflow.handlers.set_signal(name, handler):
            self.receive(signal)

    def set_query_handler(self, name: str, handler: Callable[..., Any] | None) -> None:
        """Set or remove a query handler."""
        self._mode.check_writable("set a query handler")
        self._workflow.handlers.set_query(name, handler)

    def set_update_handler(
        self, name: str, handler: Callable[..., Any] | None, validator: Callable[..., Any] | None
    ) -> None:
        """Set or remove an update handler."""
        self._mode.check_writable("set an update handler")
        self._workflow.handlers.set_update(name, handler, validator)

    def receive(self, signal: ev.SignalReceived) -> None:
        """Begin to handle a signal; one without a handler waits for it."""
        try:
            call = self._workflow.on_signal(signal)
        except UnknownEncodingError:
            raise  # most often a codec was left out, and nobody has said that the signal may be lost for that
        except PayloadError as problem:
            if not self._mode.is_replaying:
                self._reporter.dropped_signal(signal.name, problem)
            return
        if call is None:
            self._workflow.handlers.buffer(signal)
            return
        handler, function, arguments = call
        number = self._running.begin(handler)
        self._loop.begin(self._run_signal(function, arguments, number), name=f"signal: {signal.name}")

    def begin_update(self, accepted: ev.UpdateAccepted) -> None:
        """Begin to handle an update.

        Raises:
            UnknownUpdateError: it has no handler.
            PayloadError: its arguments don't fit.
        """
        handler, function, arguments = self._workflow.on_update(accepted)
        number = self._running.begin(handler, accepted.update_id)
        self._loop.begin(self._run_update(accepted, function, arguments, number), name=f"update: {accepted.name}")

    @property
    def are_finished(self) -> bool:
        """True if no handler of a signal or an update is running."""
        return self._running.are_finished

    def warn_of_unfinished(self) -> None:
        """Warn about handlers that the workflow leaves behind."""
        self._running.warn()

    async def _run_signal(self, function: Callable[..., Any], arguments: Sequence[Any], number: int) -> None:
        try:
            outcome = function(*arguments)
            if asyncio.iscoroutine(outcome):
                await outcome
        except BaseException as problem:
            self._ending.end_with(problem)
        finally:
            self._running.end(number)

    async def _run_update(
        self, accepted: ev.UpdateAccepted, function: Callable[..., Any], arguments: Sequence[Any], number: int
    ) -> None:
        current_update.set(UpdateInfo(accepted.update_id, accepted.name))  # for this task and those it makes
        try:
            outcome = function(*arguments)
            if asyncio.iscoroutine(outcome):
                outcome = await outcome
            self._ending.complete_update(accepted, outcome)
        except BaseException as problem:
            self._ending.fail_update(accepted, problem)
        finally:
            self._running.end(number)
