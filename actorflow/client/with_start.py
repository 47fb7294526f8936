"""What an update-with-start starts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Generic, Unpack

from actorflow.client.data import WorkflowData
from actorflow.client.handle import WorkflowHandle, arguments_of
from actorflow.client.ported import check_start
from actorflow.client.start import (
    LifeOptions,
    NoteOptions,
    check_arguments,
    chosen_queue,
    described,
    id_policies,
    noted,
    run_options,
)
from actorflow.common import (
    Priority,
    SearchAttributes,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from actorflow.converter import DataConverter
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
        memo: notes for people and programs, see `StartOptions`.
        search_attributes: notes by which it is found, see `StartOptions`.
        static_summary: one line for people.
        static_details: more lines for people.
        priority: accepted for ported programs, see `Priority`.
        versioning_override: refused, since there is one version of the code.
        stack_level: accepted for ported programs.
        life: timeouts, retry, cron and delay, see `StartOptions`.

    Raises:
        UnsupportedOptionError: there is a ``versioning_override``.
        ValueError: the conflict policy is UNSPECIFIED, or `StartOptions` that can't be.
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
        memo: Mapping[str, Any] | None = None,
        search_attributes: SearchAttributes | TypedSearchAttributes | None = None,
        static_summary: str | None = None,
        static_details: str | None = None,
        priority: Priority = Priority.default,
        versioning_override: Any = None,
        stack_level: int = 2,
        **life: Unpack[LifeOptions],
    ) -> None:
        check_start(versioning_override=versioning_override)
        if id_conflict_policy == WorkflowIDConflictPolicy.UNSPECIFIED:
            raise ValueError("an update-with-start needs an id_conflict_policy: FAIL, or USE_EXISTING")
        self._type, declared = described(workflow)
        self._arguments = arguments_of(arg, args)
        check_arguments(workflow, self._arguments)
        self._id = id
        self._task_queue = task_queue
        self._reuse, self._conflict = id_policies(id, id_reuse_policy, id_conflict_policy)
        self._result_type = result_type or declared
        self._request_id = request_id
        self._options, self._delay = run_options(self._type, **life)
        self._notes = NoteOptions(
            memo=memo,
            search_attributes=search_attributes,
            static_summary=static_summary,
            static_details=static_details,
        )
        self._is_used = False
        self._handle: asyncio.Future[WorkflowHandle[SelfType, ReturnType]] | None = None

    @property
    def id(self) -> str:
        """The workflow id."""
        return self._id

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

    async def request(
        self, namespace: str, converter: DataConverter, default_queue: str | None
    ) -> tuple[StartRequest, Any]:
        """What is asked of a service, and the type of the workflow's result.

        Raises:
            TypeError, PayloadError, CodecError: as `Client.start_workflow`.
        """
        data = WorkflowData(converter, namespace, self._id)
        request = StartRequest(
            namespace=namespace,
            workflow_id=self._id,
            workflow_type=self._type,
            task_queue=chosen_queue(self._id, self._task_queue, default_queue),
            input=data.values.encode(self._arguments),
            reuse=self._reuse,
            conflict=self._conflict,
            request_id=self._request_id,
            options=noted(self._id, self._options, data.values, **self._notes),
            start_delay=self._delay,
        )
        return await data.closed(request), self._result_type

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


def _cancelled(workflow_id: str) -> RPCError:
    return RPCError(
        f"the call that was to start workflow {workflow_id!r} was cancelled; whether it was started is unknown",
        RPCStatusCode.CANCELLED,
    )
