"""Local activities as markers of the public history, and back."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import msgspec

from actorflow.converter import Payload
from actorflow.core import events as ev
from actorflow.core.history import failures, public, shapes, values as to
from actorflow.exceptions import RetryState

_SECOND: Final = timedelta(seconds=1)
_EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


class _Stamp(msgspec.Struct, frozen=True):
    """A duration, or an instant since the epoch, as SDKs with the shared core write it."""

    seconds: int = 0
    nanos: int = 0


class _Detail(msgspec.Struct, frozen=True):
    """What the marker says beside result and failure; what we need beyond that has names of our own."""

    seq: int = 0
    attempt: int = 1
    activity_id: str = ""
    activity_type: str = ""
    complete_time: _Stamp | None = None
    backoff: _Stamp | None = None
    original_schedule_time: _Stamp | None = None
    actorflow_after: int | None = None
    actorflow_retry_state: int = 0


class ReadMarker(msgspec.Struct, frozen=True):
    """An outcome, and the event behind which it came; None if another SDK has written it."""

    outcome: ev.LocalActivityResolved
    after: int | None


def marker_of(event: ev.LocalActivityResolved, *, at: datetime, after: int, task: int) -> public.MarkerRecorded:
    """An outcome as a marker.

    Args:
        event: the outcome.
        at: when its turn was.
        after: number of the event behind which it came.
        task: number of the event that ended the task.
    """
    detail = _Detail(
        seq=int(event.activity_id) if event.activity_id.isdecimal() else 0,
        attempt=event.attempt,
        activity_id=event.activity_id,
        activity_type=event.activity_type,
        complete_time=_stamp(at - _EPOCH),
        backoff=None if event.backoff is None else _stamp(event.backoff),
        original_schedule_time=_stamp(event.scheduled_at - _EPOCH),
        actorflow_after=after,
        actorflow_retry_state=event.retry_state,
    )
    data = to.payload_out(Payload(json=msgspec.Raw(msgspec.json.encode(detail))))
    details = {public.LOCAL_ACTIVITY_DETAIL: shapes.Payloads(payloads=[data])}
    result = to.result_out(event.result)
    if result is not None:
        details[public.LOCAL_ACTIVITY_RESULT] = result
    return public.MarkerRecorded(
        marker_name=public.LOCAL_ACTIVITY_MARKER,
        details=details,
        workflow_task_completed_event_id=str(task),
        failure=None if event.failure is None else failures.failure_out(event.failure),
    )


def read_marker(marker: public.MarkerRecorded, *, at: datetime) -> ReadMarker | None:
    """The outcome that a marker says; None if it is no marker of a local activity. ``at`` is when its turn was."""
    data = marker.details.get(public.LOCAL_ACTIVITY_DETAIL)
    if marker.marker_name != public.LOCAL_ACTIVITY_MARKER or data is None or len(data.payloads) != 1:
        return None
    detail = msgspec.json.decode(data.payloads[0].data, type=_Detail)
    failure = None if marker.failure is None else failures.failure_in(marker.failure)
    retry_state = detail.actorflow_retry_state
    if failure is not None and failure.kind == "activity" and failure.cause is not None:
        # Others wrap what the activity raised, as the workflow sees it; here the workflow's side wraps it.
        retry_state = failure.activity.retry_state if failure.activity is not None else retry_state
        failure = failure.cause
    elif failure is not None and failure.kind == "cancelled" and not retry_state:
        retry_state = int(RetryState.CANCEL_REQUESTED)
    outcome = ev.LocalActivityResolved(
        activity_id=detail.activity_id or str(detail.seq),
        activity_type=detail.activity_type,
        scheduled_at=at if detail.original_schedule_time is None else _EPOCH + _span(detail.original_schedule_time),
        result=to.result_in(marker.details.get(public.LOCAL_ACTIVITY_RESULT)),
        failure=failure,
        retry_state=retry_state,
        attempt=detail.attempt,
        backoff=None if detail.backoff is None else _span(detail.backoff),
    )
    return ReadMarker(outcome, detail.actorflow_after)


def _stamp(span: timedelta) -> _Stamp:
    seconds, rest = divmod(span, _SECOND)
    return _Stamp(seconds, rest // timedelta(microseconds=1) * 1000)


def _span(stamp: _Stamp) -> timedelta:
    return timedelta(seconds=stamp.seconds, microseconds=stamp.nanos // 1000)
