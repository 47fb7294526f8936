"""What the public history says of children, and of messages to other executions; see `public`."""

from __future__ import annotations

from typing import Final

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

# Children


class ChildInitiated(Shape, frozen=True):
    namespace: str = ""
    workflow_id: str = ""
    workflow_type: Named = Named()
    task_queue: Named = Named()
    input: Payloads | None = None
    workflow_execution_timeout: str = ""
    workflow_run_timeout: str = ""
    workflow_task_timeout: str = ""
    parent_close_policy: Number = ""
    workflow_task_completed_event_id: Number = 0
    workflow_id_reuse_policy: Number = ""
    retry_policy: RetryPolicy | None = None
    cron_schedule: str = ""
    memo: Memo | None = None
    search_attributes: SearchAttributes | None = None
    header: Header | None = None


class ChildStartFailed(Shape, frozen=True):
    namespace: str = ""
    workflow_id: str = ""
    workflow_type: Named = Named()
    cause: Number = ""
    initiated_event_id: Number = 0
    workflow_task_completed_event_id: Number = 0


class OfChild(Shape, frozen=True):
    """What a child has done."""

    namespace: str = ""
    workflow_execution: RunReference = RunReference()
    workflow_type: Named = Named()
    initiated_event_id: Number = 0


class ChildStarted(OfChild, frozen=True):
    pass


class ChildClosed(OfChild, frozen=True):
    started_event_id: Number = 0


class ChildCompleted(ChildClosed, frozen=True):
    result: Payloads | None = None


class ChildFailed(ChildClosed, frozen=True):
    failure: Failure | None = None
    retry_state: Number = ""


class ChildCanceled(ChildClosed, frozen=True):
    details: Payloads | None = None


class ChildTimedOut(ChildClosed, frozen=True):
    retry_state: Number = ""


class ChildTerminated(ChildClosed, frozen=True):
    pass


# Messages


class ToOther(Shape, frozen=True):
    """A message to another execution."""

    workflow_task_completed_event_id: Number = 0
    namespace: str = ""
    workflow_execution: RunReference = RunReference()
    child_workflow_only: bool = False


class SignalInitiated(ToOther, frozen=True):
    signal_name: str = ""
    input: Payloads | None = None
    header: Header | None = None


class CancelInitiated(ToOther, frozen=True):
    reason: str = ""


class Delivered(Shape, frozen=True):
    initiated_event_id: Number = 0
    namespace: str = ""
    workflow_execution: RunReference = RunReference()


class SignalDelivered(Delivered, frozen=True):
    pass


class CancelDelivered(Delivered, frozen=True):
    pass


class Refused(Delivered, frozen=True):
    cause: Number = ""
    control: str = ""
    workflow_task_completed_event_id: Number = 0


class SignalRefused(Refused, frozen=True):
    pass


class CancelRefused(Refused, frozen=True):
    pass


NAME_BY_SHAPE: Final[dict[type[Shape], str]] = {
    ChildInitiated: "START_CHILD_WORKFLOW_EXECUTION_INITIATED",
    ChildStartFailed: "START_CHILD_WORKFLOW_EXECUTION_FAILED",
    ChildStarted: "CHILD_WORKFLOW_EXECUTION_STARTED",
    ChildCompleted: "CHILD_WORKFLOW_EXECUTION_COMPLETED",
    ChildFailed: "CHILD_WORKFLOW_EXECUTION_FAILED",
    ChildCanceled: "CHILD_WORKFLOW_EXECUTION_CANCELED",
    ChildTimedOut: "CHILD_WORKFLOW_EXECUTION_TIMED_OUT",
    ChildTerminated: "CHILD_WORKFLOW_EXECUTION_TERMINATED",
    SignalInitiated: "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED",
    SignalDelivered: "EXTERNAL_WORKFLOW_EXECUTION_SIGNALED",
    SignalRefused: "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED",
    CancelInitiated: "REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED",
    CancelDelivered: "EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED",
    CancelRefused: "REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED",
}
"""Types of events."""

NOT_FOUND: Final = "EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND"
TOO_MANY_SIGNALS: Final = "SIGNAL_COUNT_LIMIT_EXCEEDED"
ALREADY_EXISTS: Final = "WORKFLOW_ALREADY_EXISTS"
"""Causes, without what stands before them in each kind of event."""
