"""The history of one run: events as plain values, its turns, and the public history's JSON."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Any, Final, Self, cast

import msgspec

from actorflow.core import events as ev
from actorflow.core.history import read_history, written_history
from actorflow.core.journal import Turn
from actorflow.core.state import turn_width
from actorflow.exceptions import HistoryFormatError

_CLOSING: Final = frozenset(kind.__name__ for kind in ev.CLOSING)


@dataclass(frozen=True)
class HistoryEvent:
    """One event of a history: its number, when its turn was, its name and its fields as plain JSON values."""

    event_id: int
    event_time: datetime
    event_type: str
    attributes: Mapping[str, Any]


@dataclass(frozen=True)
class WorkflowHistory:
    """The history of one run, to be looked at, replayed, drawn or stored.

    Attributes:
        workflow_id: of the run.
        run_id: of the run.
        events: as they are journaled; their numbers leave out those of the public history that we don't store.
        turns: the same events as they were decided together, for `actorflow.worker.Replayer` and `actorflow.diagram`.
        start_time: when the run began, in UTC; None if nothing of it is known.
    """

    workflow_id: str
    run_id: str
    events: Sequence[HistoryEvent]
    turns: Sequence[Turn] = field(default=(), repr=False)
    start_time: datetime | None = field(default=None, repr=False)
    _document: Mapping[str, Any] | None = field(default=None, repr=False, compare=False)

    def to_json_dict(self) -> dict[str, Any]:
        """The public history as a JSON object: ``{"events": [...]}``, without the workflow id.

        One that was made from JSON gives that JSON back.
        """
        if self._document is not None:
            return dict(self._document)
        return written_history(self.turns, workflow_id=self.workflow_id, run_id=self.run_id, started_at=self.start_time)

    def to_json(self) -> str:
        """`to_json_dict` as text."""
        return json.dumps(self.to_json_dict(), ensure_ascii=False)

    @staticmethod
    def from_json(workflow_id: str, history: str | Mapping[str, Any]) -> WorkflowHistory:
        """A history from what `to_json` or the command line or web pages of a public server have written.

        Args:
            workflow_id: of the run; the JSON may leave it out.
            history: JSON text, or the object it holds.

        Raises:
            HistoryFormatError: it is no history, or holds an event that actorflow can't replay.
        """
        document = _parsed(history) if isinstance(history, str) else history
        read = read_history(document)
        made = history_of(workflow_id, read.run_id, read.turns, read.started_at)
        return WorkflowHistory(made.workflow_id, made.run_id, made.events, made.turns, made.start_time, document)


class WorkflowHistoryEventFilterType(IntEnum):
    """Which events of a history are wanted; numbered as in the public API."""

    ALL_EVENT = 1
    CLOSE_EVENT = 2
    """What the run has closed with, if it has."""


class WorkflowHistoryEventAsyncIterator:
    """Yields the events of one run's history, which is read when the first one, or all of it, is wanted.

    Args:
        read: reads it.
        filter: which events it yields; the history is whole in any case.
    """

    def __init__(
        self,
        read: Callable[[], Awaitable[WorkflowHistory]],
        filter: WorkflowHistoryEventFilterType = WorkflowHistoryEventFilterType.ALL_EVENT,
    ) -> None:
        self._read = read
        self._is_last_only = filter == WorkflowHistoryEventFilterType.CLOSE_EVENT
        self._history: WorkflowHistory | None = None
        self._index = 0

    async def history(self) -> WorkflowHistory:
        """All of it; raises as `WorkflowHandle.fetch_history`."""
        if self._history is None:
            self._history = await self._read()
        return self._history

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> HistoryEvent:
        """The next event."""
        events = (await self.history()).events
        if self._is_last_only:
            events = [event for event in events[-1:] if event.event_type in _CLOSING]
        if self._index == len(events):
            raise StopAsyncIteration
        self._index += 1
        return events[self._index - 1]


def history_of(
    workflow_id: str, run_id: str, turns: Sequence[Turn], start_time: datetime | None = None
) -> WorkflowHistory:
    """Turns as a history."""
    events = [event for turn in turns for event in _events_of(turn)]
    return WorkflowHistory(workflow_id, run_id, events, turns, start_time)


def _parsed(text: str) -> Mapping[str, Any]:
    try:
        return cast("Mapping[str, Any]", json.loads(text))
    except (ValueError, RecursionError) as problem:
        raise HistoryFormatError(f"the history is not JSON: {problem}; export it again as JSON") from problem


def _events_of(turn: Turn) -> list[HistoryEvent]:
    number = turn.number - turn_width(turn.events)
    has_decided = False
    events: list[HistoryEvent] = []
    for event in turn.events:
        if not has_decided and type(event) in ev.DECISIONS:
            has_decided = True
            number += ev.TASK_EVENTS
        width = ev.width(event)
        if not width:
            continue
        number += width
        fields = cast("dict[str, Any]", msgspec.json.decode(msgspec.json.encode(event)))
        events.append(HistoryEvent(number, turn.at, fields.pop("event"), fields))
    return events
