"""Turns as a public history, the task events that we imply but don't store included.

Each turn becomes what reached the run, the three events of its task, and what its program asked for. An activity's
start stands before its outcome, with its own time. Numbers are those the journal implies, see `core.state.turn_width`.

What the public shape has no place for is left out: whether an activity waited for a slot, how its cancellation or a
child's was meant, what a cancelled activity said beside its details, which run a child was to be, the retry policy of a
run that continues. What it has a place for that others don't use, we read back: the interpreter is a header of the
first event, a signal that found the run closing has generated no task.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from actorflow.core import events as ev
from actorflow.core.history import public, shapes, values as to, writing_others, writing_run, writing_steps
from actorflow.core.history.local_activities import marker_of
from actorflow.core.history.numbers import Numbers
from actorflow.core.journal import Turn
from actorflow.core.state import turn_width

_SHAPES: Final = {**writing_run.SHAPES, **writing_steps.SHAPES, **writing_others.SHAPES}
"""Kinds of events that are one event of the public history, and need nothing but the numbers before them."""
_TASKLESS: Final = frozenset((ev.TurnFailed, *ev.UNASKED))


def written_history(
    turns: Sequence[Turn], *, workflow_id: str, run_id: str, started_at: datetime | None = None
) -> dict[str, Any]:
    """A run's turns as the JSON object of its public history.

    Args:
        turns: of one run, from its first.
        workflow_id: of the run.
        run_id: of the run.
        started_at: when it began, if that was before its first turn.
    """
    writer = _Writer(workflow_id, run_id, started_at)
    for turn in turns:
        writer.write(turn)
    return {"events": writer.events}


class _Writer:
    """Events so far."""

    def __init__(self, workflow_id: str, run_id: str, started_at: datetime | None) -> None:
        self.events: list[dict[str, Any]] = []
        self._numbers = Numbers(workflow_id, run_id)
        self._started_at = started_at
        self._number = 0
        self._task_queue = shapes.Named()

    def write(self, turn: Turn) -> None:
        """Add a turn."""
        self._number = turn.number - turn_width(turn.events)
        arrivals = [event for event in turn.events if type(event) not in ev.DECISIONS]
        accepted: list[tuple[ev.UpdateAccepted, int]] = []
        markers: list[tuple[ev.LocalActivityResolved, int]] = []
        for arrival in arrivals:
            if isinstance(arrival, ev.UpdateAccepted):
                accepted.append((arrival, self._number))  # where it came between the others
            elif isinstance(arrival, ev.LocalActivityResolved):
                markers.append((arrival, self._number))
            else:
                self._write_arrival(arrival, turn.at)
        if not any(type(arrival) in _TASKLESS for arrival in arrivals):
            self._write_task(turn.at)
        for update, after in accepted:
            self._numbers.accepted[update.update_id] = self._put(writing_run.update_accepted(update, after), turn.at)
        for marker, after in markers:
            self._put(marker_of(marker, at=turn.at, after=after, task=self._numbers.task), turn.at)
        for event in turn.events:
            if type(event) in ev.DECISIONS and type(event) not in ev.UNSEEN:
                self._write_decision(event, turn.at)

    def _write_task(self, at: datetime) -> None:
        scheduled, started = self._begin_task(at, 1)
        self._numbers.task = self._put(public.TaskCompleted(scheduled_event_id=scheduled, started_event_id=started), at)

    def _begin_task(self, at: datetime, attempt: int) -> tuple[shapes.Number, shapes.Number]:
        scheduled = str(self._put(public.TaskScheduled(task_queue=self._task_queue, attempt=attempt), at))
        return scheduled, str(self._put(public.TaskStarted(scheduled_event_id=scheduled), at))

    def _write_arrival(self, event: ev.Event, at: datetime) -> None:
        match event:
            case ev.TurnFailed():
                scheduled, started = self._begin_task(at, event.attempts)
                self._put(writing_run.task_failed(event, scheduled, started), at)
            case ev.Started(task_queue=task_queue):
                self._task_queue = to.queue_out(task_queue)
                started_at = self._started_at or at
                self._put(writing_run.started(self._numbers, event, started_at), started_at)
            case ev.ActivityCompleted() | ev.ActivityFailed() | ev.ActivityTimedOut() | ev.ActivityCancelled():
                started = self._begin_attempt(event, at)
                self._put(writing_steps.outcome(self._numbers, event, started), at)
            case _:
                self._numbers.note(event, self._put(_SHAPES[type(event)](self._numbers, event), at), at)

    def _begin_attempt(self, event: ev.ActivityOutcome, at: datetime) -> shapes.Number:
        """The start of the attempt that decided an activity, if there was one."""
        if not event.attempt:
            return 0
        _, scheduled_at = self._numbers.scheduled.get(event.activity_id, (0, at))
        began = public.ActivityStarted(
            scheduled_event_id=self._numbers.scheduled_by(event.activity_id), attempt=event.attempt
        )
        return str(self._put(began, event.started_at or scheduled_at))

    def _write_decision(self, event: ev.Event, at: datetime) -> None:
        number = self._put(_SHAPES[type(event)](self._numbers, event), at, getattr(event, "summary", ""))
        self._numbers.note(event, number, at)

    def _put(self, attributes: shapes.Shape, at: datetime, summary: str = "") -> int:
        self._number += 1
        name = public.NAME_BY_SHAPE[type(attributes)]
        event: dict[str, Any] = {
            "eventId": str(self._number),
            "eventTime": at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "eventType": f"{public.EVENT_TYPE_PREFIX}{name}",
        }
        if summary:
            event["userMetadata"] = msgspec.to_builtins(shapes.UserMetadata(summary=to.text_out(summary)))
        event[public.attributes_key(name)] = msgspec.to_builtins(attributes)
        self.events.append(event)
        return self._number
