"""A public history as turns: an export of ours, or one of a server whose programs use what we know.

A turn begins where a task completes: it takes what has arrived until then and what the program asked for with it. What
arrived after the last task is left out: no program has taken it in. A task that failed is a turn of its own and takes
nothing. An event that would change what the program does, and that we don't know, is refused by its name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final, NoReturn, cast

import msgspec

from actorflow.converter import Failure
from actorflow.core import events as ev
from actorflow.core.history import public, values as to
from actorflow.core.journal import Turn
from actorflow.exceptions import HistoryFormatError, RetryState

_PATCH_SEARCH_ATTRIBUTE: Final = "TemporalChangeVersion"
_UNKNOWN: Final = datetime.fromtimestamp(0, UTC)
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


class _Event(msgspec.Struct, frozen=True):
    """One event, its attributes read."""

    number: int
    at: datetime
    attributes: public.Shape
    summary: str


class _Head(public.Shape, frozen=True):
    """What every event has."""

    event_id: public.Number = 0
    event_time: Annotated[datetime, msgspec.Meta(tz=True)] = _UNKNOWN
    event_type: public.Number = ""
    worker_may_ignore: bool = False
    user_metadata: public.UserMetadata | None = None


def _event_of(event: object, place: int) -> _Event | None:
    """An event; None for one that says that it may be ignored."""
    raw = _without_nulls(event)
    head = msgspec.convert(raw, _Head, strict=False)
    name = str(head.event_type).removeprefix(public.EVENT_TYPE_PREFIX)
    shape = _SHAPE_BY_NAME.get(to.plain(name))
    if shape is None:
        return None if head.worker_may_ignore else _refuse(int(head.event_id) or place, f"a {name}")
    raw_attributes = raw.get(public.attributes_key(public.NAME_BY_SHAPE[shape]), {})
    attributes = msgspec.convert(raw_attributes, shape, strict=False)
    summary = to.text_in(head.user_metadata.summary) if head.user_metadata is not None else ""
    return _Event(int(head.event_id) or place, head.event_time.astimezone(UTC), attributes, summary)


def _without_nulls(value: Any) -> Any:
    """Some exports write what is unset as null, which means the same as leaving it out."""
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value).items()
        return {key: _without_nulls(item) for key, item in items if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in cast("list[Any]", value)]
    return value


def _refuse(number: int, what: str) -> NoReturn:
    raise HistoryFormatError(
        f"event {number} of the history is {what}, which actorflow can't replay; histories with activities, timers, "
        "signals, cancellation and patches can be read"
    )


class _Reader:
    """Turns so far, and what has arrived since the last of them."""

    def __init__(self) -> None:
        self.run_id = ""
        self.started_at: datetime | None = None
        self._turns: list[Turn] = []
        self._arrived: list[tuple[int, Any]] = []
        self._decided: list[Any] | None = None
        self._last = 0
        self._at = self._task_at = _UNKNOWN
        self._task_attempt = 1
        self._activities: dict[int, tuple[str, datetime]] = {}
        self._attempts: dict[int, tuple[int, datetime]] = {}

    def finished(self) -> ReadHistory:
        """Everything, once the last event was read."""
        self._end_turn()
        return ReadHistory(self.run_id, self.started_at, tuple(self._turns))

    def read(self, event: _Event | None) -> None:
        """Take an event in."""
        if event is None or _says_only_what_markers_say(event):
            return
        decision = _DECISIONS.get(type(event.attributes))
        if decision is not None:
            self._decide(decision(self, event), event)
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
                self._attempts[int(scheduled)] = (attempt or 1, event.at)
            case attributes:
                self._arrived.append((event.number, _ARRIVALS[type(attributes)](self, event)))
                if isinstance(attributes, public.Terminated):
                    self._begin_turn(event.number, event.at)

    def _begin_turn(self, number: int, at: datetime) -> None:
        self._decided, self._last, self._at = [], number, at

    def _decide(self, decision: Any, event: _Event) -> None:
        if self._decided is None:
            raise ValueError("it follows from no completed workflow task")
        if isinstance(event.attributes, public.UpdateAccepted):
            self._accept(decision, int(event.attributes.accepted_request_sequencing_event_id))
        else:
            self._decided.append(decision)
        self._last = event.number

    def _accept(self, update: ev.UpdateAccepted, after: int) -> None:
        """An update was accepted; it had come behind this event, and is listed where the task was over."""
        place = sum(number <= after for number, _ in self._arrived)
        self._arrived.insert(place, (after, update))

    def _end_turn(self) -> None:
        if self._decided is None:
            return
        events = (*[arrival for _, arrival in self._arrived], *self._decided)
        self._arrived, self._decided = [], None
        if not events:
            return
        if type(events[-1]) not in ev.CLOSING:
            events = tuple([_received(event) for event in events])
        self._turns.append(Turn(self._last, self._at, events))

    def scheduled(self, event: _Event, activity_id: str) -> None:
        """An activity was scheduled by this event."""
        self._activities[event.number] = (activity_id, self._at)

    def activity(self, scheduled: public.Number) -> str:
        """The id of the activity that an event has scheduled."""
        found = self._activities.get(int(scheduled))
        if found is None:
            raise ValueError(f"it names event {scheduled}, which schedules no activity")
        return found[0]

    def attempt(self, scheduled: public.Number) -> tuple[int, datetime | None]:
        """The attempt that decides an activity, 0 if there was none; and when it began, if not with its turn."""
        attempt, began_at = self._attempts.pop(int(scheduled), (0, None))
        return attempt, None if began_at == self._activities[int(scheduled)][1] else began_at


def _says_only_what_markers_say(event: _Event) -> bool:
    """Servers list the patches of a run as a search attribute, too."""
    attributes = event.attributes
    if not isinstance(attributes, public.SearchAttributesUpserted):
        return False
    if set(attributes.search_attributes.indexed_fields) - {_PATCH_SEARCH_ATTRIBUTE}:
        _refuse(event.number, "an UPSERT_WORKFLOW_SEARCH_ATTRIBUTES")
    return True


def _received(event: Any) -> Any:
    """A signal without a task of its own was left unhandled only if the run closed; else a later task has taken it."""
    return ev.SignalReceived(event.name, event.input) if isinstance(event, ev.SignalUnhandled) else event


def _turn_failed(failed: public.TaskFailed, attempts: int) -> ev.TurnFailed:
    public_failure = failed.failure
    failure = to.failure_in(public_failure) if public_failure is not None else Failure(message=str(failed.cause))
    is_parked = public_failure is not None and public_failure.source == to.SOURCE and failure.kind == "server"
    if is_parked and failure.cause is not None:
        return ev.TurnFailed(failure.cause, attempts, parked=failure.message)
    return ev.TurnFailed(failure, attempts)


# Arrivals


def _started(reader: _Reader, event: _Event) -> ev.Started:
    attributes = cast("public.Started", event.attributes)
    reader.run_id, reader.started_at = attributes.original_execution_run_id, event.at
    header = attributes.header.fields if attributes.header is not None else {}
    return ev.Started(
        workflow_type=attributes.workflow_type.name,
        task_queue=attributes.task_queue.name,
        input=to.payloads_in(attributes.input),
        interpreter=to.text_in(header.get(public.INTERPRETER_HEADER)),
    )


def _signaled(_reader: _Reader, event: _Event) -> ev.SignalReceived | ev.SignalUnhandled:
    attributes = cast("public.Signaled", event.attributes)
    input = to.payloads_in(attributes.input)
    if attributes.skip_generate_workflow_task:
        return ev.SignalUnhandled(attributes.signal_name, input)
    return ev.SignalReceived(attributes.signal_name, input, attributes.request_id)


def _cancel_requested(_reader: _Reader, event: _Event) -> ev.CancelRequested:
    return ev.CancelRequested(cast("public.CancelRequested", event.attributes).cause)


def _terminated(_reader: _Reader, event: _Event) -> ev.Terminated:
    attributes = cast("public.Terminated", event.attributes)
    return ev.Terminated(attributes.reason, to.payloads_in(attributes.details))


def _timer_fired(_reader: _Reader, event: _Event) -> ev.TimerFired:
    return ev.TimerFired(cast("public.TimerFired", event.attributes).timer_id)


def _activity_completed(reader: _Reader, event: _Event) -> ev.ActivityCompleted:
    attributes = cast("public.ActivityCompleted", event.attributes)
    activity_id = reader.activity(attributes.scheduled_event_id)
    attempt, began_at = reader.attempt(attributes.scheduled_event_id)
    return ev.ActivityCompleted(activity_id, to.result_in(attributes.result), attempt, began_at)


def _activity_failed(reader: _Reader, event: _Event) -> ev.ActivityFailed | ev.ActivityTimedOut:
    attributes = cast("public.ActivityFailed", event.attributes)
    kind = ev.ActivityTimedOut if isinstance(attributes, public.ActivityTimedOut) else ev.ActivityFailed
    activity_id = reader.activity(attributes.scheduled_event_id)
    attempt, began_at = reader.attempt(attributes.scheduled_event_id)
    retry_state = to.enum_in("RETRY_STATE", RetryState, attributes.retry_state)
    return kind(activity_id, to.failure_in(attributes.failure), retry_state, attempt, began_at)


def _activity_canceled(reader: _Reader, event: _Event) -> ev.ActivityCancelled:
    attributes = cast("public.ActivityCanceled", event.attributes)
    activity_id = reader.activity(attributes.scheduled_event_id)
    attempt, began_at = reader.attempt(attributes.scheduled_event_id)
    failure = Failure("Activity cancelled", kind="cancelled", details=to.payloads_in(attributes.details))
    return ev.ActivityCancelled(activity_id, failure, attempt, began_at)


# Decisions


def _activity_scheduled(reader: _Reader, event: _Event) -> ev.ActivityScheduled:
    attributes = cast("public.ActivityScheduled", event.attributes)
    reader.scheduled(event, attributes.activity_id)
    return ev.ActivityScheduled(
        activity_id=attributes.activity_id,
        activity_type=attributes.activity_type.name,
        task_queue=attributes.task_queue.name,
        input=to.payloads_in(attributes.input),
        schedule_to_close=to.timeout_in(attributes.schedule_to_close_timeout),
        schedule_to_start=to.timeout_in(attributes.schedule_to_start_timeout),
        start_to_close=to.timeout_in(attributes.start_to_close_timeout),
        heartbeat=to.timeout_in(attributes.heartbeat_timeout),
        retry=to.retry_in(attributes.retry_policy),
        summary=event.summary,
    )


def _activity_cancel_requested(reader: _Reader, event: _Event) -> ev.ActivityCancelRequested:
    attributes = cast("public.ActivityCancelRequested", event.attributes)
    return ev.ActivityCancelRequested(reader.activity(attributes.scheduled_event_id))


def _timer_started(_reader: _Reader, event: _Event) -> ev.TimerStarted:
    attributes = cast("public.TimerStarted", event.attributes)
    return ev.TimerStarted(attributes.timer_id, to.duration_in(attributes.start_to_fire_timeout), event.summary)


def _timer_canceled(_reader: _Reader, event: _Event) -> ev.TimerCancelled:
    return ev.TimerCancelled(cast("public.TimerCanceled", event.attributes).timer_id)


class _PatchDetail(msgspec.Struct, frozen=True):
    """What the marker of a patch says."""

    id: str
    deprecated: bool = False


def _patched(_reader: _Reader, event: _Event) -> ev.Patched:
    attributes = cast("public.MarkerRecorded", event.attributes)
    details = attributes.details.get(public.PATCH_DETAIL)
    if attributes.marker_name != public.PATCH_MARKER or details is None or len(details.payloads) != 1:
        _refuse(event.number, f"a marker {attributes.marker_name!r}")
    patch = msgspec.json.decode(details.payloads[0].data, type=_PatchDetail)
    return ev.Patched(patch.id, patch.deprecated)


def _update_accepted(_reader: _Reader, event: _Event) -> ev.UpdateAccepted:
    attributes = cast("public.UpdateAccepted", event.attributes)
    request = attributes.accepted_request
    if request is None:
        _refuse(event.number, "an update that was admitted before it was accepted")
    return ev.UpdateAccepted(attributes.protocol_instance_id, request.input.name, to.payloads_in(request.input.args))


def _update_completed(_reader: _Reader, event: _Event) -> ev.UpdateCompleted:
    attributes = cast("public.UpdateCompleted", event.attributes)
    outcome = attributes.outcome
    if outcome.failure is not None:
        return ev.UpdateCompleted(attributes.meta.update_id, failure=to.failure_in(outcome.failure))
    return ev.UpdateCompleted(attributes.meta.update_id, to.result_in(outcome.success))


def _completed(_reader: _Reader, event: _Event) -> ev.Completed:
    return ev.Completed(to.result_in(cast("public.Completed", event.attributes).result))


def _failed(_reader: _Reader, event: _Event) -> ev.Failed:
    return ev.Failed(to.failure_in(cast("public.Failed", event.attributes).failure))


def _canceled(_reader: _Reader, event: _Event) -> ev.Cancelled:
    return ev.Cancelled(to.payloads_in(cast("public.Canceled", event.attributes).details))


_Read = Callable[[_Reader, _Event], ev.Event]
_ARRIVALS: Final[dict[type[public.Shape], _Read]] = {
    public.Started: _started,
    public.Signaled: _signaled,
    public.CancelRequested: _cancel_requested,
    public.Terminated: _terminated,
    public.TimerFired: _timer_fired,
    public.ActivityCompleted: _activity_completed,
    public.ActivityFailed: _activity_failed,
    public.ActivityTimedOut: _activity_failed,
    public.ActivityCanceled: _activity_canceled,
}
_DECISIONS: Final[dict[type[public.Shape], _Read]] = {
    public.ActivityScheduled: _activity_scheduled,
    public.ActivityCancelRequested: _activity_cancel_requested,
    public.TimerStarted: _timer_started,
    public.TimerCanceled: _timer_canceled,
    public.MarkerRecorded: _patched,
    public.UpdateAccepted: _update_accepted,
    public.UpdateCompleted: _update_completed,
    public.Completed: _completed,
    public.Failed: _failed,
    public.Canceled: _canceled,
}
