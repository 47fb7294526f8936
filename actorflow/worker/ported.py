"""Options of the public SDK's workers: those that mean nothing here are accepted, those that would mislead refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, TypedDict

from actorflow.client.ported import Refusal, check_options


class PortedOptions(TypedDict, total=False):
    """What a ported program may give a `Worker` or a `Replayer`.

    ``workflow_runner`` says how strict it is with workflow code (see `actorflow.worker.workflow_sandbox`).
    Accepted without effect, since there is no thread per workflow turn, no polling of a server, one version of the
    code, no network that heartbeats would burden, and codecs leave headers as they are:
    ``unsandboxed_workflow_runner``, ``workflow_task_executor``, ``nexus_task_executor``, ``build_id``, ``runtime``,
    ``debug_mode`` (debuggers need no option), ``disable_*``, ``header_codec_behavior``, the numbers and behaviours of
    polls, the bounds of workflow tasks, and ``*_heartbeat_throttle_interval``. Refused unless they say "nothing": all
    others.
    """

    workflow_runner: Any
    unsandboxed_workflow_runner: Any
    workflow_task_executor: Any
    nexus_task_executor: Any
    build_id: str | None
    debug_mode: bool
    runtime: Any
    disable_eager_activity_execution: bool
    disable_safe_workflow_eviction: bool
    disable_payload_error_limit: bool
    max_concurrent_workflow_tasks: int | None
    max_concurrent_nexus_tasks: int | None
    max_concurrent_workflow_task_polls: int | None
    max_concurrent_activity_task_polls: int | None
    max_eager_activity_reservations_per_workflow_task: int | None
    max_workflow_task_external_storage_concurrency: int | None
    nonsticky_to_sticky_poll_ratio: float
    sticky_queue_schedule_to_start_timeout: timedelta
    workflow_task_poller_behavior: Any
    activity_task_poller_behavior: Any
    nexus_task_poller_behavior: Any
    max_heartbeat_throttle_interval: timedelta
    default_heartbeat_throttle_interval: timedelta
    plugin_shutdown_timeout: timedelta | None
    header_codec_behavior: Any
    nexus_service_handlers: Sequence[Any]
    max_activities_per_second: float | None
    max_task_queue_activities_per_second: float | None
    no_remote_activities: bool
    on_fatal_error: Any
    use_worker_versioning: bool
    deployment_config: Any


_NO_RATE: Final = (
    "there is no limit of starts per second",
    "limit those at the same time with max_concurrent_activities",
)
_NO_VERSIONS: Final = ("runs go on with the code there is", "tell versions apart with workflow.patched")
_REFUSED: Final[Mapping[str, Refusal]] = {
    "nexus_service_handlers": ("there is no Nexus",),
    "max_activities_per_second": _NO_RATE,
    "max_task_queue_activities_per_second": _NO_RATE,
    "no_remote_activities": ("a worker runs the activities it has, whether they are called as local ones or not",),
    "on_fatal_error": ("nothing would call it: when the engine fails, calls on the client raise",),
    "use_worker_versioning": _NO_VERSIONS,
    "deployment_config": _NO_VERSIONS,
}


def check_ported(owner: str, options: Mapping[str, Any]) -> None:
    """Refuse what can't be honoured of `PortedOptions`; raises as `check_options`."""
    check_options(owner, options, known=PortedOptions.__annotations__, refused=_REFUSED)
