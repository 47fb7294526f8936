"""A public history as turns: an export of ours, or one of a server whose programs use what we know.

A turn begins where a task completes: it takes what has arrived until then and what the program asked for with it. What
arrived after the last task is left out: no program has taken it in. A task that failed is a turn of its own and takes
nothing. An event that would change what the program does, and that we don't know, is refused by its name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final, cast

import msgspec

from actorflow.converter import Failure
from actorflow.core import events as ev
from actorflow.core.history import (
    failures,
    notes,
    public,
    reading_others,
    reading_run,
    reading_steps,
    shapes,
    values as to,
)
from actorflow.core.history.exported import ExportedEvent, References, refuse
from actorflow.core.history.local_activities import ReadMarker
from actorflow.core.journal import Turn
from actorflow.exceptions import HistoryFormatError

_PATCH_SEARCH_ATTRIBUTE: Final = "TemporalChangeVersion"
_UNKNOWN: Final = datetime.fromtimestamp(0, UTC)
_ARRIVALS: Final = {**reading_run.ARRIVALS, **reading_steps.ARRIVALS, **reading_others.ARRIVALS}
_DECISIONS: Final = {**reading_run.DECISIONS, **reading_steps.DECISIONS, **reading_others.DECISIONS, **notes.DECISIONS}
_SHAPE_BY_NAME: Final = {to.plain(name): shape for shape, name in public.NAME_BY_SHAPE.items()}


class ReadHistory(msgspec.Struct, frozen=True):
    """What a history says: whose it is, when the run began, and its turns."""

    run_id: str
    started_at: datetime | None
    turns: Sequence[Turn]


def read_history(document: object) -> ReadHistory:
    """A history from the JSON object that a client, the command line or the web pages have exported.

    Raises:
        HistoryFormatError: it is none, or holds an event we don't know.
    """
    events = cast("Mapping[str, object]", document).get("events") if isinstance(document, Mapping) else None
    if not isinstance(events, list):
        raise HistoryFormatError("a history is a JSON object with a list 'events'; export it again as JSON")
    reader = _Reader()
    for place, event in enumerate(cast("list[object]", events), start=1):
        try:
            reader.read(_event_of(event, place))
        except (msgspec.MsgspecError, ValueError, RecursionError, OverflowError) as problem:
            if isinstance(problem, HistoryFormatError):
                raise
            raise HistoryFormatError(
                f"event {place} of the history is damaged: {problem}; export it again"
            ) from problem
    return reader.finished()


class _Head(shapes.Shape, frozen=True):
    """What every event has."""

    event_id: shapes.Number = 0
    event_time: Annotated[datetime, msgspec.Meta(tz=True)] = _UNKNOWN
    event_type: shapes.Number = ""
    worker_may_ignore: bool = False
    user_metadata: shapes.UserMetadata | None = None


def _event_of(event: object, place: int) -> ExportedEvent | None:
    """An event; None for one that says that it may be ignored."""
    raw = _without_nulls(event)
    head = msgspec.convert(raw, _Head, strict=False)
    name = str(head.event_type).removeprefix(public.EVENT_TYPE_PREFIX)
    shape = _SHAPE_BY_NAME.get(to.plain(name))
    if shape is None:
        return None if head.worker_may_ignore else refuse(int(head.event_id) or place, f"a {name}")
    raw_attributes = raw.get(public.attributes_key(public.NAME_BY_SHAPE[shape]), {})
    attributes = msgspec.convert(raw_attributes, shape, strict=False)
    said = head.user_metadata or shapes.UserMetadata()
    return ExportedEvent(
        int(head.event_id) or place,
        head.event_time.astimezone(UTC),
        attributes,
        summary=to.text_in(said.summary),
        details=to.text_in(said.details),
    )


def _without_nulls(value: Any) -> Any:
    """Some exports write what is unset as null, which means the same as leaving it out."""
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value).items()
        return {key: _without_nulls(item) for key, item in items if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in cast("list[Any]", value)]
    return value


class _Reader:
    """Turns so far, and what has arrived since the last of them."""

    def __init__(self) -> None:
        self._known = References()
        self._turns: list[Turn] = []
        self._arrived: list[tuple[int, Any]] = []
        self._decided: list[tuple[int, Any]] | None = None
        self._last = 0
        self._at = self._task_at = _UNKNOWN
        self._task_attempt = 1

    def finished(self) -> ReadHistory:
        """Everything, once the last event was read."""
        self._end_turn()
        return ReadHistory(self._known.run_id, self._known.started_at, tuple(self._turns))

    def read(self, event: ExportedEvent | None) -> None:
        """Take an event in."""
        if event is None or _says_only_what_markers_say(event):
            return
        decision = _DECISIONS.get(type(event.attributes))
        if decision is not None:
            self._decide(decision(self._known, event), event)
            return
        self._end_turn()
        match event.attributes:
            case public.TaskScheduled(attempt=attempt):
                self._task_attempt = attempt or 1
            case public.TaskStarted():
                self._task_at = event.at
            case public.TaskCompleted():
                self._begin_turn(event.number, self._task_at)
            case public.TaskFailed() as failed:
                self._turns.append(Turn(event.number, event.at, (_turn_failed(failed, self._task_attempt),)))
            case public.TaskTimedOut():
                pass
            case public.ActivityStarted(scheduled_event_id=scheduled, attempt=attempt):
                self._known.attempt_started(scheduled, attempt, event.at)
            case attributes:
                self._arrived.append((event.number, _ARRIVALS[type(attributes)](self._known, event)))
                if isinstance(attributes, public.Terminated | public.TimedOut):
                    self._begin_turn(event.number, event.at)

    def _begin_turn(self, number: int, at: datetime) -> None:
        self._known.turn_at = at
        self._decided, self._last, self._at = [], number, at

    def _decide(self, decision: Any, event: ExportedEvent) -> None:
        if self._decided is None:
            raise ValueError("it follows from no completed workflow task")
        if isinstance(decision, ReadMarker):
            self._resolve_local_activity(decision, event.number)
        elif isinstance(event.attributes, public.UpdateAccepted):
            self._accept(decision, int(event.attributes.accepted_request_sequencing_event_id))
        else:
            self._decided.append((event.number, decision))
        self._last = event.number

    def _resolve_local_activity(self, marker: ReadMarker, number: int) -> None:
        """A local activity is over, which is an arrival here; others run it within the task."""
        if marker.after is None:
            at = self._at
            self._end_turn()
            self._begin_turn(number, at)
        place = len(self._arrived) if marker.after is None else sum(n <= marker.after for n, _ in self._arrived)
        self._arrived.insert(place, (number if marker.after is None else marker.after, marker.outcome))

    def _accept(self, update: ev.UpdateAccepted, after: int) -> None:
        """An update was accepted; it had come behind this event, and is listed where the task was over."""
        place = sum(number <= after for number, _ in self._arrived)
        self._arrived.insert(place, (after, update))

    def _end_turn(self) -> None:
        if self._decided is None:
            return
        events = (*[arrival for _, arrival in self._arrived], *[decision for _, decision in self._decided])
        numbers = [number for number, _ in self._decided]
        self._arrived, self._decided = [], None
        if not events:
            return
        if type(events[-1]) not in ev.CLOSING:
            events = tuple([_received(event) for event in events])
        turn = Turn(self._last, self._at, events)
        self._turns.append(turn)
        if numbers:
            self._known.decided(numbers, turn)


def _says_only_what_markers_say(event: ExportedEvent) -> bool:
    """Servers list the patches of a run as a search attribute, too."""
    attributes = event.attributes
    if not isinstance(attributes, public.SearchAttributesUpserted):
        return False
    return set(attributes.search_attributes.indexed_fields) == {_PATCH_SEARCH_ATTRIBUTE}


def _received(event: Any) -> Any:
    """A signal without a task of its own was left unhandled only if the run closed; else a later task has taken it."""
    if not isinstance(event, ev.SignalUnhandled):
        return event
    return ev.SignalReceived(event.name, event.input, headers=event.headers)


def _turn_failed(failed: public.TaskFailed, attempts: int) -> ev.TurnFailed:
    public_failure = failed.failure
    failure = failures.failure_in(public_failure) if public_failure is not None else Failure(message=str(failed.cause))
    is_parked = public_failure is not None and public_failure.source == failures.SOURCE and failure.kind == "server"
    if is_parked and failure.cause is not None:
        return ev.TurnFailed(failure.cause, attempts, parked=failure.message)
    return ev.TurnFailed(failure, attempts)
