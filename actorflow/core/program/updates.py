"""Messages a program is still busy with: handlers that are running, and updates that were turned away."""

from __future__ import annotations

import contextvars
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import msgspec

from actorflow.converter import Failure
from actorflow.core.definitions import HandlerDefinition, HandlerUnfinishedPolicy
from actorflow.core.program.errors import UnfinishedSignalHandlersWarning, UnfinishedUpdateHandlersWarning


@dataclass(frozen=True)
class UpdateInfo:
    """The update whose validator or handler is running."""

    id: str
    name: str


current_update: Final[contextvars.ContextVar[UpdateInfo | None]] = contextvars.ContextVar(
    "current_update", default=None
)


class Rejection(msgspec.Struct, frozen=True):
    """An update that did not begin, and why."""

    update_id: str
    failure: Failure


@dataclass(frozen=True)
class _Running:
    definition: HandlerDefinition
    update_id: str | None


class RunningHandlers:
    """Handlers of signals and updates between their begin and their end."""

    __slots__ = ("_begun", "_running")

    def __init__(self) -> None:
        self._begun = 0
        self._running: dict[int, _Running] = {}

    def begin(self, definition: HandlerDefinition, update_id: str | None = None) -> int:
        """A handler is about to run; returns what `end` is to be told."""
        self._begun += 1
        self._running[self._begun] = _Running(definition, update_id)
        return self._begun

    def end(self, number: int) -> None:
        """It has run."""
        del self._running[number]

    @property
    def are_finished(self) -> bool:
        """True if none is running."""
        return not self._running

    def warn(self) -> None:
        """Warn about those that a workflow leaves behind, unless they say that this is all right."""
        loud = [
            one
            for one in self._running.values()
            if one.definition.unfinished_policy is HandlerUnfinishedPolicy.WARN_AND_ABANDON
        ]
        updates = _named(one for one in loud if one.update_id is not None)
        signals = _named(one for one in loud if one.update_id is None)
        if updates:
            _warn(UnfinishedUpdateHandlersWarning, "update", updates, "their callers get an error")
        if signals:
            _warn(UnfinishedSignalHandlersWarning, "signal", signals, "what they had still to do is not done")


def _named(handlers: Iterable[_Running]) -> list[str]:
    return [
        one.definition.name if one.update_id is None else f"{one.definition.name} ({one.update_id})" for one in handlers
    ]


def _warn(category: type[RuntimeWarning], kind: str, names: list[str], follows: str) -> None:
    warnings.warn(
        f"the workflow ended while handlers of {kind}s were running: {', '.join(names)}; {follows}. Wait for them with "
        "`await workflow.wait_condition(workflow.all_handlers_finished)`, or give them "
        "unfinished_policy=HandlerUnfinishedPolicy.ABANDON",
        category,
        stacklevel=2,
    )
