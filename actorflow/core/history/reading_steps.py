"""Activities, timers and patches from events of the public history."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, cast

import msgspec

from actorflow.converter import Failure
from actorflow.core import events as ev
from actorflow.core.history import failures, notes, public, shapes, values as to
from actorflow.core.history.exported import ExportedEvent, References, refuse
from actorflow.core.history.local_activities import ReadMarker, read_marker
from actorflow.exceptions import RetryState


def _timer_fired(_known: References, event: ExportedEvent) -> ev.TimerFired:
    return ev.TimerFired(cast("public.TimerFired", event.attributes).timer_id)


def _activity_completed(known: References, event: ExportedEvent) -> ev.ActivityCompleted:
    attributes = cast("public.ActivityCompleted", event.attributes)
    activity_id = known.activity(attributes.scheduled_event_id)
    attempt, began_at = known.attempt(attributes.scheduled_event_id)
    return ev.ActivityCompleted(activity_id, to.result_in(attributes.result), attempt, began_at)


def _activity_failed(known: References, event: ExportedEvent) -> ev.ActivityFailed | ev.ActivityTimedOut:
    attributes = cast("public.ActivityFailed", event.attributes)
    kind = ev.ActivityTimedOut if isinstance(attributes, public.ActivityTimedOut) else ev.ActivityFailed
    activity_id = known.activity(attributes.scheduled_event_id)
    attempt, began_at = known.attempt(attributes.scheduled_event_id)
    retry_state = to.enum_in("RETRY_STATE", RetryState, attributes.retry_state)
    return kind(activity_id, failures.failure_in(attributes.failure), retry_state, attempt, began_at)


def _activity_canceled(known: References, event: ExportedEvent) -> ev.ActivityCancelled:
    attributes = cast("public.ActivityCanceled", event.attributes)
    activity_id = known.activity(attributes.scheduled_event_id)
    attempt, began_at = known.attempt(attributes.scheduled_event_id)
    failure = Failure("Activity cancelled", kind="cancelled", details=to.payloads_in(attributes.details))
    return ev.ActivityCancelled(activity_id, failure, attempt, began_at)


def _activity_scheduled(known: References, event: ExportedEvent) -> ev.ActivityScheduled:
    attributes = cast("public.ActivityScheduled", event.attributes)
    known.activity_scheduled(event.number, attributes.activity_id)
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
        headers=notes.header_in(attributes.header),
    )


def _activity_cancel_requested(known: References, event: ExportedEvent) -> ev.ActivityCancelRequested:
    attributes = cast("public.ActivityCancelRequested", event.attributes)
    return ev.ActivityCancelRequested(known.activity(attributes.scheduled_event_id))


def _timer_started(_known: References, event: ExportedEvent) -> ev.TimerStarted:
    attributes = cast("public.TimerStarted", event.attributes)
    return ev.TimerStarted(attributes.timer_id, to.duration_in(attributes.start_to_fire_timeout), event.summary)


def _timer_canceled(_known: References, event: ExportedEvent) -> ev.TimerCancelled:
    return ev.TimerCancelled(cast("public.TimerCanceled", event.attributes).timer_id)


class _PatchDetail(msgspec.Struct, frozen=True):
    """What the marker of a patch says."""

    id: str
    deprecated: bool = False


def _marked(known: References, event: ExportedEvent) -> ev.Patched | ReadMarker:
    attributes = cast("public.MarkerRecorded", event.attributes)
    return read_marker(attributes, at=known.turn_at or event.at) or _patched(event, attributes)


def _patched(event: ExportedEvent, attributes: public.MarkerRecorded) -> ev.Patched:
    details = attributes.details.get(public.PATCH_DETAIL)
    if attributes.marker_name != public.PATCH_MARKER or details is None or len(details.payloads) != 1:
        refuse(event.number, f"a marker {attributes.marker_name!r}")
    patch = msgspec.json.decode(details.payloads[0].data, type=_PatchDetail)
    return ev.Patched(patch.id, patch.deprecated)


_Read = Callable[[References, ExportedEvent], ev.Event | ReadMarker]
ARRIVALS: Final[Mapping[type[shapes.Shape], _Read]] = {
    public.TimerFired: _timer_fired,
    public.ActivityCompleted: _activity_completed,
    public.ActivityFailed: _activity_failed,
    public.ActivityTimedOut: _activity_failed,
    public.ActivityCanceled: _activity_canceled,
}
DECISIONS: Final[Mapping[type[shapes.Shape], _Read]] = {
    public.ActivityScheduled: _activity_scheduled,
    public.ActivityCancelRequested: _activity_cancel_requested,
    public.TimerStarted: _timer_started,
    public.TimerCanceled: _timer_canceled,
    public.MarkerRecorded: _marked,
}
"""How each is read."""
