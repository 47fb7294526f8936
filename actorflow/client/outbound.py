"""The end of a client's interceptors: inputs become requests to the service, and its answers values and handles."""

from __future__ import annotations

from functools import partial
from inspect import isawaitable
from typing import Any, Final

import msgspec

from actorflow.activity import ActivityCancellationDetails
from actorflow.client.activity_reference import activity_target
from actorflow.client.asking import Access
from actorflow.client.async_activity import AsyncActivityCancelledError
from actorflow.client.data import WorkflowData
from actorflow.client.deadline import answered
from actorflow.client.errors import WorkflowQueryFailedError, WorkflowQueryRejectedError
from actorflow.client.handle import WorkflowHandle
from actorflow.client.history import (
    WorkflowHistory,
    WorkflowHistoryEventAsyncIterator,
    WorkflowHistoryEventFilterType,
    history_of,
)
from actorflow.client.inputs import (
    BackfillScheduleInput,
    CancelWorkflowInput,
    CompleteAsyncActivityInput,
    CountWorkflowsInput,
    CreateScheduleInput,
    DeleteScheduleInput,
    DescribeScheduleInput,
    DescribeWorkflowInput,
    FailAsyncActivityInput,
    FetchWorkflowHistoryEventsInput,
    HeartbeatAsyncActivityInput,
    ListSchedulesInput,
    ListWorkflowsInput,
    PauseScheduleInput,
    QueryWorkflowInput,
    ReportCancellationAsyncActivityInput,
    SignalWorkflowInput,
    StartWorkflowInput,
    StartWorkflowUpdateInput,
    StartWorkflowUpdateWithStartInput,
    TerminateWorkflowInput,
    TriggerScheduleInput,
    UnpauseScheduleInput,
    UpdateScheduleInput,
    UpdateWithStartStartWorkflowInput,
    UpdateWithStartUpdateWorkflowInput,
)
from actorflow.client.interceptor import OutboundInterceptor
from actorflow.client.listing import WorkflowExecutionAsyncIterator, WorkflowExecutionCount
from actorflow.client.schedule_handle import ScheduleAsyncIterator, ScheduleHandle
from actorflow.client.schedule_terms import backfills_from, definition_from
from actorflow.client.schedule_update import ScheduleUpdate, ScheduleUpdateInput
from actorflow.client.schedule_views import ScheduleDescription
from actorflow.client.start import chosen_queue, id_policies, noted, run_options
from actorflow.client.update import WorkflowUpdateHandle, WorkflowUpdateStage, parked_error, within
from actorflow.client.views import WorkflowExecutionDescription, WorkflowExecutionStatus
from actorflow.common import ScheduleOverlapPolicy, WorkflowIDConflictPolicy
from actorflow.converter import Failure, stored_headers
from actorflow.core.events import SignalReceived
from actorflow.core.schedules.record import Patch
from actorflow.core.state import NO_OPTIONS
from actorflow.service import (
    ActivityReport,
    ListRequest,
    Parked,
    QueryRejected,
    RPCError,
    RPCStatusCode,
    ScheduleRequest,
    StartRequest,
    Target,
    UpdateAnswer,
    UpdateRequest,
)

_UPDATE_TRIES_MAX: Final = 10
"""How often a schedule changes between its description and its update; then somebody changes it all the time."""


class ServiceOutbound(OutboundInterceptor):
    """See the module's head.

    Args:
        access: of the client.
    """

    def __init__(self, access: Access) -> None:
        self.next = self
        self._access = access
        self._service = access.service

    def _data(self, workflow_id: str) -> WorkflowData:
        return WorkflowData(self._access.converter, self._access.namespace, workflow_id)

    def _target(self, workflow_id: str, run_id: str | None, first_run_id: str | None = None) -> Target:
        return Target(self._access.namespace, workflow_id, run_id, first_run_id)

    # Executions

    async def start_workflow(self, input: StartWorkflowInput) -> WorkflowHandle[Any, Any]:
        data, request = self._data(input.id), self._start_request(input)
        if input.start_signal is not None:
            headers = None if request.options is None else request.options.headers
            arguments = data.values.encode(input.start_signal_args)
            signal = SignalReceived(input.start_signal, arguments, request.request_id, headers)
            conflict = request.conflict
            if conflict == WorkflowIDConflictPolicy.UNSPECIFIED:
                conflict = WorkflowIDConflictPolicy.USE_EXISTING
            request = msgspec.structs.replace(request, signal=signal, conflict=conflict)
        run_id, _ = await answered(self._service.start(await data.closed(request)), input.rpc_timeout)
        return self._started(input, run_id)

    def _start_request(self, input: StartWorkflowInput | UpdateWithStartStartWorkflowInput) -> StartRequest:
        access, values = self._access, self._access.converter.values
        options, delay = run_options(
            input.workflow,
            execution_timeout=input.execution_timeout,
            run_timeout=input.run_timeout,
            task_timeout=input.task_timeout,
            retry_policy=input.retry_policy,
            cron_schedule=input.cron_schedule,
            start_delay=input.start_delay,
        )
        options = noted(
            input.id,
            options,
            values,
            memo=input.memo,
            search_attributes=input.search_attributes,
            static_summary=input.static_summary,
            static_details=input.static_details,
        )
        if input.headers:
            options = msgspec.structs.replace(options or NO_OPTIONS, headers=stored_headers(input.headers))
        reuse, conflict = id_policies(input.id, input.id_reuse_policy, input.id_conflict_policy)
        return StartRequest(
            namespace=access.namespace,
            workflow_id=input.id,
            workflow_type=input.workflow,
            task_queue=chosen_queue(input.id, input.task_queue, access.task_queue),
            input=values.encode(input.args),
            reuse=reuse,
            conflict=conflict,
            request_id=input.request_id or "",
            options=options,
            start_delay=delay,
        )

    def _started(
        self, input: StartWorkflowInput | UpdateWithStartStartWorkflowInput, run_id: str
    ) -> WorkflowHandle[Any, Any]:
        return WorkflowHandle(
            self._access,
            input.id,
            result_run_id=run_id,
            first_execution_run_id=run_id,
            result_type=input.ret_type,
        )

    async def start_update_with_start_workflow(
        self, input: StartWorkflowUpdateWithStartInput
    ) -> WorkflowUpdateHandle[Any]:
        asked, started = input.update_workflow_input, input.start_workflow_input
        data = self._data(started.id)
        update = await data.closed(_update_request(data, asked))
        start = await data.closed(self._start_request(started))
        answer = await within(
            partial(self._service.update_with_start, start, update, input.on_start), input.rpc_timeout
        )
        return await self._updated(answer, data, started.id, asked.ret_type)

    async def cancel_workflow(self, input: CancelWorkflowInput) -> None:
        target = self._target(input.id, input.run_id, input.first_execution_run_id)
        await answered(self._service.cancel(target, input.reason), input.rpc_timeout)

    async def terminate_workflow(self, input: TerminateWorkflowInput) -> None:
        target = self._target(input.id, input.run_id, input.first_execution_run_id)
        details = await self._data(input.id).encode(input.args)
        await answered(self._service.terminate(target, input.reason or "", details), input.rpc_timeout)

    async def describe_workflow(self, input: DescribeWorkflowInput) -> WorkflowExecutionDescription:
        data = self._data(input.id)
        about = await answered(self._service.describe(self._target(input.id, input.run_id)), input.rpc_timeout)
        opened = await data.opened_if_possible(about)
        # A memo is decoded when somebody asks for it.
        return WorkflowExecutionDescription.described(msgspec.structs.replace(opened, notes=about.notes), data)

    def fetch_workflow_history_events(
        self, input: FetchWorkflowHistoryEventsInput
    ) -> WorkflowHistoryEventAsyncIterator:
        async def read() -> WorkflowHistory:
            target = self._target(input.id, input.run_id)
            known = await answered(self._service.history(target), input.rpc_timeout)
            return history_of(input.id, known.run_id, known.turns, known.started_at)

        wanted = input.event_filter_type or WorkflowHistoryEventFilterType.ALL_EVENT
        return WorkflowHistoryEventAsyncIterator(read, WorkflowHistoryEventFilterType(wanted))

    async def signal_workflow(self, input: SignalWorkflowInput) -> None:
        target, headers = self._target(input.id, input.run_id), stored_headers(input.headers)
        payloads = await self._data(input.id).encode(input.args)
        signalling = self._service.signal(target, input.signal, payloads, input.request_id, headers)
        await answered(signalling, input.rpc_timeout)

    async def query_workflow(self, input: QueryWorkflowInput) -> Any:
        data, target = self._data(input.id), self._target(input.id, input.run_id)
        headers = stored_headers(input.headers)
        payloads = await data.encode(input.args)
        timeout = None if input.rpc_timeout is None else input.rpc_timeout.total_seconds()
        answer = await self._service.query(target, input.query, payloads, input.reject_condition, timeout, headers)
        if isinstance(answer, QueryRejected):
            raise WorkflowQueryRejectedError(WorkflowExecutionStatus.of(answer.status))
        if isinstance(answer, Parked):
            raise await parked_error(answer, input.id, data)
        answer = await data.opened(answer)
        if isinstance(answer, Failure):
            problem = data.values.exception(answer)
            raise WorkflowQueryFailedError(problem.message) from problem
        return data.values.decode_one(answer, Any if input.ret_type is None else input.ret_type)

    async def start_workflow_update(self, input: StartWorkflowUpdateInput) -> WorkflowUpdateHandle[Any]:
        data, target = self._data(input.id), self._target(input.id, input.run_id, input.first_execution_run_id)
        request = await data.closed(_update_request(data, input))
        answer = await within(partial(self._service.update, target, request), input.rpc_timeout)
        return await self._updated(answer, data, input.id, input.ret_type)

    async def _updated(
        self, answer: UpdateAnswer | Parked, data: WorkflowData, workflow_id: str, result_type: Any
    ) -> WorkflowUpdateHandle[Any]:
        if isinstance(answer, Parked):
            raise await parked_error(answer, workflow_id, data)
        target = self._target(workflow_id, answer.run_id)
        return WorkflowUpdateHandle(
            self._service, data, answer.update_id, target, result_type=result_type, known=answer
        )

    def list_workflows(self, input: ListWorkflowsInput) -> WorkflowExecutionAsyncIterator:
        request = ListRequest(self._access.namespace, input.query or "", input.page_size, input.next_page_token or b"")
        return WorkflowExecutionAsyncIterator(self._access, request, limit=input.limit)

    async def count_workflows(self, input: CountWorkflowsInput) -> WorkflowExecutionCount:
        counting = self._service.count(self._access.namespace, input.query or "")
        return WorkflowExecutionCount.of(await answered(counting, input.rpc_timeout))

    # Activities that are completed from outside

    async def heartbeat_async_activity(self, input: HeartbeatAsyncActivityInput) -> None:
        activity = activity_target(input.id_or_token, self._access.namespace)
        details = await self._data(activity.target.workflow_id).encode(input.details)
        if await answered(self._service.beat_activity(activity, details), input.rpc_timeout):
            raise AsyncActivityCancelledError(ActivityCancellationDetails(cancel_requested=True))

    async def complete_async_activity(self, input: CompleteAsyncActivityInput) -> None:
        values = self._access.converter.values
        report = ActivityReport(None if input.result is None else values.encode_one(input.result))
        await self._settle(input, report)

    async def fail_async_activity(self, input: FailAsyncActivityInput) -> None:
        values = self._access.converter.values
        details = values.encode(input.last_heartbeat_details)
        await self._settle(input, ActivityReport(failure=values.failure(input.error), details=details))

    async def report_cancellation_async_activity(self, input: ReportCancellationAsyncActivityInput) -> None:
        details = self._access.converter.values.encode(input.details)
        await self._settle(input, ActivityReport(is_cancelled=True, details=details))

    async def _settle(
        self,
        input: CompleteAsyncActivityInput | FailAsyncActivityInput | ReportCancellationAsyncActivityInput,
        report: ActivityReport,
    ) -> None:
        activity = activity_target(input.id_or_token, self._access.namespace)
        closed = await self._data(activity.target.workflow_id).closed(report)
        await answered(self._service.settle_activity(activity, closed), input.rpc_timeout)

    # Schedules

    async def create_schedule(self, input: CreateScheduleInput) -> ScheduleHandle:
        access, data = self._access, self._data(input.id)
        memo = input.memo
        request = ScheduleRequest(
            access.namespace,
            input.id,
            await definition_from(input.schedule, access.converter, access.namespace, access.task_queue),
            Patch(is_triggered=input.trigger_immediately, backfills=backfills_from(input.backfill)),
            dict(zip(memo, await data.encode(tuple(memo.values())), strict=True)) if memo else None,
        )
        await answered(self._service.create_schedule(request), input.rpc_timeout)
        return ScheduleHandle(access, input.id)

    def list_schedules(self, input: ListSchedulesInput) -> ScheduleAsyncIterator:
        if input.query:
            raise RPCError(
                f"schedules can't be filtered, but the query is {input.query!r}; leave it out and choose among all",
                RPCStatusCode.INVALID_ARGUMENT,
            )
        return ScheduleAsyncIterator(
            self._access, page_size=input.page_size, next_page_token=input.next_page_token or b""
        )

    async def describe_schedule(self, input: DescribeScheduleInput) -> ScheduleDescription:
        access = self._access
        found = await answered(self._service.describe_schedule(access.namespace, input.id), input.rpc_timeout)
        return ScheduleDescription.of(found, access.converter, access.namespace)

    async def update_schedule(self, input: UpdateScheduleInput) -> None:
        for _ in range(_UPDATE_TRIES_MAX - 1):
            try:
                return await self._update_schedule(input)
            except RPCError as refusal:
                if refusal.status != RPCStatusCode.ABORTED:
                    raise
        return await self._update_schedule(input)

    async def _update_schedule(self, input: UpdateScheduleInput) -> None:
        access = self._access
        asked = DescribeScheduleInput(input.id, input.rpc_metadata, input.rpc_timeout)
        description = await self.describe_schedule(asked)
        update = input.updater(ScheduleUpdateInput(description))
        if isawaitable(update):
            update = await update
        if update is None:
            return
        if not isinstance(update, ScheduleUpdate):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(
                f"the updater of schedule {input.id!r} must return a ScheduleUpdate or None, not {update!r}"
            )
        definition = await definition_from(update.schedule, access.converter, access.namespace, access.task_queue)
        updating = self._service.update_schedule(access.namespace, input.id, definition, description.revision)
        await answered(updating, input.rpc_timeout)

    async def pause_schedule(self, input: PauseScheduleInput) -> None:
        await self._patch(input, Patch(pause=input.note or "Paused via Python SDK"))

    async def unpause_schedule(self, input: UnpauseScheduleInput) -> None:
        await self._patch(input, Patch(unpause=input.note or "Unpaused via Python SDK"))

    async def trigger_schedule(self, input: TriggerScheduleInput) -> None:
        chosen = None if input.overlap is None else ScheduleOverlapPolicy(input.overlap)
        await self._patch(input, Patch(is_triggered=True, trigger_overlap=chosen))

    async def backfill_schedule(self, input: BackfillScheduleInput) -> None:
        if not input.backfills:
            raise ValueError(f"schedule {input.id!r}: give one backfill at least")
        await self._patch(input, Patch(backfills=backfills_from(input.backfills)))

    async def delete_schedule(self, input: DeleteScheduleInput) -> None:
        await answered(self._service.delete_schedule(self._access.namespace, input.id), input.rpc_timeout)

    async def _patch(
        self,
        input: PauseScheduleInput | UnpauseScheduleInput | TriggerScheduleInput | BackfillScheduleInput,
        patch: Patch,
    ) -> None:
        patching = self._service.patch_schedule(self._access.namespace, input.id, patch)
        await answered(patching, input.rpc_timeout)


def _update_request(
    data: WorkflowData, input: StartWorkflowUpdateInput | UpdateWithStartUpdateWorkflowInput
) -> UpdateRequest:
    return UpdateRequest(
        input.update,
        data.values.encode(input.args),
        input.update_id or "",
        wants_outcome=input.wait_for_stage == WorkflowUpdateStage.COMPLETED,
        headers=stored_headers(input.headers),
    )
