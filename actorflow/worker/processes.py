"""Activities in other processes, as a worker is asked for them; what they need is loaded only then."""

from __future__ import annotations

import asyncio
import pickle
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from importlib import import_module
from typing import Any

from actorflow.converter import DataConverter
from actorflow.core.definitions import ActivityDefinition
from actorflow.engine.registry import ChildExecutor
from actorflow.exceptions import RegistrationError
from actorflow.pool.flag import Flag
from actorflow.pool.shared_state import SharedStateManager


def is_process_pool(executor: Executor | None) -> bool:
    """True for a `ProcessPoolExecutor`; whoever has one has loaded its module."""
    module = sys.modules.get("concurrent.futures.process")
    return module is not None and isinstance(executor, module.ProcessPoolExecutor)


def check_processes(activities: Iterable[ActivityDefinition], shared: SharedStateManager | None) -> None:
    """Check that activities can run in other processes.

    Raises:
        RegistrationError: one can't be pickled, or there is no shared-state manager.
    """
    for definition in activities:
        if definition.is_async:
            continue
        if shared is None:
            raise RegistrationError(
                f"Activity {definition.name} runs in processes, so a shared_state_manager must be present; "
                "pass SharedStateManager.create_from_multiprocessing(multiprocessing.Manager())"
            )
        try:
            pickle.dumps(definition.function)
        except Exception as problem:  # whatever a foreign object raises
            raise RegistrationError(
                f"Activity {definition.name} must be picklable when using a process executor, but is not ({problem}); "
                "define it at the top of a module, or use a ThreadPoolExecutor"
            ) from problem


def running_in_processes(
    pool: Executor, shared: SharedStateManager, converter: DataConverter
) -> Callable[[Flag], ChildExecutor]:
    """What makes the executor of a worker, once it runs."""
    processes: Any = import_module("actorflow.pool.processes")
    activities: Any = import_module("actorflow.engine.process_activity")
    likeness = processes.Likeness.of(pool)

    def made(shutdown: Flag) -> ChildExecutor:
        return activities.ProcessExecutor(
            asyncio.get_running_loop(),
            processes.Processes(likeness),
            likeness.processes_max,
            shared,
            shutdown,
            converter.payload_converter,
        )

    return made
