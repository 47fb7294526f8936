"""What is told of an execution's relatives, of its chain, and of what it has asked others for."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from actorflow import workflow
from actorflow.client import PendingChild, PendingMessage, WorkflowExecutionDescription
from actorflow.client.data import WorkflowData
from actorflow.common import RetryPolicy
from actorflow.converter import DataConverter
from actorflow.core import events as ev
from actorflow.exceptions import ApplicationError
from actorflow.service import Description, PendingMessageInfo
from actorflow.workflow import ParentClosePolicy
from tests.core.given import NOON
from tests.support import a_client, a_place, start

DATA = WorkflowData(DataConverter.default, "default", "w")


@workflow.defn
class Parcel:
    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: False)


@workflow.defn
class Sends:
    def __init__(self) -> None:
        self.has_sent = False

    @workflow.update
    async def wait(self) -> None:
        await workflow.wait_condition(lambda: self.has_sent)

    @workflow.run
    async def run(self) -> None:
        close = ParentClosePolicy.ABANDON
        await workflow.start_child_workflow(Parcel.run, id="parcel", parent_close_policy=close)
        self.has_sent = True
        await workflow.wait_condition(lambda: False)


@workflow.defn
class Tries:
    @workflow.run
    async def run(self) -> None:
        if workflow.info().attempt < 2:
            raise ApplicationError("again")


async def test_open_children_are_described_and_children_with_their_parent(tmp_path: Path) -> None:
    async with a_place(Sends, Parcel, path=tmp_path / "a.db") as client:
        handle = await start(client, Sends.run)
        await handle.execute_update(Sends.wait)
        about = await handle.describe()
        child = await client.get_workflow_handle("parcel").describe()
    assert about.pending_children == [
        PendingChild("parcel", child.run_id, "Parcel", 5, ParentClosePolicy.ABANDON, has_started=True)
    ]
    assert (about.parent_id, about.root_id, about.pending_messages) == (None, None, [])
    assert (child.parent_id, child.parent_run_id) == ("w", about.run_id)
    assert (child.root_id, child.root_run_id) == ("w", about.run_id)


async def test_a_closed_child_still_says_whose_it_is(tmp_path: Path) -> None:
    async with a_place(Sends, Parcel, path=tmp_path / "a.db") as client:
        handle = await start(client, Sends.run)
        await handle.execute_update(Sends.wait)
        await client.get_workflow_handle("parcel").terminate()
        child = await client.get_workflow_handle("parcel").describe()
    assert child.parent_id == "w"


async def test_runs_of_a_chain_say_what_they_follow_and_what_follows_them(tmp_path: Path) -> None:
    policy = RetryPolicy(initial_interval=timedelta(milliseconds=1))
    async with a_place(Tries, path=tmp_path / "a.db") as client:
        handle = await start(client, Tries.run, retry_policy=policy)
        await handle.result()
        second = await client.get_workflow_handle("w").describe()
        first = await client.get_workflow_handle("w", run_id=handle.first_execution_run_id).describe()
    assert (first.attempt, second.attempt) == (1, 2)
    assert (first.continued_run_id, first.new_execution_run_id) == (None, second.run_id)
    assert (second.continued_run_id, second.new_execution_run_id) == (first.run_id, None)
    assert {first.first_execution_run_id, second.first_execution_run_id} == {first.run_id}
    assert second.retry_policy is not None
    assert second.retry_policy.initial_interval == timedelta(milliseconds=1)
    assert second.execution_time == second.start_time + timedelta(milliseconds=1)


async def test_a_run_that_waits_for_its_beginning_says_when_that_is_and_when_it_expires() -> None:
    hour = timedelta(hours=1)
    async with a_client() as client:
        options = {"run_timeout": 2 * hour, "execution_timeout": 9 * hour}
        delayed = await (await start(client, "Nobody", id="delayed", start_delay=hour, **options)).describe()
        cron = await (await start(client, "Nobody", id="cron", cron_schedule="@every 1h")).describe()
    assert delayed.execution_time == delayed.start_time + hour
    assert delayed.expiration_time == delayed.start_time + 3 * hour
    assert (delayed.run_timeout, delayed.execution_timeout) == (2 * hour, 9 * hour)
    assert (cron.cron_schedule, cron.execution_time) == ("@every 1h", cron.start_time + hour)


async def test_an_ordinary_execution_has_none_of_it() -> None:
    async with a_client() as client:
        about = await (await start(client, "Nobody")).describe()
    assert about.execution_time == about.start_time
    assert about.first_execution_run_id == about.run_id
    assert (about.attempt, about.cron_schedule, about.retry_policy, about.expiration_time) == (1, "", None, None)
    assert (about.pending_children, about.pending_messages, about.continued_run_id) == ([], [], None)


@pytest.mark.parametrize("name", [None, "hello"])
def test_messages_under_way_are_told_with_whom_they_are_for(name: str | None) -> None:
    message = PendingMessageInfo("other", "", 7, name)
    about = Description("default", "w", "run-1", "Order", "q", "running", NOON, None, 9, pending_messages=(message,))
    shown = WorkflowExecutionDescription.described(about, DATA)
    assert shown.pending_messages == [PendingMessage("other", None, 7, name)]


def test_a_description_knows_the_options_of_a_run() -> None:
    options = ev.RunOptions(parent=ev.ParentRun("default", "p", "run-p", 5), root=ev.RootRun("r", "run-r"), attempt=3)
    about = Description("default", "w", "run-1", "Order", "q", "running", NOON, None, 9, options=options)
    shown = WorkflowExecutionDescription.described(about, DATA)
    assert (shown.parent_run_id, shown.root_id, shown.root_run_id, shown.attempt) == ("run-p", "r", "run-r", 3)
