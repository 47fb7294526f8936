"""Finding executions through the client."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from actorflow import workflow
from actorflow.client import (
    Client,
    RPCError,
    RPCStatusCode,
    WorkflowExecutionCountAggregationGroup,
    WorkflowExecutionStatus,
    WorkflowParkedError,
)
from actorflow.core import limits
from actorflow.core.policy.filter_tree import CountQuery
from actorflow.exceptions import EngineStoppedError, ListFilterError, ListTimeoutError, PageTokenError
from actorflow.store.protocol import Count
from actorflow.store.sqlite import SqliteStore
from tests.engine.stores import a_client_on
from tests.support import a_client, a_place, start


@workflow.defn
class Waits:
    def __init__(self) -> None:
        self.is_done = False

    @workflow.signal
    def finish(self) -> None:
        self.is_done = True

    @workflow.run
    async def run(self) -> str:
        await workflow.wait_condition(lambda: self.is_done)
        return "done"


@workflow.defn
class Answers:
    @workflow.run
    async def run(self, number: int) -> int:
        return number


@workflow.defn
class Breaks:
    @workflow.run
    async def run(self) -> None:
        raise RuntimeError("a bug")


async def ids(
    client: Client, query: str | None = None, *, limit: int | None = None, page_size: int = 1000
) -> list[str]:
    return [execution.id async for execution in client.list_workflows(query, limit=limit, page_size=page_size)]


@pytest.fixture(params=["memory", "file"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return tmp_path / "orders.db" if request.param == "file" else None


async def test_whatever_was_acknowledged_is_in_the_next_list(path: Path | None) -> None:
    async with a_place(Waits, path=path) as client:
        for number in range(10):
            handle = await start(client, Waits.run, id=f"order-{number}")
            assert await ids(client, "ExecutionStatus = 'Running'") == [f"order-{number}"]
            await handle.signal(Waits.finish)
            await handle.result()
            assert await ids(client, "ExecutionStatus = 'Running'") == []
            assert await ids(client, f"WorkflowId = 'order-{number}' AND CloseTime IS NOT NULL") == [handle.id]
        assert (await client.count_workflows("WorkflowType = 'Waits' AND ExecutionStatus = 'Completed'")).count == 10


async def test_an_execution_of_a_list_is_described(path: Path | None) -> None:
    async with a_place(Answers, Waits, path=path) as client:
        closed = await start(client, Answers.run, 1, id="closed")
        await closed.result()
        waiting = await start(client, Waits.run, id="waiting")
        for handle in (closed, waiting):
            (found,) = [found async for found in client.list_workflows(f"WorkflowId = '{handle.id}'")]
            about = await handle.describe()
            assert (found.id, found.run_id) == (about.id, about.run_id) == (handle.id, handle.result_run_id)
            assert (found.workflow_type, found.task_queue) == (about.workflow_type, "q")
            assert (found.namespace, found.status) == ("default", about.status)
            assert (found.start_time, found.close_time) == (about.start_time, about.close_time)
            assert (found.execution_time, found.history_length) == (about.start_time, about.history_length)
            assert found.parked is None


async def test_1100_executions_are_read_page_by_page(path: Path | None) -> None:
    async with a_client(path) as client:
        names = [f"order-{number}" for number in range(1_100)]
        await asyncio.gather(*(start(client, "Later", id=name) for name in names))

        listing = client.list_workflows()
        assert (listing.current_page, listing.current_page_index, listing.next_page_token) == (None, 0, None)
        sizes: list[int] = []
        found: list[str] = []
        async for execution in listing:
            if listing.current_page_index == 1:
                assert listing.current_page is not None
                sizes.append(len(listing.current_page))
            found.append(execution.id)
        assert sizes == [limits.LIST_PAGE_MAX, limits.LIST_PAGE_MAX, 100]
        assert listing.next_page_token is None
        assert sorted(found) == sorted(names)

        assert await ids(client, page_size=7) == found
        assert await ids(client, limit=9, page_size=4) == found[:9]
        assert await ids(client, limit=0) == []
        assert (await client.count_workflows()).count == 1_100


async def test_a_list_is_continued_with_its_token(path: Path | None) -> None:
    async with a_client(path) as client:
        for number in range(5):
            await start(client, "Later", id=str(number))
        first = client.list_workflows("ORDER BY StartTime", page_size=2)
        await first.fetch_next_page()
        assert first.current_page is not None
        assert [found.id for found in first.current_page] == ["0", "1"]
        token = first.next_page_token

        rest = client.list_workflows("ORDER BY StartTime", next_page_token=token)
        assert [found.id async for found in rest] == ["2", "3", "4"]
        await first.fetch_next_page(page_size=1)
        assert [found.id for found in first.current_page] == ["2"]

        for other in (
            client.list_workflows(next_page_token=token),
            client.list_workflows("ORDER BY StartTime", next_page_token=b"garbled"),
        ):
            with pytest.raises(RPCError, match="does not belong to this query") as refused:
                await anext(other)
            assert refused.value.status == RPCStatusCode.INVALID_ARGUMENT
            assert isinstance(refused.value.__cause__, PageTokenError)


@pytest.mark.usefixtures("quick_retries")
async def test_parked_executions_are_found_until_they_are_ended(path: Path | None) -> None:
    async with a_place(Breaks, Waits, path=path) as client:
        await start(client, Waits.run, id="fine")
        broken = await start(client, Breaks.run, id="broken")
        with pytest.raises(WorkflowParkedError):
            await broken.result()
        (found,) = [found async for found in client.list_workflows("Parked = TRUE")]
        assert (found.id, found.status) == ("broken", WorkflowExecutionStatus.RUNNING)
        assert "a bug" in (found.parked or "")
        assert await ids(client, "Parked = FALSE") == ["fine"]

        await broken.terminate()
        assert await ids(client, "Parked = TRUE") == []
        assert (await client.count_workflows("Parked = TRUE")).count == 0
        assert await ids(client, "ExecutionStatus = 'Terminated'") == ["broken"]


async def test_counts_are_grouped_by_the_names_of_statuses(path: Path | None) -> None:
    async with a_place(Answers, Waits, path=path) as client:
        for number in range(3):
            await (await start(client, Answers.run, number, id=f"a{number}")).result()
        await start(client, Waits.run)
        await (await start(client, Waits.run, id="ended")).terminate()
        found = await client.count_workflows("GROUP BY ExecutionStatus")
        assert found.count == 5
        assert found.groups == [
            WorkflowExecutionCountAggregationGroup(1, ["Running"]),
            WorkflowExecutionCountAggregationGroup(3, ["Completed"]),
            WorkflowExecutionCountAggregationGroup(1, ["Terminated"]),
        ]
        assert (await client.count_workflows("WorkflowType = 'Waits'")).groups == []


async def test_histories_of_a_list_are_fetched(path: Path | None) -> None:
    async with a_place(Answers, path=path) as client:
        for number in range(3):
            await (await start(client, Answers.run, number, id=f"a{number}")).result()
        listing = client.list_workflows("WorkflowType = 'Answers' ORDER BY StartTime", page_size=2)
        histories = [history async for history in listing.map_histories()]
        assert [history.workflow_id for history in histories] == ["a0", "a1", "a2"]
        assert {history.events[-1].event_type for history in histories} == {"Completed"}


async def test_namespaces_do_not_see_each_other(tmp_path: Path) -> None:
    address = tmp_path / "orders.db"
    async with a_client(address) as mine, a_client(address, namespace="theirs") as theirs:
        await start(mine, "Later", id="mine")
        await start(theirs, "Later", id="theirs")
        assert await ids(mine) == ["mine"]
        assert await ids(theirs) == ["theirs"]
        with pytest.raises(RPCError, match="Namespace"):
            await ids(mine, "Namespace = 'theirs'")


@pytest.mark.parametrize(
    ("query", "position", "complaint"),
    [
        ("workflowId = 'a'", 0, "did you mean WorkflowId?"),
        ("WorkflowId = 'a' AND (RunId = 'b'", 33, "expected AND, OR or ')'"),
        ("WorkflowId = 'a'; DROP TABLE run", 16, "found ';'"),
        ("1 = 1", 0, "expected a column"),
        ("WorkflowId = 'a' UNION SELECT * FROM run", 17, "found UNION"),
        ("StartTime > '2030-01-01T00:00:00'", 12, "add Z for UTC"),
        ("ExecutionStatus = 'Paused'", 18, "expected one of Running"),
    ],
)
async def test_a_filter_that_is_not_understood_is_an_invalid_argument(
    path: Path | None, query: str, position: int, complaint: str
) -> None:
    async with a_client(path) as client:
        await start(client, "Later", id="kept")
        for asked in (ids(client, query), client.count_workflows(query)):
            with pytest.raises(RPCError) as refused:
                await asked
            assert refused.value.status == RPCStatusCode.INVALID_ARGUMENT
            assert complaint in refused.value.message
            cause = refused.value.__cause__
            assert isinstance(cause, ListFilterError)
            assert cause.position == position
        assert await ids(client) == ["kept"]


async def test_an_injection_is_an_id_that_does_not_exist(path: Path | None) -> None:
    async with a_client(path) as client:
        await start(client, "Later", id="x")
        for text in ("x'' OR 1=1 --", "x''; DROP TABLE run; --", r"x\' OR 1=1 --", "%", "_"):
            assert await ids(client, f"WorkflowId = '{text}' OR WorkflowId STARTS_WITH '{text}'") == []
        await start(client, "Later", id="x' OR 1=1 --")
        assert await ids(client, "WorkflowId = 'x'' OR 1=1 --'") == ["x' OR 1=1 --"]


async def test_a_page_of_no_executions_is_refused(path: Path | None) -> None:
    async with a_client(path) as client:
        with pytest.raises(RPCError, match="ask for 1 or more") as refused:
            await ids(client, page_size=0)
        assert refused.value.status == RPCStatusCode.INVALID_ARGUMENT


class EndlessStore(SqliteStore):
    """Counts for ever."""

    async def count(self, namespace: str, query: CountQuery) -> Count:
        """See `Store.count`."""
        await self._fetch_listed("WITH RECURSIVE n AS (SELECT 1 UNION ALL SELECT 1 FROM n) SELECT count(*) FROM n", {})
        raise AssertionError("it ended")


async def test_a_filter_that_takes_too_long_is_ended_and_the_client_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "LIST_TIMEOUT", timedelta(milliseconds=20))
    async with a_client_on(EndlessStore(tmp_path / "orders.db")) as client:
        with pytest.raises(RPCError, match="narrow it down") as refused:
            await client.count_workflows()
        assert refused.value.status == RPCStatusCode.DEADLINE_EXCEEDED
        assert isinstance(refused.value.__cause__, ListTimeoutError)
        await start(client, "Later", id="later")
        assert await ids(client) == ["later"]


async def test_a_list_under_way_while_its_client_closes_says_that_it_is_closed(tmp_path: Path) -> None:
    async with a_client_on(EndlessStore(tmp_path / "orders.db")) as client:
        first = asyncio.ensure_future(client.count_workflows())
        second = asyncio.ensure_future(client.count_workflows())
        await start(client, "Later", id="later")
    for counting in (first, second):
        with pytest.raises(EngineStoppedError, match="connect again"):
            await counting


async def test_a_closed_client_lists_nothing(path: Path | None) -> None:
    async with a_client(path) as client:
        listing = client.list_workflows()
    with pytest.raises(EngineStoppedError, match="connect again"):
        await anext(listing)


@pytest.mark.parametrize(
    ("name", "value"), [("query", 5), ("page_size", "5"), ("next_page_token", "abc"), ("limit", "1")]
)
async def test_an_argument_of_another_type_is_refused_by_name(name: str, value: Any) -> None:
    async with a_client() as client:
        arguments: Any = {name: value}
        with pytest.raises(TypeError, match=name):
            client.list_workflows(**arguments)


async def test_no_more_is_read_than_wanted() -> None:
    async with a_client() as client:
        for number in range(5):
            await start(client, "W", id=f"w-{number}")
        found = client.list_workflows(limit=2)
        assert [execution.id async for execution in found] == ["w-4", "w-3"]
        assert len(found.current_page or ()) == 2
