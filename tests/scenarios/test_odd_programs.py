"""Odd but legal programs, through the public API, on memory and with every program rebuilt before each turn."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, Generic, TypeVar
from uuid import UUID

import pytest

from actorflow import activity, workflow
from actorflow.exceptions import ActivityError, ApplicationError
from tests.support import a_client, a_place, a_worker, events_of, execute, failure_of, start

SOON = timedelta(seconds=5)
T = TypeVar("T")


@activity.defn
async def echo(value: Any) -> Any:
    return value


@activity.defn
async def fail(value: str) -> None:
    raise ApplicationError(value, non_retryable=True)


@pytest.fixture(params=[None, 0], ids=["resident", "rebuilt"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Any]:
    """A client on a file whose worker keeps programs, or rebuilds them before each turn."""
    options = {} if request.param is None else {"max_cached_workflows": request.param}
    async with (
        a_client(tmp_path / "j.db") as client,
        a_worker(
            client,
            workflows=[Nested, LastWord, Unfinished, Compensates, Recurses, Shapes, Races, Everything],
            activities=[echo, fail, handle_order],
            **options,
        ),
    ):
        yield client


async def call(value: Any) -> Any:
    return await workflow.execute_activity(echo, value, start_to_close_timeout=SOON)


@workflow.defn
class Nested:
    @workflow.run
    async def run(self) -> list[str]:
        seen: list[str] = []

        async def sleeps(name: str) -> None:
            try:
                await asyncio.sleep(60)
            finally:
                await call(name)
                seen.append(name)

        try:
            async with asyncio.TaskGroup() as outer:
                outer.create_task(sleeps("outer"))
                async with asyncio.TaskGroup() as inner:
                    inner.create_task(sleeps("inner"))
                    inner.create_task(workflow.execute_activity(fail, "boom", start_to_close_timeout=SOON))
        except* ActivityError as group:
            seen.append(f"{len(group.exceptions)} failed")
        return seen


async def test_a_failing_activity_in_nested_groups_lets_siblings_clean_up_with_activities(place: Any) -> None:
    handle = await start(place, Nested.run)
    async with asyncio.timeout(5):
        assert await handle.result() == ["inner", "outer", "1 failed"]
    assert (await events_of(handle)).count("TimerCancelled") == 2


@workflow.defn
class LastWord:
    def __init__(self) -> None:
        self.words: list[str] = []

    @workflow.signal
    async def say(self, word: str) -> None:
        await asyncio.sleep(0)
        self.words.append(word)

    @workflow.run
    async def run(self) -> list[str]:
        await workflow.wait_condition(lambda: "last" in self.words)
        await call("x")
        return self.words


async def test_signals_that_race_the_end_are_either_handled_or_refused(place: Any) -> None:
    handle = await start(place, LastWord.run)
    sends = [handle.signal(LastWord.say, word) for word in ("a", "last", *map(str, range(50)))]
    outcomes = await asyncio.gather(*sends, return_exceptions=True)
    async with asyncio.timeout(5):
        words = await handle.result()
    accepted = sum(outcome is None for outcome in outcomes)
    history = await events_of(handle)
    assert history.count("SignalReceived") + history.count("SignalUnhandled") == accepted
    assert words[:2] == ["a", "last"]


@workflow.defn
class Unfinished:
    def __init__(self) -> None:
        self.log: list[str] = []

    @workflow.signal(unfinished_policy=workflow.HandlerUnfinishedPolicy.ABANDON)
    async def linger(self) -> None:
        self.log.append("began")
        try:
            await asyncio.sleep(60)
        finally:
            self.log.append("ended")

    @workflow.query
    def seen(self) -> list[str]:
        return self.log

    @workflow.run
    async def run(self) -> str:
        await workflow.wait_condition(lambda: "began" in self.log)
        return "returned"


async def test_a_handler_that_still_runs_does_not_keep_the_workflow_from_returning(place: Any) -> None:
    handle = await start(place, Unfinished.run)
    await handle.signal(Unfinished.linger)
    async with asyncio.timeout(5):
        assert await handle.result() == "returned"
    assert await handle.query(Unfinished.seen) == ["began"]


class Reached:
    """Says that a program got to a certain line."""

    event = asyncio.Event()


@workflow.defn
class Compensates:
    @workflow.run
    async def run(self) -> None:
        done: list[Any] = []
        try:
            done.append(await call(1))
            done.append(await call(2))
            Reached.event.set()
            await workflow.wait_condition(lambda: False)
        finally:
            for step in reversed(done):
                await workflow.sleep(0.001)
                await call(["undo", step])


async def test_finally_blocks_run_activities_and_timers_when_a_workflow_is_cancelled(place: Any) -> None:
    Reached.event = asyncio.Event()
    handle = await start(place, Compensates.run)
    async with asyncio.timeout(5):
        await Reached.event.wait()
    await handle.cancel()
    async with asyncio.timeout(5):
        assert str(await failure_of(handle)) == "Workflow cancelled"
    history = await handle.fetch_history()
    inputs = [e.attributes["input"][0]["json"] for e in history.events if e.event_type == "ActivityScheduled"]
    assert inputs == [1, 2, ["undo", 2], ["undo", 1]]


@workflow.defn
class Recurses:
    @workflow.run
    async def run(self, depth: int) -> int:
        async def down(level: int) -> int:
            if level == 0:
                return await call(0)
            return 1 + await down(level - 1)

        with contextlib.suppress(RecursionError):
            await down(100_000)
        return await down(depth)


async def test_deep_recursion_of_awaits_works_and_a_recursion_error_can_be_caught(place: Any) -> None:
    async with asyncio.timeout(5):
        assert await execute(place, Recurses.run, 200) == 200


class Kind(Enum):
    SMALL = "small"
    LARGE = "large"


@dataclass
class Line:
    name: str
    price: Decimal
    kind: Kind = Kind.SMALL


@dataclass
class Basket(Generic[T]):
    owner: UUID
    lines: list[T]
    at: datetime
    due: date | None = None
    naive: datetime | None = None
    wait: timedelta = timedelta(minutes=5)
    by_kind: dict[Kind, list[str]] = field(default_factory=dict)


@activity.defn
async def handle_order(basket: Basket[Line], factor: Decimal, note: str | None = None) -> Basket[Line]:
    assert isinstance(basket.lines[0], Line)
    assert isinstance(factor, Decimal)
    basket.lines = [Line(line.name, line.price * factor, Kind.LARGE) for line in basket.lines]
    basket.by_kind = {Kind.LARGE: [line.name for line in basket.lines]}
    return basket


@workflow.defn
class Shapes:
    @workflow.run
    async def run(self, basket: Basket[Line], factor: Decimal = Decimal("1.5")) -> Basket[Line]:
        assert isinstance(basket.owner, UUID)
        return await workflow.execute_activity(handle_order, args=[basket, factor], start_to_close_timeout=SOON)


async def test_typed_arguments_and_results_arrive_as_their_types(place: Any) -> None:
    at = datetime(2030, 1, 1, 12, 30, 0, 123456, tzinfo=UTC)
    sent = Basket(UUID(int=5), [Line("tea", Decimal("1.10"))], at, date(2030, 1, 2), at.replace(tzinfo=None))
    async with asyncio.timeout(5):
        back = await execute(place, Shapes.run, sent)
    assert back == Basket(
        UUID(int=5),
        [Line("tea", Decimal("1.650"), Kind.LARGE)],
        at,
        date(2030, 1, 2),
        at.replace(tzinfo=None),
        by_kind={Kind.LARGE: ["tea"]},
    )
    sparse = {"owner": str(UUID(int=5)), "lines": [{"name": "x", "price": "2"}], "at": at.isoformat(), "new": 1}
    async with asyncio.timeout(5):
        back = await (await place.start_workflow("Shapes", sparse, id="sparse", task_queue="q")).result()
    assert back["lines"] == [{"name": "x", "price": "3.0", "kind": "large"}]


@workflow.defn
class Races:
    @workflow.run
    async def run(self) -> list[Any]:
        seen: list[Any] = []
        for number in range(5):
            timer = asyncio.create_task(workflow.sleep(0.002 * number))
            work = workflow.start_activity(echo, number, start_to_close_timeout=SOON)
            done, pending = await asyncio.wait([timer, work], return_when=asyncio.FIRST_COMPLETED)
            seen.append(sorted("work" if item is work else "timer" for item in done))
            for item in pending:
                item.cancel()
            await asyncio.gather(*pending, return_exceptions=True)
            seen.append(number)
        return seen


async def test_races_of_timers_and_activities_end_and_replay(place: Any) -> None:
    async with asyncio.timeout(5):
        seen = await execute(place, Races.run)
    assert seen[1::2] == [0, 1, 2, 3, 4]


@workflow.defn
class Everything:
    def __init__(self) -> None:
        self.inbox: asyncio.Queue[Any] = asyncio.Queue()

    @workflow.signal
    async def put(self, item: Any) -> None:
        await self.inbox.put(item)

    @workflow.run
    async def run(self) -> list[Any]:
        seen: list[Any] = []
        lock, event = asyncio.Lock(), asyncio.Event()

        async def stream() -> AsyncIterator[Any]:
            while (item := await self.inbox.get()) is not None:
                yield await call(item)

        async def ticks() -> None:
            while not event.is_set():
                await asyncio.sleep(0.001)
                async with lock:
                    await call("tick")

        async with asyncio.TaskGroup() as group:
            group.create_task(ticks())
            async for item in stream():
                async with lock:
                    seen.append(item)
                    seen.append(workflow.random().randint(0, 9) < 10)
            event.set()
        seen.append(str(workflow.uuid4()) != str(workflow.uuid4()))
        return seen


async def test_a_stream_of_signals_beside_a_ticking_task_ends_well(place: Any) -> None:
    handle = await start(place, Everything.run)
    for item in range(10):
        await handle.signal(Everything.put, item)
    await handle.signal(Everything.put, None)
    async with asyncio.timeout(10):
        seen = await handle.result()
    assert seen == [*[entry for number in range(10) for entry in (number, True)], True]


# What programs say


@workflow.defn
class Speaks:
    @workflow.query
    def speak(self) -> bool:
        workflow.logger.warning("in a query")
        return workflow.unsafe.is_replaying()

    @workflow.run
    async def run(self) -> list[Any]:
        workflow.logger.warning("first", extra={"mine": 1})
        await call(1)
        workflow.logger.warning("second")
        await workflow.sleep(0.001)
        about = workflow.info()
        return [about.workflow_id, about.run_id, about.workflow_type, about.task_queue, about.namespace, about.attempt]


async def test_a_program_logs_each_line_once_with_its_identity(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "j.db"
    async with a_place(Speaks, activities=[echo], path=path, max_cached_workflows=0) as client:
        handle = await start(client, Speaks.run)
        assert await handle.result() == ["w", handle.result_run_id, "Speaks", "q", "default", 1]
        await handle.query(Speaks.speak)
    records = [record for record in caplog.records if record.name.startswith("actorflow.workflow")]
    assert [record.message.split(" ({")[0] for record in records] == ["first", "second", "in a query"]
    first = records[0]
    assert getattr(first, "mine") == 1  # noqa: B009
    assert getattr(first, "temporal_workflow")["workflow_id"] == "w"  # noqa: B009
    assert "'workflow_type': 'Speaks'" in first.message


async def test_the_loggers_switches_choose_what_is_added_and_the_callers_extra_is_left_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    extra = {"mine": 1}
    adapter = workflow.LoggerAdapter(logging.getLogger("actorflow.workflow.mine"), None)
    adapter.workflow_info_on_message = adapter.workflow_info_on_extra = False
    adapter.full_workflow_info_on_extra = True

    @workflow.defn
    class Quiet:
        @workflow.run
        async def run(self) -> None:
            adapter.warning("plain", extra=extra)

    async with a_place(Quiet) as client:
        await execute(client, Quiet.run)
    (record,) = [record for record in caplog.records if record.name == "actorflow.workflow.mine"]
    assert record.message == "plain"
    assert getattr(record, "workflow_info").workflow_type == "Quiet"  # noqa: B009
    assert not hasattr(record, "temporal_workflow")
    assert extra == {"mine": 1}
    adapter.warning("outside")
    assert caplog.records[-1].message == "outside"


def test_outside_a_workflow_its_functions_say_so() -> None:
    assert not workflow.in_workflow()
    for function in (workflow.now, workflow.info, workflow.random, workflow.uuid4, workflow.cancellation_reason):
        with pytest.raises(workflow.NotInWorkflowError):
            function()
    with pytest.raises(RuntimeError, match="Not in activity context"):
        activity.info()
    assert not activity.in_activity()
