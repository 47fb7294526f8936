"""Programs written for the public SDK: what their options and errors mean here."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from actorflow import exceptions, service, workflow
from actorflow.client import (
    Client,
    RPCError,
    RPCStatusCode,
    RPCTimeoutOrCancelledError,
    WithStartWorkflowOperation,
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
from actorflow.exceptions import FailureError, TemporalError, UnsupportedOptionError
from actorflow.service import HttpConnectProxyConfig, KeepAliveConfig, RetryConfig, TLSConfig
from actorflow.worker import Replayer, UnsandboxedWorkflowRunner, Worker
from actorflow.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions
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
