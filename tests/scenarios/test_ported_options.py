"""Programs written for the public SDK: what their options and errors mean here."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from actorflow import exceptions, service, workflow
from actorflow.client import (
    Client,
    HttpConnectProxyConfig,
    KeepAliveConfig,
    RetryConfig,
    RPCError,
    RPCStatusCode,
    RPCTimeoutOrCancelledError,
    TLSConfig,
    WithStartWorkflowOperation,
    WorkflowHistoryEventFilterType,
    WorkflowQueryRejectedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
    errors as client_errors,
)
from actorflow.common import (
    Priority,
    QueryRejectCondition,
    VersioningBehavior,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from actorflow.converter import DataConverter, DefaultPayloadConverter
from actorflow.exceptions import FailureError, TemporalError, UnsupportedOptionError
from actorflow.worker import (
    PollerBehaviorAutoscaling,
    PollerBehaviorSimpleMaximum,
    Replayer,
    UnsandboxedWorkflowRunner,
    Worker,
    WorkflowRunner,
)
from actorflow.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxMatcher, SandboxRestrictions
from actorflow.workflow import NondeterminismError, NotInWorkflowError, ReadOnlyContextError
from tests.support import a_place, execute, failure_of, start

SECOND = timedelta(seconds=1)
AT_ONCE = timedelta(0)


@workflow.defn(sandboxed=False, versioning_behavior=VersioningBehavior.PINNED)
class Waits:
    def __init__(self) -> None:
        self.is_over = False

    @workflow.run
    async def run(self) -> str:
        with workflow.unsafe.imports_passed_through(), workflow.unsafe.sandbox_unrestricted():
            await workflow.wait_condition(lambda: self.is_over)
        return "over"

    @workflow.signal
    def end(self) -> None:
        self.is_over = True

    @workflow.query
    def ask(self) -> str:
        return "asked"


async def test_options_that_mean_nothing_here_are_accepted() -> None:
    restrictions = SandboxRestrictions.default.with_passthrough_modules("pydantic").with_passthrough_all_modules()
    async with (
        await Client.connect(
            "memory://",
            tls=False,
            api_key=None,
            lazy=False,
            retry_config=RetryConfig(max_retries=3),
            keep_alive_config=KeepAliveConfig.default,
            rpc_metadata={"who": "me"},
            connect_timeout=SECOND,
            runtime=None,
            interceptors=[],
            plugins=[],
        ) as client,
        Worker(
            client,
            task_queue="q",
            workflows=[Waits],
            workflow_runner=SandboxedWorkflowRunner(restrictions=restrictions),
            unsandboxed_workflow_runner=UnsandboxedWorkflowRunner(),
            build_id="1",
            debug_mode=True,
            max_concurrent_workflow_tasks=5,
            interceptors=[],
            use_worker_versioning=False,
        ),
    ):
        handle = await client.start_workflow(
            Waits.run,
            id="w",
            task_queue="q",
            priority=Priority(priority_key=1),
            static_summary="an order",
            static_details="of **books**",
            request_eager_start=True,
            rpc_metadata={"who": "me"},
            rpc_timeout=SECOND,
        )
        await handle.signal(Waits.end, rpc_metadata={"who": "me"}, rpc_timeout=SECOND)
        assert await handle.result(rpc_metadata={"who": "me"}) == "over"
        history = await handle.fetch_history(skip_archival=True, rpc_metadata={})
    assert restrictions.passthrough_modules == {"pydantic"}
    await Replayer(workflows=[Waits], workflow_runner=UnsandboxedWorkflowRunner()).replay_workflow(history)


@pytest.mark.parametrize(
    "options",
    [
        {"tls": True},
        {"tls": TLSConfig(domain="here")},
        {"api_key": "secret"},
        {"http_connect_proxy_config": HttpConnectProxyConfig("proxy:1")},
    ],
    ids=str,
)
async def test_a_connection_refuses_what_nobody_would_do(options: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedOptionError, match=next(iter(options))):
        await Client.connect("memory://", **options)


@pytest.mark.parametrize(
    "options",
    [
        {"nexus_service_handlers": ["of another kind"]},
        {"max_activities_per_second": 1.0},
        {"max_task_queue_activities_per_second": 1.0},
        {"use_worker_versioning": True},
        {"deployment_config": "of another kind"},
        {"on_fatal_error": print},
    ],
    ids=str,
)
async def test_a_worker_refuses_what_nobody_would_do(options: dict[str, Any]) -> None:
    async with await Client.connect("memory://") as client:
        with pytest.raises(UnsupportedOptionError, match=next(iter(options))):
            Worker(client, task_queue="q", workflows=[Waits], **options)


async def test_a_misspelt_option_is_refused_with_the_right_one() -> None:
    with pytest.raises(TypeError, match="did you mean 'retry_config'"):
        await Client.connect("memory://", retry_confg=None)  # pyright: ignore[reportCallIssue]
    async with await Client.connect("memory://") as client:
        with pytest.raises(TypeError, match="did you mean 'build_id'"):
            Worker(client, task_queue="q", workflows=[Waits], buildid="1")  # pyright: ignore[reportCallIssue]


async def test_a_versioning_override_is_refused_at_the_start() -> None:
    async with a_place(Waits) as client:
        with pytest.raises(UnsupportedOptionError, match="versioning_override"):
            await start(client, Waits.run, versioning_override="of another kind")
        with pytest.raises(UnsupportedOptionError, match="versioning_override"):
            WithStartWorkflowOperation(
                Waits.run,
                id="w",
                id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
                versioning_override="of another kind",
            )


async def test_a_call_that_is_not_answered_in_time_says_so() -> None:
    async with a_place(Waits) as client:
        handle = await start(client, Waits.run)
        with pytest.raises(RPCError, match="Timeout expired") as late:
            await handle.result(rpc_timeout=AT_ONCE)
        assert late.value.status == RPCStatusCode.DEADLINE_EXCEEDED
        with pytest.raises(TypeError, match="rpc_timeout must be a timedelta"):
            await handle.result(rpc_timeout=1)  # pyright: ignore[reportArgumentType]
        await handle.signal(Waits.end)
        assert await handle.result(rpc_timeout=timedelta(minutes=1)) == "over"


async def test_a_client_may_reject_queries_of_closed_executions_by_default() -> None:
    async with a_place(Waits) as client:
        careful = Client(client.service_client, default_workflow_query_reject_condition=QueryRejectCondition.NOT_OPEN)
        handle = await start(careful, Waits.run)
        assert await handle.query(Waits.ask) == "asked"
        await handle.signal(Waits.end)
        await handle.result()
        with pytest.raises(WorkflowQueryRejectedError):
            await handle.query(Waits.ask)
        assert await handle.query(Waits.ask, reject_condition=QueryRejectCondition.NONE) == "asked"


async def test_a_client_can_be_made_like_another() -> None:
    async with await Client.connect("memory://", namespace="mine", identity="me") as client:
        config = client.config()
        config["namespace"] = "yours"
        other = Client(**config)
        assert (other.namespace, other.identity) == ("yours", "me")
        assert other.engine is client.engine


async def test_terminate_if_running_replaces_an_open_execution() -> None:
    async with a_place(Waits) as client:
        first = await start(client, Waits.run)
        second = await start(client, Waits.run, id_reuse_policy=WorkflowIDReusePolicy.TERMINATE_IF_RUNNING)
        assert isinstance(await failure_of(first), exceptions.TerminatedError)
        assert second.result_run_id != first.result_run_id
        with pytest.raises(RPCError) as refused:
            await execute(
                client,
                Waits.run,
                id_reuse_policy=WorkflowIDReusePolicy.TERMINATE_IF_RUNNING,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            )
        assert refused.value.status == RPCStatusCode.INVALID_ARGUMENT


def test_what_the_public_sdk_raises_can_be_caught_as_a_temporal_error() -> None:
    errors: list[type] = [
        FailureError,
        RPCError,
        NondeterminismError,
        ReadOnlyContextError,
        NotInWorkflowError,
        *(kind for kind in vars(client_errors).values() if isinstance(kind, type) and issubclass(kind, Exception)),
    ]
    assert [kind for kind in errors if not issubclass(kind, TemporalError)] == []
    assert issubclass(WorkflowUpdateRPCTimeoutOrCancelledError, RPCTimeoutOrCancelledError)
    problem, reason = TemporalError("x"), ValueError("y")
    problem.__cause__ = reason
    assert problem.cause is reason


def test_failures_are_made_with_the_parameters_of_the_public_sdk() -> None:
    own = FailureError("message", failure=None, exc_args=("shown",))
    assert (str(own), own.message, own.args, own.failure) == ("shown", "message", ("shown",), None)
    taken = exceptions.WorkflowAlreadyStartedError("w", "W", run_id="r", first_run_id="f")
    assert (taken.workflow_id, taken.workflow_type, taken.run_id, taken.first_run_id) == ("w", "W", "r", "f")
    refused = service.RPCError("no", RPCStatusCode.ABORTED, b"raw")
    assert (refused.message, refused.status, refused.raw_grpc_status) == ("no", RPCStatusCode.ABORTED, b"raw")


def test_a_priority_must_be_a_positive_number() -> None:
    assert Priority.default == Priority()
    with pytest.raises(ValueError, match="priority_key must be at least 1"):
        Priority(priority_key=0)


# What ported programs name


async def test_options_of_a_worker_that_ported_programs_give_are_taken_or_refused_by_name() -> None:
    async with await Client.connect("memory://", interceptors=None, plugins=None) as client:
        worker = Worker(
            client,
            task_queue="q",
            workflows=[Waits],
            interceptors=None,
            plugins=None,
            max_heartbeat_throttle_interval=SECOND,
            default_heartbeat_throttle_interval=SECOND,
            no_remote_activities=False,
            activity_task_poller_behavior=PollerBehaviorSimpleMaximum(2),
            workflow_task_poller_behavior=PollerBehaviorAutoscaling(minimum=1, maximum=3),
        )
        assert worker.config().get("plugins") == ()
        Replayer(workflows=[Waits], interceptors=None, plugins=None)
        with pytest.raises(UnsupportedOptionError, match="no_remote_activities"):
            Worker(client, task_queue="q", workflows=[Waits], no_remote_activities=True)


def test_restrictions_of_a_sandbox_are_built_from_those_of_the_public_sdk() -> None:
    invalid = SandboxRestrictions.invalid_module_members_default | SandboxMatcher(
        access={"os"}, children={"datetime": SandboxMatcher(children={"date": SandboxMatcher(use={"now", "today"})})}
    )
    freed = invalid.with_child_unrestricted("datetime", "date", "today").with_child_unrestricted("os")
    assert (freed.access, freed.children["datetime"].children["date"].use) == (set(), {"now"})
    restrictions = replace(
        SandboxRestrictions.default,
        passthrough_modules=SandboxRestrictions.passthrough_modules_default | {"pydantic"},
        invalid_modules=SandboxRestrictions.invalid_modules_default | SandboxMatcher.all_uses_runtime,
        invalid_module_members=freed,
    )
    assert restrictions.passthrough_modules == {"pydantic"}
    assert isinstance(SandboxedWorkflowRunner(restrictions), WorkflowRunner)


async def test_the_events_of_a_run_come_one_by_one_or_its_close_alone() -> None:
    async with a_place(Waits) as client:
        handle = await start(client, Waits.run)
        close = WorkflowHistoryEventFilterType.CLOSE_EVENT
        assert [event async for event in handle.fetch_history_events(event_filter_type=close)] == []
        await handle.signal(Waits.end)
        await handle.result()
        whole = (await handle.fetch_history()).events
        assert [event async for event in handle.fetch_history_events()] == whole
        assert [event async for event in handle.fetch_history_events(event_filter_type=close)] == [whole[-1]]
        with pytest.raises(UnsupportedOptionError, match="wait_new_event"):
            handle.fetch_history_events(wait_new_event=True)


# Arguments of another kind


class ShoutingConverter(DefaultPayloadConverter):
    pass


@pytest.mark.parametrize(
    ("converter", "remedy"),
    [
        (DataConverter, "the class DataConverter; pass an instance, such as DataConverter.default"),
        (5, "not 5; pass one"),
        (ShoutingConverter, r"pass DataConverter\(payload_converter_class=ShoutingConverter\)"),
        (ShoutingConverter(), r"pass DataConverter\(payload_converter_class=ShoutingConverter\)"),
    ],
    ids=["class", "number", "payload converter's class", "payload converter"],
)
async def test_a_data_converter_that_is_none_is_refused_with_what_to_pass(converter: Any, remedy: str) -> None:
    with pytest.raises(TypeError, match=remedy):
        await Client.connect("memory://", data_converter=converter)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"graceful_shutdown_timeout": 5}, "graceful_shutdown_timeout must be a timedelta, not 5"),
        ({"activity_executor": 4}, "activity_executor must be an Executor"),
        ({"workflow_failure_exception_types": [5]}, r"workflow_failure_exception_types\[0\] must be an exception"),
        ({"workflow_failure_exception_types": ValueError}, "workflow_failure_exception_types must be a list"),
    ],
    ids=str,
)
async def test_an_argument_of_a_worker_that_is_of_another_kind_is_named(options: dict[str, Any], named: str) -> None:
    async with await Client.connect("memory://") as client:
        with pytest.raises(TypeError, match=named):
            Worker(client, task_queue="q", workflows=[Waits], **options)


async def test_what_is_wrong_with_a_start_is_said_of_the_workflow() -> None:
    async with await Client.connect("memory://") as client:
        with pytest.raises(ValueError, match=r"^workflow 'Waits': start_delay must not be negative"):
            await start(client, Waits.run, start_delay=-SECOND)
        with pytest.raises(TypeError, match=r"^workflow 'Waits': execution_timeout must be a timedelta"):
            await start(client, Waits.run, execution_timeout=5)


async def test_memory_of_sqlite_is_refused_with_the_address_that_means_it() -> None:
    with pytest.raises(exceptions.AddressError, match="memory://"):
        await Client.connect("sqlite:///:memory:")


def test_an_option_is_to_be_left_out_unless_something_else_is_to_be_done() -> None:
    assert str(UnsupportedOptionError("speed", "nobody is fast")).endswith("nobody is fast; leave it out")
    assert str(UnsupportedOptionError("speed", "nobody is fast", "walk")).endswith("nobody is fast; walk")
