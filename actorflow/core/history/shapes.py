"""What events of the public history are made of: payloads, names, failures.

Names follow protobuf's mapping to JSON. Numbers of events are text there, bytes are base64, and what has its default
value is left out.
"""

from __future__ import annotations

import msgspec

Number = str | int
"""A 64-bit number: written as text, read as either."""


class Shape(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """A message of the public API."""


class Payload(Shape, frozen=True):
    metadata: dict[str, bytes] = {}
    data: bytes = b""


class Payloads(Shape, frozen=True):
    payloads: list[Payload] = []


class Header(Shape, frozen=True):
    fields: dict[str, Payload] = {}


class UserMetadata(Shape, frozen=True):
    summary: Payload | None = None
    details: Payload | None = None


class Memo(Shape, frozen=True):
    fields: dict[str, Payload] = msgspec.field(default_factory=dict[str, Payload])


class SearchAttributes(Shape, frozen=True):
    indexed_fields: dict[str, Payload] = msgspec.field(default_factory=dict[str, Payload])


class Named(Shape, frozen=True):
    """A type or a task queue, which the public API keeps in messages of their own."""

    name: str = ""
    kind: Number = ""


class RunReference(Shape, frozen=True):
    """Which run; some name the workflow only."""

    workflow_id: str = ""
    run_id: str = ""


class RetryPolicy(Shape, frozen=True):
    initial_interval: str = ""
    backoff_coefficient: float = 0.0
    maximum_interval: str = ""
    maximum_attempts: int = 0
    non_retryable_error_types: list[str] = []


# Failures


class ApplicationInfo(Shape, frozen=True):
    type: str = ""
    non_retryable: bool = False
    details: Payloads | None = None
    next_retry_delay: str = ""
    category: Number = ""


class TimeoutInfo(Shape, frozen=True):
    timeout_type: Number = ""
    last_heartbeat_details: Payloads | None = None


class CanceledInfo(Shape, frozen=True):
    details: Payloads | None = None


class TerminatedInfo(Shape, frozen=True):
    identity: str = ""


class ServerInfo(Shape, frozen=True):
    non_retryable: bool = False


class ActivityInfo(Shape, frozen=True):
    scheduled_event_id: Number = 0
    started_event_id: Number = 0
    identity: str = ""
    activity_type: Named = Named()
    activity_id: str = ""
    retry_state: Number = ""


class ChildInfo(Shape, frozen=True):
    namespace: str = ""
    workflow_execution: RunReference = RunReference()
    workflow_type: Named = Named()
    initiated_event_id: Number = 0
    started_event_id: Number = 0
    retry_state: Number = ""


class Failure(Shape, frozen=True):
    message: str = ""
    source: str = ""
    stack_trace: str = ""
    encoded_attributes: Payload | None = None
    cause: Failure | None = None
    application_failure_info: ApplicationInfo | None = None
    timeout_failure_info: TimeoutInfo | None = None
    canceled_failure_info: CanceledInfo | None = None
    terminated_failure_info: TerminatedInfo | None = None
    server_failure_info: ServerInfo | None = None
    activity_failure_info: ActivityInfo | None = None
    child_workflow_execution_failure_info: ChildInfo | None = None
