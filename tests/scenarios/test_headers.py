"""Headers over restarts, codecs and other ways in: whoever handles something sees them as they were sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from actorflow import client as clients, worker as workers, workflow
from actorflow.client import Client, WithStartWorkflowOperation
from actorflow.common import WorkflowIDConflictPolicy
from actorflow.converter import DataConverter, PayloadConverter
from tests.engine.hidden import Hidden
from tests.support import a_worker, start

TAG = PayloadConverter.default.to_payload("tag")


class Tags(clients.Interceptor, workers.Interceptor):
    """Tags whatever a client sends, and tells a workflow which of its handlers were called with the tag."""

    def intercept_client(self, next: clients.OutboundInterceptor) -> clients.OutboundInterceptor:
        return _Tagging(next)

    def workflow_interceptor_class(
        self, input: workers.WorkflowInterceptorClassInput
    ) -> type[workers.WorkflowInboundInterceptor]:
        return _Tagged


class _Tagging(clients.OutboundInterceptor):
    async def start_workflow(self, input: clients.StartWorkflowInput) -> clients.WorkflowHandle[Any, Any]:
        input.headers = {"tag": TAG}
        return await super().start_workflow(input)

    async def signal_workflow(self, input: clients.SignalWorkflowInput) -> None:
        input.headers = {"tag": TAG}
        await super().signal_workflow(input)

    async def start_update_with_start_workflow(
        self, input: clients.StartWorkflowUpdateWithStartInput
    ) -> clients.WorkflowUpdateHandle[Any]:
        input.update_workflow_input.headers = {"tag": TAG}
        return await super().start_update_with_start_workflow(input)


class _Tagged(workers.WorkflowInboundInterceptor):
    async def execute_workflow(self, input: workers.ExecuteWorkflowInput) -> Any:
        workflow.instance().seen.append(["run", input.headers == {"tag": TAG}])
        return await super().execute_workflow(input)

    async def handle_signal(self, input: workers.HandleSignalInput) -> None:
        workflow.instance().seen.append([input.args[0], input.headers == {"tag": TAG}])
        await super().handle_signal(input)

    async def handle_update_handler(self, input: workers.HandleUpdateInput) -> Any:
        workflow.instance().seen.append(["update", input.headers == {"tag": TAG}])
        return await super().handle_update_handler(input)


@workflow.defn
class Sees:
    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.is_over = False

    @workflow.run
    async def run(self) -> list[Any]:
        await workflow.wait_condition(lambda: self.is_over)
        return self.seen

    @workflow.signal
    def hear(self, word: str) -> None:
        self.is_over = word == "bye"

    @workflow.update
    def end(self) -> str:
        self.is_over = True
        return "over"


async def test_what_waits_for_a_worker_over_a_restart_and_through_a_codec_keeps_its_headers(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    options: dict[str, Any] = {"data_converter": DataConverter(payload_codec=Hidden()), "interceptors": [Tags()]}
    async with await Client.connect(f"sqlite:///{path}", **options) as client:
        handle = await start(client, Sees.run, start_signal="hear", start_signal_args=["early"])
        await handle.signal(Sees.hear, "later")
        await (
            Client(client.service_client, data_converter=client.data_converter)
            .get_workflow_handle("w")
            .signal("hear", "untagged")
        )
    async with await Client.connect(f"sqlite:///{path}", **options) as client, a_worker(client, workflows=[Sees]):
        again = client.get_workflow_handle("w")
        await again.signal("hear", "bye")
        first, second, third, *others = await again.result()
        assert [first, second, third] == [["early", True], ["later", True], ["untagged", False]]
        assert sorted(others) == [["bye", True], ["run", True]]  # the last may come with the first turn, or later
        assert b'"json":"tag"' in b"".join(file.read_bytes() for file in tmp_path.iterdir())


async def test_an_update_with_start_has_headers_of_its_own() -> None:
    async with (
        await Client.connect("memory://", interceptors=[Tags()]) as client,
        a_worker(client, workflows=[Sees]),
    ):
        operation = WithStartWorkflowOperation(
            Sees.run, id="w", task_queue="q", id_conflict_policy=WorkflowIDConflictPolicy.FAIL
        )
        ended = client.execute_update_with_start_workflow(Sees.end, start_workflow_operation=operation)
        assert await ended == "over"
        assert await (await operation.workflow_handle()).result() == [["update", True], ["run", False]]
