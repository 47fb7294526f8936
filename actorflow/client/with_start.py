"""What an update-with-start starts, and what a client calls a workflow by."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any, Generic

from actorflow.client.handle import WorkflowHandle, arguments_of
from actorflow.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from actorflow.converter import DataConverter
from actorflow.core.definitions import WORKFLOW_MARK, WorkflowDefinition
from actorflow.service import RPCError, RPCStatusCode, StartRequest
from actorflow.types import ReturnType, SelfType
from actorflow.workflow.activities import UNSET


class WithStartWorkflowOperation(Generic[SelfType, ReturnType]):
    """A workflow to be started together with an update; good for one call.

    Args:
        workflow: the run method, or the workflow type's name.
        arg: its argument; for several use ``args=[...]``.
        args: see ``arg``.
        id: the workflow id.
        task_queue: whose workers run it; needed unless the client has one of its own.
        id_conflict_policy: what to do if the id is open: FAIL, or USE_EXISTING and send it the update.
        id_reuse_policy: what closed runs of the id mean.
        result_type: what to decode the workflow's result as, if the run method is not given.
        request_id: repeat a call whose outcome you don't know with the same one, and it starts once.

    Raises:
        ValueError: the conflict policy is UNSPECIFIED.
    """

    def __init__(
        self,
        workflow: str | Callable[..., Awaitable[ReturnType]],
        arg: Any = UNSET,
        *,
        args: Sequence[Any] = (),
        id: str,
        task_queue: str | None = None,
        id_conflict_policy: WorkflowIDConflictPolicy,
        id_reuse_policy: WorkflowIDReusePolicy = WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        result_type: type | None = None,
        request_id: str = "",
    ) -> None:
        if id_conflict_policy == WorkflowIDConflictPolicy.UNSPECIFIED:
            raise ValueError("an update-with-start needs an id_conflict_policy: FAIL, or USE_EXISTING")
        self._type, declared = described(workflow)
        self._arguments = arguments_of(arg, args)
        self._id = id
        self._task_queue = task_queue
        self._conflict = id_conflict_policy
        self._reuse = id_reuse_policy
        self._result_type = result_type or declared
        self._request_id = request_id
        self._is_used = False
        self._handle: asyncio.Future[WorkflowHandle[SelfType, ReturnType]] | None = None

    async def workflow_handle(self) -> WorkflowHandle[SelfType, ReturnType]:
        """Wait until the workflow has been started and return its handle, whatever became of the update.

        Raises:
            WorkflowAlreadyStartedError, RPCError: it could not be started.
        """
        return await asyncio.shield(self._future())

    def claim(self) -> None:
        """Take it for the one call it is good for.

        Raises:
            RuntimeError: it was used before.
        """
        if self._is_used:
            raise RuntimeError("a WithStartWorkflowOperation is good for one call; make another one")
        self._is_used = True

    def request(self, namespace: str, converter: DataConverter, default_queue: str | None) -> tuple[StartRequest, Any]:
        """What is asked of a service, and the type of the workflow's result.

        Raises:
            TypeError, PayloadError: as `Client.start_workflow`.
        """
        request = StartRequest(
            namespace=namespace,
            workflow_id=self._id,
            workflow_type=self._type,
            task_queue=chosen_queue(self._id, self._task_queue, default_queue),
            input=converter.encode(self._arguments),
            reuse=self._reuse,
            conflict=self._conflict,
            request_id=self._request_id,
        )
        return request, self._result_type

    def started(self, handle: WorkflowHandle[SelfType, ReturnType]) -> None:
        """The workflow is there."""
        self._future().set_result(handle)

    @contextmanager
    def failing(self) -> Generator[None]:
        """What is raised inside before the workflow is there is also what `workflow_handle` raises."""
        try:
            yield
        except BaseException as problem:
            future = self._future()
            if not future.done():
                # Whoever else waits was not cancelled itself.
                told = problem if isinstance(problem, Exception) else _cancelled(self._id)
                future.set_exception(told)
                future.exception()  # nobody may be waiting for it
            raise

    def _future(self) -> asyncio.Future[WorkflowHandle[SelfType, ReturnType]]:
        if self._handle is None:
            self._handle = asyncio.get_running_loop().create_future()
        return self._handle


def chosen_queue(id: str, task_queue: str | None, default_queue: str | None) -> str:
    """The task queue of a workflow that is to be started.

    Raises:
        TypeError: neither the call nor the client names one.
    """
    queue = default_queue if task_queue is None else task_queue
    if queue is None:
        raise TypeError(f"workflow {id!r} needs a task_queue: pass the one its worker serves")
    return queue


def _cancelled(workflow_id: str) -> RPCError:
    return RPCError(
        f"the call that was to start workflow {workflow_id!r} was cancelled; whether it was started is unknown",
        RPCStatusCode.CANCELLED,
    )


def described(workflow: str | Callable[..., Any]) -> tuple[str, Any]:
    """Name and result type of a run method (or a name alone)."""
    if isinstance(workflow, str):
        return workflow, None
    definition = _definition_of_run(workflow)
    return definition.name, definition.signature.result_type


def _definition_of_run(run: Callable[..., Any]) -> WorkflowDefinition:
    """The definition whose class holds this run method."""
    if isinstance(run, type):
        return WorkflowDefinition.of(run)
    definition: WorkflowDefinition | None = getattr(run, WORKFLOW_MARK, None)
    if definition is None:
        named = getattr(run, "__qualname__", repr(run))
        raise TypeError(f"{named} is not a workflow's run method; mark it with @workflow.run in a @workflow.defn class")
    return definition
