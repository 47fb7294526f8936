"""The public history's JSON as types: only what we write or need to read of it.

Names follow protobuf's mapping to JSON. Numbers of events are text there, bytes are base64, and what has its default
value is left out. What the events are made of is in `shapes`, those of children and others in `public_others`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

import msgspec

from actorflow.core.history import public_others as others
from actorflow.core.history.shapes import (
    Failure,
    Header,
    Memo,
    Named,
    Number,
    Payloads,
    RetryPolicy,
    RunReference,
    SearchAttributes,
    Shape,
)


class Started(Shape, frozen=True):
    workflow_type: Named = Named()
    task_queue: Named = Named()
    parent_workflow_namespace: str = ""
    parent_workflow_execution: RunReference | None = None
    parent_initiated_event_id: Number = 0
    input: Payloads | None = None
    workflow_execution_timeout: str = ""
    workflow_run_timeout: str = ""
    workflow_task_timeout: str = ""
    continued_execution_run_id: str = ""
    initiator: Number = ""
    continued_failure: Failure | None = None
    last_completion_result: Payloads | None = None
    original_execution_run_id: str = ""
    first_execution_run_id: str = ""
    retry_policy: RetryPolicy | None = None
    workflow_id: str = ""
    attempt: int = 0
    workflow_execution_expiration_time: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    cron_schedule: str = ""
    first_workflow_task_backoff: str = ""
    root_workflow_execution: RunReference | None = None
    memo: Memo | None = None
    search_attributes: SearchAttributes | None = None
    header: Header | None = None


class Signaled(Shape, frozen=True):
    signal_name: str = ""
    input: Payloads | None = None
    request_id: str = ""
    skip_generate_workflow_task: bool = False
    header: Header | None = None


class CancelRequested(Shape, frozen=True):
    cause: str = ""


class UpdateMeta(Shape, frozen=True):
    update_id: str = ""


class UpdateInput(Shape, frozen=True):
    name: str = ""
    args: Payloads | None = None
    header: Header | None = None


class UpdateRequest(Shape, frozen=True):
    meta: UpdateMeta = UpdateMeta()
    input: UpdateInput = UpdateInput()


class UpdateOutcome(Shape, frozen=True):
    success: Payloads | None = None
    failure: Failure | None = None


class UpdateAccepted(Shape, frozen=True):
    protocol_instance_id: str = ""
    accepted_request_sequencing_event_id: Number = 0
    accepted_request: UpdateRequest | None = None


class UpdateCompleted(Shape, frozen=True):
    meta: UpdateMeta = UpdateMeta()
    accepted_event_id: Number = 0
    outcome: UpdateOutcome = UpdateOutcome()


class Completed(Shape, frozen=True):
    result: Payloads | None = None
    workflow_task_completed_event_id: Number = 0
    new_execution_run_id: str = ""


class Failed(Shape, frozen=True):
    failure: Failure | None = None
    retry_state: Number = ""
    workflow_task_completed_event_id: Number = 0
    new_execution_run_id: str = ""


class Canceled(Shape, frozen=True):
    details: Payloads | None = None
    workflow_task_completed_event_id: Number = 0


class TimedOut(Shape, frozen=True):
    retry_state: Number = ""
    new_execution_run_id: str = ""


class ContinuedAsNew(Shape, frozen=True):
    new_execution_run_id: str = ""
    workflow_type: Named = Named()
    task_queue: Named = Named()
    input: Payloads | None = None
    workflow_run_timeout: str = ""
    workflow_task_timeout: str = ""
    workflow_task_completed_event_id: Number = 0
    initiator: Number = ""
    memo: Memo | None = None
    search_attributes: SearchAttributes | None = None
    header: Header | None = None


class Terminated(Shape, frozen=True):
    reason: str = ""
    details: Payloads | None = None


class TaskScheduled(Shape, frozen=True):
    task_queue: Named = Named()
    attempt: int = 0


class TaskStarted(Shape, frozen=True):
    scheduled_event_id: Number = 0


class TaskCompleted(Shape, frozen=True):
    scheduled_event_id: Number = 0
    started_event_id: Number = 0


class TaskFailed(Shape, frozen=True):
    scheduled_event_id: Number = 0
    started_event_id: Number = 0
    cause: Number = ""
    failure: Failure | None = None


class TaskTimedOut(Shape, frozen=True):
    pass


class ActivityScheduled(Shape, frozen=True):
    activity_id: str = ""
    activity_type: Named = Named()
    task_queue: Named = Named()
    input: Payloads | None = None
    schedule_to_close_timeout: str = ""
    schedule_to_start_timeout: str = ""
    start_to_close_timeout: str = ""
    heartbeat_timeout: str = ""
    workflow_task_completed_event_id: Number = 0
    retry_policy: RetryPolicy | None = None
    header: Header | None = None


class ActivityStarted(Shape, frozen=True):
    scheduled_event_id: Number = 0
    attempt: int = 0


class ActivityCompleted(Shape, frozen=True):
    result: Payloads | None = None
    scheduled_event_id: Number = 0
    started_event_id: Number = 0


class ActivityFailed(Shape, frozen=True):
    failure: Failure | None = None
    scheduled_event_id: Number = 0
    started_event_id: Number = 0
    retry_state: Number = ""


class ActivityTimedOut(ActivityFailed, frozen=True):
    pass


class ActivityCancelRequested(Shape, frozen=True):
    scheduled_event_id: Number = 0
    workflow_task_completed_event_id: Number = 0


class ActivityCanceled(Shape, frozen=True):
    details: Payloads | None = None
    latest_cancel_requested_event_id: Number = 0
    scheduled_event_id: Number = 0
    started_event_id: Number = 0


class TimerStarted(Shape, frozen=True):
    timer_id: str = ""
    start_to_fire_timeout: str = ""
    workflow_task_completed_event_id: Number = 0


class TimerFired(Shape, frozen=True):
    timer_id: str = ""
    started_event_id: Number = 0


class TimerCanceled(Shape, frozen=True):
    timer_id: str = ""
    started_event_id: Number = 0
    workflow_task_completed_event_id: Number = 0


class MarkerRecorded(Shape, frozen=True):
    marker_name: str = ""
    details: dict[str, Payloads] = msgspec.field(default_factory=dict[str, Payloads])
    workflow_task_completed_event_id: Number = 0
    failure: Failure | None = None


class SearchAttributesUpserted(Shape, frozen=True):
    workflow_task_completed_event_id: Number = 0
    search_attributes: SearchAttributes = SearchAttributes()


class PropertiesModified(Shape, frozen=True):
    """A change of the memo."""

    workflow_task_completed_event_id: Number = 0
    upserted_memo: Memo = Memo()


NAME_BY_SHAPE: Final[dict[type[Shape], str]] = {
    **others.NAME_BY_SHAPE,
    Started: "WORKFLOW_EXECUTION_STARTED",
    Signaled: "WORKFLOW_EXECUTION_SIGNALED",
    CancelRequested: "WORKFLOW_EXECUTION_CANCEL_REQUESTED",
    UpdateAccepted: "WORKFLOW_EXECUTION_UPDATE_ACCEPTED",
    UpdateCompleted: "WORKFLOW_EXECUTION_UPDATE_COMPLETED",
    Completed: "WORKFLOW_EXECUTION_COMPLETED",
    Failed: "WORKFLOW_EXECUTION_FAILED",
    Canceled: "WORKFLOW_EXECUTION_CANCELED",
    Terminated: "WORKFLOW_EXECUTION_TERMINATED",
    TimedOut: "WORKFLOW_EXECUTION_TIMED_OUT",
    ContinuedAsNew: "WORKFLOW_EXECUTION_CONTINUED_AS_NEW",
    TaskScheduled: "WORKFLOW_TASK_SCHEDULED",
    TaskStarted: "WORKFLOW_TASK_STARTED",
    TaskCompleted: "WORKFLOW_TASK_COMPLETED",
    TaskFailed: "WORKFLOW_TASK_FAILED",
    TaskTimedOut: "WORKFLOW_TASK_TIMED_OUT",
    ActivityScheduled: "ACTIVITY_TASK_SCHEDULED",
    ActivityStarted: "ACTIVITY_TASK_STARTED",
    ActivityCompleted: "ACTIVITY_TASK_COMPLETED",
    ActivityFailed: "ACTIVITY_TASK_FAILED",
    ActivityTimedOut: "ACTIVITY_TASK_TIMED_OUT",
    ActivityCancelRequested: "ACTIVITY_TASK_CANCEL_REQUESTED",
    ActivityCanceled: "ACTIVITY_TASK_CANCELED",
    TimerStarted: "TIMER_STARTED",
    TimerFired: "TIMER_FIRED",
    TimerCanceled: "TIMER_CANCELED",
    MarkerRecorded: "MARKER_RECORDED",
    SearchAttributesUpserted: "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES",
    PropertiesModified: "WORKFLOW_PROPERTIES_MODIFIED",
}
"""Types of events; each has its attributes under a key made of the same words."""

INITIATOR_PREFIX: Final = "CONTINUE_AS_NEW_INITIATOR_"
INITIATORS: Final = {
    "workflow": f"{INITIATOR_PREFIX}WORKFLOW",
    "retry": f"{INITIATOR_PREFIX}RETRY",
    "cron": f"{INITIATOR_PREFIX}CRON_SCHEDULE",
}
"""Why a run follows another one, in our words and in theirs; theirs are numbered in this order."""

EVENT_TYPE_PREFIX: Final = "EVENT_TYPE_"
INTERPRETER_HEADER: Final = "actorflow-interpreter"
PATCH_MARKER: Final = "core_patch"
PATCH_DETAIL: Final = "patch-data"
"""How SDKs of the public API that share its core mark a patch: one detail, the JSON object {id, deprecated}."""


LOCAL_ACTIVITY_MARKER: Final = "core_local_activity"
LOCAL_ACTIVITY_DETAIL: Final = "data"
LOCAL_ACTIVITY_RESULT: Final = "result"
"""The same for a local activity's outcome: what it was as a JSON object, and its result; a failure is the marker's."""


def attributes_key(name: str) -> str:
    """Where an event of this type has its attributes: ``TIMER_FIRED`` under ``timerFiredEventAttributes``."""
    first, *others = name.lower().split("_")
    return "".join((first, *(word.capitalize() for word in others), "EventAttributes"))
