"""What workflow code uses. Names, signatures and meaning follow the Temporal Python SDK."""

from actorflow.core.program.errors import NondeterminismError, ReadOnlyContextError
from actorflow.core.program.pending import ActivityCancellationType, ActivityHandle
from actorflow.workflow.activities import (
    ActivityOptions,
    execute_activity,
    execute_activity_class,
    execute_activity_method,
    start_activity,
    start_activity_class,
    start_activity_method,
)
from actorflow.workflow.context import (
    Info,
    NotInWorkflowError,
    cancellation_reason,
    in_workflow,
    info,
    instance,
    now,
    random,
    set_query_handler,
    set_signal_handler,
    sleep,
    time,
    time_ns,
    unsafe,
    uuid4,
    uuid7,
    wait_condition,
)
from actorflow.workflow.definition import defn, init, query, run, signal
from actorflow.workflow.logs import LoggerAdapter, logger
from actorflow.workflow.versions import deprecate_patch, patched
from actorflow.workflow.waiting import as_completed, wait

__all__ = [
    "ActivityCancellationType",
    "ActivityHandle",
    "ActivityOptions",
    "Info",
    "LoggerAdapter",
    "NondeterminismError",
    "NotInWorkflowError",
    "ReadOnlyContextError",
    "as_completed",
    "cancellation_reason",
    "defn",
    "deprecate_patch",
    "execute_activity",
    "execute_activity_class",
    "execute_activity_method",
    "in_workflow",
    "info",
    "init",
    "instance",
    "logger",
    "now",
    "patched",
    "query",
    "random",
    "run",
    "set_query_handler",
    "set_signal_handler",
    "signal",
    "sleep",
    "start_activity",
    "start_activity_class",
    "start_activity_method",
    "time",
    "time_ns",
    "unsafe",
    "uuid4",
    "uuid7",
    "wait",
    "wait_condition",
]
