"""`Failure`: what went wrong, as failure converters see it.

At most one of the ``…_info`` attributes is set; it says which exception the failure becomes. Durations are timedeltas,
enums the numbers of `actorflow.exceptions`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import Literal

from actorflow.api.common.v1 import Payload, Payloads

__all__ = [
    "ActivityFailureInfo",
    "ApplicationFailureInfo",
    "CanceledFailureInfo",
    "ChildWorkflowExecutionFailureInfo",
    "Failure",
    "ServerFailureInfo",
    "TerminatedFailureInfo",
    "TimeoutFailureInfo",
]


@dataclass
class ApplicationFailureInfo:
    """User code raised it."""

    type: str = ""
    non_retryable: bool = False
    details: Payloads = field(default_factory=Payloads)
    next_retry_delay: timedelta | None = None
    category: int = 0


@dataclass
class TimeoutFailureInfo:
    """Time ran out."""

    timeout_type: int = 0
    last_heartbeat_details: Payloads = field(default_factory=Payloads)


@dataclass
class CanceledFailureInfo:
    """It was cancelled."""

    details: Payloads = field(default_factory=Payloads)


@dataclass
class TerminatedFailureInfo:
    """It was terminated."""

    details: Payloads = field(default_factory=Payloads)


@dataclass
class ServerFailureInfo:
    """The runtime raised it."""

    non_retryable: bool = False


@dataclass
class ActivityFailureInfo:
    """An activity failed; its cause says why."""

    scheduled_event_id: int = 0
    started_event_id: int = 0
    identity: str = ""
    activity_type: str = ""
    activity_id: str = ""
    retry_state: int = 0


@dataclass
class ChildWorkflowExecutionFailureInfo:
    """A child did not complete; its cause says why."""

    namespace: str = ""
    workflow_id: str = ""
    run_id: str = ""
    workflow_type: str = ""
    initiated_event_id: int = 0
    started_event_id: int = 0
    retry_state: int = 0


@dataclass
class Failure:
    """What went wrong. What is not set is None; ask with `HasField`, or compare with None."""

    message: str = ""
    source: str = "actorflow"
    stack_trace: str = ""
    encoded_attributes: Payload | None = None
    cause: Failure | None = None
    application_failure_info: ApplicationFailureInfo | None = None
    timeout_failure_info: TimeoutFailureInfo | None = None
    canceled_failure_info: CanceledFailureInfo | None = None
    terminated_failure_info: TerminatedFailureInfo | None = None
    server_failure_info: ServerFailureInfo | None = None
    activity_failure_info: ActivityFailureInfo | None = None
    child_workflow_execution_failure_info: ChildWorkflowExecutionFailureInfo | None = None

    def HasField(self, name: str) -> bool:
        """True if this attribute is set.

        Raises:
            ValueError: there is no such attribute.
        """
        if name not in {one.name for one in fields(self)}:
            raise ValueError(f"a failure has no field {name!r}")
        return getattr(self, name) is not None

    def WhichOneof(self, group: Literal["failure_info"]) -> str | None:
        """The name of the ``…_info`` that is set."""
        names = [one.name for one in fields(self) if one.name.endswith(f"_{group}")]
        return next((name for name in names if getattr(self, name) is not None), None)

    def CopyFrom(self, other: Failure) -> None:
        """Become the same failure as another."""
        for one in fields(self):
            setattr(self, one.name, getattr(other, one.name))
