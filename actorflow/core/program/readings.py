"""Looks at a program that leave no trace in it: queries, and the screening of updates before their turn."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Mapping, Sequence
from typing import Any

from actorflow.converter import Payload, ValueConverter
from actorflow.core import events as ev
from actorflow.core.program.errors import ReadOnlyContextError
from actorflow.core.program.handlers import call_at_once
from actorflow.core.program.loop import ProgramLoop
from actorflow.core.program.mode import QUERY, Mode
from actorflow.core.program.updates import Rejection, UpdateInfo, current_update
from actorflow.core.program.workflow_object import Call, WorkflowObject
from actorflow.exceptions import RestrictedWorkflowAccessError


class Readings:
    """Of one program, whose workflow object has been built.

    Args:
        workflow: has the handlers.
        loop: of the program, at rest.
        mode: of the program.
        converter: for objections.
    """

    __slots__ = ("_converter", "_loop", "_mode", "_rejections", "_workflow")

    def __init__(self, workflow: WorkflowObject, loop: ProgramLoop, mode: Mode, converter: ValueConverter) -> None:
        self._workflow = workflow
        self._loop = loop
        self._mode = mode
        self._converter = converter
        self._rejections: Sequence[Rejection] = ()

    def answer(self, name: str, payloads: Sequence[Any], headers: Mapping[str, Payload] | None) -> Any:
        """Run a query handler against the state as it is.

        Raises:
            Exception: whatever the handler raises; `UnknownQueryError`, `PayloadError` and `ReadOnlyContextError` too.
        """
        call = self._workflow.on_query(name, payloads, headers)
        return self._call(QUERY, call, self._loop.context.copy())

    def screen(self, arrival: ev.Event) -> ev.Event | None:
        """Let validators look at an arrival.

        Returns:
            An accepted update as the fact it is now, None for one that was turned away, other arrivals as they are.

        Raises:
            ReadOnlyContextError: a validator tried to change the program.
            RestrictedWorkflowAccessError: it tried what no program may.
        """
        if not isinstance(arrival, ev.UpdateRequested):
            return arrival
        try:
            self._validate(arrival)
        except (ReadOnlyContextError, RestrictedWorkflowAccessError):
            raise
        except (Exception, asyncio.CancelledError) as objection:
            rejection = Rejection(arrival.update_id, self._converter.failure(objection))
            self._rejections = (*self._rejections, rejection)
            return None
        return ev.UpdateAccepted(arrival.update_id, arrival.name, arrival.input, arrival.headers)

    def take_rejections(self) -> Sequence[Rejection]:
        """Updates that were turned away since this was asked last."""
        taken, self._rejections = self._rejections, ()
        return taken

    def _validate(self, request: ev.UpdateRequested) -> None:
        call = self._workflow.before_update(request)
        if call is not None:
            context = self._loop.context.copy()
            context.run(current_update.set, UpdateInfo(request.update_id, request.name))
            self._call("an update validator", call, context)

    def _call(self, reader: str, call: Call, context: contextvars.Context) -> Any:
        _, function, arguments = call
        with self._mode.reading(reader):
            return self._loop.run(lambda: context.run(call_at_once, function, arguments))
