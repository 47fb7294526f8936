"""The shortest way in: a journal, its client and a worker in one block, or one workflow in one call."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from concurrent.futures import Executor
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from difflib import get_close_matches
from typing import Any, TypedDict, TypeVar, Unpack, overload

from actorflow.client import Client, Interceptor, Plugin, WorkflowHandle
from actorflow.client.address import address_of_file
from actorflow.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from actorflow.converter import DataConverter
from actorflow.core import limits
from actorflow.core.definitions import ACTIVITY_MARK, ActivityDefinition, WorkflowDefinition
from actorflow.exceptions import WorkflowAlreadyStartedError
from actorflow.pool.threads import DaemonThreads
from actorflow.types import MethodAsyncNoParam, MethodAsyncSingleParam, ParamType, ReturnType, SelfType
from actorflow.worker import Worker
from actorflow.workflow.arguments import UNSET

R = TypeVar("R")

DEFAULT_TASK_QUEUE = "default"


class OpenOptions(TypedDict, total=False):
    """What `open` and `run` take beside the journal; everything has a default.

    Attributes:
        workflows: classes with ``@workflow.defn``.
        activities: functions, bound methods or instances with ``@activity.defn``.
        task_queue: what the worker serves, and where the client starts workflows; default "default".
        namespace: keeps executions of different programs in one journal apart.
        data_converter: for arguments, results and failures.
        large_payload_bytes: see `Client.connect`.
        activity_executor: where activities that are not async run; by default threads of our own.
        max_concurrent_activities: attempts at the same time; others wait in order of arrival.
        max_cached_workflows: programs kept in memory; others are rebuilt from the journal when something arrives.
        workflow_failure_exception_types: exceptions that fail a workflow instead of its turn.
        interceptors: of the client; those that are worker interceptors, too, are also the worker's.
        plugins: of the client; those that are worker plugins, too, are also the worker's.
        graceful_shutdown_timeout: how long running activities may go on once the block is left.
    """

    workflows: Sequence[type]
    activities: Sequence[Callable[..., Any]]
    task_queue: str
    namespace: str
    data_converter: DataConverter | None
    large_payload_bytes: int | None
    activity_executor: Executor | None
    max_concurrent_activities: int | None
    max_cached_workflows: int
    workflow_failure_exception_types: Sequence[type[BaseException]]
    interceptors: Sequence[Interceptor]
    plugins: Sequence[Plugin]
    graceful_shutdown_timeout: timedelta


@asynccontextmanager
async def open(journal: str | os.PathLike[str], **options: Unpack[OpenOptions]) -> AsyncGenerator[Client]:
    """Open a journal, go on with what is in it, and run these workflows and activities while the block lasts.

    Without workflows and activities nothing is run: the client starts, signals and finds executions all the same.

    Args:
        journal: a file name, created if it does not exist; or an address as `Client.connect` takes it, such as
            ``memory://``.
        options: see `OpenOptions`.

    Yields:
        A client. Its ``start_workflow`` and ``execute_workflow`` need no ``task_queue``.

    Raises:
        StorageOwnedError: another process, or another event loop, has the file open.
        StorageError: anything else that keeps it from being opened.
        TypeError, ValueError: as `Worker` does.
    """
    _check_names(options)
    task_queue = options.get("task_queue", DEFAULT_TASK_QUEUE)
    async with AsyncExitStack() as stack:
        client = await Client.connect(
            _address(journal),
            namespace=options.pop("namespace", "default"),
            data_converter=options.pop("data_converter", None),
            interceptors=options.pop("interceptors", ()),
            plugins=options.pop("plugins", ()),
            task_queue=task_queue,
            large_payload_bytes=options.pop("large_payload_bytes", None),
        )
        await stack.enter_async_context(client)
        if options.get("workflows") or options.get("activities"):
            await stack.enter_async_context(_worker(client, task_queue, options, stack))
        yield client


@overload
def run(
    workflow: MethodAsyncNoParam[SelfType, ReturnType],
    *,
    journal: str | os.PathLike[str],
    id: str,
    **options: Unpack[OpenOptions],
) -> ReturnType: ...
@overload
def run(
    workflow: MethodAsyncSingleParam[SelfType, ParamType, ReturnType],
    arg: ParamType,
    *,
    journal: str | os.PathLike[str],
    id: str,
    **options: Unpack[OpenOptions],
) -> ReturnType: ...
@overload
def run(
    workflow: Callable[..., Awaitable[R]],
    *,
    args: Sequence[Any],
    journal: str | os.PathLike[str],
    id: str,
    **options: Unpack[OpenOptions],
) -> R: ...
def run(
    workflow: Callable[..., Awaitable[Any]],
    arg: Any = UNSET,
    *,
    journal: str | os.PathLike[str],
    id: str,
    args: Sequence[Any] = (),
    **options: Unpack[OpenOptions],
) -> Any:
    """Run one workflow to its end, from a script. Run the script again, and it goes on where it was killed.

    An execution of that id that is open is continued; one that has completed gives the result it has, and nothing is
    done again; one that has failed is started anew.

    Args:
        workflow: its run method; its class need not be among ``workflows``.
        arg: its argument; for several use ``args=[...]``.
        journal: see `open`.
        id: the workflow id: what the work is, not which try of it ("import-2026-11-20").
        options: see `OpenOptions`.

    Raises:
        WorkflowFailureError: it failed, was cancelled or terminated.
        WorkflowParkedError: it can't go on until its code changes.
        RuntimeError: called where an event loop is running; use `open` there.
        WorkflowAlreadyStartedError: the id belongs to an execution of another workflow type.
        StorageError, TypeError, ValueError: as `open` does.
    """
    definition = WorkflowDefinition.of_run(workflow)
    if _is_in_a_loop():
        raise RuntimeError("an event loop is running here; use `async with actorflow.open(...) as client:` instead")
    _check_names(options)
    known = options.get("workflows", ())
    options["workflows"] = known if definition.cls in known else [*known, definition.cls]
    return asyncio.run(_run(workflow, arg, args, journal, id, options))


async def _run(
    workflow: Callable[..., Awaitable[Any]],
    arg: Any,
    args: Sequence[Any],
    journal: str | os.PathLike[str],
    id: str,
    options: OpenOptions,
) -> Any:
    async with open(journal, **options) as client:
        return await (await _begun(client, workflow, arg, args, id)).result()


async def _begun(
    client: Client, workflow: Callable[..., Awaitable[Any]], arg: Any, args: Sequence[Any], id: str
) -> WorkflowHandle[Any, Any]:
    given = {"args": args} if arg is UNSET else {"arg": arg, "args": args}
    start: Any = client.start_workflow
    find: Any = client.get_workflow_handle_for
    try:
        handle = await start(
            workflow,
            **given,
            id=id,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        )
    except WorkflowAlreadyStartedError as completed:
        handle = find(workflow, id, run_id=completed.run_id)
    about = await handle.describe()
    if about.workflow_type != WorkflowDefinition.of_run(workflow).name:
        raise WorkflowAlreadyStartedError(id, about.workflow_type, run_id=about.run_id)
    return handle


def _is_in_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _address(journal: str | os.PathLike[str]) -> str:
    name = os.fsdecode(journal)
    return name if "://" in name else address_of_file(name)


def _worker(client: Client, task_queue: str, options: OpenOptions, stack: AsyncExitStack) -> Worker:
    if not options.get("activity_executor") and not all(map(_is_async, options.get("activities", ()))):
        options["activity_executor"] = _threads(stack, options.get("max_concurrent_activities"))
    given: Any = {name: value for name, value in options.items() if name != "task_queue"}
    return Worker(client, task_queue=task_queue, **given)


def _is_async(activity: Callable[..., Any]) -> bool:
    # What is no activity at all is refused by the worker, which says so.
    return not hasattr(activity, ACTIVITY_MARK) or ActivityDefinition.of(activity).is_async


def _threads(stack: AsyncExitStack, activities_max: int | None) -> Executor:
    executor = DaemonThreads(activities_max or limits.ACTIVITIES_CONCURRENT_MAX, "actorflow-activity")
    # The worker has waited for what may be waited for; what is left must not hold the program.
    stack.callback(executor.shutdown, wait=False, cancel_futures=True)
    return executor


def _check_names(options: OpenOptions) -> None:
    known = OpenOptions.__annotations__
    for name in options:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
            raise TypeError(f"{name!r} is not an option of actorflow.open and actorflow.run; {hint}")
