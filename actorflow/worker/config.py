"""What workers and replayers are made from, for plugins to change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from datetime import timedelta
from typing import Any, Required

from actorflow.client import Client
from actorflow.converter import DataConverter
from actorflow.pool.shared_state import SharedStateManager
from actorflow.worker.interceptor import Interceptor
from actorflow.worker.patches import PatchActivationCallback
from actorflow.worker.ported import PortedOptions
from actorflow.worker.tuning import WorkerTuner


class WorkerConfig(PortedOptions, total=False):
    """What a `Worker` is made from: its parameters."""

    client: Required[Client]
    task_queue: Required[str]
    workflows: Sequence[type]
    activities: Sequence[Callable[..., Any]]
    activity_executor: Executor | None
    shared_state_manager: SharedStateManager | None
    max_concurrent_activities: int | None
    max_concurrent_local_activities: int | None
    tuner: WorkerTuner | None
    max_cached_workflows: int
    workflow_failure_exception_types: Sequence[type[BaseException]]
    patch_activation_callback: PatchActivationCallback | None
    interceptors: Sequence[Interceptor]
    plugins: Sequence[Any]
    graceful_shutdown_timeout: timedelta
    identity: str | None
    development_mode: bool | None


class ReplayerConfig(PortedOptions, total=False):
    """What a `Replayer` is made from: its parameters."""

    workflows: Required[Sequence[type]]
    namespace: str
    data_converter: DataConverter
    interceptors: Sequence[Interceptor]
    plugins: Sequence[Any]
    workflow_failure_exception_types: Sequence[type[BaseException]]
    identity: str | None


def check_values(
    graceful_shutdown_timeout: timedelta, activity_executor: Executor | None, failure_types: Sequence[Any]
) -> None:
    """Refuse what is of another kind than it should be.

    Raises:
        TypeError: see above; the argument is named.
    """
    if not isinstance(graceful_shutdown_timeout, timedelta):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"graceful_shutdown_timeout must be a timedelta, not {graceful_shutdown_timeout!r}")
    if activity_executor is not None and not isinstance(activity_executor, Executor):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(
            f"activity_executor must be an Executor of concurrent.futures, not {activity_executor!r}; "
            "pass a ThreadPoolExecutor"
        )
    check_failure_types(failure_types)


def check_failure_types(failure_types: Sequence[Any]) -> None:
    """Refuse what can't be caught; raises as above."""
    if not isinstance(failure_types, Sequence):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"workflow_failure_exception_types must be a list of exception classes, not {failure_types!r}")
    for index, one in enumerate(failure_types):
        if not (isinstance(one, type) and issubclass(one, BaseException)):
            raise TypeError(f"workflow_failure_exception_types[{index}] must be an exception class, not {one!r}")
